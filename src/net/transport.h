// Transport: a stream of bytes to one peer. Over TCP, a Unix socket, later TLS; or simulated, in tests.
#pragma once
#include <sys/uio.h>

#include <array>
#include <cassert>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "core/leaf.h"
#include "net/address.h"

namespace outrider {

struct IoResult {
  enum class State : std::uint8_t { ok, would_block, end, failed };
  State state = State::ok;
  int error = 0;          // errno, where failed.
  std::size_t bytes = 0;  // Where ok.

  bool ok() const { return state == State::ok; }
  static IoResult done(std::size_t n) { return {State::ok, 0, n}; }
  static IoResult blocked() { return {State::would_block, 0, 0}; }
  static IoResult ended() { return {State::end, 0, 0}; }
  static IoResult failure(int error) { return {State::failed, error, 0}; }
};

// One reader and one writer at a time. Destroying it closes the connection.
class Transport {
 public:
  class Read;
  class Readable;
  class Write;
  class Connected;

  // Told (once, from inside the event loop) when the peer has closed or reset its side. Only marks and enqueues.
  struct HangupHook {
    void (*on_hangup)(HangupHook*) = nullptr;
  };

  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  // co_await read(buffer, size): one read, as much as is there; `end` when the peer has finished sending. size > 0.
  Read read(char* buffer, std::size_t size);
  // co_await readable(): waits until there is something to read. Needs no buffer, so idle connections hold none. Now
  // and then it is wrong (the read before took exactly all that was there): try_read(), not read(), finds out.
  Readable readable();
  // co_await write(pieces, count): writes everything (`ok`) or fails. The bytes stay valid until then; at most
  // kPiecesMax pieces.
  static constexpr int kPiecesMax = 6;
  Write write(const iovec* pieces, int count);
  // co_await connected(): after Network::connect(); 0 or an errno.
  Connected connected();

  // Without waiting.
  IoResult try_read(char* buffer, std::size_t size);
  IoResult try_write(const iovec* pieces, int count);

  // The hook must be taken back (null) before it ends. Called at once if the peer has already hung up.
  void on_hangup(HangupHook* hook) {
    hook_ = hook;
    if (hook && hung_up_) hook->on_hangup(hook);
  }
  bool hung_up() const { return hung_up_; }
  // Bytes (or an end) have arrived that nobody has read: for a connection that should be idle, a reason to drop it.
  bool has_unread() const { return readable_; }
  // As far as the kernel gave and took them, or will at the end of the turn.
  std::uint64_t bytes_read() const { return bytes_read_; }
  std::uint64_t bytes_written() const { return bytes_written_; }
  // When bytes last moved, in either direction.
  TimePoint last_progress() const { return last_progress_; }
  // Ends a read() or readable() in progress as if there were nothing: `would_block`.
  void interrupt_reader();

  // Sends FIN after what was written; reading goes on.
  virtual void shutdown_write() = 0;
  // The next close sends RST instead of FIN.
  virtual void reset_on_close() = 0;
  // The file descriptor, -1 where there is none or bytes are transformed.
  virtual int plain_fd() const { return -1; }
  virtual const Address& peer() const = 0;
  virtual const Address& local() = 0;

 protected:
  Transport() = default;
  // Non-blocking primitives.
  virtual IoResult system_read(char* buffer, std::size_t size) = 0;
  virtual IoResult system_write(const iovec* pieces, int count) = 0;
  virtual int system_connect_error() = 0;

  // From the event source.
  void notify_readable();
  void notify_writable();
  void notify_hangup();
  // The kernel takes no more after all: notify_writable() will follow.
  void mark_blocked() { writable_ = false; }

 private:
  enum class Waiting : std::uint8_t { none, bytes, readiness };
  bool readable_ = false;
  bool writable_ = false;
  bool hung_up_ = false;
  Waiting reader_kind_ = Waiting::none;
  Leaf* reader_ = nullptr;
  Write* writer_ = nullptr;
  Connected* connector_ = nullptr;
  HangupHook* hook_ = nullptr;
  TimePoint last_progress_{};
  std::uint64_t bytes_read_ = 0, bytes_written_ = 0;
};

class Transport::Read : public Leaf {
 public:
  Read(Transport& t, char* buffer, std::size_t size) : transport_(t), buffer_(buffer), size_(size) {}
  bool await_ready() {
    result_ = transport_.try_read(buffer_, size_);
    return result_.state != IoResult::State::would_block;
  }
  template <class P>
  void await_suspend(std::coroutine_handle<P> awaiter) {
    if (!wait(awaiter, [](Leaf* l) { static_cast<Read*>(l)->transport_.reader_ = nullptr; })) return;
    transport_.reader_ = this;
    transport_.reader_kind_ = Waiting::bytes;
  }
  IoResult await_resume() const { return result_; }

 private:
  friend class Transport;
  Transport& transport_;
  char* buffer_;
  std::size_t size_;
  IoResult result_;
};

class Transport::Readable : public Leaf {
 public:
  explicit Readable(Transport& t) : transport_(t) {}
  bool await_ready() const { return transport_.readable_; }
  template <class P>
  void await_suspend(std::coroutine_handle<P> awaiter) {
    if (!wait(awaiter, [](Leaf* l) { static_cast<Readable*>(l)->transport_.reader_ = nullptr; })) return;
    transport_.reader_ = this;
    transport_.reader_kind_ = Waiting::readiness;
  }
  void await_resume() const {}

 private:
  friend class Transport;
  Transport& transport_;
};

class Transport::Write : public Leaf {
 public:
  Write(Transport& t, const iovec* pieces, int count) : transport_(t), count_(count) {
    assert(count <= kPiecesMax);
    for (int i = 0; i < count; i++) pieces_[static_cast<std::size_t>(i)] = pieces[i];
  }
  bool await_ready() { return advance(); }
  template <class P>
  void await_suspend(std::coroutine_handle<P> awaiter) {
    if (!wait(awaiter, [](Leaf* l) { static_cast<Write*>(l)->transport_.writer_ = nullptr; })) return;
    transport_.writer_ = this;
  }
  IoResult await_resume() const { return result_; }

 private:
  friend class Transport;
  bool advance();  // True when all is written, or it failed.
  Transport& transport_;
  std::array<iovec, kPiecesMax> pieces_;
  int first_ = 0;
  int count_;
  IoResult result_;
};

class Transport::Connected : public Leaf {
 public:
  explicit Connected(Transport& t) : transport_(t) {}
  bool await_ready() {
    if (!transport_.writable_ && !transport_.hung_up_) return false;
    error_ = transport_.system_connect_error();
    return true;
  }
  template <class P>
  void await_suspend(std::coroutine_handle<P> awaiter) {
    if (!wait(awaiter, [](Leaf* l) { static_cast<Connected*>(l)->transport_.connector_ = nullptr; })) return;
    transport_.connector_ = this;
  }
  int await_resume() const { return error_; }

 private:
  friend class Transport;
  Transport& transport_;
  int error_ = 0;
};

inline Transport::Read Transport::read(char* buffer, std::size_t size) { return Read(*this, buffer, size); }
inline Transport::Readable Transport::readable() { return Readable(*this); }
inline Transport::Write Transport::write(const iovec* pieces, int count) { return Write(*this, pieces, count); }
inline Transport::Connected Transport::connected() { return Connected(*this); }

}  // namespace outrider
