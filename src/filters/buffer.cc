// Waits for the whole request before anything of it goes on. Envoy's document: "Buffer".
#include "core/block_pool.h"
#include "core/worker.h"
#include "envoy/extensions/filters/http/buffer/v3/buffer.pb.h"
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

// A body that has come, and how it ended.
class BufferedBody final : public Body {
 public:
  std::string text;
  Frame end;  // End, trailers or reset.

  Frame poll(std::size_t max) override {
    if (end.is_reset() || at_ == text.size()) return end;
    std::string_view piece = std::string_view(text).substr(at_, max);
    at_ += piece.size();
    return Frame::bytes(piece, at_ == text.size() && end.kind == Frame::Kind::end);
  }
  Task<Frame> pull(std::size_t max) override { co_return poll(max); }
  // The backend is told, unless there are trailers: those need chunks.
  std::optional<std::uint64_t> length() const override {
    if (end.kind != Frame::Kind::end) return std::nullopt;
    return text.size();
  }

 private:
  std::size_t at_ = 0;
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
  static Response too_large(Exchange& x);

  Settings settings_;
  int slot_;
};

Task<Response> Buffer::gather(Exchange& x, Next next, std::uint64_t bytes_max) {
  auto& whole = x.arena.make_owned<BufferedBody>();
  Body& body = *x.request_body;
  for (int steps = 1;; steps++) {
    if (steps % kStepsInARowMax == 0) co_await turn();
    Frame frame = body.poll(BlockPool::kBodyBytes);
    if (frame.pending()) frame = co_await body.pull(BlockPool::kBodyBytes);
    if (frame.is_data()) whole.text.append(frame.data);
    if (whole.text.size() > bytes_max) co_return too_large(x);
    if (frame.is_data() && !frame.last) continue;
    whole.end = frame.is_data() ? Frame::end() : frame;
    break;
  }
  x.request_body = &whole;
  co_return co_await next(x);
}

Response Buffer::too_large(Exchange& x) {
  x.stats[HttpStat::downstream_rq_too_large].add();
  if (x.client) x.client->leave_request(x);
  return x.reply(413, "Payload Too Large", "request_payload_too_large");
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
