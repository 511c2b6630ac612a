// The dump of a configuration, and what of it is asked for.
#pragma once
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "admin/api_message.h"
#include "config/schema.h"
#include "config/snapshot.h"

namespace re2 {
class RE2;
}

namespace outrider {

// envoy.admin.v3.ConfigDump in parts, one message a section: BootstrapConfigDump, ClustersConfigDump, ...
class ConfigDump {
 public:
  struct Choice {
    std::string_view resource;                   // The name of a list of a section; empty: all sections.
    std::string_view mask;                       // Paths of fields, by commas; empty: all of them.
    std::shared_ptr<const re2::RE2> name_regex;  // Of whole names of clusters, listeners, routes; null: all of them.
    bool endpoints = false;                      // With EndpointsConfigDump.
  };
  struct Refusal {
    int status;
    std::string text;
  };

  // `configured`: when the snapshot came into force; empty: the dump has no times.
  ConfigDump(const Snapshot& snapshot, std::optional<WallTime> configured)
      : snapshot_(snapshot), configured_(configured) {}

  // As JSON. Secrets are redacted.
  std::expected<std::string, Refusal> json(const Choice& choice);

 private:
  struct Section {
    std::string type;
    ApiMessage message;
  };

  ApiMessage make(const std::string& type);
  ApiMessage& section(const std::string& name);
  bool wanted(const std::string& name) const;
  void stamp(const ApiMessage& part) const;
  bool add_sections();
  void add_all(const std::vector<ApiMessage>& configs, const ApiMessage& to, const std::string& list,
               const std::string& field);
  void add_routes(const ApiMessage& resources, const ApiMessage& to);
  void add_routes_of(const ApiMessage& filter, const ApiMessage& to);
  void add_endpoints(const ApiMessage& to);
  // What answers of discovery have put in.
  void add_discovered_clusters(const ApiMessage& to);
  void add_discovered_listeners(const ApiMessage& to, const ApiMessage& routes);
  void add_discovered_routes(const ApiMessage& to);
  ApiMessage parse(const std::string& type, const std::string& bytes);
  std::optional<Refusal> pack_resource(const ApiMessage& dump, std::string_view resource, std::string_view mask);
  std::optional<Refusal> pack_masked(const ApiMessage& dump, std::string_view mask);

  const Snapshot& snapshot_;
  const std::optional<WallTime> configured_;
  Choice choice_;
  const config::Schema schema_;
  std::vector<std::unique_ptr<google::protobuf::Message>> made_;
  std::vector<Section> sections_;
};

}  // namespace outrider
