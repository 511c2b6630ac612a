// What the tests of this layer share: one HTTP service in simulated time, and clients that speak bytes.
#pragma once
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/simulated_poller.h"
#include "http/access_log.h"
#include "http/format.h"
#include "http/h2_options.h"
#include "http/serve.h"
#include "net/simulated_network.h"

namespace outrider {

class TestService;

// The last filter: whatever the test says.
class TestFilter final : public Filter {
 public:
  using Handler = Task<Response> (*)(TestService&, Exchange&);
  TestFilter(TestService& service, Handler& handler) : service_(service), handler_(handler) {}
  OUTRIDER_FORWARDS Task<Response> handle(Exchange& x, Next) const override { return handler_(service_, x); }

 private:
  TestService& service_;
  Handler& handler_;
};

class CapturedLog final : public AccessLog {
 public:
  explicit CapturedLog(std::vector<std::string>& lines) : lines_(lines) {}
  void write(const Exchange& x) override { format_.append(x, lines_.emplace_back()); }

 private:
  std::vector<std::string>& lines_;
  Format format_ =
      *Format::compile("%REQ(:METHOD)% %REQ(:PATH)% %RESPONSE_CODE% %RESPONSE_FLAGS% %RESPONSE_CODE_DETAILS%");
};

class TestClient {
 public:
  explicit TestClient(std::unique_ptr<Transport> t) : transport_(std::move(t)) {}
  Transport& transport() { return *transport_; }
  void close() { transport_.reset(); }

  Task<> send(std::string_view bytes) {
    iovec piece{const_cast<char*>(bytes.data()), bytes.size()};
    co_await transport_->write(&piece, 1);
  }
  // What came up to and with the marker; if the connection ends before, everything and "<end>" or "<reset>".
  Task<std::string> read_to(std::string_view marker) {
    for (std::size_t searched = 0;;) {
      std::size_t at = unread_.find(marker, searched);
      if (at != std::string::npos) {
        std::string text = unread_.substr(0, at + marker.size());
        unread_.erase(0, text.size());
        co_return text;
      }
      searched = unread_.size() - std::min(unread_.size(), marker.size());
      char buffer[4096];
      IoResult r = co_await transport_->read(buffer, sizeof buffer);
      if (!r.ok()) co_return std::exchange(unread_, "") + (r.state == IoResult::State::end ? "<end>" : "<reset>");
      unread_.append(buffer, r.bytes);
    }
  }
  OUTRIDER_FORWARDS Task<std::string> read_all() { return read_to("\1 no such bytes"); }
  Task<std::string> ask(std::string_view request, std::string_view marker) {
    co_await send(request);
    co_return co_await read_to(marker);
  }

 private:
  std::unique_ptr<Transport> transport_;
  std::string unread_;
};

class TestService {
 public:
  TestService() {
    options->stats = registry.scope("http.test.", http_stat_table());
    auto h2 = std::make_shared<H2Options>();
    h2->stats = registry.scope("http2.", h2_stat_table());
    options->h2 = h2;
    options->server_name = "test";
    options->generate_request_id = false;
    options->filters.add(std::make_unique<TestFilter>(*this, handler));
    options->access_logs.push_back(std::make_shared<CapturedLog>(log));
  }

  // Runs the body beside the service. Ends with it: every connection must then be closed.
  void run(Task<> (*body)(TestService&)) {
    EXPECT_TRUE(worker.run(serve_and_run(*this, body))) << "the test waits for something that never comes";
    EXPECT_EQ(network.open_ends(), 0);
    EXPECT_EQ(worker.blocks().in_use(), 0u);
  }

  std::unique_ptr<Transport> connect() { return std::move(*network.connect(kAddress)); }
  SimulatedPath& path() { return network.path(kAddress); }
  std::uint64_t count(HttpStat stat) const { return options->stats->value(static_cast<std::size_t>(stat)); }
  std::uint64_t count(H2Stat stat) const { return options->h2->stats->value(static_cast<std::size_t>(stat)); }
  Duration elapsed() { return clock.now() - begin; }

  static inline const Address kAddress = *Address::parse("10.0.0.1", 80);

  SimulatedClock clock;
  SimulatedPoller poller{clock};
  Worker worker{0, clock, poller, 1};
  SimulatedNetwork network{worker};
  StatRegistry registry;
  std::shared_ptr<HttpOptions> options = std::make_shared<HttpOptions>();
  std::shared_ptr<StatScope> listener_stats = registry.scope("listener.test.", listener_stat_table());
  TestFilter::Handler handler = [](TestService&, Exchange& x) -> Task<Response> {
    co_return x.reply(200, x.request.path, "direct_response");
  };
  std::vector<std::string> log;  // A line for each request that ended.
  std::shared_ptr<HttpSlot> slot;
  ServiceWorker service{worker, network, nullptr, nullptr, {}};
  Signal signal;     // For handlers and bodies to talk.
  std::string seen;  // What a handler wants to tell.
  TimePoint begin = clock.now();

 private:
  static Task<> take_connections(TestService& s, Acceptor& acceptor, Scope& connections) {
    for (;;) {
      auto accepted = co_await acceptor.accept();
      connections.spawn(serve, s.service, std::move(accepted.transport), s.slot, StatScope::local(s.listener_stats, 0));
    }
  }
  static Task<> run_beside(TestService& s, Task<> (*body)(TestService&), Acceptor& acceptor, Scope& connections) {
    connections.spawn(take_connections, s, acceptor, connections);
    co_await body(s);
  }
  static Task<> serve_and_run(TestService& s, Task<> (*body)(TestService&)) {
    s.slot = std::make_shared<HttpSlot>(s.options, 0);
    auto acceptor = s.network.acceptor(s.network.listen_on(kAddress));
    Scope connections;
    co_await connections.run(run_beside(s, body, *acceptor, connections));
    s.slot.reset();
  }
};

}  // namespace outrider
