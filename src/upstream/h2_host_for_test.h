// A host that speaks HTTP/2, in simulated time: what it answers is the test's to say.
#pragma once
#include <deque>
#include <memory>
#include <string>

#include "http/h2_session.h"
#include "upstream/upstream_for_test.h"

namespace outrider {

class H2Host final : private H2Session::Owner {
 public:
  // A request as it came.
  struct Asked {
    Asked(H2Session& session, Worker& worker) : stream(session, worker, arena) { stream.request = &request; }
    Arena arena;
    RequestHead request{arena};
    H2Stream stream;
    bool received = false;

    std::string line() const {
      std::string text(request.method_name);
      text += " " + std::string(request.authority) + std::string(request.path);
      return request.protocol.empty() ? text : text + " " + std::string(request.protocol);
    }
    std::string field(std::string_view name) const {
      const Field* f = request.headers.find(name);
      return f ? std::string(f->value) : "-";
    }
  };

  H2Host(TestCluster& t, std::unique_ptr<Transport> transport, h2::Options o)
      : options(o), cluster_(t), transport_(std::move(transport)) {
    options.settings.enable_connect_protocol = true;
    session.emplace(h2::Side::server, options, t.worker, *transport_, static_cast<H2Session::Owner&>(*this), stats_,
                    bytes_, bytes_);
    t.scope.spawn(run, *this);
  }

  // The next request that has not been given to the test yet.
  Task<Asked*> next() {
    while (given_ == asked.size() || !asked[given_]->received) co_await changed_.wait();
    co_return asked[given_++].get();
  }
  bool any_more() const { return given_ < asked.size(); }
  void answer(Asked& a, int status, std::string_view body = {}) {
    ResponseHead head(a.arena);
    head.status = static_cast<std::uint16_t>(status);
    session->connection().send_response(a.stream, head, body.empty());
    if (!body.empty()) (void)a.stream.send_some(body, true);
    session->touched();
  }
  // Without an end.
  void begin_answer(Asked& a, int status) {
    ResponseHead head(a.arena);
    head.status = static_cast<std::uint16_t>(status);
    session->connection().send_response(a.stream, head, false);
    session->touched();
  }
  // The whole body, with "<trailers>" or "<reset>" behind it.
  Task<std::string> body(Asked& a) {
    std::string text;
    for (;;) {
      Frame frame = co_await a.stream.pull(BlockPool::kBodyBytes);
      text += frame.data;
      if (frame.kind == Frame::Kind::trailers) text += "<trailers>";
      if (frame.is_reset()) text += "<reset " + std::to_string(static_cast<int>(a.stream.reset_code())) + ">";
      if (frame.last) co_return text;
    }
  }
  // Says that streams above `last` are not served, and that no more are taken.
  void go_away(h2::StreamId last) { session->send_goaway(last, h2::ErrorCode::no_error); }
  void close() { session->stop(); }
  Task<> until_over() {
    while (!over) co_await changed_.wait();
  }

  h2::Options options;
  std::deque<std::unique_ptr<Asked>> asked;
  std::optional<H2Session> session;
  bool over = false;
  int pings = 0;

 private:
  static Task<> run(H2Host& h) {
    struct Ending {
      H2Host& host;
      ~Ending() {
        host.over = true;
        host.transport_.reset();
        host.changed_.notify_all();
      }
    } ending{h};
    co_await h.session->run({});
  }
  H2Stream* stream_opens() override {
    asked.push_back(std::make_unique<Asked>(*session, cluster_.worker));
    return &asked.back()->stream;
  }
  void request_received(H2Stream& stream) override {
    for (auto& a : asked) a->received = a->received || &a->stream == &stream;
    changed_.notify_all();
  }
  void stream_failed(H2Stream&, const h2::Fault&) override {}
  void capacity_changed() override {}
  void ping_answered(std::uint64_t) override {}

  TestCluster& cluster_;
  std::unique_ptr<Transport> transport_;
  StatBlock stats_{h2_stat_table()};
  Cell bytes_;
  std::size_t given_ = 0;
  Signal changed_;
};

// A proxy whose hosts speak HTTP/2. They live until the test has ended.
class H2TestProxy : public TestProxy {
 public:
  explicit H2TestProxy(int hosts = 1) : TestProxy(hosts) {
    h2->codec.settings.max_concurrent_streams = 100;
    h2->stats = h2_stats;
    options.h2 = h2;
    route.timeout = {};
  }
  void run(Task<> (*body)(H2TestProxy&)) {
    body_ = body;
    TestProxy::run([](TestProxy& p) -> Task<> {
      auto& self = static_cast<H2TestProxy&>(p);
      co_await self.body_(self);
      for (auto& host : self.made_) host->asked.clear();
      self.clients_.clear();
    });
    made_.clear();
  }
  // The next connection of the proxy.
  Task<H2Host*> host(std::size_t index = 0, h2::Options o = {}) {
    auto accepted = co_await acceptor(index).accept();
    co_return made_.emplace_back(std::make_unique<H2Host>(*this, std::move(accepted.transport), o)).get();
  }
  // A client's connection, and a request on it.
  TestClient& get(std::string_view path = "/", std::string_view fields = "") {
    auto& client = clients_.emplace_back(std::make_unique<TestClient>(connect()));
    requests_.push_back("GET " + std::string(path) + " HTTP/1.1\r\nhost: h\r\nconnection: close\r\n" +
                        std::string(fields) + "\r\n");
    scope.spawn(send, *client, requests_.back());
    return *client;
  }
  // "200 body" and how the connection ended, behind the only answer on it.
  Task<std::string> answer(TestClient& client) {
    std::string all = co_await client.read_all();
    std::size_t body = all.find("\r\n\r\n");
    if (body == std::string::npos) co_return all;
    std::string text = all.substr(9, 3) + " ";
    if (all.find("transfer-encoding: chunked") > body) co_return text + all.substr(body + 4);
    for (std::size_t at = body + 4;;) {
      std::size_t line = all.find("\r\n", at);
      std::size_t size = line == std::string::npos ? 0 : std::stoul(all.substr(at, line - at), nullptr, 16);
      if (size == 0) co_return text + (line == std::string::npos ? all.substr(at) : all.substr(line + 4));
      text += all.substr(line + 2, size);
      at = line + 2 + size + 2;
    }
  }
  std::uint64_t h2_count(H2Stat stat) const { return h2_stats->value(static_cast<std::size_t>(stat)); }

  std::shared_ptr<H2Options> h2 = std::make_shared<H2Options>();
  std::shared_ptr<StatScope> h2_stats = registry.scope("cluster.c.http2.", h2_stat_table());

 private:
  static Task<> send(TestClient& client, std::string& text) { co_await client.send(text); }
  Task<> (*body_)(H2TestProxy&) = nullptr;
  std::deque<std::string> requests_;
  std::deque<std::unique_ptr<TestClient>> clients_;
  std::deque<std::unique_ptr<H2Host>> made_;
};

}  // namespace outrider
