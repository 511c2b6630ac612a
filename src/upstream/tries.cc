#include "upstream/tries.h"

#include <algorithm>
#include <charconv>

#include "core/ascii.h"
#include "core/decimal.h"
#include "http/tracing.h"
#include "upstream/virtual_host.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;

constexpr std::uint64_t kBaseIntervalMs = 25;
constexpr int kIntervalFactorMax = 10;

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number n = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return n;
}

const RetryPolicy& no_policy() {
  static const RetryPolicy policy;
  return policy;
}

RetryReasons reason_of_grpc(std::uint32_t status) {
  RetryReasons reasons;
  switch (status) {
    case 1:
      reasons.add(RetryOn::grpc_cancelled);
      break;
    case 4:
      reasons.add(RetryOn::grpc_deadline_exceeded);
      break;
    case 8:
      reasons.add(RetryOn::grpc_resource_exhausted);
      break;
    case 13:
      reasons.add(RetryOn::grpc_internal);
      break;
    case 14:
      reasons.add(RetryOn::grpc_unavailable);
      break;
    default:
      break;
  }
  return reasons;
}

}  // namespace

Tries::Tries(Forwarding& f, const RetryPolicy* policy, milliseconds per_try_timeout)
    : f_(f),
      policy_(policy ? *policy : no_policy()),
      on_(policy_.on),
      left_(policy_.retries),
      per_try_timeout_(per_try_timeout),
      idle_timeout_(policy_.per_try_idle_timeout),
      interval_(policy_.base_interval),
      interval_max_(policy_.max_interval) {
  read_request();
  if (!on_.any()) return;
  if (interval_.count() == 0) {
    std::uint64_t ms = f.x.worker.runtime()->integer("upstream.base_retry_backoff_ms", kBaseIntervalMs);
    interval_ = milliseconds(std::clamp<std::uint64_t>(ms, 1, UINT32_MAX));
  }
  if (interval_max_.count() == 0) interval_max_ = interval_ * kIntervalFactorMax;
  f.keep_body();
}

// What the request asks for, over the policy.
void Tries::read_request() {
  const Headers& headers = f_.x.request.headers;
  if (const Field* on = headers.find(Known::x_envoy_retry_on)) on_.add(parse_retry_on(on->value));
  if (const Field* on = headers.find(Known::x_envoy_retry_grpc_on)) on_.add(parse_retry_grpc_on(on->value));
  if (!policy_.request_headers.empty()) {
    bool any = std::ranges::any_of(policy_.request_headers, [&](const auto& m) { return m.matches(f_.x.request); });
    if (!any) on_.clear();
  }
  if (!on_.any()) return;
  if (const Field* most = headers.find(Known::x_envoy_max_retries)) {
    left_ = number_of<std::uint32_t>(most->value).value_or(left_);
  }
  if (const Field* codes = headers.find(Known::x_envoy_retriable_status_codes)) {
    each_listed(codes->value, [&](std::string_view word) {
      if (auto code = number_of<std::uint32_t>(word)) status_codes_.push_back(*code);
    });
  }
  if (const Field* names = headers.find(Known::x_envoy_retriable_header_names)) {
    std::string_view kept = f_.x.arena.copy(ascii_lower(names->value));
    each_listed(kept, [&](std::string_view word) { header_names_.push_back(word); });
  }
}

bool Tries::wanted(const ResponseHead& head) {
  if (head.headers.has(Known::x_envoy_ratelimited)) return on_.has(RetryOn::envoy_ratelimited);
  auto status = static_cast<std::uint32_t>(head.status);
  if (on_.has(RetryOn::five_xx) && status >= 500 && status < 600) return true;
  if (on_.has(RetryOn::gateway_error) && status >= 502 && status <= 504) return true;
  if (on_.has(RetryOn::retriable_4xx) && status == 409) return true;
  if (on_.has(RetryOn::retriable_status_codes)) {
    if (std::ranges::find(policy_.status_codes, status) != policy_.status_codes.end()) return true;
    if (std::ranges::find(status_codes_, status) != status_codes_.end()) return true;
  }
  if (on_.has(RetryOn::retriable_headers)) {
    for (const HeaderMatcher& each : policy_.headers) {
      if (each.matches(head)) return true;
    }
    for (std::string_view name : header_names_) {
      if (head.headers.find(name)) return true;
    }
  }
  const Field* grpc = head.headers.find(Known::grpc_status);
  auto code = grpc ? number_of<std::uint32_t>(grpc->value) : std::nullopt;
  return code && on_.any_of(reason_of_grpc(*code));
}

bool Tries::wanted_after_failure(const Attempt& attempt) const {
  if (attempt.failure == Failure::overflow) return false;
  if (on_.has(RetryOn::five_xx) || on_.has(RetryOn::gateway_error) || on_.has(RetryOn::reset)) return true;
  if (attempt.failure == Failure::remote_refused && on_.has(RetryOn::refused_stream)) return true;
  bool connecting = attempt.failure == Failure::connect_failed || attempt.failure == Failure::connect_timeout ||
                    attempt.failure == Failure::local_connect_failed;
  return connecting && (on_.has(RetryOn::connect_failure) || on_.has(RetryOn::reset_before_request));
}

