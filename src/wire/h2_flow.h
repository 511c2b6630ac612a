// Flow control (RFC 9113 sections 5.2 and 6.9): how much of a stream, or of all of them, may be on its way.
#pragma once
#include <cstdint>

#include "wire/h2_settings.h"

namespace outrider::h2 {

// What we may send. May fall below zero, when the peer takes back what it had granted by a setting.
class SendWindow {
 public:
  explicit SendWindow(std::int64_t bytes) : bytes_(bytes) {}
  std::int64_t bytes() const { return bytes_; }
  void take(std::size_t bytes) { bytes_ -= static_cast<std::int64_t>(bytes); }
  // False: more than a window may be (section 6.9.1).
  bool grow(std::int64_t by) {
    bytes_ += by;
    return bytes_ <= kWindowMax;
  }

 private:
  std::int64_t bytes_;
};

// What the peer may send. It grows again as the bytes are consumed, not as they come.
class ReceiveWindow {
 public:
  explicit ReceiveWindow(std::uint32_t size) : ReceiveWindow(size, size) {}
  // The peer may not know its size yet: `left` is what it may take it for.
  ReceiveWindow(std::uint32_t size, std::uint32_t left) : left_(left), size_(size) {}

  // False: the peer has sent more than it may.
  bool take(std::uint32_t bytes) {
    if (bytes > left_) return false;
    left_ -= bytes;
    return true;
  }
  // So many bytes are consumed. What is to be granted now; 0: it can wait until it is worth a frame.
  std::uint32_t consumed(std::uint32_t bytes) {
    owed_ += bytes;
    if (owed_ < size_ / 2) return 0;
    left_ += owed_;
    std::uint32_t grant = owed_;
    owed_ = 0;
    return grant;
  }
  // Grants more than before from now on.
  std::uint32_t widen(std::uint32_t size) {
    std::uint32_t more = size - size_;
    size_ = size;
    left_ += more;
    return more;
  }

 private:
  std::uint32_t left_;
  std::uint32_t size_;
  std::uint32_t owed_ = 0;
};

}  // namespace outrider::h2
