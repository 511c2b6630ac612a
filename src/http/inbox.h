// The bytes that a connection has received and nobody has used yet, in one piece.
#pragma once
#include <cstring>

#include "core/block_pool.h"

namespace outrider {

// Holds memory only while there are bytes, or while release() has not been called.
class Inbox {
 public:
  char* data() const { return block_.data() + begin_; }
  std::size_t size() const { return end_ - begin_; }
  bool empty() const { return begin_ == end_; }

  // Room behind the bytes.
  char* space() const { return block_.data() + end_; }
  std::size_t room() const { return block_.size() - end_; }
  void filled(std::size_t bytes) { end_ += bytes; }
  void consume(std::size_t bytes) { begin_ += bytes; }

  // Makes sure that there is room. The bytes may move; what lies before them is forgotten. False if that would need a
  // buffer of more than `bytes_max`. `large`: much may come behind the head, so that one read should take it all.
  bool make_room(BlockPool& pool, std::size_t bytes_max, bool large = false) {
    if (!block_) block_ = large ? pool.body() : pool.head();
    if (room() > 0) return true;
    std::size_t held = size();
    if (begin_ > 0) {
      std::memmove(block_.data(), data(), held);
    } else {
      if (held >= bytes_max) return false;
      Block larger = pool.make(std::min(block_.size() * 2, bytes_max));
      std::memcpy(larger.data(), data(), held);
      block_ = std::move(larger);
    }
    begin_ = 0;
    end_ = held;
    return true;
  }

  // Bytes that are left over in another buffer become the content; what was here is gone.
  void replace(Block block, std::size_t begin, std::size_t end) {
    block_ = std::move(block);
    begin_ = begin;
    end_ = end;
  }

  // Gives the memory back if there are no bytes.
  void release() {
    if (!empty()) return;
    block_.reset();
    begin_ = end_ = 0;
  }

 private:
  Block block_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace outrider
