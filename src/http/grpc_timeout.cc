#include "http/grpc_timeout.h"

#include <charconv>
#include <string>

namespace outrider {
namespace {

constexpr std::uint64_t kValueMax = 99'999'999;

struct Unit {
  char letter;
  std::uint64_t nanoseconds;
};
constexpr Unit kUnits[] = {{'H', 3'600'000'000'000}, {'M', 60'000'000'000}, {'S', 1'000'000'000},
                           {'m', 1'000'000},         {'u', 1000},           {'n', 1}};

}  // namespace

std::optional<std::chrono::milliseconds> grpc_timeout_of(const Headers& headers) {
  const Field* field = headers.find(Known::grpc_timeout);
  if (!field) return std::nullopt;
  std::string_view text = field->value;
  std::uint64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || value > kValueMax || end + 1 != text.data() + text.size()) return std::nullopt;
  constexpr std::uint64_t kMillisecond = 1'000'000;
  for (const Unit& unit : kUnits) {
    if (unit.letter != *end) continue;
    if (unit.nanoseconds >= kMillisecond) return std::chrono::milliseconds(value * (unit.nanoseconds / kMillisecond));
    return std::chrono::milliseconds((value * unit.nanoseconds + kMillisecond - 1) / kMillisecond);
  }
  return std::nullopt;
}

void set_grpc_timeout(Headers& headers, Arena& arena, std::chrono::milliseconds timeout) {
  constexpr std::string_view kCoarser = "mSMH";
  auto value = static_cast<std::uint64_t>(timeout.count());
  std::size_t unit = 0;
  if (value > kValueMax) {
    value /= 1000;
    unit++;
  }
  for (; value > kValueMax && kCoarser[unit] != 'H'; unit++) value /= 60;
  std::string text = std::to_string(std::min(value, kValueMax));
  headers.set(Known::grpc_timeout, arena.copy(text += kCoarser[unit]));
}

}  // namespace outrider
