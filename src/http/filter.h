// Filter: one link of the chain that answers a request. The last one is the router, the admin page or the echo service.
#pragma once
#include <memory>
#include <vector>

#include "http/body.h"
#include "wire/message.h"

namespace outrider {

struct Exchange;

// The answer's head, and its body still to be pulled. Both live as long as the exchange.
struct Response {
  ResponseHead* head = nullptr;
  Body* body = &NoBody::shared();
  // Set for a tunnel (101, or 200 to CONNECT): where the client's bytes go; `body` is where the other side's come from.
  Sink* tunnel = nullptr;
};

struct Next;

// Immutable, shared by all workers and requests. Code before `co_await next(x)` sees the request, code after it the
// response. A filter that has nothing to do for a request returns next(x) without being a coroutine.
class Filter {
 public:
  virtual ~Filter() = default;
  virtual Task<Response> handle(Exchange& x, Next next) const = 0;
};

using FilterChain = std::vector<std::unique_ptr<Filter>>;

// The rest of the chain. The last filter must not call it.
struct Next {
  const std::unique_ptr<Filter>* at;
  OUTRIDER_FORWARDS Task<Response> operator()(Exchange& x) const { return (*at)->handle(x, Next{at + 1}); }
};

}  // namespace outrider
