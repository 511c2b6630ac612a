// One try to get a response: a host, a connection, the request, the response's head.
#pragma once
#include "http/exchange.h"
#include "upstream/pool.h"
#include "upstream/route.h"
#include "upstream/upstream_stream.h"

namespace outrider {

struct Attempt {
  Failure failure = Failure::none;
  std::string_view reason;     // Of a failed connect.
  bool no_host = false;        // The cluster has none that could take it.
  bool client_failed = false;  // The client's body broke, not the upstream.
  bool interim = false;        // An informational response came before the failure.
  Response response;           // Where failure is none.
};

// A connection from the pool may have died unnoticed: then the request is sent again on another one, at most this
// often.
inline constexpr int kReplaysMax = 4;

// Whether this is the answer to a WebSocket client that its backend speaks no WebSocket: neither 101 nor an error.
bool declines_websocket(const Exchange& x, const ResponseHead& head);

// What belongs to one request, whatever is tried for it; outlives the exchange's streams.
struct Forwarding {
  Exchange& x;
  const Route& route;
  WorkerCluster& cluster;
  bool envoy_headers;
  ResponseTimeout timeout{route.timeout};
  Endpoint* host = nullptr;  // Once there is a connection to it, or none could be had.
};

// The response's body is left to be pulled.
Task<Attempt> attempt(Forwarding& f);

}  // namespace outrider