void Tries::count(ClusterStat of_cluster, VirtualClusterStat of_others) {
  f_.cluster.stats[of_cluster].add();
  if (f_.virtual_cluster) (*f_.virtual_cluster)[of_others].add();
  if (f_.of_route) (*f_.of_route)[of_others].add();
}

void Tries::release() {
  if (held_) std::exchange(held_, nullptr)->give();
}

// One of the retries that are left, and one that the cluster allows.
bool Tries::take_retry() {
  if (left_ == 0) {
    count(ClusterStat::upstream_rq_retry_limit_exceeded, VirtualClusterStat::upstream_rq_retry_limit_exceeded);
    f_.x.record.flags.set(ResponseFlag::upstream_retry_limit_exceeded);
    return false;
  }
  left_--;
  Breaker& retries = f_.cluster.cluster->retry_breaker(f_.route.priority);
  if (retries.open()) {
    count(ClusterStat::upstream_rq_retry_overflow, VirtualClusterStat::upstream_rq_retry_overflow);
    f_.x.record.flags.set(ResponseFlag::upstream_overflow);
    return false;
  }
  Worker& worker = f_.x.worker;
  if (!RuntimeFraction{{}, "upstream.use_retry"}.sample(*worker.runtime(), worker.random())) return false;
  retries.take();
  held_ = &retries;
  count(ClusterStat::upstream_rq_retry, VirtualClusterStat::upstream_rq_retry);
  return true;
}

bool Tries::again(const Attempt& attempt) {
  if (!on_.any() || attempt.client_failed || attempt.no_host || attempt.interim ||
      (f_.kept_body && f_.kept_body->given_up())) {
    release();
    return false;
  }
  const ResponseHead* head = attempt.failure == Failure::none ? attempt.response.head : nullptr;
  bool wants = head ? wanted(*head) : wanted_after_failure(attempt);
  if (held_ && !wants) count(ClusterStat::upstream_rq_retry_success, VirtualClusterStat::upstream_rq_retry_success);
  release();
  if (!wants || !take_retry()) return false;
  if (!head) return true;
  find_reset_interval(*head);
  f_.host->numbers.rq_error.fetch_add(1, std::memory_order_relaxed);
  f_.cluster.cluster->retry_codes.of(f_.x.worker.index()).count_code(head->status);
  return true;
}

void Tries::find_reset_interval(const ResponseHead& head) {
  for (const RetryPolicy::ResetHeader& each : policy_.reset_headers) {
    const Field* field = head.headers.find(each.name);
    auto seconds = field ? number_of<std::uint32_t>(field->value) : std::nullopt;
    if (!seconds) continue;
    auto wait = std::chrono::duration_cast<milliseconds>(std::chrono::seconds(*seconds));
    if (each.unix_time) {
      wait -= std::chrono::duration_cast<milliseconds>(f_.x.worker.wall().time_since_epoch());
      if (wait.count() < 0) continue;
    }
    if (wait > policy_.reset_interval_max) continue;
    if (wait > milliseconds(1)) reset_interval_ = wait;
    return;
  }
}

// A random part of the interval, which doubles each time; or a bit more than the response has asked for.
Task<> Tries::wait() {
  Random& random = f_.x.worker.random();
  milliseconds length;
  if (reset_interval_) {
    auto most = static_cast<std::uint64_t>(reset_interval_->count());
    length = *reset_interval_ + milliseconds(random.below(std::max<std::uint64_t>(1, most / 2)));
    reset_interval_.reset();
    f_.cluster.stats[ClusterStat::upstream_rq_retry_backoff_ratelimited].add();
  } else {
    length = milliseconds(random.below(static_cast<std::uint64_t>(interval_.count())));
    interval_ = std::min(2 * interval_, interval_max_);
    f_.cluster.stats[ClusterStat::upstream_rq_retry_backoff_exponential].add();
  }
  waiting_ = true;
  co_await sleep(length);
  waiting_ = false;
  retrying_ = true;
}

void Tries::tell_expected_timeout() {
  Exchange& x = f_.x;
  milliseconds expected = per_try_timeout_.count() ? per_try_timeout_ : f_.time_limit;
  if (!f_.envoy_headers || expected.count() == 0) return;
  if (f_.time_limit.count() > 0 && x.record.request_end) {
    auto spent = std::chrono::duration_cast<milliseconds>(x.worker.now() - *x.record.request_end);
    expected = std::max(milliseconds(1), std::min(expected, f_.time_limit - spent));
  }
  x.request.headers.set(Known::x_envoy_expected_rq_timeout_ms,
                        decimal(x.arena, static_cast<std::uint64_t>(expected.count())));
}

namespace {

// What the record knows of the attempt that has failed: the next one makes it anew.
void forget_attempt(ExchangeRecord& record) {
  record.upstream_start.reset();
  record.upstream_end.reset();
  record.upstream_connect_begin.reset();
  record.upstream_connect_end.reset();
  record.upstream_local = nullptr;
  record.upstream_version.reset();
  record.response_start.reset();
  record.response_end.reset();
}

}  // namespace

