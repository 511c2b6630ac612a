// How long a message is (RFC 9112 §6).

#include "wire/h1.h"
#include "wire/h1_chars.h"
#include "wire/h1_errors.h"

namespace outrider::h1 {
namespace {

using Kind = BodyFraming::Kind;
using Framing = std::expected<BodyFraming, ProtocolError>;

constexpr uint64_t kFramingFields = Headers::bit(Known::content_length) | Headers::bit(Known::transfer_encoding);
// Lengths above fit no file offset; nobody sends them in earnest.
constexpr uint64_t kLengthMax = INT64_MAX;

bool is_chunked(std::string_view coding) {
  constexpr std::string_view kChunked = "chunked";
  if (coding.size() != kChunked.size()) return false;
  for (size_t i = 0; i < coding.size(); ++i) {
    if (token_lower(coding[i]) != kChunked[i]) return false;
  }
  return true;
}

std::optional<uint64_t> parse_length(std::string_view text) {
  if (text.empty()) return std::nullopt;
  uint64_t length = 0;
  for (char c : text) {
    if (!is_digit(c)) return std::nullopt;
    if (length > (kLengthMax - 9) / 10) return std::nullopt;
    length = length * 10 + static_cast<uint64_t>(c - '0');
  }
  return length;
}

// What Content-Length and Transfer-Encoding say; Kind::none when there is neither.
Framing declared_framing(Version version, const Headers& headers) {
  uint64_t declared = headers.present() & kFramingFields;
  if (declared == 0) return BodyFraming{};
  if (declared == kFramingFields) return std::unexpected(kLengthAndCoding);
  if (declared == Headers::bit(Known::content_length)) {
    if (headers.count(Known::content_length) != 1) return std::unexpected(kSeveralLengths);
    auto length = parse_length(headers.value(Known::content_length));
    if (!length) return std::unexpected(kBadLength);
    return BodyFraming{Kind::length, *length};
  }
  if (headers.count(Known::transfer_encoding) != 1 || !is_chunked(headers.value(Known::transfer_encoding))) {
    return std::unexpected(kUnknownCoding);
  }
  if (version == Version::http10) return std::unexpected(kCodingInHttp10);
  return BodyFraming{Kind::chunked, 0};
}

bool forbids_body(uint16_t status) { return status < 200 || status == 204 || status == 304; }

}  // namespace

Framing request_framing(const RequestHead& head) {
  auto declared = declared_framing(head.version, head.headers);
  if (!declared || head.method != Method::connect) return declared;
  if (declared->kind == Kind::chunked) return std::unexpected(kUnknownCoding);
  if (declared->length != 0) return std::unexpected(kBodyOfConnect);
  return BodyFraming{Kind::tunnel, 0};
}

Framing response_framing(const ResponseHead& head, Method request_method) {
  auto declared = declared_framing(head.version, head.headers);
  if (!declared) return declared;
  bool opens_tunnel = request_method == Method::connect && head.status >= 200 && head.status < 300;
  if (head.informational() || head.status == 204) {
    if (declared->kind == Kind::chunked) return std::unexpected(kCodingNotAllowed);
    if (declared->length != 0) return std::unexpected(kLengthNotAllowed);
  }
  // RFC 9110 §9.3.6: framing fields of a 2xx to CONNECT have no meaning.
  if (head.status == 101 || opens_tunnel) return BodyFraming{Kind::tunnel, 0};
  if (forbids_body(head.status) || request_method == Method::head) return BodyFraming{};
  if (declared->kind == Kind::none) return BodyFraming{Kind::until_close, 0};
  return declared;
}

BodyFraming outgoing_request_framing(Method method, std::optional<uint64_t> length) {
  if (method == Method::connect) return {Kind::tunnel, 0};
  if (!length) return {Kind::chunked, 0};
  bool usually_bodiless =
      method == Method::get || method == Method::head || method == Method::delete_ || method == Method::trace;
  if (*length == 0 && usually_bodiless) return {};
  return {Kind::length, *length};
}

BodyFraming outgoing_response_framing(uint16_t status, Method request_method, Version peer_version,
                                      std::optional<uint64_t> length) {
  if (status == 101 || (request_method == Method::connect && status >= 200 && status < 300)) return {Kind::tunnel, 0};
  if (forbids_body(status) || request_method == Method::head) return {};
  if (length) return {Kind::length, *length};
  return {peer_version == Version::http10 ? Kind::until_close : Kind::chunked, 0};
}

}  // namespace outrider::h1
