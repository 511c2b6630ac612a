#include "net/outbox.h"

#include <cassert>
#include <cstring>

namespace outrider {

void Outbox::put(DeferredSender& sender, const iovec* pieces, int count, std::size_t size) {
  assert(size <= kMessageBytesMax);
  if (count_ == kMessagesMax) flush();
  std::size_t at = count_ == 0 ? 0 : messages_[count_ - 1].end;
  for (int i = 0; i < count; i++) {
    std::memcpy(bytes_.data() + at, pieces[i].iov_base, pieces[i].iov_len);
    at += pieces[i].iov_len;
  }
  messages_[count_++] = {&sender, at};
}

void Outbox::flush() {
  std::size_t begin = 0;
  for (std::size_t i = 0; i < count_; i++) {
    messages_[i].sender->send_deferred(bytes_.data() + begin, messages_[i].end - begin);
    begin = messages_[i].end;
  }
  count_ = 0;
}

}  // namespace outrider
