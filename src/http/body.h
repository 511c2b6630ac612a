// Body: what follows a head, in either direction and in any protocol. It is pulled: nobody reads, nobody sends.
#pragma once
#include <cstdint>
#include <optional>
#include <string_view>

#include "core/task.h"
#include "wire/headers.h"

namespace outrider {

// How a stream broke. What it means for the client is the router's to say.
enum class Failure : std::uint8_t {
  none,
  connect_failed,        // Refused, unreachable, no file descriptor.
  local_connect_failed,  // The socket could not be had as it is configured.
  connect_timeout,
  overflow,           // A circuit breaker is open.
  connection_closed,  // The peer closed or reset before the message was whole.
  remote_reset,       // The peer ended this one stream before its time.
  remote_refused,     // The same, before it has looked at it.
  protocol_error,     // Its bytes were not HTTP.
  local_reset,        // We gave up: a time-out, or the other side left.
  too_large,          // A limit of ours was exceeded.
};

// One step of a body.
struct Frame {
  enum class Kind : std::uint8_t { pending, data, trailers, end, reset };

  Kind kind = Kind::pending;
  bool last = false;                  // The body ends with it: nothing more may be read.
  Failure failure = Failure::none;    // Reset only.
  std::string_view data;              // Data only; never empty.
  const Headers* trailers = nullptr;  // Trailers only: the body ends with them.

  static Frame wait() { return {}; }
  static Frame bytes(std::string_view data, bool last) { return {Kind::data, last, Failure::none, data, nullptr}; }
  static Frame end() { return {Kind::end, true, Failure::none, {}, nullptr}; }
  static Frame with_trailers(const Headers& t) { return {Kind::trailers, true, Failure::none, {}, &t}; }
  static Frame reset(Failure why) { return {Kind::reset, true, why, {}, nullptr}; }

  bool pending() const { return kind == Kind::pending; }
  bool is_data() const { return kind == Kind::data; }
  bool is_reset() const { return kind == Kind::reset; }
};

// One reader. A frame's data is valid until the next poll() or pull(). A stopped pull() has consumed nothing.
class Body {
 public:
  Body() = default;
  Body(const Body&) = delete;
  Body& operator=(const Body&) = delete;
  virtual ~Body() = default;

  // The next frame if it can be had without waiting, else pending. At most `max` bytes of data.
  virtual Frame poll(std::size_t max) { return Frame::wait(); }
  // The next frame; never pending. Ask poll() first: it costs no coroutine.
  virtual Task<Frame> pull(std::size_t max) = 0;
  // Its size in bytes where that is known beforehand.
  virtual std::optional<std::uint64_t> length() const { return std::nullopt; }
};

// Where the bytes of a tunnel go, once it is open.
class Sink {
 public:
  virtual ~Sink() = default;
  // Takes the bytes whole, or says false: nobody is there any more.
  virtual Task<bool> write(std::string_view data) = 0;
  // No more bytes in this direction.
  virtual void finish() = 0;
};

// No body at all. One object serves everybody.
class NoBody final : public Body {
 public:
  Frame poll(std::size_t) override { return Frame::end(); }
  Task<Frame> pull(std::size_t) override { co_return Frame::end(); }
  std::optional<std::uint64_t> length() const override { return 0; }
  static NoBody& shared() {
    static NoBody body;
    return body;
  }
};

// A body that lies in memory; the bytes outlive it.
class TextBody final : public Body {
 public:
  explicit TextBody(std::string_view text) : text_(text) {}
  Frame poll(std::size_t max) override {
    if (at_ == text_.size()) return Frame::end();
    std::string_view piece = text_.substr(at_, max);
    at_ += piece.size();
    return Frame::bytes(piece, at_ == text_.size());
  }
  Task<Frame> pull(std::size_t max) override { co_return poll(max); }
  std::optional<std::uint64_t> length() const override { return text_.size(); }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
};

}  // namespace outrider
