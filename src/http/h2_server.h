// HTTP/2 on a client's connection: its streams, how it is kept alive, and how it ends.
#pragma once
#include "http/h2_pings.h"
#include "http/h2_session.h"
#include "http/server_connection.h"

namespace outrider {

class H2ServerStream;

// Details of a request whose connection broke the rules of HTTP/2, Envoy's for all of them.
inline constexpr std::string_view kCodecError = "codec_error:The_user_callback_function_failed";

class H2Server final : public ServerProtocol, H2Session::Owner {
 public:
  // The configuration of the connection is the one that it begins with, but for what belongs to requests.
  explicit H2Server(ServerConnection& c);
  ~H2Server();

  // Until the connection is done. `begun`: bytes that were read before.
  Task<> run(Inbox begun);

  TimePoint next_deadline() const override;
  void expire(TimePoint now) override;
  void drain() override;
  void end_behind_request() override;

 private:
  friend class H2ServerStream;

  H2Stream* stream_opens() override;
  void request_received(H2Stream& stream) override;
  void received() override;
  void stream_reset(H2Stream& stream, h2::ErrorCode code) override;
  void stream_failed(H2Stream& stream, const h2::Fault& fault) override;
  void capacity_changed() override {}
  void ping_answered(std::uint64_t opaque) override;

  Task<> serve(Inbox& begun);
  void begin_to_end(TimePoint now);
  void end_now();
  void note_end();
  void end_streams();
  // Of a stream: it is over, and how.
  void ended(const H2ServerStream& stream);

  ServerConnection& connection_;
  const std::shared_ptr<const HttpOptions> options_;
  H2Session session_;
  H2Pings pings_;
  Scope scope_;                        // Of the requests in progress.
  H2ServerStream* streams_ = nullptr;  // All, the newest first.
  H2ServerStream* starting_ = nullptr;
  H2ServerStream** starting_tail_ = &starting_;
  TimePoint idle_since_;
  Signal none_left_;
  std::uint64_t ended_count_ = 0, premature_resets_ = 0;
};

}  // namespace outrider
