#include "config/convert.h"

#include "config/author_errors.h"
#include "config/canonical.h"
#include "config/load_steps.h"
#include "config/write_tree.h"

namespace outrider::config {

const Node* read_canonical(const Schema& schema, std::string_view name, std::string text, const Source& source,
                           Upgrade& upgrade, Dialect& dialect, Problems& problems) {
  Tree& tree = upgrade.tree;
  dialect = read_source(schema, name, std::move(text), source, upgrade, problems);
  if (tree.root == nullptr) return nullptr;
  Binder binder(tree, schema, Built::everything(), &upgrade, problems);
  binder.allow_unknown_fields = source.allow_unknown_fields;
  binder.allow_unknown_types = true;
  const auto messages = bind_and_validate(binder, schema, tree, Built::everything(), problems);
  return problems.any_fatal() ? nullptr : canonical(tree, schema, messages);
}

std::expected<Converted, std::vector<Problem>> convert(const Source& source, Form form) {
  Problems problems;
  std::optional<std::string> text;
  if (!source.path.empty()) text = read_text(source.path, problems);
  if (problems.any_fatal()) return std::unexpected(problems.take());
  return convert_text(Schema(), source.path, std::move(text).value_or(""), source, form);
}

std::expected<Converted, std::vector<Problem>> convert_text(const Schema& schema, std::string_view name,
                                                            std::string text, const Source& source, Form form) {
  Problems problems;
  Tree tree;
  Upgrade upgrade(tree, schema, problems);
  upgrade.for_envoy = true;
  Converted out;
  const Node* root = read_canonical(schema, name, std::move(text), source, upgrade, out.dialect, problems);
  if (root != nullptr) look_for_author_errors(tree, *root, problems);
  if (root == nullptr || problems.any_fatal()) return std::unexpected(problems.take());
  out.text = form == Form::json ? to_json(*root) : to_yaml(*root);
  out.notes = problems.take();
  return out;
}

}  // namespace outrider::config
