// A worker in simulated time, for tests; it holds that no coroutine frame outlives a test.
#pragma once
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/simulated_poller.h"
#include "core/worker.h"

namespace outrider {

class Simulated : public testing::Test {
 public:
  ~Simulated() override { EXPECT_EQ(FramePool::counts().live, live_before_); }

  // Since the test began, as the clock says.
  Duration elapsed() { return clock_.now() - began_; }
  // What happened, in order.
  void note(std::string what) { notes_.push_back(std::move(what)); }

  std::int64_t live_before_ = FramePool::counts().live;
  SimulatedClock clock_;
  TimePoint began_ = clock_.now();
  SimulatedPoller poller_{clock_};
  Worker worker_{0, clock_, poller_, 1};
  std::vector<std::string> notes_;
};

using Notes = std::vector<std::string>;

// Writes its end: when and in which order destructors ran.
struct Witness {
  Notes& notes;
  std::string what;
  ~Witness() { notes.push_back(what); }
};

}  // namespace outrider
