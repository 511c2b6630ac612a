// Counters and gauges: plain numbers of one worker each, summed when somebody asks.
//
// A table (enum class with `count` last, and a StatTable) names the statistics of one kind of scope, such as a cluster.
// A StatScope is one such thing by name ("cluster.backend."); each worker that touches it gets a StatBlock of its own.
// A scope that no worker touched costs its name.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "observe/histogram.h"

namespace outrider {

enum class StatKind : std::uint8_t { counter, gauge, histogram };

struct StatDefinition {
  std::string_view name;  // Behind the scope's name, as Envoy's: "upstream_cx_total".
  StatKind kind;
};

struct StatTable {
  std::span<const StatDefinition> definitions;
  // The prefix of per-status-code counters such as "upstream_rq_" (for upstream_rq_200); empty: none. With them come,
  // as sums, upstream_rq_2xx and upstream_rq_completed. Like Envoy's they are shown from their first count on.
  std::string_view code_prefix;
  // All of its statistics are shown from their first count on.
  bool sparse = false;
};

// Written by one thread, read by any. Signed inside: the part of a gauge that one worker holds may be negative.
class Cell {
 public:
  void add(std::uint64_t n = 1) { store((load() + 2 * n) | kUsed); }
  void sub(std::uint64_t n = 1) { add(-n); }
  void set(std::uint64_t n) { store(2 * n | kUsed); }
  std::uint64_t value() const { return static_cast<std::uint64_t>(static_cast<std::int64_t>(load()) >> 1); }
  // It has been written, if only with 0: what `/stats?usedonly` asks.
  bool used() const { return load() & kUsed; }

 private:
  static constexpr std::uint64_t kUsed = 1;  // The lowest bit; the value lies above it.
  std::uint64_t load() const { return cell_.load(std::memory_order_relaxed); }
  void store(std::uint64_t bits) { cell_.store(bits, std::memory_order_relaxed); }
  std::atomic<std::uint64_t> cell_{0};
};

// One more in a gauge for as long as this lives.
class Held {
 public:
  explicit Held(Cell& cell) : cell_(cell) { cell_.add(); }
  Held(const Held&) = delete;
  ~Held() { cell_.sub(); }

 private:
  Cell& cell_;
};

// The numbers of one scope on one worker.
class StatBlock {
 public:
  explicit StatBlock(const StatTable& table);
  StatBlock(const StatBlock&) = delete;
  ~StatBlock();

  template <class E>
  Cell& operator[](E stat) {
    return cells_[static_cast<std::size_t>(stat)];
  }
  Cell& cell(std::size_t index) { return cells_[index]; }
  const Cell& cell(std::size_t index) const { return cells_[index]; }

  // Counts a response status; outside of 100..599 nothing is counted.
  void count_code(int status) {
    unsigned index = static_cast<unsigned>(status) - 100;
    if (index >= 500) return;
    CodeClass* c = codes_[index / 100].load(std::memory_order_relaxed);
    if (!c) c = make_class(index / 100);
    c->cells[index % 100].add();
  }
  std::uint64_t code(int status) const;
  // Calls visit(status, value) for each status that was counted, in ascending order.
  template <class F>
  void each_code(F&& visit) const;

  // Adds each counter and gauge, and tells which statistics were ever written.
  void read(std::span<std::uint64_t> values, std::span<bool> written) const;

  // Made at the first recording. Unit: what the statistic's name says (milliseconds for *_time and *_ms).
  template <class E>
  void record(E stat, std::uint64_t value) {
    std::size_t index = static_cast<std::size_t>(stat) - first_histogram_;
    Histogram* h = histograms_[index].load(std::memory_order_relaxed);
    if (!h) h = make_histogram(index);
    h->record(value);
  }
  const Histogram* histogram(std::size_t index) const {
    return index < first_histogram_ ? nullptr : histograms_[index - first_histogram_].load(std::memory_order_acquire);
  }

 private:
  struct CodeClass {
    std::array<Cell, 100> cells;
  };
  CodeClass* make_class(unsigned index);
  Histogram* make_histogram(std::size_t index);

