// Filter: one link of the chain that answers a request. The last one is the router, the admin page or the echo service.
#pragma once
#include <memory>
#include <optional>
#include <vector>

#include "http/body.h"
#include "wire/message.h"

namespace outrider {

struct Exchange;
class FilterChain;

// The answer's head, and its body still to be pulled. Both live as long as the exchange.
struct Response {
  ResponseHead* head = nullptr;
  Body* body = &NoBody::shared();
  // Set for a tunnel (101, or 200 to CONNECT): where the client's bytes go; `body` is where the other side's come from.
  Sink* tunnel = nullptr;
};

// The rest of the chain. The last filter must not call it.
struct Next {
  const FilterChain* chain = nullptr;
  std::uint32_t index = 0;  // Of the filter that is called.
  Task<Response> operator()(Exchange& x) const;
  // It was called and has been stopped: the reply that comes instead is shown to all its filters, too.
  void take_back(Exchange& x) const;
};

// Immutable, shared by all workers and requests. Code before `co_await next(x)` sees the request, code after it the
// response. A filter that has nothing to do for a request returns next(x) without being a coroutine.
class Filter {
 public:
  virtual ~Filter() = default;
  virtual Task<Response> handle(Exchange& x, Next next) const = 0;

  // Every response passes all filters, as Envoy's do. A reply of the proxy's own (Exchange::reply) that was made before
  // this filter called next(), or was called at all, comes by this way.
  virtual Task<Response> see_reply(Exchange& x, Response reply) const;
  // False: see_reply() changes nothing.
  virtual bool sees_replies() const { return false; }
};

// A filter that needs no waiting.
class HeadFilter : public Filter {
 public:
  Task<Response> handle(Exchange& x, Next next) const final;
  Task<Response> see_reply(Exchange& x, Response reply) const final;
  bool sees_replies() const override { return true; }

 protected:
  // A reply ends the request here.
  virtual std::optional<Response> on_request(Exchange& x) const { return std::nullopt; }
  // Of the backend or of the proxy.
  virtual void on_response(Exchange& x, Response& response) const {}

 private:
  Task<Response> answer(Exchange& x, Next next) const;
};

// For a response that is there already.
Task<Response> at_once(Response response);

// The filters of a connection manager, in order.
class FilterChain {
 public:
  struct Options {
    int slot = -1;          // Where a route's word on this filter is found (RouteEntry); -1: routes say nothing of it.
    bool disabled = false;  // Unless a route enables it.
  };
  void add(std::unique_ptr<Filter> filter, Options options = Options{-1, false});
  std::size_t size() const { return filters_.size(); }

  Task<Response> operator()(Exchange& x) const;
  // For a reply that was made outside of the chain: every filter sees it.
  OUTRIDER_FORWARDS Task<Response> show(Exchange& x, Response reply) const {
    return plain_ ? at_once(reply) : show(x, reply, 0);
  }

 private:
  friend struct Next;
  Task<Response> watched(Exchange& x, std::uint32_t index) const;
  Task<Response> show(Exchange& x, Response reply, std::uint32_t from) const;
  bool skips(Exchange& x, std::uint32_t index) const;

  std::vector<std::unique_ptr<Filter>> filters_;
  std::vector<Options> options_;
  bool plain_ = true;  // No filter wants to see replies, and no route can switch one off.
};

OUTRIDER_FORWARDS inline Task<Response> Next::operator()(Exchange& x) const {
  if (!chain->plain_) return chain->watched(x, index);
  return chain->filters_[index]->handle(x, Next{chain, index + 1});
}

}  // namespace outrider
