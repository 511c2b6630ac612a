#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace outrider::config {

// How a scalar is written. Each returns false if the text is not one.
bool to_bool(std::string_view text, bool& out);  // true and false, and YAML 1.1's yes, no, on, off, y, n
// What Envoy's YAML makes true or false of where it stands without quotes: one of those in small, capital, or
// Capitalized letters.
bool is_boolean_word(std::string_view text);
bool to_integer(std::string_view text, int64_t& out);  // also 1e3 and 5.0, as proto3 JSON allows
bool to_unsigned(std::string_view text, uint64_t& out);
bool to_floating(std::string_view text, double& out);  // also NaN, Infinity, -Infinity
// The decimal form of what YAML 1.1 takes for octal (010) or hexadecimal (0x1F90); nothing of all other texts. For
// scalars without quotes.
std::optional<std::string> decimal_of(std::string_view text);
bool to_plain_floating(std::string_view text, double& out);  // to_floating(), decimal_of() the text where there is one
bool to_bytes(std::string_view text, std::string& out);      // base64, either alphabet, with padding or without

constexpr int64_t kDurationSecondsMax = 315'576'000'000;  // of google.protobuf.Duration: 10,000 years

struct Span {  // of google.protobuf.Duration
  int64_t seconds = 0;
  int32_t nanos = 0;
};
// "0.25s"; also "250ms", "10us" and "5ns", for which `is_extension` becomes true.
bool to_duration(std::string_view text, Span& out, bool& is_extension);

}  // namespace outrider::config
