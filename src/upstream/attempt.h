// One try to get a response: a host, a connection, the request, the response's head.
#pragma once
#include "http/exchange.h"
#include "upstream/failure_meaning.h"
#include "upstream/original_host.h"
#include "upstream/pool.h"
#include "upstream/replay_body.h"
#include "upstream/route.h"
#include "upstream/upstream_stream.h"
#include "upstream/virtual_host.h"

namespace outrider {

class Tries;

// What ended an attempt: itself, or a time-out of its own.
enum class TryEnd : std::uint8_t { itself, timeout, idle_timeout };

struct Attempt {
  Failure failure = Failure::none;
  std::string_view reason = {};  // Of a failed connect.
  bool no_host = false;          // The cluster has none that could take it.
  bool client_failed = false;    // The client's body broke, not the upstream.
  bool interim = false;          // An informational response came before the failure.
  TryEnd ended = TryEnd::itself;
  Response response = {};  // Where failure is none.
};

// What came of the attempt. Nothing is told where there was no host, or where it is the client who failed.
void tell_trace(RequestTrace& trace, const Attempt& attempt);

// A connection from the pool may have died unnoticed: then the request is sent again on another one, at most this
// often.
inline constexpr int kReplaysMax = 4;

// Whether this is the answer to a WebSocket client that its backend speaks no WebSocket: neither 101 nor an error.
bool declines_websocket(const Forwarding& f, const ResponseHead& head);

// Whether Envoy's own network asks: those requests are counted apart.
inline CodeCopy origin_of(const RequestHead& request) {
  return request.headers.value(Known::x_envoy_internal) == "true" ? CodeCopy::internal : CodeCopy::external;
}

// Whether the backend calls itself one.
inline bool is_canary(const ResponseHead& head) {
  constexpr std::string_view kName = "x-envoy-upstream-canary";
  for (const Field& f : head.headers) {
    if (f.name.size() == kName.size() && f.known == Known::none && f.name == kName) return f.value == "true";
  }
  return false;
}

// What belongs to one request, whatever is tried for it; outlives the exchange's streams.
struct Forwarding {
  Exchange& x;
  const Route& route;
  WorkerCluster& cluster;
  bool envoy_headers;
  std::chrono::milliseconds time_limit;  // The route's, or what the request asks for; 0: none.
  ResponseTimeout timeout{time_limit};
  int timeout_status = 504;
  StatBlock* virtual_cluster = nullptr;  // What else counts the answer; null: nothing.
  StatBlock* of_route = nullptr;
  bool child_span = false;           // RouterOptions::start_child_span
  Endpoint* host = nullptr;          // Once there is a connection to it, or none could be had.
  UpstreamStream* stream = nullptr;  // The last one; null: there was none.
  Tries* tries = nullptr;            // Null: neither the route nor the request knows more than one attempt.
  ReplayBody* kept_body = nullptr;   // Null: nobody wants the request's body a second time.
  std::vector<std::string_view> new_cookies = {};  // What the response sets so that its client comes back.
  std::optional<HashChoice> hashed = std::nullopt;
  // What consistent hashing goes by; nothing where the cluster does not hash.
  HashChoice hash_choice(std::uint32_t attempt);
  // From here on it is kept as it is read; null: there is none.
  ReplayBody* keep_body();
  void find_counters();
  void count_request();  // It goes to a host.
  void count_code(int status, bool canary = false);
  // The final answer of a host.
  void note_status(Endpoint& endpoint, const ResponseHead& head);
};

// The load balancer's choice for the request, of which so many have been declined; null: there is no host.
inline Endpoint* pick_host(Forwarding& f, std::uint32_t declined = 0) {
  const ClusterOptions& options = f.cluster.cluster->options;
  if (options.discovery == DiscoveryType::original_dst) return original_host(f.x, f.cluster);
  HashChoice by = options.hash ? f.hash_choice(declined) : HashChoice{};
  return options.subset ? pick_from_subset(f, by) : f.cluster.pick(f.cluster.hosts(), by);
}

// The host could not be reached, or did not answer in time: outlier detection takes it for that status.
void note_local_failure(Forwarding& f, Endpoint& host, int status);

// The response's body is left to be pulled.
Task<Attempt> attempt(Forwarding& f);

}  // namespace outrider
