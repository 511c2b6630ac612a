#include <charconv>

#include "http/exchange.h"

namespace outrider {

Response Exchange::reply(int status, std::string_view body, std::string_view details) {
  record.details = details;
  unseen_reply = true;
  auto& head = arena.make_owned<ResponseHead>(arena);
  head.status = static_cast<std::uint16_t>(status);
  Response response{&head};
  if (!body.empty()) {
    char digits[20];
    auto end = std::to_chars(digits, digits + sizeof digits, body.size()).ptr;
    head.headers.add(Known::content_length, arena.copy({digits, static_cast<std::size_t>(end - digits)}));
    head.headers.add(Known::content_type, "text/plain");
    if (request.method != Method::head) response.body = &arena.make_owned<TextBody>(arena.copy(body));
  }
  return response;
}

}  // namespace outrider
