// Operators that tell times and durations.
#include "core/worker.h"
#include "http/format_step.h"

namespace outrider::format {
namespace {

constexpr std::string_view kLocalDefault = "%Y-%m-%dT%H:%M:%E3S%z";

Failure read_time(Step& step, std::string_view arguments) {
  if (!arguments.empty()) step.time = TimeFormat(arguments);
  return std::nullopt;
}

Failure read_local_time(Step& step, std::string_view arguments) {
  step.time = TimeFormat(arguments.empty() ? kLocalDefault : arguments, true);
  return std::nullopt;
}

// Filters may make moments under names of their own: one that nobody makes gives no value.
Moment moment(std::string_view name) {
  constexpr std::pair<std::string_view, Moment> kMoments[] = {
      {"DS_RX_BEG", Moment::request_begin},          {"DS_RX_END", Moment::request_end},
      {"US_CX_BEG", Moment::upstream_connect_begin}, {"US_CX_END", Moment::upstream_connect_end},
      {"US_TX_BEG", Moment::upstream_begin},         {"US_TX_END", Moment::upstream_end},
      {"US_RX_BEG", Moment::response_begin},         {"US_RX_END", Moment::response_end},
      {"DS_TX_BEG", Moment::downstream_begin},       {"DS_TX_END", Moment::end}};
  for (auto [known, value] : kMoments) {
    if (name == known) return value;
  }
  return Moment::unknown;
}

Failure read_common_duration(Step& step, std::string_view arguments) {
  std::size_t first = arguments.find(':');
  if (first == arguments.npos) {
    return "Invalid common duration configuration: " + std::string(arguments) +
           ".; START:END:UNIT was expected, such as DS_RX_BEG:DS_TX_END:ms";
  }
  std::size_t second = arguments.find(':', first + 1);
  std::string_view unit = second == arguments.npos ? "ms" : arguments.substr(second + 1);
  step.from = moment(arguments.substr(0, first));
  step.to = moment(arguments.substr(first + 1, second - first - 1));
  step.unit_ns = unit == "ms" ? 1'000'000 : unit == "us" ? 1'000 : unit == "ns" ? 1 : 0;
  if (step.unit_ns == 0) return "Invalid common duration precision: " + std::string(unit) + ". There are ms, us and ns";
  return std::nullopt;
}

template <Moment from, Moment to>
Failure between(Step& step, std::string_view) {
  step.from = from;
  step.to = to;
  return std::nullopt;
}

std::optional<TimePoint> time_of(const ExchangeRecord& record, Moment moment) {
  switch (moment) {
    case Moment::request_begin:
      return record.start;
    case Moment::request_end:
      return record.request_end;
    case Moment::upstream_connect_begin:
      return record.upstream_connect_begin;
    case Moment::upstream_connect_end:
      return record.upstream_connect_end;
    case Moment::upstream_begin:
      return record.upstream_start;
    case Moment::upstream_end:
      return record.upstream_end;
    case Moment::response_begin:
      return record.response_start;
    case Moment::response_end:
      return record.response_end;
    case Moment::downstream_begin:
      return record.downstream_start;
    case Moment::end:
      return record.end;
    case Moment::unknown:
      break;
  }
  return std::nullopt;
}

bool duration(const Exchange& x, const Step& step, std::string& out) {
  auto from = time_of(x.record, step.from);
  auto to = time_of(x.record, step.to);
  if (!from || !to || *to < *from) return false;
  return append_number(static_cast<std::uint64_t>((*to - *from).count() / step.unit_ns), out);
}

bool start_time(const Exchange& x, const Step& step, std::string& out) {
  return step.time.append(x.record.start_wall, out), true;
}

bool emit_time(const Exchange& x, const Step& step, std::string& out) {
  return step.time.append(x.worker.wall(), out), true;
}

constexpr auto kText = Shape::text, kNumber = Shape::number;
constexpr auto kNone = Arguments::none, kOptional = Arguments::optional, kRequired = Arguments::required;
constexpr auto kBegin = Moment::request_begin;

constexpr Row kRows[] = {
    {"START_TIME", start_time, kText, kOptional, false, read_time},
    {"START_TIME_LOCAL", start_time, kText, kOptional, false, read_local_time},
    {"EMIT_TIME", emit_time, kText, kOptional, false, read_time},
    {"EMIT_TIME_LOCAL", emit_time, kText, kOptional, false, read_local_time},
    {"DURATION", duration, kNumber},
    {"COMMON_DURATION", duration, kNumber, kRequired, false, read_common_duration},
    {"REQUEST_DURATION", duration, kNumber, kNone, false, between<kBegin, Moment::request_end>},
    {"REQUEST_TX_DURATION", duration, kNumber, kNone, false, between<kBegin, Moment::upstream_end>},
    {"RESPONSE_DURATION", duration, kNumber, kNone, false, between<kBegin, Moment::response_begin>},
    {"RESPONSE_TX_DURATION", duration, kNumber, kNone, false, between<Moment::response_begin, Moment::end>},
    {"UPSTREAM_CONNECTION_POOL_READY_DURATION", duration, kNumber, kNone, false,
     between<kBegin, Moment::upstream_begin>},
};

}  // namespace

std::span<const Row> moment_rows() { return kRows; }

}  // namespace outrider::format
