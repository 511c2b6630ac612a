// Writing messages of Protocol Buffers by hand, where their generated code is not worth its weight.
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

namespace outrider {

// Fields of one message, in the order in which they are to stand. What has its default value is left out.
class ProtobufWriter {
 public:
  ProtobufWriter& number(int field, std::uint64_t value) {
    if (value) key(field, kVarint).varint(value);
    return *this;
  }
  ProtobufWriter& fixed32(int field, std::uint32_t value) { return value ? key(field, k32).little(value, 4) : *this; }
  ProtobufWriter& fixed64(int field, std::uint64_t value) { return value ? key(field, k64).little(value, 8) : *this; }
  // Text, bytes.
  ProtobufWriter& text(int field, std::string_view value) { return value.empty() ? *this : message(field, value); }
  // A message, which stands there even if it is empty.
  ProtobufWriter& message(int field, std::string_view value) {
    key(field, kLength).varint(value.size());
    out_.append(value);
    return *this;
  }
  std::string take() { return std::move(out_); }

 private:
  static constexpr int kVarint = 0, k64 = 1, kLength = 2, k32 = 5;
  ProtobufWriter& key(int field, int type) { return varint(static_cast<std::uint64_t>(field) << 3 | type); }
  ProtobufWriter& varint(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) out_.push_back(static_cast<char>(value | 0x80));
    out_.push_back(static_cast<char>(value));
    return *this;
  }
  ProtobufWriter& little(std::uint64_t value, int bytes) {
    for (; bytes-- > 0; value >>= 8) out_.push_back(static_cast<char>(value));
    return *this;
  }

  std::string out_;
};

}  // namespace outrider
