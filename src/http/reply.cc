#include <charconv>

#include "http/exchange.h"
#include "http/header_mutation.h"

namespace outrider {

namespace {

bool is_grpc(const RequestHead& request) {
  constexpr std::string_view kGrpc = "application/grpc";
  std::string_view type = request.headers.value(Known::content_type);
  return type.starts_with(kGrpc) && (type.size() == kGrpc.size() || type[kGrpc.size()] == '+');
}

// The gRPC status that an HTTP status stands for (gRPC's document "HTTP to gRPC Status Code Mapping").
std::string_view grpc_status(int status) {
  switch (status) {
    case 400:
      return "13";
    case 401:
      return "16";
    case 403:
      return "7";
    case 404:
      return "12";
    case 429:
    case 502:
    case 503:
    case 504:
      return "14";
    default:
      return "2";
  }
}

// A grpc-message: bytes outside of printable ASCII, and '%', are escaped.
std::string percent_encoded(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string result;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '%') {
      result += c;
    } else {
      result.append({'%', kHex[byte >> 4], kHex[byte & 15]});
    }
  }
  return result;
}

}  // namespace

// A client that speaks gRPC finds the status in fields, and no body.
Response Exchange::grpc_reply(int status, std::string_view body) {
  auto& head = arena.make_owned<ResponseHead>(arena);
  head.headers.add(Known::content_type, "application/grpc");
  head.headers.add(Known::grpc_status, grpc_status(status));
  if (!body.empty()) head.headers.add(Known::grpc_message, arena.copy(percent_encoded(body)));
  return Response{&head};
}

Response Exchange::text_reply(int status, std::string_view body) {
  auto& head = arena.make_owned<ResponseHead>(arena);
  head.status = static_cast<std::uint16_t>(status);
  Response response{&head};
  if (body.empty()) return response;
  char digits[20];
  auto end = std::to_chars(digits, digits + sizeof digits, body.size()).ptr;
  head.headers.add(Known::content_length, arena.copy({digits, static_cast<std::size_t>(end - digits)}));
  head.headers.add(Known::content_type, "text/plain");
  if (request.method != Method::head) response.body = &arena.make_owned<TextBody>(arena.copy(body));
  return response;
}

Response Exchange::reply(int status, std::string_view body, std::string_view details) {
  record.details = details;
  unseen_reply = true;
  Response response = is_grpc(request) ? grpc_reply(status, body) : text_reply(status, body);
  record.status = response.head->status;
  if (routed_ && route_) {
    for (const auto& mutations : route_->response_headers) apply_all(*mutations, *this, *response.head);
  }
  return response;
}

}  // namespace outrider
