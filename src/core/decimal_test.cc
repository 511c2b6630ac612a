#include "core/decimal.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>

namespace outrider {
namespace {

TEST(Decimal, WritesEveryLengthOfNumber) {
  Arena arena;
  std::uint64_t number = 0;
  for (int digits = 0; digits < 20; ++digits) {
    EXPECT_EQ(decimal(arena, number), std::to_string(number));
    EXPECT_EQ(decimal(arena, number + 1), std::to_string(number + 1));
    number = number * 10 + 9;
  }
  EXPECT_EQ(decimal(arena, std::numeric_limits<std::uint64_t>::max()), "18446744073709551615");
}

}  // namespace
}  // namespace outrider
