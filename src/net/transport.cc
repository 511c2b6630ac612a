#include "net/transport.h"

namespace outrider {

IoResult Transport::try_read(char* buffer, std::size_t size) {
  assert(size > 0 && "a read of nothing looks like the end");
  if (!readable_) return IoResult::blocked();
  IoResult r = system_read(buffer, size);
  if (r.ok()) {
    last_progress_ = Worker::current()->now();
    bytes_read_ += r.bytes;
  }
  // A short read means drained: the next bytes bring an event of their own. A hang-up has already had its event.
  if (r.state == IoResult::State::would_block || (r.ok() && r.bytes < size && !hung_up_)) readable_ = false;
  return r;
}

IoResult Transport::try_write(const iovec* pieces, int count) {
  if (!writable_) return IoResult::blocked();
  IoResult r = system_write(pieces, count);
  if (r.ok()) {
    last_progress_ = Worker::current()->now();
    bytes_written_ += r.bytes;
  }
  if (r.state == IoResult::State::would_block) writable_ = false;
  return r;
}

void Transport::interrupt_reader() {
  Leaf* leaf = std::exchange(reader_, nullptr);
  if (!leaf) return;
  if (reader_kind_ == Waiting::readiness) {
    static_cast<Readable*>(leaf)->finish();
  } else {
    static_cast<Read*>(leaf)->finish();  // Its result still says would_block.
  }
}

void Transport::notify_readable() {
  readable_ = true;
  Leaf* leaf = reader_;
  if (!leaf) return;
  if (reader_kind_ == Waiting::readiness) {
    reader_ = nullptr;
    static_cast<Readable*>(leaf)->finish();
    return;
  }
  auto* read = static_cast<Read*>(leaf);
  read->result_ = try_read(read->buffer_, read->size_);
  if (read->result_.state == IoResult::State::would_block) return;
  reader_ = nullptr;
  read->finish();
}

void Transport::notify_writable() {
  writable_ = true;
  if (Connected* c = connector_) {
    c->error_ = system_connect_error();
    connector_ = nullptr;
    c->finish();
  }
  if (Write* w = writer_) {
    if (!w->advance()) return;
    writer_ = nullptr;
    w->finish();
  }
}

void Transport::notify_hangup() {
  if (hung_up_) return;
  hung_up_ = true;
  if (Connected* c = connector_) {
    c->error_ = system_connect_error();
    connector_ = nullptr;
    c->finish();
  }
  if (HangupHook* hook = hook_) hook->on_hangup(hook);
}

bool Transport::Write::advance() {
  for (;;) {
    if (first_ == count_) return true;
    IoResult r = transport_.try_write(&pieces_[static_cast<std::size_t>(first_)], count_ - first_);
    if (r.state == IoResult::State::would_block) return false;
    if (!r.ok()) {
      result_ = r;
      return true;
    }
    result_.bytes += r.bytes;
    std::size_t left = r.bytes;
    while (first_ < count_ && left >= pieces_[static_cast<std::size_t>(first_)].iov_len) {
      left -= pieces_[static_cast<std::size_t>(first_)].iov_len;
      first_++;
    }
    if (first_ < count_ && left) {
      iovec& piece = pieces_[static_cast<std::size_t>(first_)];
      piece.iov_base = static_cast<char*>(piece.iov_base) + left;
      piece.iov_len -= left;
    }
  }
}

}  // namespace outrider
