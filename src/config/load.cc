#include "config/load.h"

#include <fmt/format.h>
#include <google/protobuf/message.h>
#include <sys/stat.h>

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
                                             Problems& problems) {
  doubt_upgraded(problems, binder.refused);
  std::vector<Binder::Bound> messages = binder.bind(*tree.root, kBootstrap);
  validate(messages, schema, built, tree, binder.refused, problems);
  return messages;
}

namespace {

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
  const auto messages = bind_and_validate(binder, schema, *tree, Built::get(), problems);
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

Result load(const Source& source) { return without_mistakes(load_with_mistakes(source)); }

Result load_text(std::string_view name, std::string text, const Source& source) {
  return load_text(Schema(), name, std::move(text), source);
}

Result load_text(const Schema& schema, std::string_view name, std::string text, const Source& source) {
  return without_mistakes(load_tree(schema, name, std::move(text), source));
}

}  // namespace outrider::config
