#include "core/timer.h"

#include <algorithm>
#include <bit>

namespace outrider {
namespace {
constexpr auto kTick = std::chrono::milliseconds(1);
}

TimerWheel::~TimerWheel() {
  for (Timer* head : slots_) {
    for (Timer* t = head; t; t = t->next_) {
      t->wheel_ = nullptr;
      t->link_ = nullptr;
    }
  }
}

void TimerWheel::insert(Timer& t) {
  // The level is that of the highest digit (base 64) in which the deadline differs from now.
  std::uint64_t differs = (t.tick_ ^ elapsed_) | (kSlots - 1);
  int level = (63 - std::countl_zero(differs)) / kBits;
  std::uint64_t at = t.tick_;
  if (level >= kLevels) {
    // Beyond the last level, or only beyond its end: no further than its slots reach, but never later than due.
    level = kLevels - 1;
    at = std::min(at, elapsed_ + ((std::uint64_t{kSlots} - 1) << (kBits * level)));
  }
  int index = static_cast<int>(slot_tick(at, level) & (kSlots - 1));
  t.slot_ = static_cast<std::uint16_t>(level * kSlots + index);
  Timer*& head = slots_[t.slot_];
  t.next_ = head;
  if (head) head->link_ = &t.next_;
  t.link_ = &head;
  head = &t;
  t.wheel_ = this;
  occupied_[level] |= std::uint64_t{1} << index;
}

void TimerWheel::remove(Timer& t) {
  *t.link_ = t.next_;
  if (t.next_) t.next_->link_ = t.link_;
  if (!slots_[t.slot_]) occupied_[t.slot_ / kSlots] &= ~(std::uint64_t{1} << (t.slot_ % kSlots));
  t.wheel_ = nullptr;
  t.link_ = nullptr;
}

void TimerWheel::arm(Timer& t, TimePoint when) {
  if (t.armed()) remove(t);
  // Rounded up: a timer never fires early.
  std::int64_t ticks = when <= start_ ? 0 : (when - start_ - Duration(1)) / kTick + 1;
  std::uint64_t tick = static_cast<std::uint64_t>(ticks);
  t.tick_ = tick > elapsed_ ? tick : elapsed_ + 1;
  insert(t);
}

std::optional<std::uint64_t> TimerWheel::next_tick(int* level, int* slot) const {
  // Lower levels hold the nearer deadlines, so the first occupied level decides.
  for (int l = 0; l < kLevels; l++) {
    if (!occupied_[l]) continue;
    std::uint64_t now = slot_tick(elapsed_, l);
    int current = static_cast<int>(now & (kSlots - 1));
    int distance = std::countr_zero(std::rotr(occupied_[l], current));
    *level = l;
    *slot = (current + distance) & (kSlots - 1);
    std::uint64_t tick = (now + static_cast<std::uint64_t>(distance)) << (kBits * l);
    return tick > elapsed_ ? tick : elapsed_;
  }
  return std::nullopt;
}

void TimerWheel::advance(TimePoint now) {
  if (now < start_) return;
  std::uint64_t target = static_cast<std::uint64_t>((now - start_) / kTick);
  int level = 0, slot = 0;
  for (;;) {
    std::optional<std::uint64_t> tick = next_tick(&level, &slot);
    if (!tick || *tick > target) break;
    elapsed_ = *tick;
    Timer*& head = slots_[level * kSlots + slot];
    // Taken out one by one: a fired timer may cancel its neighbours.
    while (head) {
      Timer& t = *head;
      if (t.tick_ > elapsed_ && level > 0) {
        remove(t);
        insert(t);
        if (t.slot_ == level * kSlots + slot) break;
      } else if (t.tick_ > elapsed_) {
        break;
      } else {
        remove(t);
        t.on_fire(&t);
      }
    }
  }
  if (target > elapsed_) elapsed_ = target;
}

std::optional<TimePoint> TimerWheel::next() const {
  int level = 0, slot = 0;
  std::optional<std::uint64_t> tick = next_tick(&level, &slot);
  if (!tick) return std::nullopt;
  return start_ + kTick * static_cast<std::int64_t>(*tick);
}

}  // namespace outrider
