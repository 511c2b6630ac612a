#include "config/duration.h"

#include <gtest/gtest.h>

#include <cstdint>

namespace outrider::config {
namespace {

TEST(Duration, IsInRangeAndOfOneSign) {
  for (const Span& good : {Span{0, 0}, Span{1, 999999999}, Span{-1, -5}, Span{0, -5}, Span{315576000000, 0}}) {
    EXPECT_EQ(wrong_part(good), "");
  }
  for (const Span& bad : {Span{1, -5}, Span{-1, 5}, Span{0, 1000000000}, Span{0, INT32_MIN}}) {
    EXPECT_EQ(wrong_part(bad), "nanos");
  }
  for (const Span& bad : {Span{315576000001, 0}, Span{-315576000001, 0}, Span{INT64_MIN, 0}}) {
    EXPECT_EQ(wrong_part(bad), "seconds");
  }
}

}  // namespace
}  // namespace outrider::config
