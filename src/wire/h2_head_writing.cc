#include "core/ascii.h"
#include "wire/h2_head.h"

namespace outrider::h2 {
namespace {

using hpack::Encoder;
using hpack::Indexing;
using hpack::Name;
using hpack::Pseudo;

constexpr std::size_t kStatusBytesMax = Encoder::field_bytes_max(7, 3);

Name named(Pseudo pseudo) { return {hpack::name_of(pseudo), Known::none, pseudo}; }

// What is different in nearly every message is not worth a place in the table, and what is secret has none: who can see
// sizes could find it out by guessing (RFC 7541 section 7.1).
Indexing indexing_of(const Field& field) {
  constexpr std::size_t kGuessable = 20;
  if (field.never_indexed) return Indexing::never;
  switch (field.known) {
    case Known::authorization:
      return Indexing::never;
    case Known::cookie:
    case Known::set_cookie:
      return field.value.size() < kGuessable ? Indexing::never : Indexing::no;
    case Known::content_length:
    case Known::location:
    case Known::x_request_id:
    case Known::traceparent:
    case Known::grpc_message:
    case Known::x_envoy_upstream_service_time:
    case Known::x_envoy_original_path:
      return Indexing::no;
    default:
      return Indexing::yes;
  }
}

// Fields of one connection of HTTP/1, and those that pseudo fields stand for.
bool is_left_out(const Field& field) {
  switch (field.known) {
    case Known::connection:
    case Known::keep_alive:
    case Known::proxy_connection:
    case Known::transfer_encoding:
    case Known::upgrade:
    case Known::host:
    case Known::http2_settings:
      return true;
    case Known::te:
      return !equals_ignore_case(field.value, "trailers");
    default:
      return false;
  }
}

std::size_t fields_max(const Headers& headers) {
  std::size_t bytes = Encoder::kBeginBytesMax;
  for (const Field& field : headers) bytes += Encoder::field_bytes_max(field.name.size(), field.value.size());
  return bytes;
}

char* write_fields(Encoder& encoder, const Headers& headers, char* out) {
  for (const Field& field : headers) {
    if (is_left_out(field)) continue;
    out = encoder.field({field.name, field.known, Pseudo::none}, field.value, indexing_of(field), out);
  }
  return out;
}

}  // namespace

std::size_t request_block_max(const RequestHead& head) {
  constexpr std::size_t kNames = std::string_view(":method:scheme:authority:path:protocol").size();
  return fields_max(head.headers) + 5 * Encoder::field_bytes_max(0, 0) + kNames + head.method_name.size() +
         head.scheme.size() + head.authority.size() + head.path.size() + head.protocol.size();
}

std::size_t response_block_max(const ResponseHead& head) { return fields_max(head.headers) + kStatusBytesMax; }

std::size_t trailers_block_max(const Headers& trailers) { return fields_max(trailers); }

char* write_request(Encoder& encoder, const RequestHead& head, char* out) {
  out = encoder.begin(out);
  bool connects = head.method == Method::connect && head.protocol.empty();
  out = encoder.field(named(Pseudo::method), head.method_name, Indexing::yes, out);
  if (!connects) {
    out = encoder.field(named(Pseudo::scheme), head.scheme.empty() ? "http" : head.scheme, Indexing::yes, out);
  }
  out = encoder.field(named(Pseudo::authority), head.authority, Indexing::yes, out);
  if (!connects) out = encoder.field(named(Pseudo::path), head.path, Indexing::no, out);
  if (!head.protocol.empty()) out = encoder.field(named(Pseudo::protocol), head.protocol, Indexing::yes, out);
  return write_fields(encoder, head.headers, out);
}

char* write_response(Encoder& encoder, const ResponseHead& head, char* out) {
  char digits[3];
  for (int i = 2, rest = head.status; i >= 0; i--, rest /= 10) digits[i] = static_cast<char>('0' + rest % 10);
  out = encoder.field(named(Pseudo::status), {digits, sizeof digits}, Indexing::yes, encoder.begin(out));
  return write_fields(encoder, head.headers, out);
}

char* write_trailers(Encoder& encoder, const Headers& trailers, char* out) {
  return write_fields(encoder, trailers, encoder.begin(out));
}

}  // namespace outrider::h2
