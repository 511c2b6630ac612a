#include "server/watchdog.h"

#include <pthread.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <cstdlib>

#include "core/log.h"
#include "server/logging.h"

namespace outrider {
namespace {

enum class WatchdogStat : std::uint16_t { watchdog_mega_miss, watchdog_miss, count };
constexpr StatDefinition kDefinitions[] = {{"watchdog_mega_miss", StatKind::counter},
                                           {"watchdog_miss", StatKind::counter}};
const StatTable kTable{kDefinitions, ""};

bool is_set(std::chrono::milliseconds time) { return time.count() > 0; }

[[noreturn]] void end_process(const std::string& why) {
  log(Logger::main, LogLevel::critical, why);
  flush_logging();
  std::abort();
}

}  // namespace

Duration WatchedThread::stuck_for(TimePoint now) {
  std::uint64_t turn = poller_.turn();
  if (turn != turn_ || turn % 2 == 1) {
    turn_ = turn;
    since_ = now;
    missed = mega_missed = false;
    return Duration::zero();
  }
  return now - since_;
}

Watchdog::Watchdog(std::string name, const WatchdogOptions& options, StatRegistry& stats, Clock& clock,
                   std::uint64_t seed)
    : name_(std::move(name)),
      options_(options),
      registry_(stats),
      clock_(clock),
      scope_(stats.scope(name_ + ".", kTable)),
      stats_(scope_->local(0)) {
  if (is_set(options_.kill) && is_set(options_.kill_jitter_max)) {
    Random random(seed);  // Of many proxies that are stuck, not all are to end at the same time.
    auto max = static_cast<std::uint64_t>(options_.kill_jitter_max.count());
    options_.kill += std::chrono::milliseconds(random.below(max + 1));
  }
}

Watchdog::~Watchdog() {
  if (!thread_.joinable()) return;
  {
    std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

void Watchdog::watch(const std::string& thread, const WatchedPoller& poller) {
  auto scope = registry_.scope("server." + thread + ".", kTable);
  StatBlock& stats = scope->local(0);  // Nobody but this watchdog's thread writes there.
  watched_.push_back({thread, WatchedThread(poller), std::move(scope), stats});
}

Duration Watchdog::interval() const {
  auto shortest = std::chrono::milliseconds::max();
  for (auto time : {options_.miss, options_.megamiss, options_.kill, options_.multikill}) {
    if (is_set(time)) shortest = std::min(shortest, time);
  }
  constexpr std::chrono::milliseconds kAtLeast{1};
  return std::max(kAtLeast, shortest / 2);
}

void Watchdog::start() {
  thread_ = std::thread([this] { run(); });
}

void Watchdog::run() {
  pthread_setname_np(pthread_self(), ("dog:" + name_).substr(0, 15).c_str());
  const Duration rest = interval();
  std::unique_lock lock(mutex_);
  while (!changed_.wait_for(lock, rest, [this] { return ending_; })) look();
}

void Watchdog::look() {
  TimePoint now = clock_.now();
  std::size_t stuck = 0;
  for (Watched& each : watched_) {
    Duration time = each.state.stuck_for(now);
    if (is_set(options_.kill) && time > options_.kill) {
      end_process("the watchdog ends the process: the thread '" + each.name + "' is stuck");
    }
    stuck += is_set(options_.multikill) && time > options_.multikill;
    if (is_set(options_.megamiss) && time > options_.megamiss && !std::exchange(each.state.mega_missed, true)) {
      stats_[WatchdogStat::watchdog_mega_miss].add();
      each.stats[WatchdogStat::watchdog_mega_miss].add();
    }
    if (is_set(options_.miss) && time > options_.miss && !std::exchange(each.state.missed, true)) {
      stats_[WatchdogStat::watchdog_miss].add();
      each.stats[WatchdogStat::watchdog_miss].add();
    }
  }
  constexpr double kAtLeast = 2;
  double needed = std::ceil(options_.multikill_percent / 100 * static_cast<double>(watched_.size()));
  if (is_set(options_.multikill) && static_cast<double>(stuck) >= std::max(kAtLeast, needed)) {
    end_process("the watchdog ends the process: " + std::to_string(stuck) + " threads are stuck");
  }
}

}  // namespace outrider
