// The routes of a listener, compiled: a request costs the same with ten virtual hosts or ten thousand.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.h"
#include "upstream/virtual_host.h"

namespace outrider {

class RouteTable final : public RouteSource {
 public:
  // Says what is wrong (a domain named twice), or takes the host.
  std::string add(std::unique_ptr<VirtualHost> host, const std::vector<std::string>& domains);
  void ignore_port(bool ignore) { ignore_port_ = ignore; }

  // Null if no domain fits.
  const VirtualHost* host(std::string_view authority) const;
  // As configured; weighted clusters are not picked yet.
  const Route* match(RouteQuery& query) const {
    const VirtualHost* h = host(query.request.authority);
    return h ? h->match(query) : nullptr;
  }
  // Tells the record of the host, the route and its cluster: a filter may answer before the router sees the request.
  const RouteEntry* match(Exchange& x) const override;
  void find_host(Exchange& x) const override;
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

}  // namespace outrider
