// One request of an HTTP/2 connection.
#pragma once
#include "http/h2_server.h"
#include "http/server_stream.h"

namespace outrider {

class H2ServerStream final : public ServerStream {
 public:
  explicit H2ServerStream(H2Server& server);
  ~H2ServerStream();
  static void* operator new(std::size_t bytes) { return FramePool::allocate(bytes); }
  static void operator delete(void* memory, std::size_t bytes) { FramePool::deallocate(memory, bytes); }

  static H2ServerStream& of(H2Stream& stream) { return static_cast<Incoming&>(stream).owner; }
  H2Stream& stream() { return stream_; }
  // The head is there.
  void head_received();
  // There will be no head, or none that can be used: the request's line is written, and that is all.
  void refused(const h2::Fault& fault);
  // Serves the request, and deletes it. To be spawned.
  static Task<> run(H2ServerStream& s);

  bool timed = false;  // Its deadlines count.
  H2ServerStream* next = nullptr;
  H2ServerStream** link = nullptr;
  H2ServerStream* next_to_start = nullptr;

  Task<> inform(const ResponseHead& head) override;
  Task<bool> write(std::string_view data) override;
  void finish() override;

 private:
  struct Incoming final : H2Stream {
    Incoming(H2Session& session, Worker& worker, Arena& arena, H2ServerStream& o)
        : H2Stream(session, worker, arena), owner(o) {}
    H2ServerStream& owner;
  };

  std::optional<Response> admit(Exchange& x) override;
  Task<bool> send_response(Exchange& x, const Response& response) override;
  Task<bool> send_frames(Exchange& x, Body& body, Frame frame);
  Task<bool> send_tunnel_head(Exchange& x, ResponseHead& head) override;
  Body& tunnel_source(Exchange&) override { return stream_; }
  void cut_off() override { stream_.reset(h2::ErrorCode::internal_error); }
  void be_last() override {}
  void watch(bool) override {}
  TimePoint last_progress() const override { return stream_.last_progress(); }

  void ask_for_upgrade(Exchange& x);
  std::size_t put_head(Exchange& x, const ResponseHead& head, bool end);
  void note_end_of_response(Exchange& x);
  Task<> linger();
  Task<> request_end();
  void end_stream();

  H2Server& server_;
  Incoming stream_;
  HttpPin pin_;
  Exchange x_;
};

}  // namespace outrider
