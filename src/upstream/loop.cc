#include "upstream/loop.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <random>

#include "http/exchange.h"

namespace outrider {
namespace {

constexpr std::string_view kHop = "outrider;hop=";
constexpr std::size_t kDigits = 8;

void append_hex(std::uint32_t number, char* to) {
  constexpr char kHex[] = "0123456789abcdef";
  for (std::size_t i = kDigits; i-- > 0; number >>= 4) to[i] = kHex[number & 15];
}

std::uint64_t process_mark() {
  static const std::uint64_t mark = [] {
    std::random_device device;
    return (static_cast<std::uint64_t>(device()) << 32) | device();
  }();
  return mark;
}

// "outrider;hop=" with eight digits of the process and eight of what it was asked.
struct Mark {
  char text[kHop.size() + 2 * kDigits];
  std::string_view all() const { return {text, sizeof text}; }
  std::string_view of_process() const { return {text, kHop.size() + kDigits}; }
};

Mark mark_of(const RequestHead& request, const Route& route) {
  std::uint64_t hash = XXH3_64bits_withSeed(request.path.data(), request.path.size(), process_mark());
  hash = XXH3_64bits_withSeed(request.authority.data(), request.authority.size(), hash);
  hash ^= reinterpret_cast<std::uintptr_t>(&route) * 0x9e3779b97f4a7c15 + static_cast<std::uint64_t>(request.method);
  Mark mark;
  kHop.copy(mark.text, kHop.size());
  append_hex(static_cast<std::uint32_t>(process_mark()), mark.text + kHop.size());
  append_hex(static_cast<std::uint32_t>(hash ^ (hash >> 32)), mark.text + kHop.size() + kDigits);
  return mark;
}

int count(std::string_view text, std::string_view part) {
  int found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; at += part.size()) found++;
  return found;
}

}  // namespace

bool mark_hop(Exchange& x, const Route& route) {
  Headers& headers = x.request.headers;
  Mark mark = mark_of(x.request, route);
  const Field* hops = headers.find(Known::cdn_loop);
  if (!hops) {
    headers.add(Known::cdn_loop, x.arena.copy(mark.all()));
    return true;
  }
  std::string joined;
  std::string_view before = *field_value(headers, name_of(Known::cdn_loop), joined);
  if (before.find(mark.all()) != std::string_view::npos || count(before, mark.of_process()) >= kOwnHopsMax)
    return false;
  headers.set(Known::cdn_loop, x.arena.copy(std::string(before).append(", ").append(mark.all())));
  return true;
}

}  // namespace outrider
