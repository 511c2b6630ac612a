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
  ~SendBuffer() { give_back(); }

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
    give_back();
    memory_ = nullptr;
    capacity_ = begin_ = end_ = 0;
  }

 private:
  static constexpr std::size_t kFirstCapacity = 16 * 1024;
  // What a thread keeps of such memory, for the next one that has something to send.
  struct Spares {
    static constexpr std::size_t kMax = 16;
    Spares() = default;
    Spares(const Spares&) = delete;
    ~Spares() {
      while (count > 0) std::free(memory[--count]);
    }
    char* memory[kMax];
    std::size_t count = 0;
  };
  static Spares& spares() {
    static thread_local Spares spares;
    return spares;
  }

  static char* take(std::size_t capacity) {
    Spares& kept = spares();
    if (capacity == kFirstCapacity && kept.count > 0) return kept.memory[--kept.count];
    return static_cast<char*>(std::malloc(capacity));
  }
  void give_back() {
    Spares& kept = spares();
    if (capacity_ == kFirstCapacity && kept.count < Spares::kMax) {
      kept.memory[kept.count++] = memory_;
    } else {
      std::free(memory_);
    }
  }

  void make_room(std::size_t bytes) {
    std::size_t held = size();
    if (begin_ >= held && capacity_ - held >= bytes) {
      std::memcpy(memory_, memory_ + begin_, held);
    } else {
      std::size_t capacity = std::max({kFirstCapacity, 2 * capacity_, held + bytes});
      char* larger = take(capacity);
      if (held > 0) std::memcpy(larger, memory_ + begin_, held);
      give_back();
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
