// Distributions: log-linear buckets of two significant decimal digits, as Envoy's (circllhist), for whole numbers.
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace outrider {

// Buckets by index: 0 holds the value 0; then 90 for each power of ten, [1.0, 1.1), [1.1, 1.2) ... [9.9, 10.0), [10,
// 11)... A whole number below 100 therefore has a bucket of its own.
namespace histogram_bucket {
inline constexpr std::size_t kPowers = 20;  // 10^19 is the largest power of ten in 64 bits.
inline constexpr std::size_t kCount = 1 + 90 * kPowers;

inline constexpr std::array<std::uint64_t, kPowers> kPowerOfTen = [] {
  std::array<std::uint64_t, kPowers> powers{};
  std::uint64_t p = 1;
  for (std::uint64_t& to : powers) {
    to = p;
    p *= 10;
  }
  return powers;
}();

struct Place {
  unsigned power;   // The value lies in [10^power, 10^(power + 1)).
  unsigned digits;  // Its two leading decimal digits, 10..99.
};

// Not for 0. The powers that latencies have are divided by constants: those divisions are multiplications.
inline Place place(std::uint64_t value) {
  if (value < 10) return {0, static_cast<unsigned>(value * 10)};
  if (value < 100) return {1, static_cast<unsigned>(value)};
  if (value < 1000) return {2, static_cast<unsigned>(value / 10)};
  if (value < 10000) return {3, static_cast<unsigned>(value / 100)};
  if (value < 100000) return {4, static_cast<unsigned>(value / 1000)};
  unsigned power = 5;
  while (power + 1 < kPowers && value >= kPowerOfTen[power + 1]) power++;
  return {power, static_cast<unsigned>(value / kPowerOfTen[power - 1])};
}

inline std::size_t index(std::uint64_t value) {
  if (value == 0) return 0;
  Place p = place(value);
  return 1 + p.power * 90 + (p.digits - 10);
}

double lower(std::size_t index);
double width(std::size_t index);
}  // namespace histogram_bucket

// Written by one thread, read by any. Memory grows in pieces of ten buckets: none is allocated for values like those
// seen before.
class Histogram {
 public:
  Histogram() = default;
  Histogram(const Histogram&) = delete;
  Histogram& operator=(const Histogram&) = delete;
  ~Histogram();

  void record(std::uint64_t value) {
    bump(bucket(value), 1);
    bump(sum_, value);
    count_.store(count_.load(std::memory_order_relaxed) + 1, std::memory_order_release);
  }

  // For readers on any thread. A reader during a record() sees the three out of step by that one value.
  std::uint64_t count() const { return count_.load(std::memory_order_acquire); }
  std::uint64_t sum() const { return sum_.load(std::memory_order_relaxed); }
  // Calls visit(index, count) for each bucket that holds something, in ascending order.
  template <class F>
  void each(F&& visit) const;

 private:
  using Count = std::atomic<std::uint64_t>;
  struct Ten {
    std::array<Count, 10> counts{};
  };
  struct Power {
    std::array<std::atomic<Ten*>, 9> tens{};
  };
  static void bump(Count& to, std::uint64_t by) {
    to.store(to.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }

  Count& bucket(std::uint64_t value) {
    if (value == 0) return zero_;
    histogram_bucket::Place p = histogram_bucket::place(value);
    Power* power = powers_[p.power].load(std::memory_order_relaxed);
    if (power) {
      Ten* ten = power->tens[p.digits / 10 - 1].load(std::memory_order_relaxed);
      if (ten) return ten->counts[p.digits % 10];
    }
    return grow(p);
  }
  Count& grow(histogram_bucket::Place p);

  Count count_{0};
  Count sum_{0};
  Count zero_{0};
  std::array<std::atomic<Power*>, histogram_bucket::kPowers> powers_{};
};

template <class F>
void Histogram::each(F&& visit) const {
  if (std::uint64_t n = zero_.load(std::memory_order_relaxed)) visit(std::size_t{0}, n);
  for (std::size_t p = 0; p < powers_.size(); p++) {
    const Power* power = powers_[p].load(std::memory_order_acquire);
    if (!power) continue;
    for (std::size_t t = 0; t < power->tens.size(); t++) {
      const Ten* ten = power->tens[t].load(std::memory_order_acquire);
      if (!ten) continue;
      for (std::size_t i = 0; i < ten->counts.size(); i++) {
        std::uint64_t n = ten->counts[i].load(std::memory_order_relaxed);
        if (n) visit(1 + p * 90 + t * 10 + i, n);
      }
    }
  }
}

// A copy of one or several histograms, added up.
struct HistogramTotals {
  struct Bucket {
    std::size_t index;
    std::uint64_t count;
    bool operator==(const Bucket&) const = default;
  };

  std::vector<Bucket> buckets;  // Those that hold something, ascending.
  std::uint64_t count = 0;      // Of all buckets.
  std::uint64_t sum = 0;

  void add(const Histogram& histogram);
  void add(const HistogramTotals& other);
  // What came since `before`, an earlier state of the same histograms.
  HistogramTotals since(const HistogramTotals& before) const;
  void clear();

  // The values at these quantiles (0..1, ascending); NaN if empty. As Envoy does, the k-th of the n values in a bucket
  // is taken to lie at k / (n + 1) of its width.
  void quantiles(std::span<const double> at, std::span<double> values) const;
  double quantile(double at) const;
  // How many values lie in buckets up to the one that holds the bound, for each bound (ascending, below 2^64): a value
  // that shares its bucket with the bound counts, even if it is larger, as in Envoy's Prometheus buckets.
  void cumulative(std::span<const double> bounds, std::span<std::uint64_t> counts) const;
};

}  // namespace outrider
