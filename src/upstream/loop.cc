#include "upstream/loop.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstring>
#include <random>

#include "core/hex.h"
#include "http/exchange.h"

namespace outrider {
namespace {

constexpr std::string_view kHop = "outrider;hop=";
constexpr std::size_t kDigits = 8;

void append_hex(std::uint32_t number, char* to) {
  for (std::size_t i = 0; i < kDigits / 2; i++, number >>= 8)
    std::memcpy(to + 2 * i, kHexPairs[number & 255].data(), 2);
}

// "outrider;hop=" with eight digits of the process and eight of what it was asked.
struct Mark {
  char text[kHop.size() + 2 * kDigits];
  std::string_view all() const { return {text, sizeof text}; }
  std::string_view of_process() const { return {text, kHop.size() + kDigits}; }
};

Mark process_mark() {
  Mark mark{};
  kHop.copy(mark.text, kHop.size());
  append_hex(std::random_device()(), mark.text + kHop.size());
  return mark;
}

// `way`: the route, or whatever sends the request on.
Mark mark_of(const RequestHead& request, const void* way) {
  static const Mark process = process_mark();
  Mark mark = process;
  std::uint64_t seed = reinterpret_cast<std::uintptr_t>(way) + static_cast<std::uint64_t>(request.method);
  std::uint64_t hash = XXH3_64bits_withSeed(request.path.data(), request.path.size(), seed);
  append_hex(static_cast<std::uint32_t>(hash), mark.text + kHop.size() + kDigits);
  return mark;
}

int count(std::string_view text, std::string_view part) {
  int found = 0;
  for (std::size_t at = 0; (at = text.find(part, at)) != std::string_view::npos; at += part.size()) found++;
  return found;
}

// Adds the mark to those that `before` has, unless it is one of them.
bool leave_mark(RequestHead& request, const Headers& before, const Mark& mark) {
  Headers& headers = request.headers;
  Arena& arena = headers.arena();
  if (!before.has(Known::cdn_loop)) {
    headers.set(Known::cdn_loop, arena.copy(mark.all()));
    return true;
  }
  std::string joined;
  std::string_view marks = *field_value(before, name_of(Known::cdn_loop), joined);
  if (marks.find(mark.all()) != std::string_view::npos || count(marks, mark.of_process()) >= kOwnHopsMax) return false;
  headers.set(Known::cdn_loop, arena.copy(std::string(marks).append(", ").append(mark.all())));
  return true;
}

}  // namespace

bool mark_hop(Exchange& x, const Route& route) {
  return leave_mark(x.request, x.request.headers, mark_of(x.request, &route));
}

bool mark_call(RequestHead& call, const RequestHead& cause, const Cluster& cluster) {
  return leave_mark(call, cause.headers, mark_of(call, &cluster));
}

}  // namespace outrider
