// How HTTP/2 is spoken on one side of the proxy (Envoy: Http2ProtocolOptions).
#pragma once
#include <chrono>
#include <memory>

#include "http/http_stats.h"
#include "wire/h2_connection.h"

namespace outrider {

// Whether the peer is still there is asked by PING (connection_keepalive).
struct H2Keepalive {
  std::chrono::milliseconds interval{0};  // Between questions; 0: none are asked.
  std::chrono::milliseconds timeout{0};   // To answer; then the connection ends.
  double jitter_percent = 15;             // Of the interval, more, by chance.
  std::chrono::milliseconds idle{0};      // A request that begins after such a time asks first; 0: it does not.
};

struct H2Options {
  static constexpr std::uint32_t kConcurrentStreams = 1024;  // Envoy's.

  h2::Options codec;
  H2Keepalive keepalive;
  std::shared_ptr<StatScope> stats;  // http2.* of H2Stat; set where it is used.
};

// Of the program's own services.
inline std::shared_ptr<const H2Options> own_h2_options(StatRegistry& stats) {
  auto options = std::make_shared<H2Options>();
  options->codec.settings.max_concurrent_streams = H2Options::kConcurrentStreams;
  options->codec.settings.enable_connect_protocol = true;
  options->stats = stats.scope("http2.", h2_stat_table());
  return options;
}

}  // namespace outrider
