// The router: the last filter of a chain, which sends the request to a cluster. Its routes are those of a RouteTable.
#pragma once
#include "http/exchange.h"
#include "upstream/route_table.h"

namespace outrider {

class WorkerCluster;
struct Attempt;
struct Forwarding;

struct RouterOptions {
  bool suppress_envoy_headers = false;
  bool respect_expected_rq_timeout = false;  // A proxy before this one has set it for both.
  bool dynamic_stats = true;                 // Responses are counted by their code and time.
  std::vector<Known> strict_headers;         // Fields of Envoy's that a request must not have with a wrong value.
  bool start_child_span = false;             // Of a request that is traced, each attempt has a span of its own.
};

class Router final : public Filter {
 public:
  explicit Router(RouterOptions options) : options_(options) {}
  Task<Response> handle(Exchange& x, Next next) const override;

 private:
  // What the router says itself: a redirect, a direct response, a refusal. Nothing: the request goes to the cluster.
  std::optional<Response> answer(Exchange& x, const Route* route) const;
  Task<Response> forward(Exchange& x, const Route& route, Cluster& cluster) const;
  void finish(Forwarding& f, ResponseHead& head) const;
  Response time_out(Forwarding& f, std::string_view details) const;
  Response stream_too_long(Forwarding& f) const;
  Response fail(Forwarding& f, const Attempt& attempt) const;

  RouterOptions options_;
};

}  // namespace outrider
