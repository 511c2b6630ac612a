// One connection of HTTP/2 at work, whichever side of it we are: a codec, a transport, and what its streams send and
// receive. Everything that is written in one turn of the event loop goes out in one write.
#pragma once
#include <memory>
#include <vector>

#include "core/scope.h"
#include "http/http_stats.h"
#include "http/inbox.h"
#include "http/received_body.h"
#include "net/transport.h"
#include "wire/h2_connection.h"

namespace outrider {

class H2Session;

// One request and its response on it. What the peer sends is its Body: pulled by one reader, and granted to the peer
// anew as it is pulled.
class H2Stream : public h2::Stream, public ReceivedBody {
 public:
  H2Stream(H2Session& session, Worker& worker, Arena& arena);
  ~H2Stream() override;  // Resets the stream if it is still open.

  Frame poll(std::size_t max) override;
  Task<Frame> pull(std::size_t max) override;
  std::optional<std::uint64_t> length() const override;

  // Nothing came behind the head, not even an empty frame.
  bool ended_with_head() const { return ended_with_head_; }
  // How it was broken off: by the peer, by us, or with its connection. None: it was not.
  bool broken() const { return failure_ != Failure::none; }
  Failure failure() const { return failure_; }
  h2::ErrorCode reset_code() const { return reset_code_; }
  // Client: the informational heads that have come before `response`, one after the other; null: no more so far. More
  // than kInterimHeadsMax of them, or than kInterimBytesMax of names and values, break the stream.
  static constexpr int kInterimHeadsMax = 1000;
  static constexpr std::size_t kInterimBytesMax = 64 * 1024;
  ResponseHead* next_interim();
  // When anything last came, or went.
  TimePoint last_progress() const { return last_progress_; }
  // Ends it at once, in both directions, if it has not ended. Nothing more is told of it.
  void reset(h2::ErrorCode code);

  // Sends the frame as the windows allow. False: the stream is no more. To be called by one task at a time.
  Task<bool> send(const Frame& frame);
  // The same as far as it goes without waiting: how much of the data was sent.
  std::size_t send_some(std::string_view data, bool end);
  // No more is sent on it.
  void end();
  // Until the connection has room for a head; false: the stream is no more. (Bodies wait by themselves.)
  Task<bool> until_room();
  // co_await changed().wait(): a head, bytes, an end or a failure has come.
  Signal& changed() { return changed_; }

 private:
  friend class H2Session;
  struct Piece {
    Block block;
    std::size_t begin = 0, end = 0;
  };

  Task<bool> room_for(std::string_view waiting);
  void append(std::string_view data);
  void drop_pieces();
  Piece* oldest();
  bool take_interim();
  void end_received();
  void fail(Failure failure, h2::ErrorCode code);

  H2Session& session_;
  Worker& worker_;
  // What has come and has not been read.
  Piece newest_;
  std::vector<Piece> older_;  // Full ones before it, in order.
  std::size_t older_used_ = 0;
  std::uint64_t unread_ = 0;
  bool whole_ = false;  // The peer has said all: what becomes of our side is nothing to it (RFC 9113 section 8.1).
  bool ended_with_head_ = false;
  std::vector<ResponseHead*> interims_;
  int interims_count_ = 0;
  std::size_t interims_bytes_ = 0;
  bool end_told_ = false;
  bool counted_ = false;
  Failure failure_ = Failure::none;
  h2::ErrorCode reset_code_ = h2::ErrorCode::no_error;
  TimePoint last_progress_;
  Signal changed_;
  Signal may_send_;
};

class H2Session final : private h2::Events {
 public:
  // Told of what does not concern one stream alone. Outlives the session.
  class Owner {
   public:
    // Server: a request begins. The stream has its `request`; it outlives its use by the session (see ~H2Stream). Null:
    // it is refused.
    virtual H2Stream* stream_opens() = 0;
    // Server: the request's head is there.
    virtual void request_received(H2Stream& stream) = 0;
    // The peer has ended the stream before its time.
    virtual void stream_reset(H2Stream&, h2::ErrorCode) {}
    // What one read brought has all been told.
    virtual void received() {}
    // A message broke the rules; its stream has failed.
    virtual void stream_failed(H2Stream& stream, const h2::Fault& fault) = 0;
    // Client: how many streams may be open has changed, or none may be opened any more.
    virtual void capacity_changed() = 0;
    virtual void ping_answered(std::uint64_t opaque) = 0;

   protected:
    ~Owner() = default;
  };

  // What waits to be sent; beyond this, bodies wait.
  static constexpr std::size_t kOutputBytesMax = 256 * 1024;

  // All outlive it. `stats` are of H2Stat; `received` and `sent` count bytes.
  H2Session(h2::Side side, const h2::Options& options, Worker& worker, Transport& transport, Owner& owner,
            StatBlock& stats, Cell& received, Cell& sent);
  H2Session(const H2Session&) = delete;

  // Reads and writes until the connection ends, by whomever; then every stream that is still open has failed.
  // `begun`: bytes that were read before.
  Task<> run(Inbox begun);
  // No more is read; what is written still goes out, for a moment. Ends run().
  void stop();

  // Client: sends the stream's request, which may_open() allows. `end`: nothing follows it.
  void open(H2Stream& stream, bool end);
  void send_goaway(h2::StreamId last, h2::ErrorCode code);
  // Ends the connection as one that has lost its peer's attention: no answer to a PING.
  void count_keepalive_timeout() { stats_[H2Stat::keepalive_timeout].add(); }

  h2::Connection& connection() { return connection_; }
  bool over() const { return over_; }
  bool may_open() const { return !over_ && connection_.may_open(); }
  // To be called behind whatever writes to the connection.
  void touched() {
    if (connection_.failed()) transport_.interrupt_reader();  // By what was written: who reads knows nothing of it.
    if (!connection_.output().empty()) to_write_.notify_one();
  }
  // So much waits to be sent that nothing may be added.
  bool full() { return connection_.output().size() + sending_.size() >= kOutputBytesMax; }
  // Of a body, how much may be sent now.
  std::size_t sendable(const H2Stream& stream);
  TimePoint last_frame() const { return transport_.last_progress(); }

 private:
  friend class H2Stream;

  h2::Stream* stream_opens(h2::StreamId id) override;
  void stream_refused() override;
  void head_received(h2::Stream& stream) override;
  void data_received(h2::Stream& stream, std::string_view data) override;
  void remote_ended(h2::Stream& stream) override;
  void stream_reset(h2::Stream& stream, h2::ErrorCode code) override;
  void stream_failed(h2::Stream& stream, const h2::Fault& fault) override;
  void window_opened(h2::Stream& stream) override;
  void settings_received() override { owner_.capacity_changed(); }
  void goaway_received(h2::StreamId, h2::ErrorCode) override { owner_.capacity_changed(); }
  void ping_answered(std::uint64_t opaque) override { owner_.ping_answered(opaque); }

  static Task<> write(H2Session& self);
  void take(std::string_view bytes);
  Task<> read(Inbox& begun);
  Task<> read_and_write(Inbox& begun);
  Task<> flush();
  void end();
  void wake_senders();
  void begin(H2Stream& stream);
  void count_fault(const h2::Fault& fault);

  Worker& worker_;
  Transport& transport_;
  Owner& owner_;
  StatBlock& stats_;
  Cell& received_;
  Cell& sent_;
  h2::Connection connection_;
  SendBuffer sending_;
  Scope scope_;
  Signal to_write_;
  bool senders_wait_ = false;  // For room in the output.
  bool over_ = false;
};

}  // namespace outrider
