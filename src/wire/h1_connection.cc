// What concerns one connection only: options, persistence, upgrades (RFC 9110 §7.6.1, §7.8; RFC 9112 §9).

#include <algorithm>
#include <array>

#include "core/ascii.h"
#include "core/blanks.h"
#include "wire/h1.h"
#include "wire/h1_chars.h"
#include "wire/h1_errors.h"

namespace outrider::h1 {
namespace {

// Envoy's limits for what a peer may nominate.
constexpr size_t kNominatedMax = 9;
constexpr size_t kTeBytesMax = 256;

// Calls `each(item)` for the non-empty items of a comma-separated list until it says true; whether it did.
template <class Each>
bool any_item(std::string_view list, Each each) {
  while (!list.empty()) {
    size_t comma = list.find(',');
    std::string_view item = without_blanks(list.substr(0, comma));
    if (!item.empty() && each(item)) return true;
    if (comma == std::string_view::npos) return false;
    list.remove_prefix(comma + 1);
  }
  return false;
}

template <class Each>
bool any_item_of(const Headers& headers, Known known, Each each) {
  if (!headers.has(known)) return false;
  for (const Field& field : headers) {
    if (field.known == known && any_item(field.value, each)) return true;
  }
  return false;
}

bool is_undroppable(std::string_view name) {
  return name.front() == ':' || equals_ignore_case(name, "host") || equals_ignore_case(name, "x-forwarded-for") ||
         equals_ignore_case(name, "x-forwarded-host") || equals_ignore_case(name, "x-forwarded-proto");
}

// What a nomination does not remove: `close` and `keep-alive` are options, the others are judged on their own.
bool stays(const Field& field) {
  return field.known == Known::connection || field.known == Known::upgrade || field.known == Known::te;
}

// Speaks of the connection itself; fields of these names are judged on their own.
bool is_option(std::string_view name) {
  constexpr std::string_view kOptions[] = {"close", "keep-alive", "upgrade", "te", "http2-settings"};
  return std::ranges::any_of(kOptions, [&](std::string_view option) { return equals_ignore_case(name, option); });
}

std::optional<ProtocolError> strip_nominated(Headers& headers, bool keep_upgrade) {
  std::array<std::string_view, kNominatedMax> names;
  size_t count = 0;
  bool refused = any_item_of(headers, Known::connection, [&](std::string_view name) {
    if (count == kNominatedMax || is_undroppable(name)) return true;
    names[count++] = name;
    return false;
  });
  if (refused) return kBadConnectionOption;
  bool names_fields = false;
  for (size_t i = 0; i < count; ++i) {
    if (is_option(names[i])) continue;
    names_fields = true;
    headers.remove_if([&](const Field& field) { return !stays(field) && equals_ignore_case(names[i], field.name); });
  }
  // Of a name that is still here, the next hop would drop the field that a filter has put in its place.
  if (keep_upgrade && names_fields) headers.set(Known::connection, "upgrade");
  return std::nullopt;
}

// Of TE only `trailers` speaks of more than the next hop's codings.
std::optional<ProtocolError> keep_only_trailers(Headers& headers) {
  bool wanted = false;
  for (const Field& field : headers) {
    if (field.known != Known::te) continue;
    if (field.value.size() > kTeBytesMax) return kBadConnectionOption;
    wanted =
        wanted || any_item(field.value, [](std::string_view item) { return equals_ignore_case(item, "trailers"); });
  }
  if (wanted) {
    headers.set(Known::te, "trailers");
  } else {
    headers.remove(Known::te);
  }
  return std::nullopt;
}

constexpr uint64_t kUpgradeFields = Headers::bit(Known::connection) | Headers::bit(Known::upgrade);

}  // namespace

bool has_connection_option(const Headers& headers, std::string_view token) {
  return any_item_of(headers, Known::connection,
                     [token](std::string_view item) { return equals_ignore_case(item, token); });
}

bool persistent(Version version, const Headers& headers) {
  auto is_close = [](std::string_view item) { return equals_ignore_case(item, "close"); };
  if (any_item_of(headers, Known::connection, is_close)) return false;
  if (any_item_of(headers, Known::proxy_connection, is_close)) return false;
  return version != Version::http10 || has_connection_option(headers, "keep-alive");
}

std::string_view requested_upgrade(const Headers& headers) {
  const Field* upgrade = headers.find(Known::upgrade);
  if (upgrade == nullptr || !has_connection_option(headers, "upgrade") || equals_ignore_case(upgrade->value, "h2c"))
    return {};
  return upgrade->value;
}

std::optional<ProtocolError> strip_hop_by_hop(Headers& headers, bool keep_upgrade) {
  if (headers.has(Known::te)) {
    if (auto error = keep_only_trailers(headers)) return error;
  }
  if (headers.has(Known::connection)) {
    if (auto error = strip_nominated(headers, keep_upgrade)) return error;
  }
  uint64_t stripped = keep_upgrade ? kHopByHop & ~kUpgradeFields : kHopByHop;
  if ((headers.present() & stripped) != 0) {
    headers.remove_if([stripped](const Field& field) { return (Headers::bit(field.known) & stripped) != 0; });
  }
  return std::nullopt;
}

}  // namespace outrider::h1
