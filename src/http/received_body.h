// The body of a message as it comes from a peer, whatever the protocol: a Body that knows how much of it has come.
#pragma once
#include "core/clock.h"
#include "http/body.h"

namespace outrider {

class ReceivedBody : public Body {
 public:
  // Nothing follows: it has come whole, or it has failed.
  bool ended() const { return ended_; }
  bool failed() const { return failed_; }
  std::uint64_t bytes() const { return bytes_; }
  std::uint64_t wire_bytes() const { return wire_bytes_; }  // With what frames it on the wire.
  TimePoint ended_at() const { return ended_at_; }          // Once it has ended.

 protected:
  std::uint64_t bytes_ = 0;
  std::uint64_t wire_bytes_ = 0;
  TimePoint ended_at_{};
  bool ended_ = false;
  bool failed_ = false;
};

}  // namespace outrider
