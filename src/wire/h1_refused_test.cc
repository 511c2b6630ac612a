// Malformed and ambiguous messages, and how they are refused.
//
// The last column says what Envoy 1.40 does where that is something else. All differences are meant:
//   lone LF, lone CR        Envoy ends a line at LF alone and drops a lone CR. Two parties that disagree about where a
//                           line ends can be made to see different messages, so both are refused (RFC 9112 §2.2).
//   folded lines            Envoy joins them; RFC 9112 §5.2 lets a server refuse.
//   request line blanks     Envoy takes any run of blanks; the grammar has one space.
//   Host twice              Envoy joins the values by a comma; RFC 9112 §3.2 demands 400.
//   Host, malformed         Envoy lets user information, any port and an open bracket through.
//   user information        in an absolute target Envoy drops it; RFC 9110 §4.2.4 asks to treat it as an error.
//   query without path      "http://a?q": Envoy answers 404, here the path is "/" as RFC 9112 §3.2.1 says.
//   Transfer-Encoding       in HTTP/1.0 Envoy honours it; RFC 9112 §6.1 calls the framing faulty.
//   lengths over 2^63-1     Envoy takes them as unsigned; they fit no file offset.
//   chunk-size lines        Envoy skips extensions of any length and content, and whatever follows a blank.
//   framing in trailers     Content-Length, Transfer-Encoding, Host: Envoy forwards them; RFC 9110 §6.5.1 forbids.
//   empty lines             more than 64 bytes before a request: Envoy skips any number.
//   responses               Envoy takes any version, and a status of other than three digits.
//   half a line             that can only become an error may be refused before its end; Envoy waits for it.

#include <gtest/gtest.h>

#include <algorithm>

#include "wire/h1_reading.h"

