// Which of many prefixes begin a path. A radix tree over bytes.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace outrider {

// Routes that share a path or a prefix, by number: the first one that has no further condition, and those before it
// that have one, in order.
struct RouteNumbers {
  static constexpr std::uint32_t kNone = UINT32_MAX;
  std::uint32_t plain = kNone;
  std::vector<std::uint32_t> conditional;

  // Numbers are added in ascending order.
  void add(std::uint32_t number, bool has_conditions) {
    if (plain != kNone) return;  // It is never reached.
    if (has_conditions) {
      conditional.push_back(number);
    } else {
      plain = number;
    }
  }
};

class PrefixIndex {
 public:
  static constexpr std::uint32_t kNone = RouteNumbers::kNone;

  void add(std::string_view prefix, std::uint32_t number, bool has_conditions = false);
  // The lowest plain number among the prefixes of the path.
  std::uint32_t lowest(std::string_view path) const;
  // Appends the conditional numbers below `limit`, in no order.
  void conditional(std::string_view path, std::uint32_t limit, std::vector<std::uint32_t>& into) const;
  bool has_conditional() const { return has_conditional_; }

 private:
  struct Node {
    std::string edge;  // The bytes that lead here from the parent.
    RouteNumbers numbers;
    std::vector<std::pair<unsigned char, std::uint32_t>> children;  // By first byte of the edge, sorted.
  };
  std::uint32_t child(const Node& node, unsigned char byte) const;
  const Node* down(const Node& node, std::string_view& path) const;

  std::vector<Node> nodes_{1};
  bool has_conditional_ = false;
};

}  // namespace outrider
