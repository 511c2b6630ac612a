#include "discovery/rest_poll.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "core/log.h"
#include "discovery/subscription_stats.h"

namespace outrider {
namespace {

constexpr auto kDelayMax = std::chrono::floor<std::chrono::milliseconds>(Worker::kTimeoutMax);

}  // namespace

RestPoll::RestPoll(Worker& worker, RestClient& client, RestSource source, std::string path, Stats stats)
    : worker_(worker),
      client_(client),
      source_(std::move(source)),
      path_(std::move(path)),
      url_("http://" + source_.cluster + path_),
      stats_(stats) {}

Task<> RestPoll::run() {
  began_ = worker_.now();
  for (;;) {
    co_await ask();
    std::chrono::milliseconds delay = source_.refresh_delay;
    delay += std::chrono::milliseconds(worker_.random().below(static_cast<std::uint64_t>(delay.count())));
    co_await sleep(std::min(delay, kDelayMax));
  }
}

Task<> RestPoll::ask() {
  stats_.update_attempt.add();
  auto text = co_await client_.get(source_, path_);
  if (!text) {
    stats_.update_failure.add();
    log(Logger::config, LogLevel::warning, url_ + ": " + text.error());
    co_return;
  }
  const std::uint64_t hash = XXH3_64bits(text->data(), text->size()) | 1;
  std::expected<void, std::string> taken;
  if (hash == taken_) {
    unchanged();
  } else {
    taken = co_await take(*text);
  }
  if (taken) {
    taken_ = hash;
    stats_.update_success.add();
    stats_.version.set(hash >> 1);
    stats_.update_time.set(milliseconds_since_epoch(worker_.wall()));
  } else {
    stats_.update_rejected.add();
    log(Logger::config, LogLevel::warning,
        url_ + ": the answer is refused" + (taken_ ? "; the last good one stays:\n" : ":\n") + taken.error());
  }
  go_on();
}

void RestPoll::go_on() {
  if (std::exchange(answered_, true)) return;
  answer_.notify_all();
}

Task<> RestPoll::until_answered() {
  while (!answered_) co_await answer_.wait();
}

Task<> RestPoll::first_answer() {
  if (source_.initial_fetch_timeout.count() == 0) co_return co_await until_answered();
  const Duration since = worker_.now() - began_.value_or(worker_.now());
  const Duration left = std::max(Duration(0), source_.initial_fetch_timeout - since);
  if (co_await within(left, until_answered())) co_return;
  stats_.init_fetch_timeout.add();
  log(Logger::config, LogLevel::warning,
      url_ + ": no answer within " + std::to_string(source_.initial_fetch_timeout.count()) + " ms; going on without");
  go_on();
}

}  // namespace outrider
