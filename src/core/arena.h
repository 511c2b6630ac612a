// Memory of one exchange: allocated piece by piece, freed all at once.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <new>
#include <string_view>
#include <type_traits>
#include <utility>

#include "core/frame_pool.h"

namespace outrider {

// A bump allocator. Chunks come from the thread's FramePool, so a busy worker allocates nothing.
// What it hands out lives until the Arena is destroyed; destructors are not run, except for make_owned().
class Arena {
 public:
  Arena() = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { clear(); }

  void* allocate(std::size_t bytes, std::size_t align = alignof(std::max_align_t)) {
    std::uintptr_t at = (reinterpret_cast<std::uintptr_t>(cursor_) + align - 1) & ~(align - 1);
    if (at + bytes > reinterpret_cast<std::uintptr_t>(limit_)) return allocate_slow(bytes, align);
    cursor_ = reinterpret_cast<char*>(at + bytes);
    return reinterpret_cast<void*>(at);
  }

  std::string_view copy(std::string_view text) {
    if (text.empty()) return {};
    char* to = static_cast<char*>(allocate(text.size(), 1));
    std::memcpy(to, text.data(), text.size());
    return {to, text.size()};
  }

  // For types without a destructor worth running.
  template <class T, class... A>
  T& make(A&&... arguments) {
    static_assert(std::is_trivially_destructible_v<T>, "use make_owned()");
    return *new (allocate(sizeof(T), alignof(T))) T{std::forward<A>(arguments)...};
  }

  // The object is destroyed with the Arena, in reverse order of making.
  template <class T, class... A>
  T& make_owned(A&&... arguments) {
    struct Holder : Owned {
      T value;
      explicit Holder(A&&... inner) : value(std::forward<A>(inner)...) {}
    };
    auto* holder = new (allocate(sizeof(Holder), alignof(Holder))) Holder(std::forward<A>(arguments)...);
    holder->destroy = [](Owned* o) { static_cast<Holder*>(o)->~Holder(); };
    holder->next = owned_;
    owned_ = holder;
    return holder->value;
  }

  // Frees everything.
  void clear() {
    while (owned_) {
      Owned* o = std::exchange(owned_, owned_->next);
      o->destroy(o);
    }
    while (chunks_) {
      Chunk* c = std::exchange(chunks_, chunks_->next);
      FramePool::deallocate(c, c->bytes);
    }
    cursor_ = limit_ = nullptr;
  }

 private:
  struct Owned {
    Owned* next = nullptr;
    void (*destroy)(Owned*) = nullptr;
  };
  struct Chunk {
    Chunk* next;
    std::size_t bytes;
  };
  // An exchange that waits for its response needs one, as a rule, and thousands may wait at once.
  static constexpr std::size_t kChunkBytes = 2048 - FramePool::kHeaderBytes;

  void* allocate_slow(std::size_t bytes, std::size_t align) {
    std::size_t need = bytes + align + sizeof(Chunk);
    std::size_t size = std::max(need, kChunkBytes);
    auto* chunk = static_cast<Chunk*>(FramePool::allocate(size));
    chunk->bytes = size;
    chunk->next = chunks_;
    chunks_ = chunk;
    char* begin = reinterpret_cast<char*>(chunk + 1);
    auto at = (reinterpret_cast<std::uintptr_t>(begin) + align - 1) & ~(align - 1);
    // A large piece has its chunk to itself; the current chunk stays in use.
    if (need <= kChunkBytes || !cursor_) {
      cursor_ = reinterpret_cast<char*>(at + bytes);
      limit_ = reinterpret_cast<char*>(chunk) + size;
    }
    return reinterpret_cast<void*>(at);
  }

  char* cursor_ = nullptr;
  char* limit_ = nullptr;
  Chunk* chunks_ = nullptr;
  Owned* owned_ = nullptr;
};

}  // namespace outrider
