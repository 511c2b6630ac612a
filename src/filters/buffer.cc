// Waits for the whole request before anything of it goes on. Envoy's document: "Buffer".
#include "core/block_pool.h"
#include "envoy/extensions/filters/http/buffer/v3/buffer.pb.h"
#include "http/buffered_body.h"
#include "http/exchange.h"
#include "http/http_stats.h"
#include "proto/http_filter.h"

namespace outrider::filters {
namespace {

namespace v3 = envoy::extensions::filters::http::buffer::v3;

struct Settings final : RouteFilterConfig {
  bool disabled = false;
  std::uint64_t bytes_max = 0;  // Of a body.
};

class Buffer final : public Filter {
 public:
  Buffer(Settings settings, int slot) : settings_(std::move(settings)), slot_(slot) {}

  OUTRIDER_FORWARDS Task<Response> handle(Exchange& x, Next next) const override {
    if (x.request_body->length() == 0) return next(x);
    const auto* said = static_cast<const Settings*>(x.route_config(slot_));
    const Settings& settings = said ? *said : settings_;
    return settings.disabled ? next(x) : gather(x, next, settings.bytes_max);
  }

 private:
  static Task<Response> gather(Exchange& x, Next next, std::uint64_t bytes_max);

  Settings settings_;
  int slot_;
};

Task<Response> Buffer::gather(Exchange& x, Next next, std::uint64_t bytes_max) {
  auto& body = x.arena.make_owned<BufferedBody>(*x.request_body);
  switch (co_await body.fill(bytes_max)) {
    case BufferedBody::Filled::too_long:
      x.request_body->poll(BlockPool::kBodyBytes);  // For the log: as much as Envoy reads at once.
      co_return x.request_too_large();
    case BufferedBody::Filled::reset:
      body.replace({});  // The backend gets nothing of it.
      break;
    case BufferedBody::Filled::whole:
      if (!body.trailers()) body.replace(body.bytes());  // Now its length is known; trailers need chunks.
  }
  x.request_body = &body;
  co_return co_await next(x);
}

std::unique_ptr<Filter> make(const proto::FilterSource& source) {
  v3::Buffer config;
  if (!proto::parse(source, config)) return nullptr;
  Settings settings;
  settings.bytes_max = config.max_request_bytes().value();
  return std::make_unique<Buffer>(std::move(settings), source.slot);
}

std::shared_ptr<RouteFilterConfig> make_route(const proto::FilterSource& source) {
  v3::BufferPerRoute config;
  if (!proto::parse(source, config)) return nullptr;
  auto settings = std::make_shared<Settings>();
  settings->disabled = config.disabled();
  settings->bytes_max = config.buffer().max_request_bytes().value();
  return settings;
}

}  // namespace

extern const proto::HttpFilterType buffer{
    "envoy.filters.http.buffer",
    "envoy.extensions.filters.http.buffer.v3.Buffer",
    make,
    "envoy.extensions.filters.http.buffer.v3.BufferPerRoute",
    make_route,
};

}  // namespace outrider::filters
