#include "net/simulated_network.h"

#include <gtest/gtest.h>

#include "core/scope.h"
#include "core/simulated_poller.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Address kServer = *Address::parse("10.0.0.1", 80);

struct Simulation {
  SimulatedClock clock;
  SimulatedPoller poller{clock};
  Worker worker{0, clock, poller, 1};
  SimulatedNetwork network{worker};
  std::unique_ptr<Acceptor> acceptor = network.acceptor(network.listen_on(kServer));
  std::unique_ptr<Transport> client, server;

  Duration elapsed() { return clock.now() - begin; }
  TimePoint begin = clock.now();

  // False if the simulation came to rest before the body's end.
  bool run(Task<> (*body)(Simulation&)) { return worker.run(body(*this)); }
  SimulatedPath& path() { return network.path(kServer); }

  Task<> connect() {
    client = std::move(*network.connect(kServer));
    auto accepted = co_await acceptor->accept();
    EXPECT_TRUE(accepted.transport);
    server = std::move(accepted.transport);
    EXPECT_EQ(co_await client->connected(), 0);
  }
};

Task<IoResult> write_text(Transport& to, std::string_view text) {
  iovec piece{const_cast<char*>(text.data()), text.size()};
  co_return co_await to.write(&piece, 1);
}

struct Received {
  std::string text;
  int reads = 0;
  IoResult last;
};

// Reads until so many bytes have come, or the end, or an error.
Task<Received> read_up_to(Transport& from, std::size_t bytes) {
  Received r;
  char buffer[1000];
  while (r.text.size() < bytes) {
    r.last = co_await from.read(buffer, std::min(sizeof buffer, bytes - r.text.size()));
    if (!r.last.ok()) break;
    r.reads++;
    r.text.append(buffer, r.last.bytes);
  }
  co_return r;
}

TEST(SimulatedNetwork, CarriesBytesBothWaysAndKnowsTheAddresses) {
  Simulation s;
  EXPECT_TRUE(s.run([](Simulation& s) -> Task<> {
    co_await s.connect();
    co_await write_text(*s.client, "question");
    EXPECT_EQ((co_await read_up_to(*s.server, 8)).text, "question");
    co_await write_text(*s.server, "answer");
    EXPECT_EQ((co_await read_up_to(*s.client, 6)).text, "answer");
    EXPECT_EQ(s.client->peer(), kServer);
    EXPECT_EQ(s.server->local(), kServer);
    EXPECT_EQ(s.server->peer(), s.client->local());
    EXPECT_EQ(s.server->peer().ip_text(), "127.0.0.1");
    EXPECT_EQ(s.client->plain_fd(), -1);
    EXPECT_EQ(s.network.open_ends(), 2);
    s.client.reset();
    s.server.reset();
    EXPECT_EQ(s.network.open_ends(), 0);
  }));
  EXPECT_EQ(s.elapsed(), Duration::zero());
}

TEST(SimulatedNetwork, LatencyIsPaidForTheHandshakeAndForEachDirection) {
  Simulation s;
  s.path().latency = milliseconds(50);
  EXPECT_TRUE(s.run([](Simulation& s) -> Task<> {
    co_await s.connect();
    EXPECT_EQ(s.elapsed(), milliseconds(100));
    co_await write_text(*s.client, "x");
    EXPECT_EQ(s.elapsed(), milliseconds(100));
    co_await read_up_to(*s.server, 1);
    EXPECT_EQ(s.elapsed(), milliseconds(150));
    co_await write_text(*s.server, "y");
    co_await read_up_to(*s.client, 1);
    EXPECT_EQ(s.elapsed(), milliseconds(200));
  }));
}

TEST(SimulatedNetwork, ALatencyThatIsLoweredDoesNotReorder) {
  Simulation s;
  EXPECT_TRUE(s.run([](Simulation& s) -> Task<> {
    co_await s.connect();
    s.path().latency = milliseconds(50);
    co_await write_text(*s.client, "first ");
    s.path().latency = milliseconds(1);
    co_await write_text(*s.client, "second");
    EXPECT_EQ((co_await read_up_to(*s.server, 12)).text, "first second");
  }));
}

Task<> write_large(Transport& to, const std::string& text, bool& done) {
  EXPECT_TRUE((co_await write_text(to, text)).ok());
  done = true;
}

