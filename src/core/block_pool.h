// Large buffers of one worker: taken when bytes flow, given back when a connection goes idle.
#pragma once
#include <cstddef>
#include <cstdlib>
#include <utility>
#include <vector>

namespace outrider {

class BlockPool;

// A buffer, or none. Goes back to its pool on destruction; the pool outlives it.
class Block {
 public:
  Block() = default;
  Block(Block&& other) noexcept
      : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)), pool_(other.pool_) {}
  Block& operator=(Block&& other) noexcept {
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(pool_, other.pool_);
    return *this;
  }
  ~Block() { reset(); }

  explicit operator bool() const { return data_ != nullptr; }
  char* data() const { return data_; }
  std::size_t size() const { return size_; }
  inline void reset();

 private:
  friend class BlockPool;
  Block(char* data, std::size_t size, BlockPool* pool) : data_(data), size_(size), pool_(pool) {}
  char* data_ = nullptr;
  std::size_t size_ = 0;
  BlockPool* pool_ = nullptr;
};

class BlockPool {
 public:
  static constexpr std::size_t kHeadBytes = 16 * 1024;  // Holds nearly every message head.
  // 64 KiB of a body and the head before them: larger ones leave the cache.
  static constexpr std::size_t kBodyBytes = 68 * 1024;
  // Blocks kept for reuse; the rest is freed. Enough for the streams of a busy worker: freeing and allocating them anew
  // costs page faults.
  static constexpr std::size_t kHeadsKeptMax = 256;
  static constexpr std::size_t kBodiesKeptMax = 64;

  BlockPool() = default;
  BlockPool(const BlockPool&) = delete;
  BlockPool& operator=(const BlockPool&) = delete;
  ~BlockPool() {
    for (char* b : head_) std::free(b);
    for (char* b : body_) std::free(b);
  }

  Block head() { return take(head_, kHeadBytes); }
  Block body() { return take(body_, kBodyBytes); }
  // Of any size; not pooled unless it is one of the two above.
  Block make(std::size_t bytes) {
    in_use_++;
    return {static_cast<char*>(std::malloc(bytes)), bytes, this};
  }
  std::size_t in_use() const { return in_use_; }

 private:
  friend class Block;
  Block take(std::vector<char*>& list, std::size_t bytes) {
    if (list.empty()) return make(bytes);
    in_use_++;
    char* data = list.back();
    list.pop_back();
    return {data, bytes, this};
  }
  void give(char* data, std::size_t size) {
    in_use_--;
    if (size == kHeadBytes && head_.size() < kHeadsKeptMax) {
      head_.push_back(data);
    } else if (size == kBodyBytes && body_.size() < kBodiesKeptMax) {
      body_.push_back(data);
    } else {
      std::free(data);
    }
  }

  std::vector<char*> head_;
  std::vector<char*> body_;
  std::size_t in_use_ = 0;
};

inline void Block::reset() {
  if (data_) pool_->give(std::exchange(data_, nullptr), std::exchange(size_, 0));
}

}  // namespace outrider
