#include "http/h2_session.h"

#include <deque>

#include "core/simulated_for_test.h"
#include "net/simulated_network.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Address kServer = *Address::parse("10.0.0.1", 80);

// One stream with all that it needs.
struct Talk {
  Talk(H2Session& session, Worker& worker) : stream(session, worker, arena) {
    request.authority = "a";
    request.path = "/";
  }
  Arena arena;
  RequestHead request{arena};
  ResponseHead response{arena};
  H2Stream stream;
};

class Both;

// The server's side: what it does with a request is the test's to say.
class TestServer final : public H2Session::Owner {
 public:
  explicit TestServer(Both& both) : both_(both) {}
  H2Stream* stream_opens() override;
  void request_received(H2Stream& stream) override;
  void stream_failed(H2Stream&, const h2::Fault&) override {}
  void capacity_changed() override {}
  void ping_answered(std::uint64_t) override {}
  std::deque<Talk> talks;

 private:
  Both& both_;
};

class TestClient final : public H2Session::Owner {
 public:
  H2Stream* stream_opens() override { return nullptr; }
  void request_received(H2Stream&) override {}
  void stream_failed(H2Stream&, const h2::Fault&) override {}
  void capacity_changed() override { capacity.notify_all(); }
  void ping_answered(std::uint64_t) override {}
  Signal capacity;
};

class Both : public Simulated {
 public:
  using Serve = Task<> (*)(Both&, Talk&);

  // Runs the body beside two sessions that talk to each other.
  void run(Serve serving, Task<> (*body)(Both&)) {
    serve = serving;
    EXPECT_TRUE(worker_.run(connect_and_run(*this, body))) << "the test waits for something that never comes";
    EXPECT_EQ(worker_.blocks().in_use(), 0u);
  }
  Talk& ask(bool end = true) {
    Talk& talk = asked.emplace_back(*client, worker_);
    talk.stream.request = &talk.request;
    talk.stream.response = &talk.response;
    client->open(talk.stream, end);
    return talk;
  }

  SimulatedNetwork network_{worker_};
  h2::Options options_;
  StatBlock stats_{h2_stat_table()};
  Cell received_, sent_;
  TestServer server_owner_{*this};
  TestClient client_owner_;
  std::unique_ptr<Transport> client_transport_, server_transport_;
  std::unique_ptr<H2Session> client, server;
  std::deque<Talk> asked;
  Scope scope;
  Serve serve = nullptr;

 private:
  static Task<> run_session(H2Session& session) { co_await session.run({}); }
  static Task<> run_body(Both& b, Task<> (*body)(Both&)) {
    b.scope.spawn(run_session, *b.server);
    b.scope.spawn(run_session, *b.client);
    co_await body(b);
  }
  static Task<> connect_and_run(Both& b, Task<> (*body)(Both&)) {
    auto acceptor = b.network_.acceptor(b.network_.listen_on(kServer));
    b.client_transport_ = std::move(*b.network_.connect(kServer));
    b.server_transport_ = std::move((co_await acceptor->accept()).transport);
    EXPECT_EQ(co_await b.client_transport_->connected(), 0);
    b.options_.settings.max_concurrent_streams = 100;
    b.client = std::make_unique<H2Session>(h2::Side::client, b.options_, b.worker_, *b.client_transport_,
                                           b.client_owner_, b.stats_, b.received_, b.sent_);
    b.server = std::make_unique<H2Session>(h2::Side::server, b.options_, b.worker_, *b.server_transport_,
                                           b.server_owner_, b.stats_, b.received_, b.sent_);
    co_await b.scope.run(run_body(b, body));
    b.asked.clear();
    b.server_owner_.talks.clear();
    b.client.reset();
    b.server.reset();
    b.client_transport_.reset();
    b.server_transport_.reset();
  }
};

H2Stream* TestServer::stream_opens() {
  Talk& talk = talks.emplace_back(*both_.server, both_.worker_);
  talk.stream.request = &talk.request;
  return &talk.stream;
}

void TestServer::request_received(H2Stream& stream) {
  for (Talk& talk : talks) {
    if (&talk.stream == &stream) both_.scope.spawn(both_.serve, both_, talk);
  }
}