  std::size_t count_;
  std::unique_ptr<Cell[]> cells_;
  std::size_t first_histogram_;  // Histograms stand last in a table: those before it need no place.
  std::unique_ptr<std::atomic<Histogram*>[]> histograms_;
  std::array<std::atomic<CodeClass*>, 5> codes_{};
};

template <class F>
void StatBlock::each_code(F&& visit) const {
  for (std::size_t i = 0; i < codes_.size(); i++) {
    const CodeClass* c = codes_[i].load(std::memory_order_acquire);
    if (!c) continue;
    for (std::size_t j = 0; j < c->cells.size(); j++) {
      if (c->cells[j].used()) visit(static_cast<int>(100 * (i + 1) + j), c->cells[j].value());
    }
  }
}

struct CodeCount {
  int status;
  std::uint64_t count;
};

class StatRegistry;

class StatScope {
 public:
  // `registry` outlives the scope; null: it stands alone.
  StatScope(std::string name, const StatTable& table, StatRegistry* registry = nullptr);

  const std::string& name() const { return name_; }  // With its final dot: "cluster.backend."; empty for the root.
  const StatTable& table() const { return table_; }

  // The scope below this one: "external." is "cluster.backend.external.".
  std::shared_ptr<StatScope> under(std::string_view name, const StatTable& table) const;

  // The block of that worker; made at the first call. Keep the reference: the call takes a lock. It lives as long as
  // the scope.
  StatBlock& local(int worker);
  // The same, for one who keeps the scope alive by it.
  static std::shared_ptr<StatBlock> local(std::shared_ptr<StatScope> scope, int worker) {
    StatBlock* block = &scope->local(worker);
    return {std::move(scope), block};
  }

  // For readers on any thread.
  std::uint64_t value(std::size_t index) const;  // Sum over workers, less what was reset.
  std::uint64_t code(int status) const;
  bool used() const;  // Some worker has touched it.
  void histogram(std::size_t index, HistogramTotals& into) const;
  void reset_counters();

  // All counters and gauges at once, one for each definition (histograms: 0), and which of all were ever written.
  void read(std::span<std::uint64_t> values, std::span<bool> written) const;
  // The statuses that were counted, ascending; their counts less what was reset.
  std::vector<CodeCount> codes() const;

  // Ends an interval: what came since the last call is what interval() gives until the next.
  void flush_histograms();
  void interval(std::size_t index, HistogramTotals& into) const;

 private:
  // Of one histogram that has recorded something.
  struct Window {
    std::size_t index;
    HistogramTotals at_flush;
    HistogramTotals interval;
  };
  void total(std::size_t index, HistogramTotals& into) const;

  const std::string name_;
  const StatTable& table_;
  StatRegistry* const registry_;
  mutable std::mutex mutex_;
  std::vector<std::unique_ptr<StatBlock>> blocks_;
  std::vector<std::uint64_t> resets_;
  std::vector<std::uint64_t> code_resets_;
  std::vector<Window> windows_;
};

// All scopes of the process, by name. Thread-safe.
class StatRegistry {
 public:
  // The scope of that name, made if need be; it lives while somebody holds it, so numbers survive a reload.
  std::shared_ptr<StatScope> scope(std::string name, const StatTable& table);
  // In order of name.
  std::vector<std::shared_ptr<StatScope>> all() const;

  // Tags of every statistic, besides those that its name holds. Before anything is rendered.
  void set_tags(std::vector<std::pair<std::string, std::string>> tags) { tags_ = std::move(tags); }
  const std::vector<std::pair<std::string, std::string>>& tags() const { return tags_; }

  // Call every stats_flush_interval (Envoy's default: 5 s): the intervals of `/stats` histograms lie between two calls.
  void flush_histograms();
  void reset_counters();

 private:
  mutable std::mutex mutex_;
  // Statistics of two tables may be of one name: what not every cluster keeps stands in a table of its own.
  std::map<std::pair<std::string, const StatTable*>, std::weak_ptr<StatScope>> scopes_;
  std::vector<std::pair<std::string, std::string>> tags_;
};

}  // namespace outrider
