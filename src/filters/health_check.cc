// Answers health checks of this proxy itself, or lets them pass and remembers the answer. Envoy's document: "Health
// check".
#include <algorithm>
#include <atomic>

#include "core/block_pool.h"
#include "core/worker.h"
#include "envoy/extensions/filters/http/health_check/v3/health_check.pb.h"
#include "envoy/type/v3/percent.pb.h"
#include "http/exchange.h"
#include "http/http_call.h"
#include "proto/http_filter.h"
#include "proto/matcher.h"

namespace outrider::filters {
namespace {

namespace v3 = envoy::extensions::filters::http::health_check::v3;

#define OUTRIDER_HEALTH_CHECK_STATS(X) \
  X(cached_response)                   \
  X(degraded)                          \
  X(failed)                            \
  X(failed_cluster_empty)              \
  X(failed_cluster_not_found)          \
  X(failed_cluster_unhealthy)          \
  X(ok)                                \
  X(request_total)

enum class HealthStat : std::uint8_t {
#define X(name) name,
  OUTRIDER_HEALTH_CHECK_STATS(X)
#undef X
      count
};
#define X(name) {#name, StatKind::counter},
constexpr StatDefinition kStats[] = {OUTRIDER_HEALTH_CHECK_STATS(X)};
#undef X
constexpr StatTable kTable{kStats, ""};

// The backend's last answer, for all workers. It is good to the end of the period in which it came; periods follow each
// other without a gap, as in Envoy.
class Cache {
 public:
  explicit Cache(Duration period) : period_(period) {}

  struct Answer {
    int status;
    bool degraded;
  };
  std::optional<Answer> at(TimePoint now) const {
    std::uint64_t kept = kept_.load(std::memory_order_relaxed);
    if (kept == 0 || kept >> kPeriodShift != number(now)) return std::nullopt;
    return Answer{static_cast<int>(kept & kStatusMask), (kept & kDegraded) != 0};
  }
  void keep(TimePoint now, Answer answer) {
    kept_.store(
        number(now) << kPeriodShift | static_cast<std::uint64_t>(answer.status) | (answer.degraded ? kDegraded : 0),
        std::memory_order_relaxed);
  }

 private:
  static constexpr int kPeriodShift = 11;
  static constexpr std::uint64_t kDegraded = 1 << 10, kStatusMask = kDegraded - 1;
  std::uint64_t number(TimePoint now) const { return static_cast<std::uint64_t>(now.time_since_epoch() / period_); }

  const Duration period_;
  std::atomic<std::uint64_t> kept_{0};
};

struct Minimum {
  std::string cluster;
  std::uint64_t percent;
};

struct Options {
  bool pass_through = false;
  std::vector<HeaderMatcher> headers;  // All have to match; without any, every request is a health check.
  std::vector<Minimum> minimums;
  std::string local_cluster;
};

// This request is a health check for this filter.
struct Checked : FilterNote {};

class HealthCheck final : public Filter {
 public:
  HealthCheck(Options options, std::unique_ptr<Cache> cache, LocalStats stats)
      : options_(std::move(options)), cache_(std::move(cache)), stats_(std::move(stats)) {}

  Task<Response> handle(Exchange& x, Next next) const override;
  Task<Response> see_reply(Exchange& x, Response reply) const override {
    on_response(x, reply);
    co_return reply;
  }
  bool sees_replies() const override { return true; }

 private:
  struct Verdict {
    int status = 200;
    std::string_view details = "health_check_ok";
    bool degraded = false;
  };
  Verdict verdict(Exchange& x, StatBlock& stats) const;
  Verdict of_clusters(Exchange& x, StatBlock& stats) const;
  Response answer(Exchange& x) const;
  void on_response(Exchange& x, Response& response) const;

