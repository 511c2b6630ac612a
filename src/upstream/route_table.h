// The routes of a listener, compiled: a request costs the same with ten virtual hosts or ten thousand.
#pragma once
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "http/exchange.h"
#include "upstream/route.h"
#include "wire/message.h"

namespace outrider {

// For look-ups by view, without a copy.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return XXH3_64bits(text.data(), text.size()); }
};
template <class V>
using TextMap = std::unordered_map<std::string, V, TextHash, std::equal_to<>>;

// Which of many prefixes begin a path: the lowest number among them. A radix tree over bytes.
class PrefixIndex {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;
  // The lower of two numbers stays when a prefix is added twice.
  void add(std::string_view prefix, std::uint32_t number);
  std::uint32_t lowest(std::string_view path) const;

 private:
  struct Node {
    std::string edge;  // The bytes that lead here from the parent.
    std::uint32_t number = kNone;
    std::vector<std::pair<unsigned char, std::uint32_t>> children;  // By first byte of the edge, sorted.
  };
  std::uint32_t child(const Node& node, unsigned char byte) const;
  std::vector<Node> nodes_{1};
};

class VirtualHost {
 public:
  VirtualHost(std::string name, std::vector<Route> routes);
  const Route* match(const RequestHead& request) const;
  const std::string& name() const { return name_; }
  const std::vector<Route>& routes() const { return routes_; }

 private:
  // Below this many routes a walk through the list is the fastest index.
  static constexpr std::size_t kListedMax = 6;
  static bool matches(const Route& route, std::string_view path);

  std::string name_;
  std::vector<Route> routes_;
  TextMap<std::uint32_t> paths_;
  PrefixIndex prefixes_;
  std::vector<std::uint32_t> others_;  // Those that no index covers, in order.
};

class RouteTable final : public RouteSource {
 public:
  // Says what is wrong (a domain named twice), or takes the host.
  std::string add(std::unique_ptr<VirtualHost> host, const std::vector<std::string>& domains);
  void ignore_port(bool ignore) { ignore_port_ = ignore; }

  const VirtualHost* host(std::string_view authority) const;
  const Route* match(const RequestHead& request) const {
    const VirtualHost* h = host(request.authority);
    return h ? h->match(request) : nullptr;
  }
  // Names the route and its cluster in the record: a filter may answer before the router sees the request.
  const RouteEntry* match(Exchange& x) const override;
  const std::vector<std::unique_ptr<VirtualHost>>& hosts() const { return hosts_; }

 private:
  using Domains = TextMap<const VirtualHost*>;
  const VirtualHost* find_wildcard(std::string_view authority) const;

  std::vector<std::unique_ptr<VirtualHost>> hosts_;
  Domains exact_;
  Domains suffixes_;                         // "*.example.com" as ".example.com".
  Domains prefixes_;                         // "example.*" as "example.".
  std::vector<std::size_t> suffix_lengths_;  // That occur, longest first.
  std::vector<std::size_t> prefix_lengths_;
  const VirtualHost* default_ = nullptr;  // "*".
  bool ignore_port_ = false;
};

// The path without query and fragment.
inline std::string_view without_query(std::string_view path) { return path.substr(0, path.find_first_of("?#")); }

}  // namespace outrider
