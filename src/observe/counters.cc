#include "observe/counters.h"

#include <algorithm>
#include <bit>

namespace outrider {
namespace {
constexpr std::size_t kCodes = 500;  // 100..599.
}

namespace {
std::size_t first_histogram(const StatTable& table) {
  auto first = std::ranges::find(table.definitions, StatKind::histogram, &StatDefinition::kind);
  return static_cast<std::size_t>(first - table.definitions.begin());
}
}  // namespace

StatBlock::StatBlock(const StatTable& table)
    : count_(table.definitions.size()),
      cells_(new Cell[count_]),
      first_histogram_(first_histogram(table)),
      histograms_(new std::atomic<Histogram*>[count_ - first_histogram_]()) {}

StatBlock::~StatBlock() {
  for (std::size_t i = 0; i < count_ - first_histogram_; i++) delete histograms_[i].load(std::memory_order_relaxed);
  for (std::atomic<CodeClass*>& c : codes_) delete c.load(std::memory_order_relaxed);
}

std::uint64_t StatBlock::code(int status) const {
  unsigned index = static_cast<unsigned>(status) - 100;
  if (index >= kCodes) return 0;
  const CodeClass* c = codes_[index / 100].load(std::memory_order_acquire);
  return c ? c->cells[index % 100].value() : 0;
}

void StatBlock::read(std::span<std::uint64_t> values, std::span<bool> written) const {
  for (std::size_t i = 0; i < first_histogram_; i++) {
    values[i] += cells_[i].value();
    written[i] |= cells_[i].used();
  }
  for (std::size_t i = first_histogram_; i < count_; i++) written[i] |= histogram(i) != nullptr;
}

StatBlock::CodeClass* StatBlock::make_class(unsigned index) {
  auto* c = new CodeClass;
  codes_[index].store(c, std::memory_order_release);
  return c;
}

Histogram* StatBlock::make_histogram(std::size_t index) {
  auto* h = new Histogram;
  histograms_[index].store(h, std::memory_order_release);
  return h;
}

StatScope::StatScope(std::string name, const StatTable& table, StatRegistry* registry)
    : name_(std::move(name)), table_(table), registry_(registry) {}

std::shared_ptr<StatScope> StatScope::under(std::string_view name, const StatTable& table) const {
  std::string whole = name_ + std::string(name);
  return registry_ ? registry_->scope(std::move(whole), table) : std::make_shared<StatScope>(std::move(whole), table);
}

StatBlock& StatScope::local(int worker) {
  std::lock_guard lock(mutex_);
  auto index = static_cast<std::size_t>(worker);
  if (blocks_.size() <= index) blocks_.resize(index + 1);
  if (!blocks_[index]) blocks_[index] = std::make_unique<StatBlock>(table_);
  return *blocks_[index];
}

std::uint64_t StatScope::value(std::size_t index) const {
  std::lock_guard lock(mutex_);
  std::uint64_t total = index < resets_.size() ? -resets_[index] : 0;
  for (const auto& block : blocks_) {
    if (block) total += block->cell(index).value();
  }
  return total;
}

std::uint64_t StatScope::code(int status) const {
  std::lock_guard lock(mutex_);
  auto index = static_cast<std::size_t>(status) - 100;
  std::uint64_t total = index < code_resets_.size() ? -code_resets_[index] : 0;
  for (const auto& block : blocks_) {
    if (block) total += block->code(status);
  }
  return total;
}

bool StatScope::used() const {
  std::lock_guard lock(mutex_);
  return !blocks_.empty();
}

void StatScope::histogram(std::size_t index, HistogramTotals& into) const {
  std::lock_guard lock(mutex_);
  total(index, into);
}

void StatScope::total(std::size_t index, HistogramTotals& into) const {
  for (const auto& block : blocks_) {
    const Histogram* h = block ? block->histogram(index) : nullptr;
    if (h) into.add(*h);
  }
}

void StatScope::read(std::span<std::uint64_t> values, std::span<bool> written) const {
  std::ranges::fill(values, 0);
  std::ranges::fill(written, false);
  std::lock_guard lock(mutex_);
  for (const auto& block : blocks_) {
    if (!block) continue;
    block->read(values, written);
  }
  for (std::size_t i = 0; i < resets_.size(); i++) values[i] -= resets_[i];
}

std::vector<CodeCount> StatScope::codes() const {
  std::vector<CodeCount> found;
  std::lock_guard lock(mutex_);
  for (const auto& block : blocks_) {
    if (block) block->each_code([&](int status, std::uint64_t n) { found.push_back({status, n}); });
  }
  std::ranges::sort(found, {}, &CodeCount::status);
  std::vector<CodeCount> sums;
  for (const CodeCount& c : found) {
    if (sums.empty() || sums.back().status != c.status) {
      sums.push_back({c.status, 0});
      if (!code_resets_.empty()) sums.back().count -= code_resets_[static_cast<std::size_t>(c.status) - 100];
    }
    sums.back().count += c.count;
  }
  return sums;
}

void StatScope::flush_histograms() {
  std::lock_guard lock(mutex_);
  if (blocks_.empty()) return;
  for (std::size_t i = 0; i < table_.definitions.size(); i++) {
    if (table_.definitions[i].kind != StatKind::histogram) continue;
    std::uint64_t recorded = 0;
    for (const auto& block : blocks_) {
      const Histogram* h = block ? block->histogram(i) : nullptr;
      if (h) recorded += h->count();
    }
    if (recorded == 0) continue;
    auto window = std::ranges::find(windows_, i, &Window::index);
    if (window == windows_.end()) window = windows_.insert(windows_.end(), Window{i, {}, {}});
    if (recorded == window->at_flush.count) {
      window->interval.clear();
      continue;
    }
    HistogramTotals now;
    total(i, now);
    window->interval = now.since(window->at_flush);
    window->at_flush = std::move(now);
  }
}

void StatScope::interval(std::size_t index, HistogramTotals& into) const {
  std::lock_guard lock(mutex_);
  auto window = std::ranges::find(windows_, index, &Window::index);
  if (window != windows_.end()) into.add(window->interval);
}

void StatScope::reset_counters() {
  std::lock_guard lock(mutex_);
  resets_.assign(table_.definitions.size(), 0);
  if (!table_.code_prefix.empty()) code_resets_.assign(kCodes, 0);
  for (const auto& block : blocks_) {
    if (!block) continue;
    for (std::size_t i = 0; i < resets_.size(); i++) {
      if (table_.definitions[i].kind == StatKind::counter) resets_[i] += block->cell(i).value();
    }
    for (std::size_t i = 0; i < code_resets_.size(); i++) code_resets_[i] += block->code(static_cast<int>(i) + 100);
  }
}

std::shared_ptr<StatScope> StatRegistry::scope(std::string name, const StatTable& table) {
  std::lock_guard lock(mutex_);
  std::weak_ptr<StatScope>& slot = scopes_[{name, &table}];
  std::shared_ptr<StatScope> scope = slot.lock();
  if (!scope) {
    scope = std::make_shared<StatScope>(std::move(name), table, this);
    slot = scope;
    // At each doubling those that are gone leave: they cost no more than those that are there.
    if (std::has_single_bit(scopes_.size())) std::erase_if(scopes_, [](const auto& s) { return s.second.expired(); });
  }
  return scope;
}

std::vector<std::shared_ptr<StatScope>> StatRegistry::all() const {
  std::vector<std::shared_ptr<StatScope>> scopes;
  std::lock_guard lock(mutex_);
  scopes.reserve(scopes_.size());
  for (const auto& [key, slot] : scopes_) {
    if (std::shared_ptr<StatScope> scope = slot.lock()) scopes.push_back(std::move(scope));
  }
  return scopes;
}

void StatRegistry::flush_histograms() {
  for (const auto& scope : all()) scope->flush_histograms();
}

void StatRegistry::reset_counters() {
  for (const auto& scope : all()) scope->reset_counters();
}

}  // namespace outrider
