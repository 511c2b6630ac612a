#include "upstream/prefix_index.h"

#include <algorithm>

namespace outrider {

std::uint32_t PrefixIndex::child(const Node& node, unsigned char byte) const {
  auto at = std::lower_bound(node.children.begin(), node.children.end(), byte,
                             [](const auto& c, unsigned char b) { return c.first < b; });
  return at != node.children.end() && at->first == byte ? at->second : kNone;
}

void PrefixIndex::add(std::string_view prefix, std::uint32_t number, bool has_conditions) {
  if (has_conditions) has_conditional_ = true;
  std::uint32_t at = 0;
  for (;;) {
    if (prefix.empty()) return nodes_[at].numbers.add(number, has_conditions);
    auto first = static_cast<unsigned char>(prefix[0]);
    std::uint32_t below = child(nodes_[at], first);
    if (below == kNone) {
      auto added = static_cast<std::uint32_t>(nodes_.size());
      nodes_.push_back({std::string(prefix), {}, {}});
      nodes_[added].numbers.add(number, has_conditions);
      auto& children = nodes_[at].children;
      children.insert(std::upper_bound(children.begin(), children.end(), std::pair{first, UINT32_MAX}), {first, added});
      return;
    }
    const std::string& edge = nodes_[below].edge;
    std::size_t common = 0;
    while (common < edge.size() && common < prefix.size() && edge[common] == prefix[common]) common++;
    if (common < edge.size()) {  // The edge is cut in two.
      Node lower = std::move(nodes_[below]);
      std::string head = lower.edge.substr(0, common);
      lower.edge.erase(0, common);
      auto first_below = static_cast<unsigned char>(lower.edge[0]);
      auto moved = static_cast<std::uint32_t>(nodes_.size());
      nodes_.push_back(std::move(lower));
      nodes_[below] = Node{std::move(head), {}, {{first_below, moved}}};
    }
    prefix.remove_prefix(common);
    at = below;
  }
}

// The node below that the path leads to, and the rest of the path; null: none.
const PrefixIndex::Node* PrefixIndex::down(const Node& node, std::string_view& path) const {
  if (path.empty()) return nullptr;
  std::uint32_t below = child(node, static_cast<unsigned char>(path[0]));
  if (below == kNone || !path.starts_with(nodes_[below].edge)) return nullptr;
  path.remove_prefix(nodes_[below].edge.size());
  return &nodes_[below];
}

std::uint32_t PrefixIndex::lowest(std::string_view path) const {
  std::uint32_t best = kNone;
  for (const Node* node = &nodes_[0]; node; node = down(*node, path)) best = std::min(best, node->numbers.plain);
  return best;
}

void PrefixIndex::conditional(std::string_view path, std::uint32_t limit, std::vector<std::uint32_t>& into) const {
  for (const Node* node = &nodes_[0]; node; node = down(*node, path)) {
    for (std::uint32_t number : node->numbers.conditional) {
      if (number >= limit) break;
      into.push_back(number);
    }
  }
}

}  // namespace outrider
