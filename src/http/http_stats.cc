#include "http/http_stats.h"

namespace outrider {
namespace {

#define COUNTER(name) {#name, StatKind::counter},
#define GAUGE(name) {#name, StatKind::gauge},
#define HISTOGRAM(name) {#name, StatKind::histogram},
constexpr StatDefinition kHttp[] = {OUTRIDER_HTTP_STATS(COUNTER, GAUGE, HISTOGRAM)};
constexpr StatDefinition kListener[] = {OUTRIDER_LISTENER_STATS(COUNTER, GAUGE, HISTOGRAM)};
constexpr StatDefinition kListenerHttp[] = {OUTRIDER_LISTENER_HTTP_STATS(COUNTER)};
constexpr StatDefinition kH2[] = {OUTRIDER_H2_STATS(COUNTER, GAUGE)};
constexpr StatDefinition kH1[] = {OUTRIDER_H1_STATS(COUNTER)};
#undef COUNTER
#undef GAUGE
#undef HISTOGRAM

}  // namespace

const StatTable& http_stat_table() {
  static const StatTable table{kHttp, ""};
  return table;
}

const StatTable& listener_http_stat_table() {
  static const StatTable table{kListenerHttp, ""};
  return table;
}

const StatTable& h1_stat_table() {
  static const StatTable table{kH1, ""};
  return table;
}

const StatTable& h2_stat_table() {
  static const StatTable table{kH2, ""};
  return table;
}

const StatTable& listener_stat_table() {
  static const StatTable table{kListener, ""};
  return table;
}

}  // namespace outrider
