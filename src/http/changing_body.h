// ChangingBody: a body whose bytes become others on their way. UnmeasuredBody: only its length does not.
#pragma once
#include <string>

#include "http/body.h"

namespace outrider {

// Reads from another body, which outlives it. Its length is not known beforehand.
class ChangingBody : public Body {
 public:
  explicit ChangingBody(Body& source) : source_(source) {}

  Frame poll(std::size_t max) override;
  Task<Frame> pull(std::size_t max) override;

 protected:
  // Appends to `out` what becomes of the bytes; false: the body breaks here, once what is in `out` has gone.
  virtual bool change(std::string_view data, std::string& out) = 0;
  // The source has ended so, and this body ends as is returned; what is appended to `out` goes first. Pending: it
  // breaks.
  virtual Frame finish(const Frame& end, std::string& out) { return end; }
  // What a reader is told instead, and when, where change() has said false.
  virtual Task<Frame> broken() { co_return Frame::reset(Failure::local_reset); }

 private:
  void take(const Frame& frame);

  Body& source_;
  std::string out_;
  std::size_t at_ = 0;
  Frame end_;  // Pending: there is more to read.
  bool broken_ = false;
};

// The same bytes, of a length that is not known beforehand.
class UnmeasuredBody final : public Body {
 public:
  explicit UnmeasuredBody(Body& source) : source_(source) {}
  Frame poll(std::size_t max) override { return source_.poll(max); }
  OUTRIDER_FORWARDS Task<Frame> pull(std::size_t max) override { return source_.pull(max); }

 private:
  Body& source_;
};

}  // namespace outrider