  const Options options_;
  const std::unique_ptr<Cache> cache_;  // Null: answers are not kept.
  const LocalStats stats_;
};

// The answer to a check comes when the request is whole.
Task<> discard(Body& body) {
  for (int steps = 1;; steps++) {
    if (steps % kStepsInARowMax == 0) co_await turn();
    Frame frame = body.poll(BlockPool::kBodyBytes);
    if (frame.pending()) frame = co_await body.pull(BlockPool::kBodyBytes);
    if (frame.last) co_return;
  }
}

Task<Response> HealthCheck::handle(Exchange& x, Next next) const {
  if (all_match(options_.headers, x.request)) {
    x.record.health_check = true;
    x.leave_note(*this, Checked{});
    bool ours = !options_.pass_through || x.options.health->fails() || (cache_ && cache_->at(x.worker.now()));
    if (ours) {
      co_await discard(*x.request_body);
      co_return answer(x);
    }
  }
  Response response = co_await next(x);
  on_response(x, response);
  co_return response;
}

HealthCheck::Verdict HealthCheck::of_clusters(Exchange& x, StatBlock& stats) const {
  for (const Minimum& minimum : options_.minimums) {
    auto hosts = x.connection.caller ? x.connection.caller->membership(minimum.cluster) : std::nullopt;
    if (!hosts) {
      stats[HealthStat::failed_cluster_not_found].add();
      return {503, "health_check_failed_no_cluster_found"};
    }
    if (hosts->all == 0 && minimum.percent > 0) {
      stats[HealthStat::failed_cluster_empty].add();
      return {503, "health_check_failed_cluster_empty"};
    }
    if (100 * (hosts->healthy + hosts->degraded) < hosts->all * minimum.percent) {
      stats[HealthStat::failed_cluster_unhealthy].add();
      return {503, "health_check_failed_cluster_unhealthy"};
    }
  }
  return {200, "health_check_ok_cluster_healthy"};
}

HealthCheck::Verdict HealthCheck::verdict(Exchange& x, StatBlock& stats) const {
  if (x.options.health->fails()) return {503, "health_check_failed"};
  if (auto kept = cache_ ? cache_->at(x.worker.now()) : std::nullopt) {
    stats[HealthStat::cached_response].add();
    return {kept->status, "health_check_cached", kept->degraded};
  }
  return options_.minimums.empty() ? Verdict{} : of_clusters(x, stats);
}

Response HealthCheck::answer(Exchange& x) const {
  StatBlock& stats = stats_.of(x.worker.index());
  Verdict v = verdict(x, stats);
  bool ok = v.status / 100 == 2;
  stats[HealthStat::request_total].add();
  stats[ok ? HealthStat::ok : HealthStat::failed].add();
  if (v.degraded) stats[HealthStat::degraded].add();
  if (!ok) x.record.flags.set(ResponseFlag::failed_local_health_check);
  Response response = x.reply(v.status, "", v.details);
  if (v.degraded) response.head->headers.add(Known::x_envoy_degraded, "");
  return response;
}

void HealthCheck::on_response(Exchange& x, Response& response) const {
  Headers& headers = response.head->headers;
  if (x.note<Checked>(*this)) {
    if (cache_) cache_->keep(x.worker.now(), {response.head->status, headers.has(Known::x_envoy_degraded)});
    headers.set("x-envoy-upstream-healthchecked-cluster", options_.local_cluster);
  }
  if (x.options.health->fails()) headers.set(Known::x_envoy_immediate_health_check_fail, "true");
}

std::unique_ptr<Filter> make(const proto::FilterSource& source) {
  v3::HealthCheck config;
  if (!proto::parse(source, config)) return nullptr;
  Options options;
  options.pass_through = config.pass_through_mode().value();
  options.headers = proto::compile_list<HeaderMatcher>(source.report, config.headers(), source.path + ".headers");
  for (const auto& [name, percent] : config.cluster_min_healthy_percentages()) {
    options.minimums.push_back({name, static_cast<std::uint64_t>(percent.value())});
  }
  std::sort(options.minimums.begin(), options.minimums.end(),
            [](const Minimum& a, const Minimum& b) { return a.cluster < b.cluster; });
  options.local_cluster = source.host.local_cluster();
  std::unique_ptr<Cache> cache;
  if (config.has_cache_time()) {
    auto period = std::chrono::seconds(config.cache_time().seconds()) +
                  std::chrono::milliseconds(config.cache_time().nanos() / 1'000'000);
    if (!options.pass_through) source.fail("cache_time", "there is nothing to keep without pass_through_mode");
    if (period.count() > 0) cache = std::make_unique<Cache>(period);
  }
  return std::make_unique<HealthCheck>(std::move(options), std::move(cache), source.stats("health_check.", kTable));
}

}  // namespace

extern const proto::HttpFilterType health_check{
    "envoy.filters.http.health_check", "envoy.extensions.filters.http.health_check.v3.HealthCheck", make, "", nullptr,
};

}  // namespace outrider::filters
