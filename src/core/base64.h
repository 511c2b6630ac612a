// Base64 (RFC 4648 section 4): the alphabet with `+` and `/`.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace outrider {

// The bytes; nothing if the text is not base64. At most two `=` at the end are optional, and bits that no byte takes
// must be 0.
std::optional<std::string> base64_decode(std::string_view text);

// Bytes that come in pieces as a text, with `=` at the end.
class Base64Encoder {
 public:
  void add(std::string_view bytes, std::string& out);
  // The text ends here: what follows is another one.
  void finish(std::string& out);

 private:
  void write(int characters, std::string& out);
  std::uint32_t bits_ = 0;
  int count_ = 0;  // Bytes in `bits_`.
};

}  // namespace outrider
