#include "http/grpc_timeout.h"

#include <gtest/gtest.h>

namespace outrider {
namespace {

using std::chrono::milliseconds;

TEST(GrpcTimeout, IsReadInMillisecondsRoundedUp) {
  struct Case {
    std::string_view text;
    std::optional<milliseconds> expected;
  };
  const Case cases[] = {
      {"1H", milliseconds(3'600'000)},
      {"2M", milliseconds(120'000)},
      {"3S", milliseconds(3000)},
      {"4m", milliseconds(4)},
      {"1001u", milliseconds(2)},
      {"1n", milliseconds(1)},
      {"0S", milliseconds(0)},
      {"99999999H", milliseconds(359'999'996'400'000)},
      {"100000000S", std::nullopt},
      {"", std::nullopt},
      {"S", std::nullopt},
      {"12", std::nullopt},
      {"1x", std::nullopt},
      {"1Sx", std::nullopt},
      {"-1S", std::nullopt},
      {"99999999999999999999S", std::nullopt},
  };
  for (const Case& each : cases) {
    Arena arena;
    Headers headers(arena);
    headers.set(Known::grpc_timeout, each.text);
    EXPECT_EQ(grpc_timeout_of(headers), each.expected) << each.text;
  }
  Arena arena;
  EXPECT_EQ(grpc_timeout_of(Headers(arena)), std::nullopt);
}

TEST(GrpcTimeout, IsWrittenInTheFinestUnitThatHoldsIt) {
  Arena arena;
  Headers headers(arena);
  for (auto [time, text] : {std::pair(milliseconds(0), "0m"),
                            {milliseconds(99'999'999), "99999999m"},
                            {milliseconds(100'000'000), "100000S"},
                            {milliseconds(100'000'000'000'000), "27777777H"},
                            {milliseconds(6'000'000'000'000), "1666666H"}}) {
    set_grpc_timeout(headers, arena, time);
    EXPECT_EQ(headers.value(Known::grpc_timeout), text);
  }
}

}  // namespace
}  // namespace outrider
