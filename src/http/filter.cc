#include "http/filter.h"

#include "http/exchange.h"

namespace outrider {

Task<Response> at_once(Response response) { co_return response; }

OUTRIDER_FORWARDS Task<Response> Filter::see_reply(Exchange& x, Response reply) const { return at_once(reply); }

OUTRIDER_FORWARDS Task<Response> HeadFilter::handle(Exchange& x, Next next) const { return answer(x, next); }

Task<Response> HeadFilter::answer(Exchange& x, Next next) const {
  if (std::optional<Response> own = on_request(x)) co_return *own;
  Response response = co_await next(x);
  on_response(x, response);
  co_return response;
}

Task<Response> HeadFilter::see_reply(Exchange& x, Response reply) const {
  on_response(x, reply);
  co_return reply;
}

OUTRIDER_FORWARDS Task<Response> FilterChain::operator()(Exchange& x) const {
  if (plain_) return filters_[0]->handle(x, Next{this, 1});
  x.route();  // What a filter changes leads elsewhere only if it clears the route.
  return watched(x, 0);
}

void Next::take_back(Exchange& x) const { x.deepest_filter = index - 1; }

void FilterChain::add(std::unique_ptr<Filter> filter, Options options) {
  if (filter->sees_replies() || options.slot >= 0) plain_ = false;
  filters_.push_back(std::move(filter));
  options_.push_back(options);
}

// The route has the last word on whether a filter works.
bool FilterChain::skips(Exchange& x, std::uint32_t index) const {
  const Options& options = options_[index];
  const RouteFilter* said = x.route_filter(options.slot);
  return said ? said->disabled : options.disabled;
}

Task<Response> FilterChain::watched(Exchange& x, std::uint32_t index) const {
  while (skips(x, index)) index++;  // Never the last one: it answers.
  x.deepest_filter = index;
  Response response = co_await filters_[index]->handle(x, Next{this, index + 1});
  if (!x.unseen_reply) co_return response;
  x.unseen_reply = false;
  if (x.deepest_filter != index) co_return response;
  co_return co_await show(x, response, index);
}

Task<Response> FilterChain::show(Exchange& x, Response reply, std::uint32_t from) const {
  x.unseen_reply = false;
  for (std::size_t i = filters_.size(); i-- > from;) {
    if (filters_[i]->sees_replies() && !skips(x, static_cast<std::uint32_t>(i))) {
      reply = co_await filters_[i]->see_reply(x, reply);
    }
  }
  co_return reply;
}

}  // namespace outrider
