#include "observe/histogram.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace outrider {

namespace histogram_bucket {

// The order of operations is that of the library behind Envoy's histograms: the same digits come out.
double lower(std::size_t index) {
  if (index == 0) return 0;
  std::size_t power = (index - 1) / 90;
  double digits = static_cast<double>((index - 1) % 90 + 10);
  return digits / 10.0 * static_cast<double>(kPowerOfTen[power]);
}

double width(std::size_t index) {
  if (index == 0) return 0;
  return static_cast<double>(kPowerOfTen[(index - 1) / 90]) / 10.0;
}

}  // namespace histogram_bucket

Histogram::~Histogram() {
  for (std::atomic<Power*>& p : powers_) {
    Power* power = p.load(std::memory_order_relaxed);
    if (!power) continue;
    for (std::atomic<Ten*>& t : power->tens) delete t.load(std::memory_order_relaxed);
    delete power;
  }
}

Histogram::Count& Histogram::grow(histogram_bucket::Place p) {
  Power* power = powers_[p.power].load(std::memory_order_relaxed);
  if (!power) {
    power = new Power;
    powers_[p.power].store(power, std::memory_order_release);
  }
  std::atomic<Ten*>& slot = power->tens[p.digits / 10 - 1];
  Ten* ten = slot.load(std::memory_order_relaxed);
  if (!ten) {
    ten = new Ten;
    slot.store(ten, std::memory_order_release);
  }
  return ten->counts[p.digits % 10];
}

void HistogramTotals::clear() {
  buckets.clear();
  count = 0;
  sum = 0;
}

void HistogramTotals::add(const Histogram& histogram) {
  std::size_t at = 0;
  histogram.each([&](std::size_t index, std::uint64_t n) {
    while (at < buckets.size() && buckets[at].index < index) at++;
    if (at < buckets.size() && buckets[at].index == index) {
      buckets[at].count += n;
    } else {
      buckets.insert(buckets.begin() + static_cast<std::ptrdiff_t>(at), {index, n});
    }
    count += n;
  });
  sum += histogram.sum();
}

void HistogramTotals::add(const HistogramTotals& other) {
  std::vector<Bucket> merged;
  merged.reserve(buckets.size() + other.buckets.size());
  auto a = buckets.begin();
  auto b = other.buckets.begin();
  while (a != buckets.end() || b != other.buckets.end()) {
    if (b == other.buckets.end() || (a != buckets.end() && a->index < b->index)) {
      merged.push_back(*a++);
    } else if (a == buckets.end() || b->index < a->index) {
      merged.push_back(*b++);
    } else {
      merged.push_back({a->index, a->count + b->count});
      ++a;
      ++b;
    }
  }
  buckets = std::move(merged);
  count += other.count;
  sum += other.sum;
}

HistogramTotals HistogramTotals::since(const HistogramTotals& before) const {
  HistogramTotals difference;
  auto b = before.buckets.begin();
  for (const Bucket& a : buckets) {
    while (b != before.buckets.end() && b->index < a.index) ++b;
    std::uint64_t earlier = b != before.buckets.end() && b->index == a.index ? b->count : 0;
    if (a.count <= earlier) continue;
    difference.buckets.push_back({a.index, a.count - earlier});
    difference.count += a.count - earlier;
  }
  difference.sum = sum - before.sum;
  return difference;
}

void HistogramTotals::quantiles(std::span<const double> at, std::span<double> values) const {
  std::size_t bucket = 0;
  double below = 0;
  for (std::size_t i = 0; i < at.size(); i++) {
    if (buckets.empty()) {
      values[i] = std::numeric_limits<double>::quiet_NaN();
      continue;
    }
    double target = static_cast<double>(count) * at[i];
    while (bucket + 1 < buckets.size() && below + static_cast<double>(buckets[bucket].count) < target) {
      below += static_cast<double>(buckets[bucket].count);
      bucket++;
    }
    double left = histogram_bucket::lower(buckets[bucket].index);
    double width = histogram_bucket::width(buckets[bucket].index);
    double k = std::max(1.0, std::ceil(target - below));
    values[i] = left + k / static_cast<double>(buckets[bucket].count + 1) * width;
  }
}

double HistogramTotals::quantile(double at) const {
  double value;
  quantiles({&at, 1}, {&value, 1});
  return value;
}

void HistogramTotals::cumulative(std::span<const double> bounds, std::span<std::uint64_t> counts) const {
  auto bucket = buckets.begin();
  std::uint64_t below = 0;
  for (std::size_t i = 0; i < bounds.size(); i++) {
    std::size_t last = bounds[i] < 1 ? 0 : histogram_bucket::index(static_cast<std::uint64_t>(bounds[i]));
    for (; bucket != buckets.end() && bucket->index <= last; ++bucket) below += bucket->count;
    counts[i] = below;
  }
}

}  // namespace outrider
