#include "observe/histogram.h"

#include <gmock/gmock.h>

#include <cmath>
#include <limits>
#include <map>
#include <thread>

#include "core/random.h"

namespace outrider {
namespace {

using testing::ElementsAre;

HistogramTotals totals_of(std::initializer_list<std::uint64_t> values) {
  Histogram h;
  for (std::uint64_t v : values) h.record(v);
  HistogramTotals t;
  t.add(h);
  return t;
}

std::pair<double, double> bucket(std::uint64_t value) {
  std::size_t i = histogram_bucket::index(value);
  return {histogram_bucket::lower(i), histogram_bucket::width(i)};
}

TEST(HistogramTest, BucketsHaveTwoSignificantDigits) {
  EXPECT_EQ(bucket(0), std::pair(0.0, 0.0));
  EXPECT_EQ(bucket(1), std::pair(1.0, 0.1));
  EXPECT_EQ(bucket(9), std::pair(9.0, 0.1));
  EXPECT_EQ(bucket(10), std::pair(10.0, 1.0));
  EXPECT_EQ(bucket(42), std::pair(42.0, 1.0));
  EXPECT_EQ(bucket(99), std::pair(99.0, 1.0));
  EXPECT_EQ(bucket(100), std::pair(100.0, 10.0));
  EXPECT_EQ(bucket(123), std::pair(120.0, 10.0));
  EXPECT_EQ(bucket(9'999), std::pair(9'900.0, 100.0));
  EXPECT_EQ(bucket(123'456), std::pair(120'000.0, 10'000.0));
  EXPECT_EQ(bucket(std::numeric_limits<std::uint64_t>::max()), std::pair(1.8e19, 1e18));
}

TEST(HistogramTest, EveryValueLiesInItsBucketAndBucketsAscend) {
  std::size_t last = 0;
  for (std::uint64_t v = 1; v < std::numeric_limits<std::uint64_t>::max() / 2; v += v / 37 + 1) {
    std::size_t i = histogram_bucket::index(v);
    ASSERT_LT(i, histogram_bucket::kCount);
    ASSERT_GE(i, last);
    last = i;
    ASSERT_LE(histogram_bucket::lower(i), static_cast<double>(v) * (1 + 1e-15));
    ASSERT_GE(histogram_bucket::lower(i) + histogram_bucket::width(i), static_cast<double>(v));
  }
}

TEST(HistogramTest, CountsAgreeWithAMap) {
  Random random(11);
  Histogram h;
  std::map<std::size_t, std::uint64_t> model;
  std::uint64_t sum = 0;
  for (int i = 0; i < 20'000; i++) {
    std::uint64_t v = random.below(std::uint64_t{1} << random.below(40));
    h.record(v);
    model[histogram_bucket::index(v)]++;
    sum += v;
  }
  HistogramTotals t;
  t.add(h);
  EXPECT_EQ(t.count, 20'000u);
  EXPECT_EQ(t.sum, sum);
  std::map<std::size_t, std::uint64_t> found;
  for (const HistogramTotals::Bucket& b : t.buckets) found[b.index] = b.count;
  EXPECT_EQ(found, model);
}

TEST(HistogramTest, AnEmptyOneHasNoQuantiles) {
  HistogramTotals t = totals_of({});
  EXPECT_TRUE(std::isnan(t.quantile(0)));
  EXPECT_TRUE(std::isnan(t.quantile(1)));
}

// The figures are those that Envoy 1.40 printed for the same values.
TEST(HistogramTest, QuantilesAreEnvoys) {
  EXPECT_DOUBLE_EQ(totals_of({1}).quantile(0), 1.05);
  EXPECT_DOUBLE_EQ(totals_of({1}).quantile(1), 1.05);
  EXPECT_DOUBLE_EQ(totals_of({42}).quantile(0.5), 42.5);
  EXPECT_DOUBLE_EQ(totals_of({163}).quantile(0.99), 165);
  EXPECT_DOUBLE_EQ(totals_of({0, 0}).quantile(0.9), 0);
  HistogramTotals ten = totals_of({1, 1, 1, 1, 1, 1, 1, 1, 1, 1});
  EXPECT_DOUBLE_EQ(ten.quantile(0), 1.009090909090909);
  EXPECT_DOUBLE_EQ(ten.quantile(0.25), 1.0272727272727273);
  EXPECT_DOUBLE_EQ(ten.quantile(0.5), 1.0454545454545454);
  EXPECT_DOUBLE_EQ(ten.quantile(0.75), 1.0727272727272728);
  EXPECT_DOUBLE_EQ(ten.quantile(0.9), 1.0818181818181818);
  EXPECT_DOUBLE_EQ(ten.quantile(1), 1.0909090909090908);
  HistogramTotals mixed = totals_of({0, 1, 1, 42, 43});
  EXPECT_DOUBLE_EQ(mixed.quantile(0), 0);
  EXPECT_DOUBLE_EQ(mixed.quantile(0.25), 1.0333333333333334);
  EXPECT_DOUBLE_EQ(mixed.quantile(0.5), 1.0666666666666667);
  EXPECT_DOUBLE_EQ(mixed.quantile(0.75), 42.5);
  EXPECT_DOUBLE_EQ(mixed.quantile(0.9), 43.5);
}

TEST(HistogramTest, CumulativeCountsTakeInTheBucketOfTheBound) {
  HistogramTotals t = totals_of({0, 1, 5, 6, 250, 259, 260});
  constexpr double kBounds[] = {0.5, 1, 5, 250, 1000};
  std::uint64_t counts[5];
  t.cumulative(kBounds, counts);
  EXPECT_THAT(counts, ElementsAre(1, 2, 3, 6, 7));
}

TEST(HistogramTest, TotalsAddUpAndSubtract) {
  HistogramTotals a = totals_of({1, 5, 5, 900});
  HistogramTotals both = a;
  both.add(totals_of({0, 5, 70}));
  EXPECT_EQ(both.buckets, totals_of({0, 1, 5, 5, 5, 70, 900}).buckets);
  EXPECT_EQ(both.count, 7u);
  EXPECT_EQ(both.sum, 986u);
  HistogramTotals rest = both.since(a);
  EXPECT_EQ(rest.buckets, totals_of({0, 5, 70}).buckets);
  EXPECT_EQ(rest.count, 3u);
  EXPECT_EQ(rest.sum, 75u);
  EXPECT_TRUE(both.since(both).buckets.empty());
}

TEST(HistogramTest, IsReadWhileItIsWritten) {
  Histogram h;
  constexpr std::uint64_t kValues = 50'000;
  std::thread writer([&] {
    for (std::uint64_t i = 0; i < kValues; i++) h.record(i);
  });
  std::uint64_t last = 0;
  while (last < kValues) {
    HistogramTotals t;
    t.add(h);
    ASSERT_GE(t.count, last);
    ASSERT_LE(t.count, kValues);
    last = t.count;
  }
  writer.join();
  EXPECT_EQ(h.sum(), kValues * (kValues - 1) / 2);
}

}  // namespace
}  // namespace outrider
