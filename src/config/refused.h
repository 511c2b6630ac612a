// What a load has already complained about, so that nobody complains of the consequences.
#pragma once
#include <set>
#include <string>
#include <string_view>
#include <unordered_set>

#include "config/tree.h"

namespace outrider::config {

class Refused {
 public:
  // A node with a problem of its own: nothing of it can be relied on.
  void add(const Node& node) { nodes_.insert(&node); }
  void forgive(const Node& node) { nodes_.erase(&node); }
  // A node that lacks a value because what stands right below it was refused.
  void add_incomplete(const Node& node) { incomplete_.insert(&node); }
  // A path with a problem whose node nobody knows.
  void add_path(std::string path) { paths_.insert(std::move(path)); }

  bool contains(const Node& node) const { return nodes_.contains(&node); }
  bool is_incomplete(const Node& node) const { return incomplete_.contains(&node); }

  // The value at that path was refused, or what it lies in; or it is missing where something was refused.
  bool lacks(const Tree& tree, std::string_view path) const;
  // The same, or something in it was refused: what is said of the value as a whole may follow from that.
  bool doubts(const Tree& tree, std::string_view path) const;

 private:
  bool any_below(const Node& node) const;

  std::unordered_set<const Node*> nodes_;
  std::unordered_set<const Node*> incomplete_;
  bool path_above(std::string_view path) const;
  bool path_below(std::string_view path) const;
  std::set<std::string, std::less<>> paths_;
};

}  // namespace outrider::config