namespace outrider::h1 {
namespace {

struct Refused {
  const char* name;
  std::string bytes;
  uint16_t status;
  const char* detail;
  const char* reason;
  const char* envoy = "";  // what Envoy answers instead
};

std::string line(std::string_view text) { return std::string(text) + "\r\nhost: h\r\n\r\n"; }
std::string get(std::string_view fields) { return "GET / HTTP/1.1\r\nhost: h\r\n" + std::string(fields) + "\r\n"; }
std::string post(std::string_view fields, std::string_view body = "") {
  return "POST / HTTP/1.1\r\nhost: h\r\n" + std::string(fields) + "\r\n" + std::string(body);
}
std::string chunks(std::string_view body) { return post("transfer-encoding: chunked\r\n", body); }
std::string repeat(std::string_view text, size_t times) {
  std::string all;
  for (size_t i = 0; i < times; ++i) all += text;
  return all;
}
using namespace std::string_literals;

constexpr const char* kError = "http1.codec_error";
constexpr const char* kInvalid = "http1.invalid_characters";
constexpr const char* kUrl = "http1.invalid_url";
constexpr const char* kAuthority = "http.invalid_authority";
constexpr const char* kCoding = "http1.invalid_transfer_encoding";
constexpr const char* kBoth = "http1.content_length_and_chunked_not_allowed";

const Refused kRequestLines[] = {
    {"leading space", line(" GET / HTTP/1.1"), 400, kError, "method is not a token"},
    {"leading tab", line("\tGET / HTTP/1.1"), 400, kError, "method is not a token"},
    {"leading CR", line("\rGET / HTTP/1.1"), 400, kError, "CR without LF", "200"},
    {"too many empty lines", repeat("\r\n", 33) + get(""), 400, kError, "too many empty lines before the start line",
     "200"},
    {"TLS hello", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s, 400, kError, "method is not a token"},
    {"lower-case method", line("get / HTTP/1.1"), 400, kError, "method is not allowed"},
    {"unknown method", line("FOO / HTTP/1.1"), 400, kError, "method is not allowed"},
    {"long method", line(std::string(200, 'A') + " / HTTP/1.1"), 400, kError, "method is not allowed"},
    {"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, kError, "method is not allowed"},
    {"parenthesis in method", line("G(T / HTTP/1.1"), 400, kError, "method is not a token"},
    {"control character in method", line("G\1T / HTTP/1.1"), 400, kInvalid, "control character"},
    {"method alone", line("GET"), 400, kError, "request line without target"},
    {"empty target", line("GET  HTTP/1.1"), 400, kError, "request line without target"},
    {"two spaces before the target", line("GET  / HTTP/1.1"), 400, kError, "request line without target", "200"},
    {"two spaces before the version", line("GET /  HTTP/1.1"), 400, kError, "malformed HTTP version", "200"},
    {"space after the version", line("GET / HTTP/1.1 "), 400, kError, "malformed HTTP version", "200"},
    {"tabs between", line("GET\t/\tHTTP/1.1"), 400, kError, "method is not a token", "200"},
    {"CR CR LF", "GET / HTTP/1.1\r\r\nhost: h\r\n\r\n", 400, kError, "malformed HTTP version", "200"},
    {"LF after the request line", "GET / HTTP/1.1\nhost: h\r\n\r\n", 400, kError, "malformed HTTP version", "200"},
    {"CR between lines", "GET / HTTP/1.1\rhost: h\r\r\n", 400, kError, "malformed HTTP version"},
    {"space in path", line("GET /a b HTTP/1.1"), 400, kError, "malformed HTTP version"},
    {"tab in path", line("GET /a\tb HTTP/1.1"), 400, kError, "character not allowed in a request target"},
    {"obs-text in path", line("GET /\xe9 HTTP/1.1"), 400, kError, "character not allowed in a request target"},
    {"NUL in path", line("GET /\0 HTTP/1.1"s), 400, kInvalid, "control character"},
    {"DEL in path", line("GET /\x7f HTTP/1.1"), 400, kInvalid, "control character"},
    {"LF in path", line("GET /\nx HTTP/1.1"), 400, kError, "line ends with LF alone", "426"},
    {"fragment", line("GET /a#b HTTP/1.1"), 400, "path_normalization_failed", "fragment in a request target"},
    {"fragment in a long path", line("GET /" + std::string(40, 'a') + "#b HTTP/1.1"), 400, "path_normalization_failed",
     "fragment in a request target"},
    {"relative path", line("GET a HTTP/1.1"), 400, kError, "request target has none of the four forms"},
    {"query alone", line("GET ?a HTTP/1.1"), 400, kError, "request target has none of the four forms"},
    {"asterisk with GET", line("GET * HTTP/1.1"), 400, kUrl, "request target does not fit the method or is malformed"},
    {"one slash after the scheme", line("GET http:/t HTTP/1.1"), 400, kError,
     "request target has none of the four forms"},
    {"absolute, other scheme", line("GET ftp://t/x HTTP/1.1"), 400, "http1.invalid_scheme",
     "scheme is neither http nor https"},
    {"absolute, fragment", line("GET http://t#q HTTP/1.1"), 400, kError, "character not allowed in a request target"},
    {"absolute, user information", line("GET http://u:p@t/x HTTP/1.1"), 400, kUrl,
     "request target does not fit the method or is malformed", "200"},
    {"absolute, port is no number", line("GET http://t:x/ HTTP/1.1"), 400, kUrl,
     "request target does not fit the method or is malformed"},
    {"absolute, port too large", line("GET http://t:65536/ HTTP/1.1"), 400, kUrl,
     "request target does not fit the method or is malformed"},
    {"absolute, empty port", line("GET http://t:/ HTTP/1.1"), 400, kUrl,
     "request target does not fit the method or is malformed"},
    {"absolute, no host", line("GET http:///x HTTP/1.1"), 400, kUrl,
     "request target does not fit the method or is malformed"},
    {"CONNECT without port", line("CONNECT t HTTP/1.1"), 400, kUrl,
     "request target does not fit the method or is malformed"},
    {"CONNECT to a path", line("CONNECT /x HTTP/1.1"), 400, kUrl,
     "request target does not fit the method or is malformed"},
    {"CONNECT to a URL", line("CONNECT http://t/ HTTP/1.1"), 400, kUrl,
     "request target does not fit the method or is malformed"},
    {"CONNECT, port is no number", line("CONNECT t:x HTTP/1.1"), 400, kUrl,
     "request target does not fit the method or is malformed"},
    {"CONNECT with user information", line("CONNECT u@t:80 HTTP/1.1"), 400, kUrl,
     "request target does not fit the method or is malformed"},
    {"no version", "GET /\r\n\r\n", 426, "low_version", "HTTP version is neither 1.0 nor 1.1"},
    {"HTTP/0.9", line("GET / HTTP/0.9"), 426, "low_version", "HTTP version is neither 1.0 nor 1.1"},
    {"HTTP/1.2", line("GET / HTTP/1.2"), 426, "low_version", "HTTP version is neither 1.0 nor 1.1"},
    {"HTTP/2.0", line("GET / HTTP/2.0"), 426, "low_version", "HTTP version is neither 1.0 nor 1.1"},
    {"HTTP/1.10", line("GET / HTTP/1.10"), 400, kError, "malformed HTTP version"},
    {"HTTP/01.1", line("GET / HTTP/01.1"), 400, kError, "malformed HTTP version"},
    {"HTTP/1", line("GET / HTTP/1"), 400, kError, "malformed HTTP version"},
    {"http/1.1", line("GET / http/1.1"), 400, kError, "malformed HTTP version"},
    {"HTP/1.1", line("GET / HTP/1.1"), 400, kError, "malformed HTTP version"},
};

const Refused kFields[] = {
    {"LF after a field", "GET / HTTP/1.1\r\nhost: h\n\r\n", 400, kError, "line ends with LF alone", "200"},
    {"LF as last line", "GET / HTTP/1.1\r\nhost: h\r\n\n", 400, kError, "line ends with LF alone", "200"},
    {"CR as last line", "GET / HTTP/1.1\r\nhost: h\r\n\rx\r\n", 400, kError, "CR without LF", "0"},
    {"CR in value", get("a: b\rc\r\n"), 400, kError, "CR without LF", "200"},
    {"CR before CR LF", get("a: b\r\r\n"), 400, kError, "CR without LF", "200"},
    {"LF in value", get("a: b\nc: d\r\n"), 400, kError, "line ends with LF alone", "200"},
    {"CR in name", get("a\rb: c\r\n"), 400, kError, "field line without colon"},
    {"NUL in value", get("a: b\0c\r\n"s), 400, kInvalid, "control character"},
    {"NUL in name", get("a\0: c\r\n"s), 400, kInvalid, "control character"},
    {"0x01 in value", get("a: b\1c\r\n"), 400, kInvalid, "control character"},
    {"vertical tab in value", get("a: b\vc\r\n"), 400, kInvalid, "control character"},
    {"DEL in value", get("a: b\x7f\r\n"), 400, kInvalid, "control character"},
    {"DEL far in a value", get("a: " + std::string(37, 'b') + "\x7f\r\n"), 400, kInvalid, "control character"},
    {"obs-text in name", get("a\xff: b\r\n"), 400, kError, "field name is not a token"},
    {"folded by space", get("a: b\r\n c\r\n"), 400, kError, "line starts with white space (obsolete folding)", "200"},
    {"folded by tab", get("a: b\r\n\tc\r\n"), 400, kError, "line starts with white space (obsolete folding)", "200"},
    {"folded to nothing", get("a: b\r\n \r\n"), 400, kError, "line starts with white space (obsolete folding)", "200"},
    {"folded first", "GET / HTTP/1.1\r\n a: b\r\nhost: h\r\n\r\n", 400, kError,
     "line starts with white space (obsolete folding)"},
    {"space before colon", get("a : b\r\n"), 400, kError, "white space before colon"},
    {"tab before colon", get("a\t: b\r\n"), 400, kError, "white space before colon"},
    {"space before Host's colon", "GET / HTTP/1.1\r\nhost : h\r\n\r\n", 400, kError, "white space before colon"},
    {"no colon", get("abc\r\n"), 400, kError, "field line without colon"},
    {"empty name", get(": b\r\n"), 400, kError, "empty field name"},
    {"pseudo-header", get(":path: /x\r\n"), 400, kError, "empty field name"},
    {"space in name", get("a b: c\r\n"), 400, kError, "white space before colon"},
    {"parenthesis in name", get("a(b: c\r\n"), 400, kError, "field name is not a token"},
    {"no Host", "GET / HTTP/1.1\r\n\r\n", 400, "missing_host_header", "no Host field"},
    {"two Hosts", "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400, kError, "several Host fields", "200"},
    {"two equal Hosts", "GET / HTTP/1.1\r\nhost: a\r\nHost: a\r\n\r\n", 400, kError, "several Host fields", "200"},
    {"two Hosts, one empty", "GET / HTTP/1.1\r\nhost:\r\nhost: a\r\n\r\n", 400, kError, "several Host fields", "200"},
    {"two Hosts beside a URL", "GET http://t/ HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n", 400, kError,
     "several Host fields", "200"},
    {"bad Host beside a URL", "GET http://t/ HTTP/1.1\r\nhost: a/b\r\n\r\n", 400, kAuthority, "malformed Host field",
     "200"},
    {"Host with space", "GET / HTTP/1.1\r\nhost: a b\r\n\r\n", 400, kAuthority, "malformed Host field"},
    {"Host with slash", "GET / HTTP/1.1\r\nhost: a/b\r\n\r\n", 400, kAuthority, "malformed Host field"},
    {"Host with query", "GET / HTTP/1.1\r\nhost: a?b\r\n\r\n", 400, kAuthority, "malformed Host field"},
    {"Host with fragment", "GET / HTTP/1.1\r\nhost: a#b\r\n\r\n", 400, kAuthority, "malformed Host field"},
    {"Host with backslash", "GET / HTTP/1.1\r\nhost: a\\b\r\n\r\n", 400, kAuthority, "malformed Host field"},
    {"Host with quote", "GET / HTTP/1.1\r\nhost: a\"b\r\n\r\n", 400, kAuthority, "malformed Host field"},
    {"Host with obs-text", "GET / HTTP/1.1\r\nhost: a\xe9\r\n\r\n", 400, kAuthority, "malformed Host field"},
    {"Host with user information", "GET / HTTP/1.1\r\nhost: u@b\r\n\r\n", 400, kAuthority, "malformed Host field",
     "200"},
    {"Host, port is no number", "GET / HTTP/1.1\r\nhost: a:x\r\n\r\n", 400, kAuthority, "malformed Host field", "200"},
    {"Host, port too large", "GET / HTTP/1.1\r\nhost: a:65536\r\n\r\n", 400, kAuthority, "malformed Host field", "200"},
    {"Host, open bracket", "GET / HTTP/1.1\r\nhost: [::1\r\n\r\n", 400, kAuthority, "malformed Host field", "200"},
    {"Host, two ports", "GET / HTTP/1.1\r\nhost: a:1:2\r\n\r\n", 400, kAuthority, "malformed Host field", "200"},
    {"101 fields", get(repeat("a: b\r\n", 100)), 431, "http1.too_many_headers", "more fields than allowed"},
    {"Host as 101st field", "GET / HTTP/1.1\r\n" + repeat("a: b\r\n", 100) + "host: h\r\n\r\n", 431,
     "http1.too_many_headers", "more fields than allowed"},
    {"head over its limit", get("a: " + std::string(61440, 'x') + "\r\n"), 431, "http1.headers_too_large",
     "header section over its size limit"},
    {"half a head over its limit", "GET /" + std::string(61440, 'x'), 431, "http1.headers_too_large",
     "header section over its size limit"},
};

const Refused kFraming[] = {
    {"length with plus", post("content-length: +5\r\n", "hello"), 400, kError, "malformed Content-Length"},
    {"length with minus", post("content-length: -5\r\n", "hello"), 400, kError, "malformed Content-Length"},
    {"length with space", post("content-length: 5 5\r\n", "hello"), 400, kError, "malformed Content-Length"},
    {"length in hexadecimal", post("content-length: 0x5\r\n", "hello"), 400, kError, "malformed Content-Length"},
    {"length with a tail", post("content-length: 5a\r\n", "hello"), 400, kError, "malformed Content-Length"},
    {"empty length", post("content-length:\r\n"), 400, kError, "malformed Content-Length"},
    {"list of equal lengths", post("content-length: 5, 5\r\n", "hello"), 400, kError, "malformed Content-Length"},
    {"two equal lengths", post("content-length: 5\r\ncontent-length: 5\r\n", "hello"), 400, kError,
     "several Content-Length fields"},
    {"two lengths", post("content-length: 5\r\nContent-Length: 6\r\n", "hello"), 400, kError,
     "several Content-Length fields"},
    {"length 2^63", post("content-length: 9223372036854775808\r\n"), 400, kError, "malformed Content-Length", "200"},
    {"length 2^64", post("content-length: 18446744073709551616\r\n"), 400, kError, "malformed Content-Length"},
    {"length 2^64 + 5", post("content-length: 18446744073709551621\r\n", "hello"), 400, kError,
     "malformed Content-Length"},
    {"length and chunked", post("content-length: 5\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"), 400, kBoth,
     "both Content-Length and Transfer-Encoding"},
    {"chunked and length", post("transfer-encoding: chunked\r\ncontent-length: 5\r\n", "0\r\n\r\n"), 400, kBoth,
     "both Content-Length and Transfer-Encoding"},
    {"bad length and chunked", post("content-length: x\r\ntransfer-encoding: chunked\r\n", "0\r\n\r\n"), 400, kBoth,
     "both Content-Length and Transfer-Encoding"},
    {"identity and length", post("transfer-encoding: identity\r\ncontent-length: 5\r\n", "hello"), 400, kBoth,
     "both Content-Length and Transfer-Encoding"},
    {"empty coding and length", post("transfer-encoding:\r\ncontent-length: 5\r\n", "hello"), 400, kBoth,
     "both Content-Length and Transfer-Encoding"},
    {"gzip", post("transfer-encoding: gzip\r\n"), 501, kCoding, "transfer coding other than chunked"},
    {"gzip, chunked", post("transfer-encoding: gzip, chunked\r\n", "0\r\n\r\n"), 501, kCoding,
     "transfer coding other than chunked"},
    {"chunked, gzip", post("transfer-encoding: chunked, gzip\r\n"), 501, kCoding, "transfer coding other than chunked"},
    {"chunked twice in a list", post("transfer-encoding: chunked, chunked\r\n"), 501, kCoding,
     "transfer coding other than chunked"},
    {"chunked twice", post("transfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n"), 501, kCoding,
     "transfer coding other than chunked"},
    {"gzip, then chunked", post("transfer-encoding: gzip\r\ntransfer-encoding: chunked\r\n"), 501, kCoding,
     "transfer coding other than chunked"},
    {"identity", post("transfer-encoding: identity\r\n"), 501, kCoding, "transfer coding other than chunked"},
    {"empty coding", post("transfer-encoding:\r\n"), 501, kCoding, "transfer coding other than chunked"},
    {"chunked with parameter", post("transfer-encoding: chunked;a=b\r\n"), 501, kCoding,
     "transfer coding other than chunked"},
    {"xchunked", post("transfer-encoding: xchunked\r\n"), 501, kCoding, "transfer coding other than chunked"},
    {"quoted chunked", post("transfer-encoding: \"chunked\"\r\n"), 501, kCoding, "transfer coding other than chunked"},
    {"chunked with comma", post("transfer-encoding: chunked,\r\n"), 501, kCoding, "transfer coding other than chunked"},
    {"vertical tab and chunked", post("transfer-encoding: \vchunked\r\n"), 400, kInvalid, "control character"},
    {"chunked in HTTP/1.0", "POST / HTTP/1.0\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400, kError,
     "Transfer-Encoding in an HTTP/1.0 message", "426"},
    {"CONNECT with length", "CONNECT t:80 HTTP/1.1\r\nhost: h\r\ncontent-length: 5\r\n\r\nhello", 400,
     "http1.body_disallowed", "CONNECT with a body"},
    {"CONNECT, chunked", "CONNECT t:80 HTTP/1.1\r\nhost: h\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 501,
     kCoding, "transfer coding other than chunked"},
};

const Refused kChunks[] = {
    {"blank before the size", chunks(" 5\r\nhello\r\n0\r\n\r\n"), 400, kError, "malformed chunk size"},
    {"0x before the size", chunks("0x5\r\nhello\r\n0\r\n\r\n"), 400, kError, "malformed chunk size"},
    {"minus before the size", chunks("-5\r\nhello\r\n0\r\n\r\n"), 400, kError, "malformed chunk size"},
    {"plus before the size", chunks("+5\r\nhello\r\n0\r\n\r\n"), 400, kError, "malformed chunk size"},
    {"no hexadecimal size", chunks("g\r\nhello\r\n0\r\n\r\n"), 400, kError, "malformed chunk size"},
    {"underscore in the size", chunks("1_0\r\nhello\r\n0\r\n\r\n"), 400, kError, "malformed chunk size"},
    {"empty size", chunks("\r\nhello\r\n0\r\n\r\n"), 400, kError, "malformed chunk size"},
    {"extension without size", chunks(";a\r\nhello\r\n0\r\n\r\n"), 400, kError, "malformed chunk size"},
    {"two sizes", chunks("5 5\r\nhello\r\n0\r\n\r\n"), 400, kError, "malformed chunk size", "200"},
    {"size 2^64", chunks("10000000000000000\r\nhello\r\n0\r\n\r\n"), 400, kError, "chunk size out of range"},
    {"size 2^63", chunks("8000000000000000\r\nhello\r\n0\r\n\r\n"), 400, kError, "chunk size out of range", "200"},
    {"LF after the size", chunks("5\nhello\r\n0\r\n\r\n"), 400, kError, "line ends with LF alone"},
    {"CR CR LF after the size", chunks("5\r\r\nhello\r\n0\r\n\r\n"), 400, kError, "CR without LF"},
    {"LF in an extension", chunks("5;a=b\nhello\r\n0\r\n\r\n"), 400, kError, "line ends with LF alone"},
    {"CR in an extension", chunks("5;a\rb\r\nhello\r\n0\r\n\r\n"), 400, kError, "CR without LF"},
    {"NUL in an extension", chunks("5;a\0b\r\nhello\r\n0\r\n\r\n"s), 400, kError,
     "control character in a chunk extension", "200"},
    {"endless extension", chunks("5;" + std::string(4096, 'a') + "\r\nhello\r\n0\r\n\r\n"), 400, kError,
     "chunk-size line over its size limit", "200"},
    {"endless zeros", chunks(std::string(4097, '0') + "5\r\nhello\r\n0\r\n\r\n"), 400, kError,
     "chunk-size line over its size limit", "200"},
    {"data longer than its size", chunks("4\r\nhello\r\n0\r\n\r\n"), 400, kError, "chunk data not followed by CRLF",
     "200"},
    {"no line end after data", chunks("5\r\nhello0\r\n\r\n"), 400, kError, "chunk data not followed by CRLF"},
    {"LF after data", chunks("5\r\nhello\n0\r\n\r\n"), 400, kError, "chunk data not followed by CRLF", "200"},
    {"LF as last line", chunks("5\r\nhello\r\n0\r\n\n"), 400, kError, "line ends with LF alone", "200"},
    {"trailer without colon", chunks("0\r\na b\r\n\r\n"), 400, kError, "white space before colon"},
    {"trailer with blank before colon", chunks("0\r\na : b\r\n\r\n"), 400, kError, "white space before colon"},
    {"trailer that ends with LF", chunks("0\r\na: b\n\r\n"), 400, kError, "line ends with LF alone", "200"},
    {"folded trailer", chunks("0\r\na: b\r\n c\r\n\r\n"), 400, kError,
     "line starts with white space (obsolete folding)", "200"},
    {"NUL in a trailer", chunks("0\r\na: \0\r\n\r\n"s), 400, kInvalid, "control character"},
    {"length as trailer", chunks("0\r\ncontent-length: 3\r\n\r\n"), 400, kError, "field not allowed among trailers",
     "200"},
    {"coding as trailer", chunks("0\r\nTransfer-Encoding: chunked\r\n\r\n"), 400, kError,
     "field not allowed among trailers", "200"},
    {"Host as trailer", chunks("0\r\nhost: x\r\n\r\n"), 400, kError, "field not allowed among trailers", "200"},
    {"trailers over their limit", chunks("0\r\na: " + std::string(61440, 'x') + "\r\n\r\n"), 431,
     "http1.headers_too_large", "header section over its size limit"},
    {"101 trailers", chunks("0\r\n" + repeat("a: b\r\n", 101) + "\r\n"), 431, "http1.too_many_headers",
     "more fields than allowed"},
};

const Refused kResponses[] = {
    {"leading empty line", "\r\nHTTP/1.1 200 OK\r\n\r\n", 502, kError, "malformed status line"},
    {"no HTTP", "hello world\r\n\r\n", 502, kError, "malformed status line"},
    {"ICY", "ICY 200 OK\r\n\r\n", 502, kError, "malformed status line"},
    {"lower case", "http/1.1 200 OK\r\n\r\n", 502, kError, "malformed status line"},
    {"two-digit status", "HTTP/1.1 20 OK\r\n\r\n", 502, kError, "malformed status line", "20"},
    {"four-digit status", "HTTP/1.1 2000 OK\r\n\r\n", 502, kError, "malformed status line", "2000"},
    {"status below 100", "HTTP/1.1 099 OK\r\n\r\n", 502, kError, "malformed status line", "99"},
    {"status is no number", "HTTP/1.1 abc OK\r\n\r\n", 502, kError, "malformed status line"},
    {"two spaces", "HTTP/1.1  200 OK\r\n\r\n", 502, kError, "malformed status line", "200"},
    {"HTTP/2.0", "HTTP/2.0 200 OK\r\n\r\n", 502, kError, "response version is neither HTTP/1.0 nor 1.1", "200"},
    {"control character in the phrase", "HTTP/1.1 200 O\1K\r\n\r\n", 400, kInvalid, "control character"},
    {"LF after the status line", "HTTP/1.1 200 OK\ncontent-length: 2\r\n\r\nok", 400, kError, "line ends with LF alone",
     "200"},
    {"LF after the status", "HTTP/1.1 200\ncontent-length: 2\r\n\r\nok", 502, kError, "malformed status line", "200"},
    {"folded field", "HTTP/1.1 200 OK\r\na: b\r\n c\r\n\r\n", 400, kError,
     "line starts with white space (obsolete folding)", "200"},
    {"blank before colon", "HTTP/1.1 200 OK\r\na : b\r\n\r\n", 400, kError, "white space before colon"},
    {"CR in value", "HTTP/1.1 200 OK\r\na: b\rc\r\n\r\n", 400, kError, "CR without LF", "200"},
    {"two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\nok", 400, kError,
     "several Content-Length fields"},
    {"list of lengths", "HTTP/1.1 200 OK\r\ncontent-length: 2, 2\r\n\r\nok", 400, kError, "malformed Content-Length"},
    {"length and chunked", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400,
     kBoth, "both Content-Length and Transfer-Encoding"},
    {"gzip", "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\nok", 501, kCoding,
     "transfer coding other than chunked"},
    {"identity", "HTTP/1.1 200 OK\r\ntransfer-encoding: identity\r\n\r\nok", 501, kCoding,
     "transfer coding other than chunked"},
    {"chunked in HTTP/1.0", "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 400, kError,
     "Transfer-Encoding in an HTTP/1.0 message", "200"},
    {"204 with length", "HTTP/1.1 204 No Content\r\ncontent-length: 2\r\n\r\nok", 502,
     "http1.content_length_not_allowed", "Content-Length in a 1xx or 204 response"},
    {"204, chunked", "HTTP/1.1 204 No Content\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n", 502,
     "http1.transfer_encoding_not_allowed", "Transfer-Encoding in a 1xx or 204 response"},
    {"100, chunked", "HTTP/1.1 100 Continue\r\ntransfer-encoding: chunked\r\n\r\n", 502,
     "http1.transfer_encoding_not_allowed", "Transfer-Encoding in a 1xx or 204 response"},
    {"304 with length and chunked",
     "HTTP/1.1 304 Not Modified\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n", 400, kBoth,
     "both Content-Length and Transfer-Encoding"},
    {"101 fields", "HTTP/1.1 200 OK\r\n" + repeat("a: b\r\n", 101) + "\r\n", 431, "http1.too_many_headers",
     "more fields than allowed"},
};

std::string title(const testing::TestParamInfo<Refused>& info) {
  std::string title = info.param.name;
  std::ranges::replace_if(title, [](char c) { return !isalnum(static_cast<unsigned char>(c)); }, '_');
  return title;
}

void expect_refused(const Refused& expected, const Reading& reading) {
  EXPECT_EQ(reading.outcome, Reading::Outcome::refused);
  EXPECT_EQ(reading.error_status, expected.status);
  EXPECT_EQ(reading.error_detail, expected.detail);
  EXPECT_EQ(reading.error_reason, expected.reason);
}

class RefusedRequests : public testing::TestWithParam<Refused> {};
class RefusedResponses : public testing::TestWithParam<Refused> {};

TEST_P(RefusedRequests, AreRefusedHoweverTheyAreCut) {
  const Refused& expected = GetParam();
  expect_refused(expected, read_request(expected.bytes));
  size_t size = expected.bytes.size();
  for (size_t cut = 0; cut <= std::min<size_t>(size, 300); ++cut) {
    expect_refused(expected, read_request(expected.bytes, {cut}));
  }
  if (size < 10'000) expect_refused(expected, read_request(expected.bytes, every_byte(size)));
}

TEST_P(RefusedResponses, AreRefusedHoweverTheyAreCut) {
  const Refused& expected = GetParam();
  expect_refused(expected, read_response(expected.bytes));
  for (size_t cut = 0; cut <= expected.bytes.size(); ++cut) {
    expect_refused(expected, read_response(expected.bytes, Method::get, {cut}));
  }
  expect_refused(expected, read_response(expected.bytes, Method::get, every_byte(expected.bytes.size())));
}

INSTANTIATE_TEST_SUITE_P(RequestLine, RefusedRequests, testing::ValuesIn(kRequestLines), title);
INSTANTIATE_TEST_SUITE_P(Fields, RefusedRequests, testing::ValuesIn(kFields), title);
INSTANTIATE_TEST_SUITE_P(Framing, RefusedRequests, testing::ValuesIn(kFraming), title);
INSTANTIATE_TEST_SUITE_P(Chunks, RefusedRequests, testing::ValuesIn(kChunks), title);
INSTANTIATE_TEST_SUITE_P(H1, RefusedResponses, testing::ValuesIn(kResponses), title);

TEST(H1Limits, AllowExactlyTheHeadThatFits) {
  std::string bytes = get("a: b\r\n");
  Limits limits;
  limits.head_bytes_max = static_cast<uint32_t>(bytes.size());
  EXPECT_EQ(read_request(bytes, {}, limits).outcome, Reading::Outcome::complete);
  EXPECT_EQ(read_request(bytes, every_byte(bytes.size()), limits).outcome, Reading::Outcome::complete);
  --limits.head_bytes_max;
  EXPECT_EQ(read_request(bytes, {}, limits).error_status, 431);
  EXPECT_EQ(read_request(bytes, every_byte(bytes.size()), limits).error_status, 431);
}

TEST(H1Limits, AllowExactlyTheTrailersThatFit) {
  std::string bytes = chunks("0\r\na: b\r\n\r\n");
  Limits limits;
  limits.trailer_bytes_max = 8;
  EXPECT_EQ(read_request(bytes, every_byte(bytes.size()), limits).outcome, Reading::Outcome::complete);
  limits.trailer_bytes_max = 7;
  EXPECT_EQ(read_request(bytes, {}, limits).error_status, 431);
  EXPECT_EQ(read_request(bytes, every_byte(bytes.size()), limits).error_status, 431);
}

TEST(H1Limits, CountHostAsAField) {
  Limits limits;
  limits.field_count_max = 2;
  EXPECT_EQ(read_request(get("a: b\r\n"), {}, limits).outcome, Reading::Outcome::complete);
  EXPECT_EQ(read_request(get("a: b\r\nc: d\r\n"), {}, limits).error_detail, "http1.too_many_headers");
}

TEST(H1Limits, LetCustomMethodsThroughWhenTold) {
  Limits limits;
  limits.allow_custom_methods = true;
  EXPECT_EQ(read_request(line("M-SEARCH / HTTP/1.1"), {}, limits).method, "M-SEARCH");
}

}  // namespace
}  // namespace outrider::h1
