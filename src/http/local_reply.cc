#include "http/local_reply.h"

#include "http/grpc_status.h"

namespace outrider {
namespace {

// The view of the record ends with the formatting.
std::string formatted(Exchange& x, const AnyFormat& format, const std::string& body) {
  std::string text;
  x.record.local_reply_body = body;
  std::visit([&](const auto& f) { f.append(x, text); }, format);
  x.record.local_reply_body = {};
  // A field has no place for the line break behind an object.
  if (std::holds_alternative<JsonFormat>(format) && replies_in_grpc(x) && text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace

void LocalReplies::rewrite(Exchange& x, ResponseHead& head, std::string& body, std::string& content_type) const {
  const LocalReplyFormat* form = format ? &*format : nullptr;
  x.response_headers = &head.headers;
  for (const LocalReplyMapper& each : mappers) {
    if (!each.filter.passes(x)) continue;
    if (each.body) body = *each.body;
    apply_together(each.headers, x, head);
    if (each.status) x.record.status = head.status = static_cast<std::uint16_t>(*each.status);
    if (each.format) form = &*each.format;
    break;
  }
  if (form) {
    body = formatted(x, form->format, body);
    content_type = form->content_type;
  }
  x.response_headers = nullptr;
}

}  // namespace outrider
