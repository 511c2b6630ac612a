// Arena, FramePool and BlockPool: what is handed out is aligned, apart from each other, and comes back.
#include <gmock/gmock.h>

#include <cstring>
#include <set>
#include <string>
#include <thread>

#include "core/arena.h"
#include "core/block_pool.h"
#include "core/frame_pool.h"
#include "core/random.h"

namespace outrider {
namespace {

class ArenaTest : public testing::Test {
 public:
  ~ArenaTest() override {
    arena_.clear();
    EXPECT_EQ(FramePool::counts().live, live_before_);
  }
  std::int64_t live_before_ = FramePool::counts().live;
  Arena arena_;
};

TEST_F(ArenaTest, PiecesOfRandomSizesKeepTheirBytes) {
  struct Piece {
    unsigned char* at;
    std::size_t bytes;
    unsigned char mark;
  };
  Random random(3);
  std::vector<Piece> pieces;
  for (int i = 0; i < 2000; i++) {
    std::size_t bytes = random.below(20) == 0 ? random.below(20'000) : random.below(200);
    std::size_t align = std::size_t{1} << random.below(7);
    auto* at = static_cast<unsigned char*>(arena_.allocate(bytes, align));
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(at) % align, 0u);
    auto mark = static_cast<unsigned char>(i);
    if (bytes) std::memset(at, mark, bytes);
    pieces.push_back({at, bytes, mark});
  }
  for (const Piece& p : pieces) {
    for (std::size_t i = 0; i < p.bytes; i++) ASSERT_EQ(p.at[i], p.mark);
  }
}

TEST_F(ArenaTest, CopiesTextAndNothingForNothing) {
  std::string text = "host";
  std::string_view copy = arena_.copy(text);
  text[0] = 'x';
  EXPECT_EQ(copy, "host");
  EXPECT_TRUE(arena_.copy("").empty());
}

TEST_F(ArenaTest, OwnedObjectsAreDestroyedInReverseOrder) {
  struct Owned {
    std::vector<int>& order;
    int number;
    ~Owned() { order.push_back(number); }
  };
  std::vector<int> order;
  for (int i = 0; i < 3; i++) arena_.make_owned<Owned>(order, i);
  arena_.clear();
  EXPECT_THAT(order, testing::ElementsAre(2, 1, 0));
}

TEST_F(ArenaTest, ALargePieceLeavesTheCurrentChunkInUse) {
  auto* before = static_cast<char*>(arena_.allocate(8));
  arena_.allocate(100'000);
  auto* after = static_cast<char*>(arena_.allocate(8));
  EXPECT_EQ(after - before, 16);
}

TEST_F(ArenaTest, IsUsableAfterClear) {
  arena_.allocate(100);
  arena_.clear();
  EXPECT_EQ(arena_.copy("again"), "again");
}

TEST(FramePoolTest, ABusyThreadTakesNothingFromTheSystem) {
  auto round = [] {
    std::vector<std::pair<void*, std::size_t>> held;
    for (std::size_t bytes = 1; bytes <= FramePool::kPooledBytesMax; bytes += 61) {
      held.emplace_back(FramePool::allocate(bytes), bytes);
      std::memset(held.back().first, 0xaa, bytes);
    }
    for (auto [memory, bytes] : held) FramePool::deallocate(memory, bytes);
  };
  round();
  FramePool::Counts before = FramePool::counts();
  round();
  EXPECT_EQ(FramePool::counts().live, before.live);
#if OUTRIDER_POOLING
  EXPECT_EQ(FramePool::counts().from_system, before.from_system);
#endif
  FramePool::release();
}

TEST(FramePoolTest, PiecesInUseNeverOverlap) {
  std::set<std::pair<char*, char*>> ranges;
  std::vector<std::pair<void*, std::size_t>> held;
  Random random(5);
  for (int i = 0; i < 500; i++) {
    std::size_t bytes = 1 + random.below(6000);
    auto* at = static_cast<char*>(FramePool::allocate(bytes));
    auto next = ranges.upper_bound({at, at});
    if (next != ranges.end()) {
      EXPECT_LE(at + bytes, next->first);
    }
    if (next != ranges.begin()) {
      EXPECT_LE(std::prev(next)->second, at);
    }
    ranges.emplace(at, at + bytes);
    held.emplace_back(at, bytes);
  }
  for (auto [memory, bytes] : held) FramePool::deallocate(memory, bytes);
  FramePool::release();
}

TEST(FramePoolTest, KeepsABoundedAmountOfEachSize) {
  std::vector<void*> held;
  constexpr std::size_t kPieces = 2 * FramePool::kKeptBytesMax / 1024;
  for (std::size_t i = 0; i < kPieces; i++) held.push_back(FramePool::allocate(1024));
  for (void* memory : held) FramePool::deallocate(memory, 1024);
  held.clear();
  std::uint64_t before = FramePool::counts().from_system;
  for (std::size_t i = 0; i < kPieces; i++) held.push_back(FramePool::allocate(1024));
  EXPECT_GE(FramePool::counts().from_system - before, kPieces / 2);
  for (void* memory : held) FramePool::deallocate(memory, 1024);
  FramePool::release();
}

TEST(FramePoolTest, MemoryMayBeFreedOnAnotherThread) {
  void* memory = FramePool::allocate(100);
  std::thread([memory] {
    FramePool::deallocate(memory, 100);
    void* again = FramePool::allocate(100);
#if OUTRIDER_POOLING
    EXPECT_EQ(again, memory);
#endif
    FramePool::deallocate(again, 100);
    FramePool::release();
  }).join();
}

TEST(BlockPoolTest, ABlockComesBackAndIsUsedAgain) {
  BlockPool pool;
  char* data = nullptr;
  {
    Block a = pool.head();
    EXPECT_EQ(a.size(), BlockPool::kHeadBytes);
    EXPECT_EQ(pool.in_use(), 1u);
    data = a.data();
  }
  EXPECT_EQ(pool.in_use(), 0u);
  Block b = pool.head();
  EXPECT_EQ(b.data(), data);
}

TEST(BlockPoolTest, MovingABlockMovesItsOwnership) {
  BlockPool pool;
  Block a = pool.body();
  char* data = a.data();
  Block b = std::move(a);
  EXPECT_FALSE(a);
  EXPECT_EQ(b.data(), data);
  Block c;
  c = std::move(b);
  EXPECT_EQ(c.data(), data);
  EXPECT_EQ(pool.in_use(), 1u);
  c.reset();
  c.reset();
  EXPECT_EQ(pool.in_use(), 0u);
}

TEST(BlockPoolTest, KeepsABoundedNumberAndNoOddSizes) {
  BlockPool pool;
  std::vector<Block> blocks;
  for (std::size_t i = 0; i < 2 * BlockPool::kBodiesKeptMax; i++) blocks.push_back(pool.body());
  blocks.push_back(pool.make(100));
  std::memset(blocks.back().data(), 1, 100);
  EXPECT_EQ(pool.in_use(), 2 * BlockPool::kBodiesKeptMax + 1);
  blocks.clear();
  EXPECT_EQ(pool.in_use(), 0u);
}

}  // namespace
}  // namespace outrider