Task<> echo(Both& b, Talk& talk) {
  b.server->connection().send_response(talk.stream, talk.response, false);
  b.server->touched();
  for (;;) {
    Frame frame = co_await talk.stream.pull(10'000);
    if (!co_await talk.stream.send(frame) || frame.last) co_return;
  }
}

Task<> answer_at_once(Both& b, Talk& talk) {
  b.server->connection().send_response(talk.stream, talk.response, true);
  b.server->touched();
  co_return;
}

Task<> ignore(Both&, Talk&) { co_await sleep(std::chrono::hours(1)); }

Task<std::string> read_all(Talk& talk) {
  std::string text;
  for (;;) {
    Frame frame = co_await talk.stream.pull(1 << 20);
    if (frame.is_data()) text += frame.data;
    if (frame.kind == Frame::Kind::trailers) text += " trailers " + std::string(frame.trailers->value("t"));
    if (frame.is_reset()) text += " reset";
    if (frame.last) co_return text;
  }
}

std::string pattern(std::size_t size) {
  std::string text(size, '\0');
  for (std::size_t i = 0; i < size; i++) text[i] = static_cast<char>('a' + i % 23);
  return text;
}

Task<> upload(Both& b, Talk& talk) {
  std::string text = pattern(1 << 20);
  EXPECT_TRUE(co_await talk.stream.send(Frame::bytes(text, false)));
  Headers trailers(talk.arena);
  trailers.add("t", "1");
  EXPECT_TRUE(co_await talk.stream.send(Frame::with_trailers(trailers)));
  b.note("sent");
}

TEST_F(Both, CarryABodyThatIsLargerThanTheWindowsBothWays) {
  network_.path(kServer).segment_bytes_max = 5000;
  run(echo, [](Both& b) -> Task<> {
    Talk& talk = b.ask(false);
    b.scope.spawn(upload, b, talk);
    EXPECT_EQ(co_await read_all(talk), pattern(1 << 20) + " trailers 1");
    EXPECT_EQ(b.notes_, (Notes{"sent"}));
    EXPECT_TRUE(talk.stream.closed());
    EXPECT_EQ(b.client->connection().streams() + b.server->connection().streams(), 0u);
  });
}

Task<> upload_in_vain(Both& b, Talk& talk) {
  std::string text = pattern(1 << 20);
  b.note(co_await talk.stream.send(Frame::bytes(text, true)) ? "sent" : "not sent");
}

TEST_F(Both, ABodyThatNobodyReadsHoldsNoMoreThanItsWindow) {
  run(ignore, [](Both& b) -> Task<> {
    Talk& stuck = b.ask(false);
    b.scope.spawn(upload_in_vain, b, stuck);
    co_await sleep(seconds(1));
    EXPECT_EQ(b.server_owner_.talks.front().stream.bytes(), h2::kWindowDefault);
    b.serve = answer_at_once;
    Talk& other = b.ask();
    EXPECT_EQ(co_await read_all(other), "");
    EXPECT_EQ(other.response.status, 200);
    EXPECT_TRUE(b.notes_.empty());
    b.client->connection().reset(stuck.stream, h2::ErrorCode::cancel);
    b.client->touched();
    co_await sleep(seconds(1));
    EXPECT_EQ(b.server_owner_.talks.front().stream.reset_code(), h2::ErrorCode::cancel);
  });
}

TEST_F(Both, WhatIsNotReadOfAStreamThatEndsIsGrantedToTheOthers) {
  run(ignore, [](Both& b) -> Task<> {
    Talk& stuck = b.ask(false);
    b.scope.spawn(upload_in_vain, b, stuck);
    co_await sleep(seconds(1));
    Talk& other = b.ask(false);
    EXPECT_EQ(other.stream.send_some("x", true), 0u);
    Talk& left = b.server_owner_.talks.front();
    left.~Talk();
    new (&left) Talk(*b.server, b.worker_);
    co_await sleep(seconds(1));
    EXPECT_EQ(b.notes_, (Notes{"not sent"}));
    EXPECT_EQ(other.stream.send_some("x", true), 1u);
  });
}

TEST_F(Both, StreamsFailWithTheirConnection) {
  run(ignore, [](Both& b) -> Task<> {
    Talk& talk = b.ask(false);
    b.scope.spawn(upload_in_vain, b, talk);
    co_await sleep(milliseconds(10));
    b.network_.reset(*b.client_transport_);
    EXPECT_EQ(co_await read_all(talk), " reset");
    co_await turn();
    EXPECT_EQ(b.notes_, (Notes{"not sent"}));
    EXPECT_TRUE(b.client->over());
    EXPECT_FALSE(b.client->may_open());
  });
}

TEST_F(Both, AServerThatIsToldToStopStillSendsWhatItHas) {
  run(answer_at_once, [](Both& b) -> Task<> {
    Talk& talk = b.ask();
    co_await sleep(milliseconds(1));
    b.server->connection().send_goaway(b.server->connection().last_remote_stream(), h2::ErrorCode::no_error);
    b.server->stop();
    EXPECT_EQ(co_await read_all(talk), "");
    co_await sleep(milliseconds(1));
    EXPECT_FALSE(b.client->may_open());
  });
}

Task<> check_echo(Both& b, Talk& talk) {
  EXPECT_EQ(co_await read_all(talk), pattern(1 << 20));
  b.note("echoed");
}

TEST_F(Both, ManyStreamsWaitForTheirTurnAndAllEnd) {
  run(echo, [](Both& b) -> Task<> {
    co_await sleep(milliseconds(1));
    for (int i = 0; i < 100; i++) b.scope.spawn(upload_in_vain, b, b.ask(false));
    EXPECT_FALSE(b.client->may_open());
    for (Talk& talk : b.asked) b.scope.spawn(check_echo, b, talk);
    while (b.notes_.size() < 200) co_await sleep(milliseconds(1));  // Each is sent, and echoed.
    EXPECT_TRUE(b.client->may_open());
  });
}

TEST_F(Both, WriteNothingToAStreamThatIsOver) {
  run(ignore, [](Both& b) -> Task<> {
    Talk& talk = b.ask(false);
    EXPECT_EQ(talk.stream.send_some("before", false), 6u);
    talk.stream.reset(h2::ErrorCode::cancel);
    EXPECT_EQ(talk.stream.send_some("behind", true), 0u);
    EXPECT_FALSE(co_await talk.stream.send(Frame::bytes("behind", true)));
  });
}

}  // namespace
}  // namespace outrider
