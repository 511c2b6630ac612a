// How hosts have answered calls of gRPC, whose status is not that of HTTP. Envoy counts them so for outlier detection
// and in rq_success and rq_error of hosts.
#pragma once
#include "http/exchange.h"
#include "upstream/endpoint.h"

namespace outrider {

// The status that the head amounts to for outlier detection: where the request is one of gRPC and the head says
// grpc-status, what that means; else its own.
int status_of_answer(const Exchange& x, const ResponseHead& head);

// The answer to a call of gRPC whose head is no 5xx: counted once its status is known, which may be at its end. Then
// its body becomes another one. The host outlives the exchange.
void count_grpc_answer(Exchange& x, Endpoint& host, Response& response);

}  // namespace outrider
