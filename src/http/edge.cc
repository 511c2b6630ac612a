#include "http/edge.h"

#include <array>
#include <cstring>
#include <ctime>

#include "core/worker.h"

namespace outrider {
namespace {

// Two digits for each byte.
constexpr std::array<std::array<char, 2>, 256> kHexPairs = [] {
  constexpr char kHex[] = "0123456789abcdef";
  std::array<std::array<char, 2>, 256> pairs{};
  for (unsigned i = 0; i < pairs.size(); i++) pairs[i] = {kHex[i >> 4], kHex[i & 15]};
  return pairs;
}();

// A random UUID (RFC 9562, version 4) as text.
std::string_view make_uuid(Exchange& x) {
  std::array<unsigned char, 16> bytes;
  std::uint64_t words[2] = {x.worker.random().next(), x.worker.random().next()};
  std::memcpy(bytes.data(), words, sizeof words);
  bytes[6] = static_cast<unsigned char>((bytes[6] & 0x0f) | 0x40);
  bytes[8] = static_cast<unsigned char>((bytes[8] & 0x3f) | 0x80);
  constexpr std::size_t kAt[16] = {0, 2, 4, 6, 9, 11, 14, 16, 19, 21, 24, 26, 28, 30, 32, 34};
  char* out = static_cast<char*>(x.arena.allocate(36, 1));
  for (std::size_t i = 0; i < bytes.size(); i++) std::memcpy(out + kAt[i], kHexPairs[bytes[i]].data(), 2);
  out[8] = out[13] = out[18] = out[23] = '-';
  return {out, 36};
}

void add_forwarded_for(Exchange& x) {
  Headers& headers = x.request.headers;
  std::string ip = x.connection.peer->ip_text();
  if (const Field* field = headers.find(Known::x_forwarded_for)) {
    std::string joined(field->value);
    headers.set(Known::x_forwarded_for, x.arena.copy(joined + "," + ip));
  } else {
    headers.add(Known::x_forwarded_for, x.arena.copy(ip));
  }
}

}  // namespace

std::expected<void, ProtocolError> prepare_request(Exchange& x) {
  Headers& headers = x.request.headers;
  x.upgrade = h1::requested_upgrade(headers);
  if (auto error = h1::strip_hop_by_hop(headers, !x.upgrade.empty())) return std::unexpected(*error);
  if (!x.options.edge) return {};
  if (x.options.use_remote_address) add_forwarded_for(x);
  if (!headers.has(Known::x_forwarded_proto)) headers.add(Known::x_forwarded_proto, "http");
  if (x.options.generate_request_id && !headers.has(Known::x_request_id)) headers.add(Known::x_request_id, make_uuid(x));
  return {};
}

void prepare_response(Exchange& x, ResponseHead& head, bool closing, bool tunnel) {
  Headers& headers = head.headers;
  if (!headers.has(Known::date)) headers.add(Known::date, x.arena.copy(http_date(x.worker.wall())));
  if (x.options.server_header == ServerHeader::overwrite) {
    headers.set(Known::server, x.options.server_name);
  } else if (x.options.server_header == ServerHeader::append_if_absent) {
    headers.add_if_absent(Known::server, x.options.server_name);
  }
  if (tunnel) return;
  if (closing) {
    headers.set(Known::connection, "close");
  } else if (x.request.version == Version::http10) {
    headers.set(Known::connection, "keep-alive");
  }
}

std::string_view http_date(WallTime now) {
  static thread_local std::time_t second = -1;
  static thread_local std::array<char, 40> text;
  static thread_local std::size_t length = 0;
  std::time_t t = std::chrono::system_clock::to_time_t(
      std::chrono::time_point_cast<std::chrono::system_clock::duration>(std::chrono::floor<std::chrono::seconds>(now)));
  if (t != second) {
    std::tm utc{};
    gmtime_r(&t, &utc);
    length = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc);
    second = t;
  }
  return {text.data(), length};
}

}  // namespace outrider
