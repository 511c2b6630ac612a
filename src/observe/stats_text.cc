#include "observe/stats_text.h"

#include <algorithm>

#include "observe/code_counters.h"
#include "observe/histogram_text.h"
#include "observe/stat_format.h"
#include "observe/stats_options.h"

namespace outrider {

using stat_format::append_json_text;
using stat_format::PaddedText;
using stat_format::PaddedView;

constexpr auto kNowhere = static_cast<std::size_t>(-1);

// How a line of numbers begins, behind its scope: the name and what ends it.
PaddedText StatsText::ending(std::string_view name) const {
  if (query_.format != StatQuery::Format::json) return PaddedText(std::string(name) + ": ");
  std::string text;
  append_json_text(text, name);
  return PaddedText(text + "\",\"value\":");
}

struct StatsText::Line {
  std::string_view name;
  PaddedView ending;
  std::uint64_t value = 0;
  bool written = false;
  std::size_t index = 0;  // Of a histogram.
};

struct StatsText::Frame {
  const StatScope* scope = nullptr;
  PaddedText beginning;     // Of its lines of numbers.
  std::vector<Line> lines;  // By name.
  std::size_t at = 0;
  std::size_t child_at = 0;  // The line before which the scope `looked_at` comes, or kNowhere.
  std::size_t looked_at = 0;
  std::vector<std::string> code_names;  // What the lines of status codes refer to.
  std::vector<PaddedText> code_endings;
  std::vector<std::uint64_t> values;
  std::unique_ptr<bool[]> written;
  std::size_t written_size = 0;
};

StatsText::StatsText(const StatRegistry& registry, StatQuery query)
    : query_(std::move(query)), scopes_(registry.all()) {}

StatsText::~StatsText() = default;

bool StatsText::next(std::string& out, std::size_t bytes) {
  std::size_t enough = out.size() + bytes;
  if (!begun_ && query_.format == StatQuery::Format::json) out += "{\"stats\":[";
  begun_ = true;
  while (pass_ != Pass::done && out.size() < enough) {
    if (step(out)) continue;
    end_pass(out);
  }
  return pass_ != Pass::done;
}

// Writes one line, enters a scope or leaves one. False at the end of the pass.
bool StatsText::step(std::string& out) {
  if (depth_ == 0) {
    if (next_scope_ == scopes_.size()) return false;
    open(next_scope_++);
    return true;
  }
  Frame& frame = *frames_[depth_ - 1];
  if (frame.looked_at != next_scope_) find_child(frame);
  if (frame.at == frame.child_at) {
    open(next_scope_++);
    return true;
  }
  if (frame.at == frame.lines.size()) {
    depth_--;
    return true;
  }
  const Line& line = frame.lines[frame.at++];
  if (!accepts(frame, line, out)) return true;
  if (pass_ == Pass::numbers) {
    number(frame, line, out);
  } else {
    histogram(frame, line, out);
  }
  return true;
}

void StatsText::end_pass(std::string& out) {
  if (pass_ == Pass::numbers) {
    pass_ = Pass::histograms;
    next_scope_ = 0;
    return;
  }
  pass_ = Pass::done;
  if (query_.format != StatQuery::Format::json) return;
  if (any_histogram_) histogram_text::json_end(out, query_.buckets);
  out += "]}";
}

// Scopes whose name begins with this one's stand right behind it; their lines lie between its own.
void StatsText::find_child(Frame& frame) const {
  frame.looked_at = next_scope_;
  frame.child_at = kNowhere;
  if (next_scope_ == scopes_.size()) return;
  std::string_view child = scopes_[next_scope_]->name();
  if (!child.starts_with(frame.scope->name())) return;
  child.remove_prefix(frame.scope->name().size());
  auto behind = std::ranges::upper_bound(frame.lines, child, {}, &Line::name);
  frame.child_at = std::max(frame.at, static_cast<std::size_t>(behind - frame.lines.begin()));
}

const std::vector<StatsText::Order::Entry>& StatsText::sorted(const StatTable& table) {
  for (const auto& o : orders_) {
    if (o->table == &table) return o->entries;
  }
  auto order = std::make_unique<Order>();
  order->table = &table;
  for (std::size_t i = 0; i < table.definitions.size(); i++) {
    order->entries.push_back({i, ending(table.definitions[i].name)});
  }
  std::ranges::sort(order->entries, {}, [&](const Order::Entry& e) { return table.definitions[e.index].name; });
  orders_.push_back(std::move(order));
  return orders_.back()->entries;
}

void StatsText::open(std::size_t scope) {
  if (depth_ == frames_.size()) frames_.push_back(std::make_unique<Frame>());
  Frame& frame = *frames_[depth_++];
  frame.scope = scopes_[scope].get();
  frame.at = 0;
  frame.looked_at = kNowhere;
  frame.lines.clear();
  if (query_.used_only && !frame.scope->used()) return;
  if (pass_ == Pass::numbers) {
    fill_numbers(frame);
  } else {
    fill_histograms(frame);
  }
}

void StatsText::fill_numbers(Frame& frame) {
  const StatTable& table = frame.scope->table();
  std::size_t count = table.definitions.size();
  frame.values.resize(count);
  if (frame.written_size < count) {
    frame.written = std::make_unique<bool[]>(count);
    frame.written_size = count;
  }
  frame.scope->read(frame.values, {frame.written.get(), count});
  begin_lines(frame);
  for (const auto& [i, ending] : sorted(table)) {
    const StatDefinition& d = table.definitions[i];
    if (d.kind == StatKind::histogram || !query_.wants(d.kind)) continue;
    if (table.sparse && !frame.written[i]) continue;
    frame.lines.push_back({d.name, ending, frame.values[i], frame.written[i], i});
  }
  if (table.code_prefix.empty() || !query_.wants(StatKind::counter)) return;
  std::vector<NamedCount> codes;
  append_code_counters(table.code_prefix, frame.scope->codes(), codes);
  if (codes.empty()) return;
  frame.code_names.clear();
  frame.code_names.reserve(codes.size());
  frame.code_endings.clear();
  frame.code_endings.reserve(codes.size());
  for (NamedCount& c : codes) {
    frame.code_names.push_back(std::move(c.name));
    std::string_view name = frame.code_names.back();
    frame.code_endings.push_back(ending(name));
    auto place = std::ranges::lower_bound(frame.lines, name, {}, &Line::name);
    frame.lines.insert(place, {name, frame.code_endings.back(), c.value, true, 0});
  }
}

void StatsText::fill_histograms(Frame& frame) {
  const StatTable& table = frame.scope->table();
  if (!query_.wants(StatKind::histogram)) return;
  for (const auto& [i, ending] : sorted(table)) {
    if (table.definitions[i].kind == StatKind::histogram)
      frame.lines.push_back({table.definitions[i].name, ending, 0, true, i});
  }
}

void StatsText::begin_lines(Frame& frame) const {
  if (query_.format != StatQuery::Format::json) {
    frame.beginning.assign(frame.scope->name());
    return;
  }
  std::string text = ",{\"name\":\"";
  append_json_text(text, frame.scope->name());
  frame.beginning.assign(text);
}

bool StatsText::accepts(const Frame& frame, const Line& line, std::string& out) {
  if (query_.used_only && !line.written) return false;
  if (!query_.filter && !stats_options().exists) return true;
  // The whole name is put together in the output itself and taken back.
  std::size_t begin = out.size();
  out.append(frame.scope->name()).append(line.name);
  std::string_view name = std::string_view(out).substr(begin);
  bool matches = query_.matches(name) && (!stats_options().exists || stats_options().exists(name));
  out.resize(begin);
  return matches;
}

void StatsText::number(const Frame& frame, const Line& line, std::string& out) {
  bool json = query_.format == StatQuery::Format::json;
  std::size_t bytes = frame.beginning.size() + line.ending.size() + stat_format::kNumberMax + 1;
  std::size_t begin = out.size();
  stat_format::append_with(out, bytes, [&](char* to) {
    to = stat_format::put(stat_format::put(to, frame.beginning), line.ending);
    to = stat_format::put(to, line.value);
    *to++ = json ? '}' : '\n';
    return to;
  });
  if (json && !any_) out.erase(begin, 1);  // The first has no comma.
  any_ = true;
}

void StatsText::histogram(const Frame& frame, const Line& line, std::string& out) {
  HistogramTotals cumulative, interval;
  frame.scope->histogram(line.index, cumulative);
  bool sparse = query_.used_only || appears_when_used(frame.scope->table(), line.name);
  if (cumulative.count == 0 && sparse) return;
  if (cumulative.count != 0) frame.scope->interval(line.index, interval);
  std::span<const double> bounds = stats_options().bounds_of(frame.scope->name(), line.name);
  if (query_.format == StatQuery::Format::json) {
    if (!any_histogram_) {
      if (any_) out.push_back(',');
      histogram_text::json_begin(out, query_.buckets);
    } else {
      out.push_back(',');
    }
    any_ = any_histogram_ = true;
    out += "{\"name\":\"";
    append_json_text(out, frame.scope->name());
    append_json_text(out, line.name);
    out += "\",";
    histogram_text::json(out, query_.buckets, bounds, interval, cumulative);
    out.push_back('}');
    return;
  }
  out.append(frame.scope->name()).append(line.name).push_back(':');
  histogram_text::text(out, query_.buckets, bounds, interval, cumulative);
  out.push_back('\n');
}

std::string stats_text(const StatRegistry& registry, const StatQuery& query) {
  StatsText rendering(registry, query);
  std::string out;
  while (rendering.next(out, 1 << 20)) {
  }
  return out;
}

}  // namespace outrider
