// Lets clients of HTTP/1 call gRPC: the status goes from the trailers into the head, and messages of protobuf may go
// without their prefix. Envoy's document: "gRPC HTTP/1.1 bridge".
#include "envoy/extensions/filters/http/grpc_http1_bridge/v3/config.pb.h"
#include "filters/grpc_call.h"
#include "http/buffered_body.h"
#include "http/changing_body.h"
#include "http/grpc_status.h"
#include "http/http_stats.h"
#include "proto/http_filter.h"

namespace outrider::filters {
namespace {

namespace v3 = envoy::extensions::filters::http::grpc_http1_bridge::v3;

struct Bridged : FilterNote {
  bool framed = false;  // The prefix of the message is put in here, and taken from the answer.
};

class GrpcHttp1Bridge final : public Filter {
 public:
  GrpcHttp1Bridge(bool upgrades, bool cuts_query) : upgrades_(upgrades), cuts_query_(cuts_query) {}

  OUTRIDER_FORWARDS Task<Response> handle(Exchange& x, Next next) const override {
    bool frames = upgrades_ && x.request.headers.value(Known::content_type) == "application/x-protobuf";
    if (!frames && !is_grpc_request(x.request)) return next(x);
    return bridge(x, next, frames);
  }
  Task<Response> see_reply(Exchange& x, Response reply) const override {
    Bridged* bridged = x.note<Bridged>(*this);
    if (!bridged) co_return reply;
    co_return co_await on_response(x, reply, *bridged);
  }
  bool sees_replies() const override { return true; }

 private:
  Task<Response> bridge(Exchange& x, Next next, bool frames) const;
  static Task<Response> on_response(Exchange& x, Response response, const Bridged& bridged);

  const bool upgrades_, cuts_query_;
};

void speak_grpc(Exchange& x) {
  x.translated = true;
  Headers& headers = x.request.headers;
  headers.set(Known::content_type, "application/grpc");
  headers.remove(Known::content_length);
  x.clear_route_cache();
}

// One message of the whole body.
void put_prefix(BufferedBody& body) {
  std::string message(view_of(grpc_prefix(0, body.bytes().size())));
  message.append(body.bytes());
  body.replace(message);
}

Task<Response> GrpcHttp1Bridge::bridge(Exchange& x, Next next, bool frames) const {
  if (frames) speak_grpc(x);
  bool bridges = x.request.version != Version::http2;
  if (bridges && cuts_query_) x.request.path = x.request.path.substr(0, x.request.path.find('?'));
  if (!bridges) co_return co_await next(x);
  Bridged& bridged = x.leave_note(*this, Bridged{});
  bridged.framed = frames;
  if (frames && x.request_body->length() != 0) {
    auto& body = x.arena.make_owned<BufferedBody>(*x.request_body);
    BufferedBody::Filled filled = co_await body.fill(x.options.buffer_bytes_max);
    if (filled == BufferedBody::Filled::too_long) co_return x.request_too_large();
    if (filled == BufferedBody::Filled::whole) put_prefix(body);
    x.request_body = &x.arena.make_owned<UnmeasuredBody>(body);
  }
  Response response = co_await next(x);
  co_return co_await on_response(x, response, bridged);
}

Task<Response> GrpcHttp1Bridge::on_response(Exchange& x, Response response, const Bridged& bridged) {
  if (response.tunnel || ends_with_head(x, response)) co_return response;
  const bool measured = response.body->length().has_value();
  auto& body = x.arena.make_owned<BufferedBody>(*response.body);
  response.body = &body;
  switch (co_await body.fill(x.options.buffer_bytes_max)) {
    case BufferedBody::Filled::too_long:
      x.stats[HttpStat::rs_too_large].add();
      co_return x.reply(500, "Internal Server Error", "response_payload_too_large");
    case BufferedBody::Filled::reset:
      co_return response;
    case BufferedBody::Filled::whole:
      break;
  }
  if (bridged.framed && !is_own_reply(x)) {
    std::string message(body.bytes().substr(std::min(kGrpcPrefixBytes, body.bytes().size())));
    body.replace(message);
  }
  const Headers* trailers = body.trailers();
  if (!trailers) {
    if (!measured) response.body = &x.arena.make_owned<UnmeasuredBody>(body);
    co_return response;
  }
  body.replace(body.bytes());  // Now its length is known.
  x.response_trailers = trailers;
  ResponseHead& head = *response.head;
  if (const Field* status = trailers->find(Known::grpc_status)) {
    if (status->value.find_first_not_of('0') != std::string_view::npos || status->value.empty()) head.status = 503;
    head.headers.set(Known::grpc_status, status->value);
  }
  if (const Field* message = trailers->find(Known::grpc_message)) head.headers.set(Known::grpc_message, message->value);
  co_return response;
}

std::unique_ptr<Filter> make(const proto::FilterSource& source) {
  v3::Config config;
  if (!proto::parse(source, config)) return nullptr;
  return std::make_unique<GrpcHttp1Bridge>(config.upgrade_protobuf_to_grpc(), config.ignore_query_parameters());
}

}  // namespace

extern const proto::HttpFilterType grpc_http1_bridge{
    "envoy.filters.http.grpc_http1_bridge",
    "envoy.extensions.filters.http.grpc_http1_bridge.v3.Config",
    make,
    "",
    nullptr,
};

}  // namespace outrider::filters
