// `outrider echo`: a service to try things with. GET answers the request's headers, POST /echo its JSON, /ws its
// frames.
#pragma once
#include <string>

#include "http/filter.h"

namespace outrider {

// The last filter of a chain. GET or HEAD of any path: 200 with the request's fields as one JSON object (names in lower
// case, repeated ones joined by ", "; `host` first). POST /echo: the body, if it is JSON (400) of at most kEchoBytesMax
// (413). GET /ws: the WebSocket handshake, then every message comes back as one frame. Other methods: 405.
class EchoService final : public Filter {
 public:
  static constexpr std::size_t kEchoBytesMax = 1 << 20;  // Of a body, and of a WebSocket message.

  // With a name, every response carries it as x-echo-name.
  explicit EchoService(std::string name) : name_(std::move(name)) {}
  Task<Response> handle(Exchange& x, Next next) const override;

 private:
  Response show_headers(Exchange& x) const;
  Task<Response> echo_body(Exchange& x) const;
  Response open_websocket(Exchange& x) const;
  Response refuse(Exchange& x, int status, std::string_view body, std::string_view details) const;
  Response bad_request(Exchange& x, Failure why) const;
  Response json(Exchange& x, std::string_view text) const;

  const std::string name_;
};

// argv[0] is the verb. Serves until SIGTERM or SIGINT; a second one ends it at once. The process' exit code.
int run_echo(int argc, const char* const* argv);

}  // namespace outrider
