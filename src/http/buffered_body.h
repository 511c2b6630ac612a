// BufferedBody: a body whose bytes a filter wants to see, or change, before it goes on.
#pragma once
#include <string>

#include "http/body.h"

namespace outrider {

// Reads ahead from another body, which outlives it, and gives those bytes first.
class BufferedBody final : public Body {
 public:
  explicit BufferedBody(Body& source) : source_(source) {}

  enum class Filled : std::uint8_t {
    whole,     // The body has ended; trailers may follow.
    too_long,  // More than `bytes_max` are here, and more may come.
    reset,     // It broke; whoever reads it is told.
  };
  // Reads until the body ends or is longer than `bytes_max`.
  Task<Filled> fill(std::size_t bytes_max);

  // Not given to the reader yet.
  std::string_view bytes() const { return std::string_view(buffer_).substr(at_); }
  // Once it is whole: other bytes instead, or the same. Its length is known from here on.
  void replace(std::string_view bytes);
  // Null: there are none, or the body has not ended.
  const Headers* trailers() const { return end_.trailers; }
  // Other ones instead, which outlive it.
  void replace_trailers(const Headers& trailers) { end_.trailers = &trailers; }

  Frame poll(std::size_t max) override;
  Task<Frame> pull(std::size_t max) override;
  std::optional<std::uint64_t> length() const override;

 private:
  bool ended() const { return !end_.pending(); }

  Body& source_;
  std::string buffer_;
  std::size_t at_ = 0;
  Frame end_;  // How the body ended; pending: it has not.
  bool replaced_ = false;
};

}  // namespace outrider
