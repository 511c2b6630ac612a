// ReplayBody: a request's body that can be read again from its beginning.
#pragma once
#include <string>

#include "http/body.h"
#include "observe/counters.h"

namespace outrider {

// Keeps what it reads from another body, which outlives it, as long as that is no more than `bytes_max`.
class ReplayBody final : public Body {
 public:
  ReplayBody(Body& source, std::size_t bytes_max) : source_(source), bytes_max_(bytes_max) {}

  // From the beginning again. Only while it is kept, and nobody reads.
  void rewind() { at_ = 0; }
  // Nothing is kept any more: the body was too long, or it was told so.
  bool given_up() const { return given_up_; }
  void give_up() { given_up_ = true; }
  // Called once, when the body is whole and was not too long.
  void (*on_end)(void* told, std::string_view whole) = nullptr;
  void* told = nullptr;
  // Counts bodies that are too long.
  Cell* too_long = nullptr;

  Frame poll(std::size_t max) override;
  Task<Frame> pull(std::size_t max) override;
  std::optional<std::uint64_t> length() const override { return source_.length(); }

 private:
  Frame replay(std::size_t max);
  Frame keep(Frame frame);
  Frame end(Frame frame);

  Body& source_;
  const std::size_t bytes_max_;
  std::string kept_;
  std::size_t at_ = 0;
  Frame end_;  // How the source ended; pending: it has not.
  bool given_up_ = false;
};

}  // namespace outrider
