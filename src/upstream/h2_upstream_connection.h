// A connection of HTTP/2 to a host, which the requests of one worker share.
#pragma once
#include <optional>

#include "http/h2_pings.h"
#include "http/h2_session.h"
#include "upstream/pool.h"

namespace outrider {

// Destroys itself: when it has ended and no stream refers to it any more.
class H2UpstreamConnection final : private H2Session::Owner {
 public:
  // Its streams hold on to it: while one is attached, the connection is in use.
  class Use {
   public:
    explicit Use(H2UpstreamConnection& connection);
    Use(const Use&) = delete;
    ~Use();
    // The stream is over: others may take its place.
    void leave();
    H2UpstreamConnection& operator*() const { return connection_; }
    H2UpstreamConnection* operator->() const { return &connection_; }

   private:
    H2UpstreamConnection& connection_;
    bool left_ = false;
  };

  // Begins to connect, within the breaker's count, and joins the pool's connections. An answer: it cannot even begin.
  static std::optional<Acquired> open(EndpointPool& pool, Breaker& breaker);

  // One of these that has room for another stream; null: none has.
  static H2UpstreamConnection* with_room(H2Connections& connections);

  // Of one that stands.
  H2Session& session() { return *session_; }
  // Sends the request of a stream of the session; there was room when the Use was made. `end`: nothing follows it.
  void open_stream(H2Stream& stream, bool end);
  std::uint64_t id() const { return id_; }
  TimePoint created() const { return created_; }
  TimePoint connected() const { return connected_; }
  const Address& local() const { return local_; }
  // The peer has said that it takes no more streams.
  bool told_to_go() const { return told_to_go_; }

 private:
  friend class Use;
  friend struct H2Connections;
  struct Alarm : Timer {
    H2UpstreamConnection* owner = nullptr;
  };

  H2UpstreamConnection(EndpointPool& pool, std::unique_ptr<UpstreamConnection> base);
  ~H2UpstreamConnection();

  static Task<> run(H2UpstreamConnection& c);
  void stand();
  void fail(const Acquired& failure);
  void end();
  void release();

  bool has_room() const;
  void find_place();
  void leave_ready();
  void drain();
  // Ends it if nobody uses it and nobody will.
  void end_if_done();
  void plan();
  void expire();
  TimePoint next_deadline() const;

  H2Stream* stream_opens() override { return nullptr; }
  void request_received(H2Stream&) override {}
  void stream_failed(H2Stream& stream, const h2::Fault& fault) override;
  void capacity_changed() override;
  void ping_answered(std::uint64_t opaque) override;

  EndpointPool* pool_;  // Null behind its end.
  std::unique_ptr<UpstreamConnection> base_;
  const std::shared_ptr<const H2Options> options_;
  const std::uint64_t id_;
  const TimePoint created_;
  TimePoint connected_{};
  Address local_;
  std::optional<H2Session> session_;  // From when it stands.
  std::optional<H2Pings> pings_;
  Alarm alarm_;
  TimePoint alarm_at_ = TimePoint::max();
  TimePoint idle_since_{};
  long references_ = 1;  // Its own run, and streams.
  long attached_ = 0;    // Streams that are not over.
  std::uint64_t requests_ = 0;
  bool draining_ = false;  // It takes no more streams.
  bool told_to_go_ = false;
  bool ended_by_us_ = false;
  bool in_ready_ = false;
  H2UpstreamConnection *newer_ = nullptr, *older_ = nullptr;
  H2UpstreamConnection *ready_newer_ = nullptr, *ready_older_ = nullptr;
};

// Waits until a connection to that host has room for a stream, which is to be opened at once; makes another connection
// where those that are coming about are not enough, within the circuit breakers' limits.
Task<Acquired> acquire_h2(EndpointPool& pool, Breakers& breakers);

}  // namespace outrider
