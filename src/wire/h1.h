#pragma once

// HTTP/1.0 and 1.1 (RFC 9110, RFC 9112): bytes to message heads and body frames, and back. No socket, no clock, no
// allocation but the Headers' list. Whatever is ambiguous is refused, never repaired, so that no two parties can read
// one byte stream as different messages.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <string_view>

#include "wire/message.h"
#include "wire/protocol_error.h"

namespace outrider::h1 {

struct Limits {
  // Bytes of a whole head, start line to empty line (Envoy: max_request_headers_kb). Beyond: 431,
  // "http1.headers_too_large".
  uint32_t head_bytes_max = 60 * 1024;
  // Field lines of a head (Envoy: max_headers_count). Beyond: 431, "http1.too_many_headers".
  uint32_t field_count_max = 100;
  // The same two for a trailer section.
  uint32_t trailer_bytes_max = 60 * 1024;
  uint32_t trailer_count_max = 100;
  // Empty bytes (CR, LF) that may precede a start line (RFC 9112 §2.2).
  uint32_t leading_empty_bytes_max = 64;
  // Bytes of one chunk-size line (size, extensions, CRLF).
  uint32_t chunk_line_bytes_max = 4 * 1024;
  // Whether any token may be a method (Envoy: allow_custom_methods), or only the registered ones that Envoy knows.
  bool allow_custom_methods = false;
  // Whether an absolute-form target is taken apart (Envoy: allow_absolute_url), or stays as it is, as the path.
  bool allow_absolute_url = true;
  // Whether an HTTP/1.1 head may come without Host; else it is refused. Its authority has no data then.
  bool allow_no_host = false;
};

enum class ParseStatus : uint8_t { incomplete, complete, error };

struct ParseResult {
  ParseStatus status = ParseStatus::incomplete;
  size_t consumed = 0;  // complete: bytes of the head with its empty line; the body begins there
  ProtocolError error;  // error only
};

// How far a section of lines (a head, a trailer section) has been parsed. Offsets, since the buffer may move.
struct Progress {
  size_t line_start = 0;       // the first byte that is not parsed yet
  size_t scanned = 0;          // no LF in [line_start, scanned)
  const char* base = nullptr;  // where the section lay in the last call
};

// Parses one request head. Call parse() with all bytes since the head's first one whenever more came, until it does not
// say `incomplete`; the buffer may have grown and moved meanwhile, its bytes may not have changed. Names are put into
// lower case in place; every view of `head` points into `data` (or at static text), so `data` must stay where it is as
// long as `head` is used. A byte is looked at a constant number of times however the bytes are cut.
// Give each message a fresh parser (or reset()) and an empty head.
class RequestParser {
 public:
  explicit RequestParser(const Limits& limits) : limits_(&limits) {}

  ParseResult parse(char* data, size_t size, RequestHead& head);
  void reset() { *this = RequestParser(*limits_); }
  // Whether a byte of a request (other than leading empty lines) has come. If not, an idle connection may be closed
  // quietly.
  bool begun() const { return begun_; }

 private:
  const Limits* limits_;  // outlives the parser
  Progress progress_;
  bool begun_ = false;
  bool started_ = false;  // the request line is parsed
  bool host_seen_ = false;
};

// Parses one response head; 1xx heads too (call again for the next, after reset()). Rules as for RequestParser.
class ResponseParser {
 public:
  explicit ResponseParser(const Limits& limits) : limits_(&limits) {}

  ParseResult parse(char* data, size_t size, ResponseHead& head);
  void reset() { *this = ResponseParser(*limits_); }

 private:
  const Limits* limits_;  // outlives the parser
  Progress progress_;
  bool started_ = false;  // the status line is parsed
};

enum class PrefaceMatch : uint8_t { no, yes, need_more };
// Whether a connection begins with the HTTP/2 preface "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" (RFC 9113 §3.4).
PrefaceMatch is_http2_preface(const char* data, size_t size);

// ---------------------------------------------------------------------------------------------------------- bodies

// How the bytes after a head are delimited (RFC 9112 §6.3).
struct BodyFraming {
  enum class Kind : uint8_t {
    none,         // there is no body
    length,       // exactly `length` bytes (may be 0)
    chunked,      // chunks, then trailers
    until_close,  // to the end of the connection (responses only)
    tunnel,       // no HTTP any more: CONNECT, or 101
  };
  Kind kind = Kind::none;
  uint64_t length = 0;

  bool operator==(const BodyFraming&) const = default;
};

// The framing of a received request; an error when it is ambiguous (both Content-Length and Transfer-Encoding, several
// or malformed lengths, a coding other than `chunked`, Transfer-Encoding in HTTP/1.0, a CONNECT with a body).
// An Upgrade request gets the framing of its plain form: whether it becomes a tunnel is the server's decision.
std::expected<BodyFraming, ProtocolError> request_framing(const RequestHead& head);

// The framing of a received response to a request with that method. `tunnel` for a 2xx to CONNECT and for 101.
std::expected<BodyFraming, ProtocolError> response_framing(const ResponseHead& head, Method request_method);

// The framing to send a request with. `length`: the body's size when it is known (0 for a request that ended with its
// head); nullopt for a streamed body. A bodiless GET, HEAD, DELETE, TRACE or CONNECT gets `none`, other bodiless ones
// `length` 0, as Envoy does.
BodyFraming outgoing_request_framing(Method method, std::optional<uint64_t> length);

// The framing to send a response with to a peer of that version: `none` where the status or HEAD forbids a body,
// `until_close` for a streamed body to an HTTP/1.0 peer (say `connection: close` then).
BodyFraming outgoing_response_framing(uint16_t status, Method request_method, Version peer_version,
                                      std::optional<uint64_t> length);

// Takes a chunked body apart in place (RFC 9112 §7.1).
//
// Call step() with the bytes that are there until it says `need_more`, `end` or `error`; each call uses up `consumed`
// bytes from the front of `data`. `data` results carry a view of body bytes inside `data`, never empty.
// Bytes that were not consumed must be given again, at the front of the next call and followed by the new ones. That
// happens only in the trailer section, which must be complete before it is parsed: the caller keeps it contiguous
// (compacting or moving the buffer between calls is fine) and its size is bounded by Limits::trailer_bytes_max.
// The trailers' views point into `data` of the call that said `end`.
class ChunkDecoder {
 public:
  enum class Kind : uint8_t { need_more, data, end, error };
  struct Step {
    Kind kind = Kind::need_more;
    size_t consumed = 0;
    std::string_view data;  // Kind::data only
    ProtocolError error;    // Kind::error only
  };