void Tries::prepare_request(bool after_timeout) {
  Exchange& x = f_.x;
  forget_attempt(x.record);
  if (f_.kept_body) f_.kept_body->rewind();
  if (f_.route.host && f_.route.host->options().tells_timeout_retry) {
    x.request.headers.set(Known::x_envoy_is_timeout_retry, after_timeout ? "true" : "false");
  }
  tell_expected_timeout();
}

bool Tries::refused(const Endpoint& host) const {
  if (policy_.not_previous_hosts && std::ranges::find(attempted_, &host) != attempted_.end()) return true;
  if (policy_.not_canaries && host.canary) return true;
  return std::ranges::any_of(policy_.not_hosts,
                             [&](const auto& labels) { return has_labels(host.metadata.get(), labels, true); });
}

// As Envoy's previous_priorities.
void Tries::leave_out_priorities() {
  std::size_t step = policy_.priority_update_after;
  if (step == 0 || attempted_since_ < step || attempted_since_ % step != 0) return;
  for (const EndpointPtr& each : f_.cluster.hosts().all) {
    bool tried = std::find(attempted_.end() - static_cast<std::ptrdiff_t>(attempted_since_), attempted_.end(),
                           each.get()) != attempted_.end();
    if (each->priority >= left_out_.size()) left_out_.resize(each->priority + 1);
    if (tried) left_out_[each->priority] = true;
  }
  find_others();
}

void Tries::find_others() {
  others_of_ = f_.cluster.host_set();
  std::vector<EndpointPtr> rest;
  for (const EndpointPtr& each : others_of_->all) {
    if (each->priority >= left_out_.size() || !left_out_[each->priority]) rest.push_back(each);
  }
  bool usable = std::ranges::any_of(rest, [](const auto& e) { return e->health_now() != HostHealth::unhealthy; });
  others_ = usable ? make_host_set(std::move(rest)) : nullptr;
  if (usable) return;
  left_out_.clear();
  attempted_since_ = 0;
}

Endpoint* Tries::pick() {
  Endpoint* host = nullptr;
  if (others_ && others_of_ != f_.cluster.host_set()) find_others();
  if (retrying_) leave_out_priorities();
  std::uint32_t choices = retrying_ ? policy_.host_choices + 1 : 1;
  for (std::uint32_t i = 0; i < choices; i++) {
    host = others_ && !f_.cluster.cluster->options.hash ? f_.cluster.pick(*others_) : pick_host(f_, i);
    if (!host || !retrying_ || !refused(*host)) break;
  }
  if (!host || !on_.any()) return host;
  attempted_.push_back(host);
  attempted_since_++;
  return host;
}

namespace {

// The attempt, within the time that it has for itself.
Task<Attempt> attempt_in_time(Forwarding& f) {
  Tries& tries = *f.tries;
  TryTimeout timeout;
  bool idle_first = tries.idle_timeout().count() > 0 &&
                    (tries.per_try_timeout().count() == 0 || tries.idle_timeout() < tries.per_try_timeout());
  timeout.length = idle_first ? tries.idle_timeout() : tries.per_try_timeout();
  struct Set {
    Forwarding& f;
    ~Set() { f.timeout.of_try = nullptr; }
  } set{f};
  f.timeout.of_try = &timeout;
  std::optional<Attempt> tried = co_await within(timeout.limit, attempt(f));
  if (tried) co_return *tried;
  f.cluster.stats[idle_first ? ClusterStat::upstream_rq_per_try_idle_timeout : ClusterStat::upstream_rq_per_try_timeout]
      .add();
  note_local_failure(f, *f.host, 504);
  f.host->numbers.rq_timeout.fetch_add(1, std::memory_order_relaxed);
  f.host->numbers.rq_error.fetch_add(1, std::memory_order_relaxed);
  co_return Attempt{.failure = Failure::local_reset, .ended = idle_first ? TryEnd::idle_timeout : TryEnd::timeout};
}

// The span of an attempt that another one follows.
void end_span(Forwarding& f, const Attempt& tried) {
  Exchange& x = f.x;
  tell_trace(*x.trace, tried);
  bool answered = tried.failure == Failure::none;
  if (answered && tried.response.body->length() == 0) x.record.response_end = x.worker.now();
  if (answered) x.response_headers = &tried.response.head->headers;
  x.trace->end_attempt(x);
  x.response_headers = nullptr;
}

}  // namespace

Task<Attempt> attempt_repeatedly(Forwarding& f) {
  Tries& tries = *f.tries;
  f.timeout.idle = tries.idle_timeout();
  for (;;) {
    Attempt tried = co_await attempt_in_time(f);
    if (!tries.again(tried)) {
      const ResponseHead* head = tried.failure == Failure::none ? tried.response.head : nullptr;
      if (head) f.note_status(*f.host, *head);
      co_return tried;
    }
    if (f.x.trace) end_span(f, tried);
    if (f.stream) co_await std::exchange(f.stream, nullptr)->give_up();
    co_await tries.wait();
    tries.prepare_request(tried.ended != TryEnd::itself);
  }
}

}  // namespace outrider
