// The body of an HTTP/1 message as it comes from a connection; the same for requests and responses.
#pragma once
#include "core/worker.h"
#include "http/inbox.h"
#include "http/received_body.h"
#include "net/transport.h"
#include "observe/counters.h"
#include "wire/h1.h"

namespace outrider {

// Reads from the inbox what came with the head, then from the transport into a block of its own: at most one
// BlockPool::kBodyBytes is buffered. At its end, bytes of the next message are put back into the inbox.
class H1Body : public ReceivedBody {
 public:
  // All outlive the body. `received` counts bytes read from the transport; no read takes more than `read_max` > 0.
  H1Body(Worker& worker, Transport& transport, Inbox& inbox, const h1::Limits& limits, h1::BodyFraming framing,
         Arena& arena, Cell& received, std::size_t read_max);

  Frame poll(std::size_t max) override;
  Task<Frame> pull(std::size_t max) override;
  std::optional<std::uint64_t> length() const override;

  // Before the first read from the transport, `100 Continue` is written to the peer.
  void continue_first() { continue_first_ = true; }
  // The response begins: no informational one may follow.
  void continue_no_more() { continue_first_ = false; }
  bool continue_owed() const { return continue_first_; }
  // It is written in part: stopped there, nothing else can be said.
  bool continue_unfinished() const { return continue_unfinished_; }
  bool continue_sent() const { return continue_sent_; }
  // The body has ended, and what follows it on the connection is a tunnel: its bytes are read from here on.
  void become_tunnel();
  // Nobody looks at the head in the inbox any more: its memory goes back to the pool as soon as the bytes that came
  // with the head are used, so that all bodies pass through the few buffers that are warm in the cache.
  void free_inbox() { inbox_free_ = true; }
  // Puts unused bytes back into the inbox and gives the block back. The head's views must not be used any more.
  void settle();

 private:
  Frame finish(Frame frame);
  void mark_ended();
  Frame poll_plain(std::size_t max);
  Frame poll_chunked(std::size_t max);
  bool closing_chunk_follows();
  Frame more(IoResult read);
  std::size_t window_size() const { return static_cast<std::size_t>(window_end_ - window_); }
  void prepare_block();

  Worker& worker_;
  Transport& transport_;
  Inbox& inbox_;
  h1::BodyFraming framing_;
  std::uint64_t remaining_ = 0;
  h1::ChunkDecoder decoder_;
  Headers trailers_;
  Cell& received_;
  const std::size_t read_max_;
  Block block_;
  char* window_;  // Bytes at hand: in the inbox at first, then in the block.
  char* window_end_;
  bool in_block_ = false;
  bool continue_first_ = false;
  bool continue_unfinished_ = false;
  bool continue_sent_ = false;
  bool inbox_free_ = false;
};

}  // namespace outrider
