#include "config/duration.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

namespace outrider::config {

namespace pb = google::protobuf;

Span span_of(const pb::Message& duration) {
  const pb::Descriptor& descriptor = *duration.GetDescriptor();
  const pb::Reflection& reflection = *duration.GetReflection();
  return {reflection.GetInt64(duration, descriptor.FindFieldByNumber(1)),
          reflection.GetInt32(duration, descriptor.FindFieldByNumber(2))};
}

std::string_view wrong_part(const Span& span) {
  constexpr int32_t kNanosMax = 999'999'999;
  if (span.seconds > kDurationSecondsMax || span.seconds < -kDurationSecondsMax) return "seconds";
  const bool differ = (span.seconds > 0 && span.nanos < 0) || (span.seconds < 0 && span.nanos > 0);
  return differ || span.nanos > kNanosMax || span.nanos < -kNanosMax ? "nanos" : "";
}

std::string_view expected_of(std::string_view part) {
  return part == "seconds" ? "a duration has at most 315576000000 seconds"
                           : "a duration has at most 999999999 nanos, of the same sign as its seconds";
}

}  // namespace outrider::config