struct Large {
  static Task<> body(Scope& scope, Simulation& s) {
    std::string text(100'000, 'x');
    bool done = false;
    scope.spawn(write_large, *s.client, text, done);
    co_await sleep(seconds(10));
    EXPECT_FALSE(done);
    EXPECT_EQ((co_await read_up_to(*s.server, text.size())).text, text);
    co_await turn();
    EXPECT_TRUE(done);
  }
};

TEST(SimulatedNetwork, AFullPipeStopsTheWriterUntilTheReaderReads) {
  Simulation s;
  s.path().capacity_bytes = 1000;
  EXPECT_TRUE(s.run([](Simulation& s) -> Task<> {
    co_await s.connect();
    Scope scope;
    co_await scope.run(Large::body(scope, s));
  }));
}

TEST(SimulatedNetwork, PartialWritesAndSmallSegmentsLoseNothing) {
  Simulation s;
  s.path().write_bytes_max = 3;
  s.path().segment_bytes_max = 2;
  EXPECT_TRUE(s.run([](Simulation& s) -> Task<> {
    co_await s.connect();
    iovec piece{const_cast<char*>("0123456789"), 10};
    co_await turn();
    EXPECT_EQ(s.client->try_write(&piece, 1).bytes, 3u);
    co_await write_text(*s.client, "3456789");
    Received r = co_await read_up_to(*s.server, 10);
    EXPECT_EQ(r.text, "0123456789");
    EXPECT_EQ(r.reads, 7);  // 2 1 2 1 2 1 1.
  }));
}

TEST(SimulatedNetwork, AShortReadMeansDrained) {
  Simulation s;
  EXPECT_TRUE(s.run([](Simulation& s) -> Task<> {
    co_await s.connect();
    co_await write_text(*s.client, "abc");
    co_await s.server->readable();
    char buffer[10];
    EXPECT_EQ(s.server->try_read(buffer, 10).bytes, 3u);
    EXPECT_FALSE(s.server->has_unread());
    EXPECT_EQ(s.server->try_read(buffer, 10).state, IoResult::State::would_block);
  }));
}

TEST(SimulatedNetwork, WhereNobodyListensAConnectionIsRefused) {
  Simulation s;
  EXPECT_TRUE(s.run([](Simulation& s) -> Task<> {
    Address nobody = *Address::parse("10.0.0.9", 80);
    s.network.path(nobody).latency = milliseconds(10);
    auto client = std::move(*s.network.connect(nobody));
    EXPECT_EQ(co_await client->connected(), ECONNREFUSED);
    EXPECT_EQ(s.elapsed(), milliseconds(20));
    EXPECT_TRUE(client->hung_up());
    s.path().connect_error = EHOSTUNREACH;
    client = std::move(*s.network.connect(kServer));
    EXPECT_EQ(co_await client->connected(), EHOSTUNREACH);
  }));
}

Task<> connect_and_wait(Simulation& s) {
  auto client = std::move(*s.network.connect(kServer));
  co_await client->connected();
}

TEST(SimulatedNetwork, ABlackHoleAnswersNeverSoThatTheDeadlineEndsIt) {
  Simulation s;
  s.path().black_hole = true;
  EXPECT_TRUE(s.run([](Simulation& s) -> Task<> {
    EXPECT_FALSE(co_await within(seconds(5), connect_and_wait(s)));
    EXPECT_EQ(s.elapsed(), seconds(5));
    EXPECT_EQ(s.network.open_ends(), 0);
  }));
}

TEST(SimulatedNetwork, AWorkerThatWaitsForNothingComesToRest) {
  Simulation s;
  s.path().black_hole = true;
  EXPECT_FALSE(s.worker.run(connect_and_wait(s)));
}

TEST(SimulatedNetwork, AHalfClosedConnectionStillCarriesTheOtherDirection) {
  Simulation s;
  EXPECT_TRUE(s.run([](Simulation& s) -> Task<> {
    co_await s.connect();
    co_await write_text(*s.client, "last words");
    s.client->shutdown_write();
    Received r = co_await read_up_to(*s.server, 100);
    EXPECT_EQ(r.text, "last words");
    EXPECT_EQ(r.last.state, IoResult::State::end);
    EXPECT_TRUE(s.server->hung_up());
    co_await write_text(*s.server, "reply");
    EXPECT_EQ((co_await read_up_to(*s.client, 5)).text, "reply");
    EXPECT_FALSE(s.client->hung_up());
    EXPECT_FALSE((co_await write_text(*s.client, "x")).ok());
  }));
}

TEST(SimulatedNetwork, ACloseWithUnreadBytesIsAReset) {
  Simulation s;
  EXPECT_TRUE(s.run([](Simulation& s) -> Task<> {
    co_await s.connect();
    co_await write_text(*s.client, "never read");
    co_await s.server->readable();
    s.server.reset();
    Received r = co_await read_up_to(*s.client, 1);
    EXPECT_EQ(r.last.error, ECONNRESET);
  }));
}

TEST(SimulatedNetwork, BytesToAClosedEndAreAnsweredByAReset) {
  Simulation s;
  EXPECT_TRUE(s.run([](Simulation& s) -> Task<> {
    co_await s.connect();
    s.server.reset();
    EXPECT_EQ((co_await read_up_to(*s.client, 1)).last.state, IoResult::State::end);
    EXPECT_TRUE((co_await write_text(*s.client, "too late")).ok());
    co_await sleep(milliseconds(1));
    EXPECT_FALSE((co_await write_text(*s.client, "x")).ok());
  }));
}

TEST(SimulatedNetwork, AConnectionIsResetAfterSoManyBytes) {
  Simulation s;
  s.path().reset_after_bytes = 25;
  EXPECT_TRUE(s.run([](Simulation& s) -> Task<> {
    co_await s.connect();
    co_await write_text(*s.client, "0123456789");
    EXPECT_EQ((co_await read_up_to(*s.server, 10)).text, "0123456789");
    co_await write_text(*s.server, "abcdefghijklmnopqrstuvwxyz");
    Received r = co_await read_up_to(*s.client, 26);
    EXPECT_EQ(r.text, "abcdefghijklmno");
    EXPECT_EQ(r.last.error, ECONNRESET);
    EXPECT_EQ((co_await read_up_to(*s.server, 1)).last.error, ECONNRESET);
  }));
}

struct Hook : Transport::HangupHook {
  int calls = 0;
  Hook() {
    on_hangup = [](HangupHook* hook) { static_cast<Hook*>(hook)->calls++; };
  }
};

TEST(SimulatedNetwork, AResetFromOutsideReachesBothEndsAndTheirHooks) {
  Simulation s;
  EXPECT_TRUE(s.run([](Simulation& s) -> Task<> {
    co_await s.connect();
    Hook hook;
    s.server->on_hangup(&hook);
    s.network.reset(*s.client);
    EXPECT_EQ(hook.calls, 1);
    s.server->on_hangup(nullptr);
    EXPECT_EQ((co_await read_up_to(*s.client, 1)).last.error, ECONNRESET);
    EXPECT_EQ((co_await read_up_to(*s.server, 1)).last.error, ECONNRESET);
  }));
}

TEST(SimulatedNetwork, ACutHoldsEverythingBackUntilItIsMended) {
  Simulation s;
  s.path().latency = milliseconds(10);
  EXPECT_TRUE(s.run([](Simulation& s) -> Task<> {
    co_await s.connect();
    s.network.cut(kServer);
    co_await write_text(*s.client, "held ");
    EXPECT_FALSE(co_await within(seconds(30), read_up_to(*s.server, 1)));
    co_await write_text(*s.client, "flying ");
    s.network.mend(kServer);
    co_await write_text(*s.client, "after");
    EXPECT_EQ((co_await read_up_to(*s.server, 17)).text, "held flying after");
    s.network.cut(kServer);
    EXPECT_FALSE(co_await within(seconds(1), connect_and_wait(s)));
    s.network.mend(kServer);
  }));
}

TEST(SimulatedNetwork, AcceptFailsAsLongAsItIsTold) {
  Simulation s;
  s.path().accept_error = EMFILE;
  EXPECT_TRUE(s.run([](Simulation& s) -> Task<> {
    s.client = std::move(*s.network.connect(kServer));
    auto accepted = co_await s.acceptor->accept();
    EXPECT_EQ(accepted.error, EMFILE);
    EXPECT_EQ(co_await s.client->connected(), 0);
    s.path().accept_error = 0;
    accepted = co_await s.acceptor->accept();
    EXPECT_TRUE(accepted.transport);
  }));
}

TEST(SimulatedNetwork, AClientThatLeavesDuringTheHandshakeIsSeenAsAnEnd) {
  Simulation s;
  s.path().latency = milliseconds(10);
  EXPECT_TRUE(s.run([](Simulation& s) -> Task<> {
    EXPECT_FALSE(co_await within(milliseconds(1), connect_and_wait(s)));
    auto accepted = co_await s.acceptor->accept();
    EXPECT_EQ((co_await read_up_to(*accepted.transport, 1)).last.state, IoResult::State::end);
  }));
}

}  // namespace
}  // namespace outrider
