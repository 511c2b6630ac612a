#include "http/edge.h"

#include <array>
#include <ctime>

#include "core/worker.h"

namespace outrider {
namespace {

// A random UUID (RFC 9562, version 4) as text.
std::string_view make_uuid(Exchange& x) {
  static constexpr char kHex[] = "0123456789abcdef";
  std::uint64_t words[2] = {x.worker.random().next(), x.worker.random().next()};
  words[0] = (words[0] & ~0xf000ull) | 0x4000ull;
  words[1] = (words[1] & ~(3ull << 62)) | (2ull << 62);
  char* out = static_cast<char*>(x.arena.allocate(36, 1));
  int at = 0;
  for (int i = 0; i < 32; i++) {
    if (i == 8 || i == 12 || i == 16 || i == 20) out[at++] = '-';
    out[at++] = kHex[(words[i / 16] >> (60 - 4 * (i % 16))) & 15];
  }
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
