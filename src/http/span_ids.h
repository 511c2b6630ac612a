// Which trace a request belongs to, and what its fields say of it: B3 (https://github.com/openzipkin/b3-propagation)
// and W3C Trace Context.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "wire/message.h"

namespace outrider {

struct SpanIds {
  std::uint64_t trace_high = 0, trace_low = 0;  // trace_high 0: an id of 64 bits.
  std::uint64_t span = 0;
  std::uint64_t parent = 0;  // 0: none.
  bool sampled = false;
  bool single = false;         // Told in the one field `b3`.
  bool remote_parent = false;  // The parent is another service's.
  std::string_view state{};    // tracestate, as it came; lives as long as the request.

  bool operator==(const SpanIds&) const = default;
};

// What a request says: a context, whether to sample one that is to be made, nothing, or something that nobody can read.
struct ReceivedTrace {
  std::optional<SpanIds> context;
  std::optional<bool> sampled;
  bool broken = false;
  bool single = false;  // In the one field `b3`.
};
ReceivedTrace read_b3(const Headers& headers);
// As Envoy reads it: of any version, but in the form of version 00.
ReceivedTrace read_traceparent(const Headers& headers);

std::string hex_of(std::uint64_t number);            // 16 digits.
std::string trace_id_of(const SpanIds& trace);       // 16 or 32.
std::string long_trace_id_of(const SpanIds& trace);  // 32.

// Sets the fields; their values lie in the headers' arena.
void write_b3(const SpanIds& trace, Headers& headers);
void write_traceparent(const SpanIds& trace, Headers& headers);

}  // namespace outrider
