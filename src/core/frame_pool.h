// Memory for coroutine frames and other short-lived objects of one thread.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>

namespace outrider {

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
#define OUTRIDER_POOLING 0
#endif
#endif
#ifndef OUTRIDER_POOLING
#define OUTRIDER_POOLING 1
#endif

namespace frame_pool {
struct Counts {
  std::uint64_t allocations;  // All calls of allocate().
  std::uint64_t from_system;  // Those that the free lists could not serve.
  std::int64_t live;          // Allocated and not yet freed.
};
struct Free {
  Free* next;
};
struct Class {
  Free* head;
  std::size_t count;
};
inline constexpr std::size_t kGrainBytes = 64;
// What malloc puts before each piece. With it a piece takes whole grains, so that one that was freed fits the next.
inline constexpr std::size_t kHeaderBytes = 8;
inline constexpr std::size_t kPooledBytesMax = 4096 - kHeaderBytes;
constexpr std::size_t grains_for(std::size_t bytes) { return (bytes + kHeaderBytes + kGrainBytes - 1) / kGrainBytes; }
// Trivial, so that access needs no guard; a thread that ends calls FramePool::release().
struct Lists {
  std::array<Class, grains_for(kPooledBytesMax) + 1> classes;
  Counts counts;
};
}  // namespace frame_pool

// Free lists by size class, one set for each thread. Memory freed on another thread than it came from joins that
// thread's lists, which is harmless. Under AddressSanitizer nothing is pooled, so that stale frames are found.
class FramePool {
 public:
  static constexpr std::size_t kGrainBytes = frame_pool::kGrainBytes;
  static constexpr std::size_t kHeaderBytes = frame_pool::kHeaderBytes;
  static constexpr std::size_t kPooledBytesMax = frame_pool::kPooledBytesMax;
  // A free list keeps at most this many bytes; the rest goes back to the allocator.
  static constexpr std::size_t kKeptBytesMax = 1024 * 1024;

  using Counts = frame_pool::Counts;

  static void* allocate(std::size_t bytes) {
    frame_pool::Lists& lists = lists_;
    lists.counts.allocations++;
    lists.counts.live++;
    if (OUTRIDER_POOLING && bytes <= kPooledBytesMax) {
      std::size_t grains = frame_pool::grains_for(bytes);
      frame_pool::Class& c = lists.classes[grains];
      if (c.head) {
        frame_pool::Free* f = c.head;
        c.head = f->next;
        c.count--;
        return f;
      }
      lists.counts.from_system++;
      return std::malloc(grains * kGrainBytes - kHeaderBytes);
    }
    lists.counts.from_system++;
    return std::malloc(bytes);
  }

  static void deallocate(void* memory, std::size_t bytes) {
    frame_pool::Lists& lists = lists_;
    lists.counts.live--;
    if (OUTRIDER_POOLING && bytes <= kPooledBytesMax) {
      std::size_t grains = frame_pool::grains_for(bytes);
      frame_pool::Class& c = lists.classes[grains];
      if (c.count * grains * kGrainBytes < kKeptBytesMax) {
        auto* f = static_cast<frame_pool::Free*>(memory);
        f->next = c.head;
        c.head = f;
        c.count++;
        return;
      }
    }
    std::free(memory);
  }

  static const Counts& counts() { return lists_.counts; }

  // Gives the free lists of this thread back to the allocator.
  static void release() {
    for (frame_pool::Class& c : lists_.classes) {
      while (c.head) {
        frame_pool::Free* f = c.head;
        c.head = f->next;
        std::free(f);
      }
      c.count = 0;
    }
  }

 private:
  static inline constinit thread_local frame_pool::Lists lists_{};
};

}  // namespace outrider
