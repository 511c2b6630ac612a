// WatchedBody: a body as it comes, each frame of which is looked at on its way.
#pragma once
#include "http/body.h"

namespace outrider {

// Reads from another body, which outlives it.
class WatchedBody : public Body {
 public:
  explicit WatchedBody(Body& source) : source_(source) {}
  Frame poll(std::size_t max) final { return watched(source_.poll(max)); }
  Task<Frame> pull(std::size_t max) final { co_return watched(co_await source_.pull(max)); }
  std::optional<std::uint64_t> length() const final { return source_.length(); }

 protected:
  // What is passed on in place of the frame, which may be pending.
  virtual Frame watched(Frame frame) = 0;

 private:
  Body& source_;
};

}  // namespace outrider
