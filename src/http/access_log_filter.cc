#include "http/access_log_filter.h"

#include <algorithm>
#include <charconv>

#include "core/worker.h"
#include "http/grpc_status.h"

namespace outrider {
namespace {

// The number that a request id stands for: its first eight hexadecimal digits. The same in every proxy on the way.
std::optional<std::uint64_t> number_of_id(std::string_view id) {
  constexpr std::size_t kDigits = 8, kUuidBytes = 36;
  if (id.size() != kUuidBytes) return std::nullopt;
  std::uint64_t number = 0;
  auto [end, error] = std::from_chars(id.data(), id.data() + kDigits, number, 16);
  if (error != std::errc() || end != id.data() + kDigits) return std::nullopt;
  return number;
}

std::uint64_t milliseconds_of(const Exchange& x) {
  TimePoint end = x.record.end.value_or(x.worker.now());
  return static_cast<std::uint64_t>((end - x.record.start) / std::chrono::milliseconds(1));
}

bool in(std::uint64_t bits, std::uint64_t number) { return number < 64 && (bits >> number & 1) != 0; }

}  // namespace

bool AccessLogFilter::compare(const Exchange& x, std::uint64_t value) const {
  std::uint64_t with = runtime_key.empty() ? number : x.worker.runtime()->integer(runtime_key, number);
  switch (comparison) {
    case Comparison::equal:
      return value == with;
    case Comparison::greater_or_equal:
      return value >= with;
    case Comparison::less_or_equal:
      return value <= with;
    case Comparison::not_equal:
      return value != with;
  }
  return false;
}

bool AccessLogFilter::sampled(const Exchange& x) const {
  Fraction now = fraction.now(*x.worker.runtime());
  auto id = independent ? std::nullopt : number_of_id(x.request.headers.value(Known::x_request_id));
  return now.takes(id ? *id : x.worker.random().next());
}

bool AccessLogFilter::passes(const Exchange& x) const {
  auto pass = [&](const AccessLogFilter& f) { return f.passes(x); };
  switch (kind) {
    case Kind::status_code:
      return compare(x, static_cast<std::uint64_t>(x.record.status));
    case Kind::duration:
      return compare(x, milliseconds_of(x));
    case Kind::not_health_check:
      return !x.record.health_check;
    case Kind::traceable:
      return x.record.traced;
    case Kind::runtime:
      return sampled(x);
    case Kind::all:
      return std::ranges::all_of(inner, pass);
    case Kind::any:
      return std::ranges::any_of(inner, pass);
    case Kind::header:
      return header.matches(x.request);
    case Kind::response_flag:
      return any_flag ? x.record.flags.any() : x.record.flags.any_of(flags);
    case Kind::grpc_status:
      return in(bits, static_cast<std::uint64_t>(grpc_status_of(x).value_or(2))) != exclude;
    case Kind::metadata: {
      const Value* value = x.dynamic_metadata ? x.dynamic_metadata->find(metadata.space, metadata.path) : nullptr;
      return value ? metadata.matches(*x.dynamic_metadata) : without_key;
    }
    case Kind::log_type:
      return in(bits, static_cast<std::uint64_t>(x.record.log_type)) != exclude;
  }
  return true;
}

}  // namespace outrider
