// The small messages of one turn of the event loop, sent together at its end. Sending them back to back keeps the
// kernel's way of sending in the processor's caches, and wakes a peer on this machine once instead of once a message.
#pragma once
#include <sys/uio.h>

#include <array>
#include <cstddef>

namespace outrider {

// Who has messages in an Outbox. Flushes it before it ends.
class DeferredSender {
 public:
  // Sends now, as far as that goes; a failure is the sender's to remember.
  virtual void send_deferred(const char* bytes, std::size_t size) = 0;

 protected:
  ~DeferredSender() = default;
};

class Outbox {
 public:
  static constexpr std::size_t kMessageBytesMax = 2048;  // Larger ones are worth a system call of their own at once.
  static constexpr std::size_t kMessagesMax = 64;        // The first one waits for the others.

  // Copies the message. Only for a sender that has none in here: each must learn what came of the last one.
  void put(DeferredSender& sender, const iovec* pieces, int count, std::size_t size);
  void flush();

 private:
  struct Message {
    DeferredSender* sender;
    std::size_t end;  // Its bytes begin where those of the one before end.
  };
  std::size_t count_ = 0;
  std::array<Message, kMessagesMax> messages_;
  std::array<char, kMessagesMax * kMessageBytesMax> bytes_;
};

}  // namespace outrider
