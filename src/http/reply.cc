#include "core/decimal.h"
#include "http/debug_log.h"
#include "http/exchange.h"
#include "http/grpc_status.h"
#include "http/http_stats.h"
#include "http/local_reply.h"

namespace outrider {
namespace {

// A client that speaks gRPC finds the status in fields, and no body.
void put_grpc_body(ResponseHead& head, std::string_view body, std::string_view details, Arena& arena) {
  constexpr std::uint32_t kDeadlineExceeded = 4;
  bool late = details == "max_duration_timeout";
  head.headers.add(Known::grpc_status, decimal(arena, late ? kDeadlineExceeded : grpc_status_of(head.status)));
  if (!body.empty()) head.headers.add(Known::grpc_message, arena.copy(grpc_message_of(body)));
  head.headers.set(Known::content_type, "application/grpc");
  head.status = 200;
}

void put_body(ResponseHead& head, std::string_view body, std::string_view content_type, bool own_type, Arena& arena) {
  if (body.empty()) {
    head.headers.remove(Known::content_length);
    head.headers.remove(Known::content_type);
    return;
  }
  head.headers.set(Known::content_length, decimal(arena, body.size()));
  if (!own_type || !head.headers.has(Known::content_type)) head.headers.set(Known::content_type, content_type);
}

}  // namespace

Response Exchange::answer(int status, std::string_view details) {
  record.details = details;
  record.status = status;
  debug(*this, Logger::http, [&] { return "Sending local reply with details " + std::string(details); });
  unseen_reply = true;
  auto& head = arena.make_owned<ResponseHead>(arena);
  head.status = static_cast<std::uint16_t>(status);
  return {&head};
}

Response Exchange::reply(int status, std::string_view body, std::string_view details, const Headers* fields) {
  Response response = answer(status, details);
  ResponseHead& head = *response.head;
  // Of a cleared one, the one that it would be now, as in Envoy. A route that answers itself has its word on nothing
  // else.
  bool asked = sought_ && route() && (!route_->answers || details == "direct_response");
  auto add_fields = [&] {
    for (const Field& f : *std::exchange(fields, nullptr)) head.headers.add(f.name, f.known, f.value);
  };
  if (asked) {
    if (fields && route_->answers) add_fields();
    record.status = 0;  // As in Envoy, only local_reply_config knows %RESPONSE_CODE% of such a reply.
    for (const auto& mutations : route_->response_headers) apply_together(*mutations, *this, head);
    record.status = status;
  }
  if (fields) add_fields();
  std::string_view content_type = "text/plain";
  bool own_type = true;  // What a route or a mapper says of the type counts.
  if (options.local_replies) {
    std::string text(body), type(content_type);
    std::string_view before = head.headers.value(Known::content_type);
    options.local_replies->rewrite(*this, head, text, type);
    own_type = head.headers.value(Known::content_type) != before || text == body;
    body = arena.copy(text);
    content_type = arena.copy(type);
  } else {
    body = arena.copy(body);
  }
  if (replies_in_grpc(*this)) {
    put_grpc_body(head, body, details, arena);
    record.status = head.status;
    return response;
  }
  put_body(head, body, content_type, own_type, arena);
  if (!body.empty() && request.method != Method::head) response.body = &arena.make_owned<TextBody>(body);
  return response;
}

Response Exchange::request_too_large() {
  stats[HttpStat::downstream_rq_too_large].add();
  if (client) client->leave_request(*this);
  return reply(413, "Payload Too Large", "request_payload_too_large");
}

}  // namespace outrider
