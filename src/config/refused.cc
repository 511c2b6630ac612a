#include "config/refused.h"

#include <algorithm>

namespace outrider::config {
namespace {

// Whether `inner` is `outer` or lies in it.
bool lies_in(std::string_view inner, std::string_view outer) {
  if (!inner.starts_with(outer)) return false;
  return inner.size() == outer.size() || inner[outer.size()] == '.' || inner[outer.size()] == '[';
}

}  // namespace

bool Refused::lacks(const Tree& tree, std::string_view path) const {
  const Tree::Way way = tree.way_to(path);
  if (std::ranges::any_of(way.nodes, [&](const Node* node) { return contains(*node); })) return true;
  if (!way.whole && !way.nodes.empty() && is_incomplete(*way.nodes.back())) return true;
  return std::ranges::any_of(paths_, [&](const std::string& each) { return lies_in(path, each); });
}

bool Refused::doubts(const Tree& tree, std::string_view path) const {
  if (lacks(tree, path)) return true;
  const Tree::Way way = tree.way_to(path);
  if (way.whole && any_below(*way.nodes.back())) return true;
  return std::ranges::any_of(paths_, [&](const std::string& each) { return lies_in(each, path); });
}

bool Refused::any_below(const Node& node) const {
  for (const Node& child : node) {
    if (contains(child) || any_below(child)) return true;
  }
  return false;
}

}  // namespace outrider::config
