#define XXH_INLINE_ALL
#include "config/load.h"

#include <fmt/format.h>
#include <google/protobuf/message.h>
#include <sys/stat.h>
#include <xxhash.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <optional>
#include <utility>

#include "config/bind.h"
#include "config/environment.h"
#include "config/from_proto.h"
#include "config/load_steps.h"
#include "config/overlay.h"
#include "config/placeholder.h"
#include "config/reader.h"
#include "config/refused.h"
#include "config/schema.h"
#include "config/tree.h"
#include "config/upgrade.h"
#include "config/validate.h"

namespace outrider::config {
namespace {

constexpr std::string_view kBootstrap = "envoy.config.bootstrap.v3.Bootstrap";

std::optional<std::string> environment(const std::string& name) {
  const char* value = std::getenv(name.c_str());
  return value == nullptr ? std::nullopt : std::optional<std::string>(value);
}

}  // namespace

std::optional<std::string> read_text(const std::string& path, Problems& problems) {
  const auto refuse = [&](std::string message) {
    problems.add({.file = path, .message = std::move(message)});
    return std::nullopt;
  };
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (file == nullptr) return refuse(fmt::format("cannot be opened: {}", std::strerror(errno)));
  struct stat status;
  if (::fstat(::fileno(file), &status) == 0 && S_ISDIR(status.st_mode)) {
    std::fclose(file);
    return refuse("is a directory");
  }
  std::string text;
  char block[1 << 16];
  size_t size = 0;
  while ((size = std::fread(block, 1, sizeof(block), file)) > 0 && text.size() <= kTextBytesMax)
    text.append(block, size);
  const bool failed = std::ferror(file) != 0;
  const int error = errno;
  std::fclose(file);
  if (failed) return refuse(fmt::format("cannot be read: {}", std::strerror(error)));
  return text;
}

namespace {

// A text, its variables put in, as a tree of v3 shape. nullptr with a problem if it is not one.
Node* read_tree(std::string_view name, std::string_view text, const Source& source, Tree& tree, Upgrade& upgrade,
                Dialect& dialect, Problems& problems) {
  const uint16_t file = tree.add_file(std::string(name));
  if (text.size() > kTextBytesMax) {
    problems.add({.file = std::string(name), .message = fmt::format("larger than {} bytes", kTextBytesMax)});
    return nullptr;
  }
  const size_t problems_before = problems.fatal();
  Substituted substituted;
  if (source.substitute_environment) {
    substituted = substitute_environment(text, std::string(name), environment, problems);
  } else {
    substituted.text = text;
  }
  if (problems.fatal() > problems_before) return nullptr;  // a gap in the text would only make more of them
  const bool is_json = looks_like_json(name, substituted.text);
  Node* root = (is_json ? read_json : read_yaml)(substituted, tree, file, problems);
  if (root == nullptr && problems.fatal() > problems_before) return nullptr;
  if (root == nullptr || root->kind == Kind::null) {
    problems.add({.file = std::string(name), .line = 1, .column = 1, .message = "holds no configuration"});
    return nullptr;
  }
  if (!root->is_mapping()) {
    problems.add(tree.problem(root->mark(), "", "a mapping was expected: `static_resources`, `admin`, ..."));
    return nullptr;
  }
  dialect = std::min(dialect, upgrade.bootstrap(*root));
  return root;
}

void validate(const std::vector<Binder::Bound>& messages, const Schema& schema, const Built& built, const Tree& tree,
              Refused& refused, Problems& problems) {
  Validator validator(schema, built);
  std::vector<const Node*> violating;  // All rules of one value are told.
  for (const Binder::Bound& bound : messages) {
    validator.check(*bound.message, Path{}, [&](const Path& below, std::string message) {
      const std::string rest = below.text();
      const std::string path = bound.path + (bound.path.empty() || rest.empty() ? "" : ".") + rest;
      const Node& node = tree.at(path);
      if (refused.contains(node) || refused.is_incomplete(node)) return;
      problems.add(tree.problem(node.mark(), path, std::move(message)));
      // A value that is wrong, or missing. Of a message or list, something that is missing is wrong: the rest is sound.
      if (!tree.way_to(path).whole) {
        refused.add_path(path);
      } else if (node.is_scalar()) {
        violating.push_back(&node);
      }
    });
  }
  for (const Node* node : violating) refused.add(*node);
}

}  // namespace

bool Loaded::lacks(std::string_view path) const { return mistakes.any_fatal() && refused->lacks(*tree, path); }

bool Loaded::doubts(std::string_view path) const { return mistakes.any_fatal() && refused->doubts(*tree, path); }

Problem Loaded::at(std::string_view path, std::string message) const {
  const Node& node = tree->at(path);
  const bool unfilled = node.is_scalar() && is_placeholder(node.text);
  return tree->problem(node.mark(), std::string(path), std::move(message),
                       unfilled ? std::string(kPlaceholderHint) : "");
}

namespace {

using Result = std::expected<Loaded, std::vector<Problem>>;

// A path that an old version's rules complained of: the value there may be gone.
void doubt_upgraded(const Problems& problems, Refused& refused) {
  for (const Problem& each : problems.list()) {
    if (each.fatal && !each.path.empty()) refused.add_path(each.path);
  }
}

}  // namespace

Dialect read_source(const Schema& schema, std::string_view name, std::string text, const Source& source,
                    Upgrade& upgrade, Problems& problems) {
  Tree& tree = upgrade.tree;
  Dialect dialect = Dialect::v3;
  const bool has_file = !name.empty() || source.overlay_yaml.empty();
  if (is_proto_file(name)) text = from_proto(name, text, schema, problems);
  if (problems.any_fatal()) return dialect;
  if (has_file) tree.root = read_tree(name, text, source, tree, upgrade, dialect, problems);
  text = {};
  if (!source.overlay_yaml.empty()) {
    upgrade.is_overlay = has_file;
    Node* over = read_tree("--config-yaml", source.overlay_yaml, source, tree, upgrade, dialect, problems);
    if (over != nullptr && tree.root != nullptr) merge(tree, schema, *tree.root, *over, kBootstrap, problems);
    if (over != nullptr && !has_file) tree.root = over;
  }
  return dialect;
}

std::vector<Binder::Bound> bind_and_validate(Binder& binder, const Schema& schema, const Tree& tree, const Built& built,
                                             Problems& problems, std::string_view message_full_name) {
  doubt_upgraded(problems, binder.refused);
  std::vector<Binder::Bound> messages = binder.bind(*tree.root, message_full_name);
  validate(messages, schema, built, tree, binder.refused, problems);
  return messages;
}

namespace {

// What was read, as a message.
Result take_tree(const Schema& schema, std::shared_ptr<Tree> tree, Binder& binder, Loaded out, Problems& problems,
                 std::string_view message_full_name = kBootstrap) {
  const auto messages = bind_and_validate(binder, schema, *tree, Built::get(), problems, message_full_name);
  out.bootstrap = messages.back().message->SerializePartialAsString();
  out.refused = std::make_shared<const Refused>(std::move(binder.refused));
  if (problems.any_fatal()) {
    out.mistakes = std::move(problems);
  } else {
    out.notes = problems.take();
  }
  out.tree = std::move(tree);
  return out;
}

std::string text_of(const Node* node) { return node != nullptr && node->is_scalar() ? std::string(node->text) : ""; }

Result load_tree(const Schema& schema, std::string_view name, std::string text, const Source& source) {
  Problems problems;
  auto tree = std::make_shared<Tree>();
  Upgrade upgrade(*tree, schema, problems);
  Loaded out;
  out.dialect = read_source(schema, name, std::move(text), source, upgrade, problems);
  if (tree->root == nullptr) return std::unexpected(problems.take());

  Binder binder(*tree, schema, Built::get(), &upgrade, problems);
  binder.allow_unknown_fields = source.allow_unknown_fields;
  binder.disabled_extensions = source.disabled_extensions;
  if (upgrade.sds != nullptr) {
    out.sds = {text_of(upgrade.sds->find("cluster")), text_of(upgrade.sds->find("refresh_delay_ms"))};
  }
  return take_tree(schema, std::move(tree), binder, std::move(out), problems);
}

Result without_mistakes(Result loaded) {
  if (!loaded || !loaded->mistakes.any_fatal()) return loaded;
  return std::unexpected(loaded->mistakes.take());
}

}  // namespace

Result load_with_mistakes(const Source& source) {
  if (source.path.empty()) return load_tree(Schema(), "", "", source);
  Problems problems;
  std::optional<std::string> text = read_text(source.path, problems);
  if (!text) return std::unexpected(problems.take());
  return load_tree(Schema(), source.path, std::move(*text), source);
}

namespace {

// {"clusters": [...]} → {cluster_manager: {clusters: [...]}}, as a file of v1 has them; listeners are written alike.
Node* root_of(Resources resources, Tree& tree, Node& answer, Problems& problems) {
  if (resources == Resources::routes) return &answer;
  const std::string_view key = resources == Resources::clusters ? "clusters" : "listeners";
  for (const Node& entry : answer) {
    if (entry.key == key) continue;
    problems.add(tree.problem(entry.key_mark(), std::string(entry.key), "the answer has no such key",
                              fmt::format("{{\"{}\": [...]}}", key)));
  }
  const Node* list = answer.find(key);
  if (list == nullptr || !list->is_sequence()) {
    problems.add(tree.problem(answer.value_mark(), "", fmt::format("{{\"{}\": [...]}} was expected", key)));
  }
  if (resources == Resources::listeners || problems.any_fatal()) return &answer;
  Node* root = tree.make(Kind::mapping, answer.value_mark());
  tree.set(*root, "cluster_manager", answer);
  return root;
}

constexpr std::string_view kRoutes = "envoy.config.route.v3.RouteConfiguration";

}  // namespace

Result load_answer(Resources resources, std::string_view url, std::string_view name, std::string text,
                   const Loaded& file) {
  Problems problems;
  auto tree = std::make_shared<Tree>();
  const uint16_t number = tree->add_file(std::string(url));
  Substituted substituted;
  substituted.text = std::move(text);
  Node* root = read_json(substituted, *tree, number, problems);
  if (!problems.any_fatal() && (root == nullptr || !root->is_mapping())) {
    problems.add({.file = std::string(url), .line = 1, .column = 1, .message = "a JSON object was expected"});
  }
  if (!problems.any_fatal()) tree->root = root_of(resources, *tree, *root, problems);
  if (problems.any_fatal()) return std::unexpected(problems.take());
  const Schema schema;
  Upgrade upgrade(*tree, schema, problems);
  const bool is_routes = resources == Resources::routes;
  if (is_routes && root->find("name") == nullptr)
    tree->set_scalar(*root, "name", tree->keep(name), false, root->value_mark());
  if (file.sds) {
    upgrade.sds = tree->make(Kind::mapping, root->value_mark());
    tree->set_scalar(*upgrade.sds, "cluster", tree->keep(file.sds->cluster), false, root->value_mark());
    if (!file.sds->refresh_delay_ms.empty()) {
      tree->set_scalar(*upgrade.sds, "refresh_delay_ms", tree->keep(file.sds->refresh_delay_ms), true,
                       root->value_mark());
    }
  }
  const std::string_view message = is_routes ? kRoutes : kBootstrap;
  upgrade.answer(*tree->root, message);
  Binder binder(*tree, schema, Built::get(), &upgrade, problems);
  Loaded out;
  out.dialect = Dialect::v1;
  out.version = fmt::format("hash_{:x}", XXH3_64bits(substituted.text.data(), substituted.text.size()));
  return without_mistakes(take_tree(schema, std::move(tree), binder, std::move(out), problems, message));
}

Result load(const Source& source) { return without_mistakes(load_with_mistakes(source)); }

Result load_text(std::string_view name, std::string text, const Source& source) {
  return load_text(Schema(), name, std::move(text), source);
}

Result load_text(const Schema& schema, std::string_view name, std::string text, const Source& source) {
  return without_mistakes(load_tree(schema, name, std::move(text), source));
}

}  // namespace outrider::config
