#include "config/reader.h"

#include <fmt/format.h>
#include <unordered_map>

namespace outrider::config {
namespace {

constexpr size_t kSmall = 12;  // up to here comparing all with all is the quickest

void refuse(const Node& second, const Node& first, const Tree& tree, Problems& problems) {
  problems.add(tree.problem(second.key_mark(), "", fmt::format("`{}` stands twice in the same mapping", second.key),
                            fmt::format("first in line {}", first.key_line)));
}

}  // namespace

bool looks_like_json(std::string_view name, std::string_view text) {
  if (name.ends_with(".json") || name.ends_with(".pb") || name.ends_with(".pb_text")) return true;
  if (name.ends_with(".yaml") || name.ends_with(".yml")) return false;
  const size_t brace = text.find_first_not_of(" \t\r\n");
  if (brace == std::string_view::npos || text[brace] != '{') return false;
  const size_t then = text.find_first_not_of(" \t\r\n", brace + 1);
  return then != std::string_view::npos && (text[then] == '"' || text[then] == '}' || text[then] == '/');
}

void refuse_duplicate_keys(const Node& mapping, const Tree& tree, Problems& problems) {
  if (mapping.size() <= kSmall) {
    for (const Node& one : mapping) {
      for (const Node* other = mapping.first; other != &one; other = other->next) {
        if (other->key == one.key) {
          refuse(one, *other, tree, problems);
          break;
        }
      }
    }
    return;
  }
  std::unordered_map<std::string_view, const Node*> seen;
  for (const Node& one : mapping) {
    const auto [place, is_new] = seen.emplace(one.key, &one);
    if (!is_new) refuse(one, *place->second, tree, problems);
  }
}

}  // namespace outrider::config
