#include <cassert>
#include <cstring>

#include "wire/h1.h"

namespace outrider::h1 {
namespace {

using Kind = BodyFraming::Kind;

constexpr std::string_view kHttp11 = " HTTP/1.1\r\nhost: ";
constexpr std::string_view kContentLength = "content-length: ";
constexpr std::string_view kTransferEncodingChunked = "transfer-encoding: chunked\r\n";
constexpr size_t kNumberBytesMax = 20;
constexpr size_t kFieldOverhead = 4;  // ": " and CRLF
constexpr size_t kFramingBytesMax = kTransferEncodingChunked.size() + kContentLength.size() + kNumberBytesMax + 2;
constexpr size_t kStatusLineOverhead = 64;  // version, status, the longest phrase

// As memcpy, without a call for the short texts that headers are made of.
inline char* put(std::string_view text, char* out) {
  const char* from = text.data();
  size_t size = text.size();
  if (size >= 8 && size <= 32) {
    uint64_t words[4];
    if (size > 16) {
      std::memcpy(words, from, 16);
      std::memcpy(words + 2, from + size - 16, 16);
      std::memcpy(out, words, 16);
      std::memcpy(out + size - 16, words + 2, 16);
    } else {
      std::memcpy(words, from, 8);
      std::memcpy(words + 1, from + size - 8, 8);
      std::memcpy(out, words, 8);
      std::memcpy(out + size - 8, words + 1, 8);
    }
  } else if (size < 8) {
    for (size_t i = 0; i < size; ++i) out[i] = from[i];
  } else {
    std::memcpy(out, from, size);
  }
  return out + size;
}

inline char* put_line_end(char* out) {
  out[0] = '\r';
  out[1] = '\n';
  return out + 2;
}

char* put_number(uint64_t number, char* out) {
  char digits[kNumberBytesMax];
  size_t at = kNumberBytesMax;
  do {
    digits[--at] = static_cast<char>('0' + number % 10);
    number /= 10;
  } while (number != 0);
  return put({digits + at, kNumberBytesMax - at}, out);
}

// Whether a text can be put on a line without ending it.
[[maybe_unused]] bool stays_on_line(std::string_view text) {
  return text.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

inline char* put_field(const Field& field, char* out) {
  assert(stays_on_line(field.name) && stays_on_line(field.value));
  out = put(field.name, out);
  out[0] = ':';
  out[1] = ' ';
  return put_line_end(put(field.value, out + 2));
}

char* put_length(uint64_t length, char* out) { return put_line_end(put_number(length, put(kContentLength, out))); }

constexpr uint64_t kHostField = Headers::bit(Known::host);
constexpr uint64_t kCodingField = Headers::bit(Known::transfer_encoding);
constexpr uint64_t kLengthField = Headers::bit(Known::content_length);

// The fields but for those in `left_out`, and the empty line.
char* put_fields(const Headers& headers, uint64_t left_out, BodyFraming framing, char* out) {
  bool length_due = framing.kind == Kind::length;
  for (const Field& field : headers) {
    uint64_t bit = Headers::bit(field.known);
    if ((bit & left_out) != 0) continue;
    if ((bit & kLengthField) != 0 && framing.kind != Kind::none) {
      if (length_due) out = put_length(framing.length, out);
      length_due = false;
      continue;
    }
    out = put_field(field, out);
  }
  if (length_due) out = put_length(framing.length, out);
  if (framing.kind == Kind::chunked) out = put(kTransferEncodingChunked, out);
  return put_line_end(out);
}

size_t fields_size(const Headers& headers) {
  return headers.byte_size() + headers.count() * kFieldOverhead + kFramingBytesMax + 2;
}

std::string_view request_target(const RequestHead& head) {
  if (head.method == Method::connect) return head.authority;
  return head.path.empty() ? std::string_view("/") : head.path;
}

}  // namespace

size_t request_head_size(const RequestHead& head, BodyFraming framing) {
  return head.method_name.size() + 1 + request_target(head).size() + kHttp11.size() + head.authority.size() + 2 +
         fields_size(head.headers);
}

size_t response_head_size(const ResponseHead& head, BodyFraming framing) {
  return kStatusLineOverhead + fields_size(head.headers);
}

size_t trailers_size(const Headers& trailers) { return 3 + fields_size(trailers); }

char* encode_request_head(const RequestHead& head, BodyFraming framing, char* out) {
  std::string_view target = request_target(head);
  assert(stays_on_line(head.method_name) && stays_on_line(target) && stays_on_line(head.authority));
  // No length but 0 is true of a request without body, whoever put it there.
  bool empty = framing.kind == Kind::none && head.headers.has(Known::content_length);
  if (empty) framing = {Kind::length, 0};
  out = put(head.method_name, out);
  *out++ = ' ';
  bool named = head.authority.data() != nullptr;
  out = put(named ? kHttp11 : std::string_view(" HTTP/1.1"), put(target, out));
  out = put_line_end(put(head.authority, out));
  return put_fields(head.headers, kHostField | kCodingField, framing, out);
}

char* encode_response_head(const ResponseHead& head, BodyFraming framing, char* out, Version version) {
  out = put(version == Version::http10 ? std::string_view("HTTP/1.0 ") : std::string_view("HTTP/1.1 "), out);
  out = put_number(head.status, out);
  *out++ = ' ';
  out = put_line_end(put(reason_phrase(head.status), out));
  // RFC 9110 §8.6: these have no length, not even that of a body that could have been.
  bool no_length = head.informational() || head.status == 204;
  return put_fields(head.headers, no_length ? kCodingField | kLengthField : kCodingField, framing, out);
}

char* encode_chunk_header(uint64_t bytes, char* out) {
  assert(bytes != 0);
  int shift = (63 - __builtin_clzll(bytes)) & ~3;
  for (; shift >= 0; shift -= 4) *out++ = "0123456789abcdef"[bytes >> shift & 15];
  return put_line_end(out);
}

char* encode_last_chunk(const Headers& trailers, char* out) {
  out = put("0\r\n", out);
  for (const Field& field : trailers) {
    if ((Headers::bit(field.known) & (kHostField | kCodingField | kLengthField)) == 0) out = put_field(field, out);
  }
  return put_line_end(out);
}

}  // namespace outrider::h1
