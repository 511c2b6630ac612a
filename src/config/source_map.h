// Where in the user's files clusters, listeners, virtual hosts and routes stand.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace outrider {

struct SourceMap {
  // Of "LIST[index]", or with `route`, of "LIST[index].routes[route]".
  struct Place {
    std::uint32_t list;  // An index into `lists`.
    std::uint32_t index;
    std::int32_t route = -1;
    std::uint32_t line = 0;  // 1-based.
    std::uint16_t file = 0;  // An index into `files`.
  };

  std::vector<std::string> files;
  std::vector<std::string> lists;  // Paths of lists in the v3 configuration, such as "static_resources.clusters".
  std::vector<Place> places;       // Ordered by list, index and route.

  std::string path(const Place& place) const;
  // "envoy.yaml:12", or empty.
  std::string find(std::string_view list, std::size_t index, int route = -1) const;
};

namespace config {
class Tree;
// The tree is of v3 shape.
SourceMap source_map(const Tree& tree);
}  // namespace config

}  // namespace outrider
