// How a connection to a host comes about, whatever is spoken on it; and requests that wait for one.
#pragma once
#include <expected>
#include <memory>
#include <string_view>

#include "upstream/pool.h"

namespace outrider {

// One more request that waits for a connection to the host, for as long as this lives.
class Pending {
 public:
  // Takes over one unit of the breaker.
  Pending(StatBlock& stats, Endpoint& endpoint, Breaker& taken);
  Pending(const Pending&) = delete;
  ~Pending();
  // It got its connection, or an answer that there is none.
  Acquired end(Acquired acquired);

 private:
  StatBlock& stats_;
  Endpoint& endpoint_;
  Taken taken_;
  Held active_;
  bool over_ = false;
};

// Starts to connect, within the breaker's count, which the connection takes over; else what failed.
std::expected<std::unique_ptr<UpstreamConnection>, Acquired> begin_connecting(EndpointPool& pool, Breaker& breaker,
                                                                              UpstreamProtocol protocol);
// Until the connection stands, or what failed is said.
Task<Acquired> finish_connecting(UpstreamConnection& connection);

}  // namespace outrider