  explicit ChunkDecoder(const Limits& limits) : limits_(&limits) {}

  // `trailers` must be empty; it is filled when the result is `end`. After `end` or `error` no further call is allowed.
  Step step(char* data, size_t size, Headers& trailers);

  // Body bytes that are left in the chunk at hand.
  uint64_t chunk_remaining() const { return state_ == State::data ? remaining_ : 0; }

 private:
  enum class State : uint8_t { size_first, size, padding, extension, size_lf, data, data_cr, data_lf, trailers };

  // Both take the next bytes of what lies between the data and the next chunk's data; null when all is well.
  const ProtocolError* take_between(char byte);
  const ProtocolError* take_size_line(char byte);
  Step trailer_section(char* data, size_t size, size_t consumed, Headers& trailers);

  const Limits* limits_;  // outlives the decoder
  uint64_t remaining_ = 0;
  Progress progress_;  // of the trailer section
  uint32_t line_bytes_ = 0;
  State state_ = State::size_first;
};

// -------------------------------------------------------------------------------------------------------- encoding

// Upper bounds for what the functions below write.
size_t request_head_size(const RequestHead& head, BodyFraming framing);
size_t response_head_size(const ResponseHead& head, BodyFraming framing);
size_t trailers_size(const Headers& trailers);
inline constexpr size_t kChunkHeaderSizeMax = 16 + 2;
inline constexpr std::string_view kChunkEnd = "\r\n";
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";
inline constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

// Writes a head to `out`, which has room for ..._size() bytes, and returns one past the last byte written.
//
// A request line says HTTP/1.1, a status line `version` (Envoy answers an HTTP/1.0 client with "HTTP/1.0"); a request's
// target is `path` (`authority` for CONNECT) and `host` is its first field. The framing fields come from `framing`, not
// from the headers: `transfer-encoding` is never copied, nor a request's `host`; `content-length` is written in its
// place when framing is `length`, copied when framing is `none` (the answer to HEAD, a 304; but a 1xx or 204 has none)
// and dropped otherwise.
// Everything else is written as it stands, names in lower case, so hop-by-hop fields must have been stripped by then. A
// name, value, path or authority must not hold CR, LF or NUL (asserted in debug builds: the parsers never let one in).
char* encode_request_head(const RequestHead& head, BodyFraming framing, char* out);
char* encode_response_head(const ResponseHead& head, BodyFraming framing, char* out, Version version = Version::http11);

// "%x\r\n"; `bytes` > 0 of data follow, then kChunkEnd. Writes at most kChunkHeaderSizeMax.
char* encode_chunk_header(uint64_t bytes, char* out);
// "0\r\n", the trailer fields, "\r\n". trailers_size() bytes at most. Framing and routing fields are left out.
char* encode_last_chunk(const Headers& trailers, char* out);

// ------------------------------------------------------------------------------------------------ connection options

// Whether a connection option (RFC 9110 §7.6.1) is among the Connection fields; `token` in lower case.
bool has_connection_option(const Headers& headers, std::string_view token);

// Whether the connection may carry another message after this one (RFC 9112 §9.3): what the peer that sent `headers`
// allows. `Proxy-Connection: close` counts as Envoy counts it.
bool persistent(Version version, const Headers& headers);

// The protocol asked for by `Connection: upgrade` and `Upgrade: x`, empty when either is missing and for h2c, which
// Envoy passes over too (RFC 9113 withdrew it). As it was sent: compare without case.
std::string_view requested_upgrade(const Headers& headers);

// Removes what belongs to one connection only, before a message goes on: the fields that Connection names, Connection,
// Keep-Alive, Proxy-Connection, Transfer-Encoding, Upgrade, HTTP2-Settings, and TE but for `trailers`.
// An error ("http1.connection_header_rejected", 400) when Connection names what a client must not be able to drop
// (x-forwarded-for, -host, -proto, host, a pseudo-header), 10 names or more, or when TE is longer than 256 bytes, as
// Envoy has it. Call it after framing is known.
// `keep_upgrade`: leave Connection and Upgrade as they came, for a message that opens a tunnel.
std::optional<ProtocolError> strip_hop_by_hop(Headers& headers, bool keep_upgrade = false);

inline constexpr std::uint64_t kHopByHop =
    Headers::bit(Known::connection) | Headers::bit(Known::keep_alive) | Headers::bit(Known::proxy_connection) |
    Headers::bit(Known::transfer_encoding) | Headers::bit(Known::upgrade) | Headers::bit(Known::http2_settings);
// Whether strip_hop_by_hop() finds anything to do.
inline bool has_hop_by_hop(const Headers& headers) {
  return (headers.present() & (kHopByHop | Headers::bit(Known::te))) != 0;
}

}  // namespace outrider::h1
