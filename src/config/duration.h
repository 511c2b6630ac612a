// What a google.protobuf.Duration may be.
#pragma once
#include <string_view>

#include "config/scalar.h"

namespace google::protobuf {
class Message;
}

namespace outrider::config {

// Of a google.protobuf.Duration.
Span span_of(const google::protobuf::Message& duration);
// The field that no duration can have, "seconds" or "nanos": out of range, or of another sign than the seconds; else
// empty.
std::string_view wrong_part(const Span& span);
// What is said of that field.
std::string_view expected_of(std::string_view part);

}  // namespace outrider::config
