#include "config/source_map.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "config/tree.h"

namespace outrider {

std::string SourceMap::path(const Place& place) const {
  std::string path = fmt::format("{}[{}]", lists[place.list], place.index);
  return place.route < 0 ? path : fmt::format("{}.routes[{}]", path, place.route);
}

std::string SourceMap::find(std::string_view list, std::size_t index, int route) const {
  const auto number = static_cast<std::size_t>(std::ranges::find(lists, list) - lists.begin());
  const auto order = [](const Place& p) { return std::tuple<std::size_t, std::size_t, int>(p.list, p.index, p.route); };
  const std::tuple<std::size_t, std::size_t, int> wanted(number, index, route);
  const auto found = std::ranges::lower_bound(places, wanted, {}, order);
  if (found == places.end() || order(*found) != wanted) return {};
  return fmt::format("{}:{}", files[found->file], found->line);
}

namespace config {
namespace {

const Node* child(const Node* of, std::string_view snake_case, std::string_view camel_case) {
  if (!of || !of->is_mapping()) return nullptr;
  const Node* found = of->find(snake_case);
  return found ? found : of->find(camel_case);
}

class Collector {
 public:
  explicit Collector(const Tree& tree) : tree_(tree) {}

  SourceMap take() {
    const Node* resources = tree_.root ? child(tree_.root, "static_resources", "staticResources") : nullptr;
    if (!resources) return std::move(map_);
    if (const Node* clusters = list(resources->find("clusters"))) add_all(*clusters, "static_resources.clusters");
    const Node* listeners = list(resources->find("listeners"));
    if (!listeners) return std::move(map_);
    const std::string path = "static_resources.listeners";
    add_all(*listeners, path);
    std::size_t i = 0;
    for (const Node& each : *listeners) add_routes(each, fmt::format("{}[{}]", path, i++));
    return std::move(map_);
  }

 private:
  static const Node* list(const Node* node) { return node && node->is_sequence() ? node : nullptr; }

  void add_routes(const Node& listener, const std::string& path) {
    const Node* chains = list(child(&listener, "filter_chains", "filterChains"));
    std::size_t c = 0;
    for (const Node* chain = chains ? chains->first : nullptr; chain; chain = chain->next, c++) {
      const Node* filters = chain->is_mapping() ? list(chain->find("filters")) : nullptr;
      std::size_t f = 0;
      for (const Node* filter = filters ? filters->first : nullptr; filter; filter = filter->next, f++) {
        const Node* routes = child(child(filter, "typed_config", "typedConfig"), "route_config", "routeConfig");
        const Node* hosts = list(child(routes, "virtual_hosts", "virtualHosts"));
        if (hosts) {
          add_hosts(*hosts, fmt::format("{}.filter_chains[{}].filters[{}].typed_config.route_config.virtual_hosts",
                                        path, c, f));
        }
      }
    }
  }

  void add_hosts(const Node& hosts, const std::string& path) {
    const std::uint32_t number = add_list(path);
    std::uint32_t h = 0;
    for (const Node& host : hosts) {
      add(host, number, h, -1);
      std::int32_t r = 0;
      if (const Node* routes = host.is_mapping() ? list(host.find("routes")) : nullptr) {
        for (const Node& route : *routes) add(route, number, h, r++);
      }
      h++;
    }
  }

  void add_all(const Node& nodes, const std::string& path) {
    const std::uint32_t number = add_list(path);
    std::uint32_t i = 0;
    for (const Node& each : nodes) add(each, number, i++, -1);
  }

  std::uint32_t add_list(const std::string& path) {
    map_.lists.push_back(path);
    return static_cast<std::uint32_t>(map_.lists.size() - 1);
  }

  void add(const Node& node, std::uint32_t list, std::uint32_t index, std::int32_t route) {
    const Mark mark = node.mark();
    if (mark.line <= 0) return;
    map_.places.push_back({list, index, route, static_cast<std::uint32_t>(mark.line), file(mark.file)});
  }

  std::uint16_t file(std::uint16_t of_tree) {
    const std::string& name = tree_.file(of_tree);
    auto found = std::ranges::find(map_.files, name);
    if (found == map_.files.end()) found = map_.files.insert(found, name);
    return static_cast<std::uint16_t>(found - map_.files.begin());
  }

  const Tree& tree_;
  SourceMap map_;
};

}  // namespace

SourceMap source_map(const Tree& tree) { return Collector(tree).take(); }

}  // namespace config
}  // namespace outrider
