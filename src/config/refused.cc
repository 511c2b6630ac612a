#include "config/refused.h"

#include <algorithm>

namespace outrider::config {
bool Refused::lacks(const Tree& tree, std::string_view path) const {
  const Tree::Way way = tree.way_to(path);
  if (std::ranges::any_of(way.nodes, [&](const Node* node) { return contains(*node); })) return true;
  if (!way.whole && !way.nodes.empty() && is_incomplete(*way.nodes.back())) return true;
  return path_above(path);
}

bool Refused::doubts(const Tree& tree, std::string_view path) const {
  if (lacks(tree, path)) return true;
  const Tree::Way way = tree.way_to(path);
  if (way.whole && any_below(*way.nodes.back())) return true;
  return path_below(path);
}

// That path, or what it lies in.
bool Refused::path_above(std::string_view path) const {
  if (paths_.empty()) return false;
  for (std::size_t end = 1; end <= path.size(); end++) {
    const bool is_step = end == path.size() || path[end] == '.' || path[end] == '[';
    if (is_step && paths_.contains(path.substr(0, end))) return true;
  }
  return false;
}

// That path, or what lies in it.
bool Refused::path_below(std::string_view path) const {
  if (paths_.empty()) return false;
  if (path.empty() || paths_.contains(path)) return true;
  return std::ranges::any_of(std::string_view(".["), [&](char step) {
    const std::string inner = std::string(path) + step;
    const auto found = paths_.lower_bound(inner);
    return found != paths_.end() && found->starts_with(inner);
  });
}

bool Refused::any_below(const Node& node) const {
  for (const Node& child : node) {
    if (contains(child) || any_below(child)) return true;
  }
  return false;
}

}  // namespace outrider::config
