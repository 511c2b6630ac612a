// Bytes in one piece that wait to be sent.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <string_view>
#include <utility>

namespace outrider {

// Holds memory only while there are bytes.
class SendBuffer {
 public:
  SendBuffer() = default;
  SendBuffer(const SendBuffer&) = delete;
  ~SendBuffer() { std::free(memory_); }

  const char* data() const { return memory_ + begin_; }
  std::size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }

  // Room for so many bytes; then how many of them there are now.
  char* room(std::size_t bytes) {
    if (capacity_ - end_ < bytes) make_room(bytes);
    return memory_ + end_;
  }
  void wrote_to(const char* end) { end_ = static_cast<std::size_t>(end - memory_); }
  void append(std::string_view bytes) { wrote_to(std::ranges::copy(bytes, room(bytes.size())).out); }
  void consume(std::size_t bytes) {
    begin_ += bytes;
    if (empty()) begin_ = end_ = 0;
  }
  void swap(SendBuffer& other) {
    std::swap(memory_, other.memory_);
    std::swap(capacity_, other.capacity_);
    std::swap(begin_, other.begin_);
    std::swap(end_, other.end_);
  }
  // Gives the memory back if there are no bytes.
  void release() {
    if (!empty()) return;
    std::free(memory_);
    memory_ = nullptr;
    capacity_ = begin_ = end_ = 0;
  }

 private:
  static constexpr std::size_t kFirstCapacity = 4096;

  void make_room(std::size_t bytes) {
    std::size_t held = size();
    if (begin_ >= held && capacity_ - held >= bytes) {
      std::memcpy(memory_, memory_ + begin_, held);
    } else {
      std::size_t capacity = std::max({kFirstCapacity, 2 * capacity_, held + bytes});
      auto* larger = static_cast<char*>(std::malloc(capacity));
      if (held > 0) std::memcpy(larger, memory_ + begin_, held);
      std::free(memory_);
      memory_ = larger;
      capacity_ = capacity;
    }
    begin_ = 0;
    end_ = held;
  }

  char* memory_ = nullptr;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0, end_ = 0;
};

}  // namespace outrider
