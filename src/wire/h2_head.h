// Message heads in HTTP/2 (RFC 9113 chapter 8): pseudo fields and fields, from and to what every protocol shares.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "wire/hpack_decoder.h"
#include "wire/hpack_encoder.h"
#include "wire/message.h"

namespace outrider::h2 {

struct HeadLimits {
  std::uint32_t bytes_max = 60 * 1024;  // Of names and values (Envoy: max_request_headers_kb).
  std::uint32_t field_count_max = 100;  // Envoy: max_headers_count.
};

// Why a message was refused, in Envoy's words for %RESPONSE_CODE_DETAILS%.
inline constexpr std::string_view kInvalidField = "http2.invalid.header.field";
inline constexpr std::string_view kBrokenRule = "http2.violation.of.messaging.rule";
inline constexpr std::string_view kWrongLength = "http2.remote_reset";  // A body that is not as long as announced.
inline constexpr std::string_view kTooManyHeaders = "http2.too_many_headers";
inline constexpr std::string_view kListTooLarge = "http2.header_list_size_too_large";

enum class HeadStatus : std::uint8_t { complete, malformed, too_large, undecodable };

struct HeadResult {
  HeadStatus status = HeadStatus::complete;
  std::string_view detail;  // Of what is malformed.
};

// One header block into `head`, whose Headers are empty, or into trailers. Text lies in the head's arena. A host field
// is the authority where there is none, cookies that came in crumbs are one field again (section 8.2.3). `undecodable`:
// the connection cannot go on.
HeadResult read_request(hpack::Decoder& decoder, std::string_view block, const HeadLimits& limits, RequestHead& head);
HeadResult read_response(hpack::Decoder& decoder, std::string_view block, const HeadLimits& limits, ResponseHead& head);
HeadResult read_trailers(hpack::Decoder& decoder, std::string_view block, const HeadLimits& limits, Headers& trailers);
// For a stream that nobody wants: what the block says is learned, and forgotten.
bool skip_head(hpack::Decoder& decoder, std::string_view block, Arena& arena);

// Room that a block may need; then the block itself. What has a meaning for one connection of HTTP/1 only is left out.
// A request whose `protocol` is not empty is an extended CONNECT (RFC 8441).
std::size_t request_block_max(const RequestHead& head);
std::size_t response_block_max(const ResponseHead& head);
std::size_t trailers_block_max(const Headers& trailers);
char* write_request(hpack::Encoder& encoder, const RequestHead& head, char* out);
char* write_response(hpack::Encoder& encoder, const ResponseHead& head, char* out);
char* write_trailers(hpack::Encoder& encoder, const Headers& trailers, char* out);

// Whether the value of a content-length field is a number; RFC 9110 section 8.6.
std::optional<std::uint64_t> content_length_of(std::string_view value);

}  // namespace outrider::h2
