#include "upstream/grpc_answer.h"

#include "http/grpc_status.h"
#include "http/watched_body.h"

namespace outrider {
namespace {

void count(Endpoint& host, const Headers* from) {
  auto said = from ? grpc_status_of(*from) : std::nullopt;
  bool good = said && http_status_of_grpc(*said) < 500;
  (good ? host.numbers.rq_success : host.numbers.rq_error).fetch_add(1, std::memory_order_relaxed);
}

// The status is in the trailers.
class CountedAnswer final : public WatchedBody {
 public:
  CountedAnswer(Endpoint& host, Body& source) : WatchedBody(source), host_(host) {}

 private:
  Frame watched(Frame frame) override {
    if (frame.last && !std::exchange(counted_, true)) count(host_, frame.trailers);
    return frame;
  }
  Endpoint& host_;
  bool counted_ = false;
};

}  // namespace

int status_of_answer(const Exchange& x, const ResponseHead& head) {
  auto said = is_grpc_request(x.request) ? grpc_status_of(head.headers) : std::nullopt;
  return said ? http_status_of_grpc(*said) : head.status;
}

void count_grpc_answer(Exchange& x, Endpoint& host, Response& response) {
  if (response.body->length() == 0) {
    count(host, &response.head->headers);
  } else {
    response.body = &x.arena.make_owned<CountedAnswer>(host, *response.body);
  }
}

}  // namespace outrider
