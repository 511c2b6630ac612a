#include "observe/prometheus_groups.h"

#include <algorithm>

#include "observe/prometheus_names.h"
#include "observe/stats_options.h"

namespace outrider::prometheus {

using stat_format::PaddedView;

// The numbers of scopes that come one after the other lie in other places each: they are brought together here, once.
void Family::read() {
  if (std::ranges::none_of(scopes, &Scope::used)) return;
  const StatTable& table = *plan->table;
  std::size_t count = table.definitions.size();
  std::vector<std::uint64_t> of_one(count);
  auto written_of_one = std::make_unique<bool[]>(count);
  values.assign(count * scopes.size(), 0);
  written.assign(count * scopes.size(), 0);
  for (std::size_t s = 0; s < scopes.size(); s++) {
    if (!scopes[s].used) continue;
    scopes[s].scope->read(of_one, {written_of_one.get(), count});
    for (std::size_t i = 0; i < count; i++) {
      values[i * scopes.size() + s] = of_one[i];
      written[i * scopes.size() + s] = written_of_one[i];
    }
    if (!table.code_prefix.empty()) scopes[s].codes = scopes[s].scope->codes();
  }
}

const Plan& Groups::plan(const StatTable& table) {
  for (const auto& p : plans_) {
    if (p->table == &table) return *p;
  }
  auto made = std::make_unique<Plan>();
  made->table = &table;
  auto add = [&](std::string name, StatKind kind, Metric::Source source) -> Metric& {
    for (Metric& m : made->metrics) {
      if (m.name == name && m.kind == kind && m.source == source) return m;
    }
    return made->metrics.emplace_back(std::move(name), kind, source);
  };
  for (std::size_t i = 0; i < table.definitions.size(); i++) {
    const StatDefinition& d = table.definitions[i];
    std::string name(d.name);
    char digit = 0;
    if (response_class_of(name, digit)) name.erase(name.size() - 3, 1);
    add(std::move(name), d.kind, Metric::Source::cells).parts.push_back({i, digit});
  }
  if (!table.code_prefix.empty()) {
    std::string_view prefix = table.code_prefix;
    std::string_view bare = prefix.substr(0, prefix.size() - 1);  // Without the final underscore.
    add(std::string(bare), StatKind::counter, Metric::Source::codes);
    add(std::string(prefix) + "xx", StatKind::counter, Metric::Source::code_classes);
    add(std::string(prefix) + "completed", StatKind::counter, Metric::Source::code_total);
  }
  plans_.push_back(std::move(made));
  return *plans_.back();
}

Family& Groups::family(std::string name, const Plan& plan) {
  // Scopes come by name, so one of the last families is nearly always the right one.
  constexpr std::size_t kTriedMax = 16;
  std::size_t tried = 0;
  for (std::size_t i = families_.size(); i-- > 0 && tried < kTriedMax; tried++) {
    if (families_[i]->plan == &plan && families_[i]->name == name) return *families_[i];
  }
  families_.push_back(std::make_unique<Family>(std::move(name), &plan));
  return *families_.back();
}

void Groups::add(std::shared_ptr<StatScope> scope, bool used, std::string_view labels) {
  TaggedName tagged = tags_of(scope->name(), stats_options());
  Family& to = family(std::move(tagged.name), plan(scope->table()));
  Scope& s = to.scopes.emplace_back();
  s.scope = std::move(scope);
  s.used = used;
  s.tail = to.tails.size();
  labels_ = labels;
  for (const StatTag& tag : tagged.tags) append_label(labels_, tag.label, tag.value);
  to.tails.append(labels_).append(Labels::kEnd);
}

namespace {

// Compares family name + metric name without putting them together.
bool comes_first(const Group& a, const Group& b) {
  if (a.metric->kind != b.metric->kind) return a.metric->kind < b.metric->kind;
  if (a.family == b.family) return a.metric->name < b.metric->name;
  std::string_view af = a.family->name, bf = b.family->name;
  std::size_t common = std::min(af.size(), bf.size());
  int c = af.substr(0, common).compare(bf.substr(0, common));
  if (c != 0) return c < 0;
  std::string_view am = a.metric->name, bm = b.metric->name;
  if (af.size() == bf.size()) return am < bm;
  if (af.size() > bf.size()) {
    af.remove_prefix(common);
    std::string_view bfront = bm.substr(0, af.size());
    c = af.compare(bfront);
    return c != 0 ? c < 0 : am < bm.substr(bfront.size());
  }
  bf.remove_prefix(common);
  std::string_view afront = am.substr(0, bf.size());
  c = afront.compare(bf);
  return c != 0 ? c < 0 : am.substr(afront.size()) < bm;
}

}  // namespace

std::vector<Group> Groups::finish(const StatQuery& query) {
  std::vector<Group> groups;
  for (const auto& family : families_) {
    family->tails.append(PaddedView::kBlock, '\0');
    family->read();
    for (const Metric& m : family->plan->metrics) {
      if (query.wants(m.kind)) groups.push_back({family.get(), &m});
    }
  }
  std::ranges::sort(groups, comes_first);
  return groups;
}

}  // namespace outrider::prometheus
