#pragma once

#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/answers.h"
#include "config/dialect.h"
#include "config/problem.h"

namespace outrider::config {

class Refused;
class Schema;
class Tree;

// Where a configuration comes from.
struct Source {
  std::string path = {};               // -c; may be empty if there is an overlay
  std::string overlay_yaml = {};       // --config-yaml, merged over the file: messages field by field, lists appended
  bool substitute_environment = true;  // ${NAME}, see environment.h
  bool allow_unknown_fields = false;   // a field that the API does not have is a note instead of an error
  std::vector<std::string> disabled_extensions = {};  // names that may not be used, alone or as CATEGORY/NAME
};

// A configuration that is well-formed, valid, and built; or, from load_with_mistakes(), what is left of one that is
// not.
struct Loaded {
  std::string bootstrap;       // serialized envoy.config.bootstrap.v3.Bootstrap; of routes: RouteConfiguration
  std::vector<Problem> notes;  // deprecated spellings and the like; none is fatal
  Problems mistakes;           // if any of them is fatal, the notes are among them
  Dialect dialect = Dialect::v3;

  // A fatal problem at `path` (v3 names, as `static_resources.listeners[0].filter_chains[0].filters[0].typed_config
  // .route_config.virtual_hosts[1].routes[0].route.cluster`), with the mark of that value in the user's file. The path
  // goes through typed_config without a word. A path that the file does not have takes the mark of its nearest parent.
  Problem at(std::string_view path, std::string message) const;

  // Without mistakes all is well. lacks(): the value at that path did not get into `bootstrap`. doubts(): or not whole,
  // so that a problem with it may be a consequence of what is known already.
  bool lacks(std::string_view path) const;
  bool doubts(std::string_view path) const;

  // cluster_manager.sds of v1, for clusters of the type `sds` that are discovered later.
  struct Service {
    std::string cluster, refresh_delay_ms;
  };
  std::optional<Service> sds;
  std::string version;  // Of an answer, as Envoy called those of v1: "hash_<digits>".

  std::shared_ptr<const Tree> tree;        // the marks; drop the Loaded when compile has ended
  std::shared_ptr<const Refused> refused;  // where the mistakes are
};

// Reads, substitutes, upgrades (v1, v2, mixed), binds and validates. On failure every error that was found.
std::expected<Loaded, std::vector<Problem>> load(const Source& source);

// The same, but what is wrong with single values is no failure: it is in `mistakes`, and compile() adds what it finds.
std::expected<Loaded, std::vector<Problem>> load_with_mistakes(const Source& source);

// The same for a text that is already here; `name` is the file name of its marks and decides by its suffix how the text
// is read. Of `.pb` and `.pb_text` the marks are those of the JSON that says the same.
std::expected<Loaded, std::vector<Problem>> load_text(std::string_view name, std::string text,
                                                      const Source& source = {});

// The same with a schema that is there already: making one is most of the work of a small load.
std::expected<Loaded, std::vector<Problem>> load_text(const Schema& schema, std::string_view name, std::string text,
                                                      const Source& source = {});

// The answer of a service of discovery of v1: {"clusters": [...]}, {"listeners": [...]} or a table of routes, JSON.
// `url` is the file of its marks; `name`, of routes, what they are called. `file` is the configuration that asks.
std::expected<Loaded, std::vector<Problem>> load_answer(Resources resources, std::string_view url,
                                                        std::string_view name, std::string text, const Loaded& file);

// Proto3 JSON of a serialized message, indented, with the original field names; an Any shows its content beside
// "@type". Empty if the API has no such message. Builds the reflection that it needs and frees it.
std::string to_json(std::string_view message_full_name, std::string_view bytes);
std::string to_json(const Schema& schema, std::string_view message_full_name, std::string_view bytes);

}  // namespace outrider::config
