#include "net/tcp.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <vector>

#include "net/loopback_for_test.h"

namespace outrider {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Address kAnyPort = *Address::parse("127.0.0.1", 0);

const std::string kSentAtOnce(Outbox::kMessageBytesMax + 1, 'x');

std::string temporary_path(const char* name) {
  return (std::filesystem::temp_directory_path() / ("outrider-" + std::to_string(getpid()) + "-" + name)).string();
}

TEST(Tcp, BytesCrossInBothDirectionsAndEachEndKnowsTheOther) {
  Loopback().run([](Loopback& l) -> Task<> {
    TransportPair pair = co_await l.connect();
    EXPECT_EQ((co_await write_text(*pair.client, "question")).bytes, 8u);
    EXPECT_EQ(co_await read_text(*pair.server, 8), "question");
    EXPECT_EQ((co_await write_text(*pair.server, "answer")).bytes, 6u);
    EXPECT_EQ(co_await read_text(*pair.client, 6), "answer");
    EXPECT_EQ(pair.client->local(), pair.server->peer());
    EXPECT_EQ(pair.client->peer(), pair.server->local());
    EXPECT_GE(pair.client->plain_fd(), 0);
  });
}

TEST(Tcp, Ipv6Connects) {
  Loopback().run([](Loopback& l) -> Task<> {
    TransportPair pair = co_await l.connect(*Address::parse("::1", 0));
    co_await write_text(*pair.client, "six");
    EXPECT_EQ(co_await read_text(*pair.server, 3), "six");
    EXPECT_EQ(pair.server->peer().ip_text(), "::1");
  });
}

TEST(Tcp, PipesConnectInTheFileSystemAndInTheAbstractNamespace) {
  Loopback().run([](Loopback& l) -> Task<> {
    for (const std::string& path : {temporary_path("pipe"), "@" + temporary_path("abstract")}) {
      TransportPair pair = co_await l.connect(Address::pipe(path));
      co_await write_text(*pair.client, "local");
      EXPECT_EQ(co_await read_text(*pair.server, 5), "local") << path;
      EXPECT_EQ(pair.server->local().text(), path);
      EXPECT_TRUE(pair.server->peer().is_pipe());
      unlink(path.c_str());
    }
  });
}

TEST(Tcp, PiecesAreWrittenInOrderWithEmptyOnesBetween) {
  Loopback().run([](Loopback& l) -> Task<> {
    TransportPair pair = co_await l.connect();
    char a[] = "ab", b[] = "cde", c[] = "f";
    iovec pieces[] = {{a, 0}, {a, 2}, {b, 3}, {a, 0}, {c, 1}, {a, 0}};
    IoResult r = co_await pair.client->write(pieces, 6);
    EXPECT_TRUE(r.ok());
    EXPECT_EQ(r.bytes, 6u);
    EXPECT_EQ(co_await read_text(*pair.server, 6), "abcdef");
  });
}

TEST(Tcp, SmallAndLargeWritesOfATurnKeepTheirOrder) {
  Loopback().run([](Loopback& l) -> Task<> {
    TransportPair pair = co_await l.connect();
    std::string expected;
    for (int i = 0; i < 100; i++) {
      std::string text = std::to_string(i) + (i % 7 == 3 ? kSentAtOnce : "");
      EXPECT_TRUE((co_await write_text(*pair.client, text)).ok());
      expected += text;
    }
    EXPECT_EQ(co_await read_text(*pair.server, expected.size()), expected);
  });
}

TEST(Tcp, WhatWasWrittenBeforeTheEndAndTheCloseArrives) {
  Loopback().run([](Loopback& l) -> Task<> {
    for (bool end_first : {false, true}) {
      TransportPair pair = co_await l.connect();
      co_await write_text(*pair.client, "last words");
      if (end_first) pair.client->shutdown_write();
      pair.client.reset();
      EXPECT_EQ(co_await read_text(*pair.server, 10), "last words");
      char c;
      EXPECT_EQ((co_await pair.server->read(&c, 1)).state, IoResult::State::end);
    }
  });
}

TEST(Tcp, ASmallWriteThatFailsLaterFailsTheNextOne) {
  Loopback().run([](Loopback& l) -> Task<> {
    TransportPair pair = co_await l.connect();
    pair.client->reset_on_close();
    pair.client.reset();
    EXPECT_TRUE((co_await write_text(*pair.server, "not sent yet")).ok());
    EXPECT_FALSE((co_await write_text(*pair.server, "x")).ok());
  });
}

// Writes small messages until the kernel takes no more; all that it said was written.
Task<std::string> fill(Transport& transport) {
  std::string written;
  for (int i = 0;; i++) {
    std::string text = std::to_string(i) + std::string(1500, '.');
    iovec piece{text.data(), text.size()};
    IoResult r = transport.try_write(&piece, 1);
    if (r.state == IoResult::State::would_block) co_return written;
    EXPECT_TRUE(r.ok());
    EXPECT_EQ(r.bytes, text.size());
    written += text;
    if (i % 5 == 0) co_await turn();
  }
}

TEST(Tcp, WhatTheKernelDidNotTakeIsSentWhenThePeerReadsEvenAfterTheClose) {
  Loopback().run([](Loopback& l) -> Task<> {
    for (bool end_first : {false, true}) {
      TransportPair pair = co_await l.connect();
      std::string written = co_await fill(*pair.client);
      if (end_first) pair.client->shutdown_write();
      pair.client.reset();
      EXPECT_TRUE(co_await read_text(*pair.server, written.size()) == written);
      char c;
      EXPECT_EQ((co_await pair.server->read(&c, 1)).state, IoResult::State::end);
    }
  });
}

TEST(Tcp, AWriterThatWaitsGoesOnBehindWhatTheKernelDidNotTake) {
  struct Both {
    static Task<> read(Transport& server, const std::string& expected) {
      EXPECT_TRUE(co_await read_text(server, expected.size()) == expected);
    }
    static Task<> write(Scope& scope, TransportPair& pair, const std::string& expected) {
      scope.spawn(read, *pair.server, expected);
      EXPECT_TRUE((co_await write_text(*pair.client, "and the rest")).ok());
      while (scope.live() > 0) co_await scope.idle().wait();
    }
  };
  Loopback().run([](Loopback& l) -> Task<> {
    TransportPair pair = co_await l.connect();
    std::string expected = co_await fill(*pair.client) + "and the rest";
    Scope scope;
    co_await scope.run(Both::write(scope, pair, expected));
  });
}

// A stream whose every byte tells its place.
std::string numbered(std::size_t bytes) {
  std::string text(bytes, '\0');
  for (std::size_t i = 0; i < bytes; i++) text[i] = static_cast<char>(i * 31 + (i >> 8) * 17 + (i >> 16));
  return text;
}

Task<> write_all_of(Transport& to, const std::string& text, bool& done) {
  std::size_t half = text.size() / 2;
  iovec pieces[] = {{const_cast<char*>(text.data()), half},
                    {const_cast<char*>(text.data()) + half, text.size() - half}};
  IoResult r = co_await to.write(pieces, 2);
  EXPECT_TRUE(r.ok());
  EXPECT_EQ(r.bytes, text.size());
  done = true;
}

// A send buffer of fixed size; the receive buffer of the other end stays small while nobody reads.
void fix_send_buffer(Transport& transport) {
  int bytes = 32 * 1024;
  setsockopt(transport.plain_fd(), SOL_SOCKET, SO_SNDBUF, &bytes, sizeof bytes);
}

struct Upload {
  Scope& scope;
  TransportPair& pair;
  const std::string& text;
  bool done = false;
};

Task<> slow_reader(Upload& upload) {
  upload.scope.spawn(write_all_of, *upload.pair.client, upload.text, upload.done);
  co_await sleep(milliseconds(5));
  EXPECT_FALSE(upload.done) << "the buffers hold all of it: the test shows nothing";
  EXPECT_EQ(co_await read_text(*upload.pair.server, upload.text.size()), upload.text);
  EXPECT_TRUE(upload.done);
}

TEST(Tcp, AWriteLargerThanTheSocketBuffersWaitsForTheReader) {
  Loopback().run([](Loopback& l) -> Task<> {
    TransportPair pair = co_await l.connect();
    fix_send_buffer(*pair.client);
    std::string text = numbered(3'000'000);
    Scope scope;
    Upload upload{scope, pair, text};
    co_await scope.run(slow_reader(upload));
  });
}

TEST(Tcp, AWriteThatWaitsCanBeStopped) {
  Loopback().run([](Loopback& l) -> Task<> {
    TransportPair pair = co_await l.connect();
    fix_send_buffer(*pair.client);
    std::string text = numbered(3'000'000);
    EXPECT_FALSE(co_await within(milliseconds(5), write_text(*pair.client, text)));
    pair.client.reset();
    std::string received = co_await read_text(*pair.server, text.size());
    EXPECT_LT(received.size(), text.size());
    EXPECT_EQ(received, text.substr(0, received.size()));
  });
}

TEST(Tcp, AReadThatWaitsCanBeStoppedAndTheBytesAreThereForTheNext) {
  Loopback().run([](Loopback& l) -> Task<> {
    TransportPair pair = co_await l.connect();
    EXPECT_FALSE(co_await within(milliseconds(2), read_text(*pair.server, 5)));
    co_await write_text(*pair.client, "later");
    EXPECT_EQ(co_await read_text(*pair.server, 5), "later");
  });
}

TEST(Tcp, AHalfClosedConnectionStillCarriesTheOtherDirection) {
  Loopback().run([](Loopback& l) -> Task<> {
    TransportPair pair = co_await l.connect();
    co_await write_text(*pair.client, "last words");
    pair.client->shutdown_write();
    EXPECT_EQ(co_await read_text(*pair.server, 1000), "last words");
    char c;
    EXPECT_EQ((co_await pair.server->read(&c, 1)).state, IoResult::State::end);
    EXPECT_EQ((co_await pair.server->read(&c, 1)).state, IoResult::State::end);
    EXPECT_TRUE(pair.server->hung_up());
    EXPECT_TRUE((co_await write_text(*pair.server, "reply")).ok());
    EXPECT_EQ(co_await read_text(*pair.client, 5), "reply");
    EXPECT_FALSE(pair.client->hung_up());
  });
}

TEST(Tcp, BytesThatComeTogetherWithTheEndAreReadBeforeIt) {
  Loopback().run([](Loopback& l) -> Task<> {
    for (bool wait_first : {false, true}) {
      TransportPair pair = co_await l.connect();
      co_await write_text(*pair.client, "0123456789");
      pair.client.reset();
      if (wait_first) co_await pair.server->readable();
      char buffer[4];
      std::string text;
      for (;;) {
        IoResult r = co_await pair.server->read(buffer, sizeof buffer);
        if (!r.ok()) {
          EXPECT_EQ(r.state, IoResult::State::end);
          break;
        }
        text.append(buffer, r.bytes);
      }
      EXPECT_EQ(text, "0123456789");
    }
  });
}

TEST(Tcp, AResetFailsTheReader) {
  Loopback().run([](Loopback& l) -> Task<> {
    TransportPair pair = co_await l.connect();
    pair.client->reset_on_close();
    pair.client.reset();
    char c;
    IoResult r = co_await pair.server->read(&c, 1);
    EXPECT_EQ(r.state, IoResult::State::failed);
    EXPECT_EQ(r.error, ECONNRESET);
    EXPECT_FALSE((co_await write_text(*pair.server, kSentAtOnce)).ok());
  });
}

TEST(Tcp, AResetThatTheWriterSawFirstIsNoCleanEndForTheReader) {
  Loopback().run([](Loopback& l) -> Task<> {
    TransportPair pair = co_await l.connect();
    co_await write_text(*pair.client, "half of a");
    EXPECT_EQ(co_await read_text(*pair.server, 9), "half of a");
    pair.client->reset_on_close();
    pair.client.reset();
    IoResult w = co_await write_text(*pair.server, kSentAtOnce);
    EXPECT_EQ(w.state, IoResult::State::failed);
    EXPECT_EQ(w.error, ECONNRESET);
    char c;
    IoResult r = co_await pair.server->read(&c, 1);
    EXPECT_EQ(r.state, IoResult::State::failed);
    EXPECT_EQ(r.error, ECONNRESET);
  });
}

TEST(Tcp, TheEndOfACompleteStreamStaysAnEndWhenAWriteFailsAfterwards) {
  Loopback().run([](Loopback& l) -> Task<> {
    TransportPair pair = co_await l.connect();
    co_await write_text(*pair.client, "all");
    pair.client.reset();
    while ((co_await write_text(*pair.server, "x")).ok()) co_await turn();  // Until the reset came back.
    EXPECT_EQ(co_await read_text(*pair.server, 3), "all");
    char c;
    EXPECT_EQ((co_await pair.server->read(&c, 1)).state, IoResult::State::end);
  });
}

struct Hook : Transport::HangupHook {
  int calls = 0;
  Hook() {
    on_hangup = [](HangupHook* hook) { static_cast<Hook*>(hook)->calls++; };
  }
};

TEST(Tcp, TheHangupHookIsToldOnceEvenIfBytesAreUnread) {
  Loopback().run([](Loopback& l) -> Task<> {
    TransportPair pair = co_await l.connect();
    Hook hook;
    pair.server->on_hangup(&hook);
    co_await write_text(*pair.client, "unread");
    co_await pair.server->readable();
    EXPECT_EQ(hook.calls, 0);
    pair.client.reset();
    while (!pair.server->hung_up()) co_await turn();
    co_await sleep(milliseconds(2));
    EXPECT_EQ(hook.calls, 1);
    Hook late;
    pair.server->on_hangup(&late);
    EXPECT_EQ(late.calls, 1);
    pair.server->on_hangup(nullptr);
    EXPECT_EQ(co_await read_text(*pair.server, 100), "unread");
  });
}

TEST(Tcp, ReadableHoldsNoBufferAndAnIdleConnectionHasNothingUnread) {
  Loopback().run([](Loopback& l) -> Task<> {
    TransportPair pair = co_await l.connect();
    EXPECT_FALSE(pair.server->has_unread());
    co_await write_text(*pair.client, "x");
    co_await pair.server->readable();
    EXPECT_TRUE(pair.server->has_unread());
    char buffer[8];
    EXPECT_EQ(pair.server->try_read(buffer, sizeof buffer).bytes, 1u);
    EXPECT_FALSE(pair.server->has_unread());
    EXPECT_EQ(pair.server->try_read(buffer, sizeof buffer).state, IoResult::State::would_block);
    EXPECT_FALSE(co_await within(milliseconds(2), [](Transport& t) -> Task<> { co_await t.readable(); }(*pair.server)));
  });
}

TEST(Tcp, AnInterruptedReaderGoesOnWithoutBytes) {
  struct Interrupt {
    static Task<> after_a_while(Transport& t) {
      co_await sleep(milliseconds(1));
      t.interrupt_reader();
    }
    static Task<> body(Scope& scope, Transport& t) {
      char c;
      scope.spawn(after_a_while, t);
      EXPECT_EQ((co_await t.read(&c, 1)).state, IoResult::State::would_block);
      scope.spawn(after_a_while, t);
      co_await t.readable();
    }
  };
  Loopback().run([](Loopback& l) -> Task<> {
    TransportPair pair = co_await l.connect();
    Scope scope;
    co_await scope.run(Interrupt::body(scope, *pair.server));
  });
}

TEST(Tcp, ARefusedConnectionSaysSo) {
  Loopback().run([](Loopback& l) -> Task<> {
    auto fd = listen_on(kAnyPort, {});
    Address address = bound_address(*fd);
    close(*fd);
    auto client = l.network.connect(address, {});
    if (!client) {
      EXPECT_EQ(client.error().error, ECONNREFUSED);
      co_return;
    }
    EXPECT_EQ(co_await (*client)->connected(), ECONNREFUSED);
    EXPECT_TRUE((*client)->hung_up());
  });
}

TEST(Tcp, APipeThatIsNotThereFailsAtOnceWithTheReason) {
  Loopback l;
  auto client = l.network.connect(Address::pipe(temporary_path("nobody")), {});
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().error, ENOENT);
  client = l.network.connect(Address::pipe(std::string(200, 'x')), {});
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().error, ENAMETOOLONG);
}

Task<int> connect_to(Loopback& l, const Address& address, std::vector<std::unique_ptr<Transport>>& kept) {
  auto client = l.network.connect(address, {});
  if (!client) co_return client.error().error;
  int error = co_await (*client)->connected();
  kept.push_back(std::move(*client));
  co_return error;
}

TEST(Tcp, AConnectThatGetsNoAnswerEndsWithItsDeadline) {
  Loopback().run([](Loopback& l) -> Task<> {
    // A full accept queue answers nothing.
    auto fd = listen_on(kAnyPort, {.backlog = 0});
    Address address = bound_address(*fd);
    std::vector<std::unique_ptr<Transport>> kept;
    bool expired = false;
    for (int i = 0; i < 100 && !expired; i++) {
      expired = !co_await within(milliseconds(20), connect_to(l, address, kept));
    }
    EXPECT_TRUE(expired);
    close(*fd);
  });
}

TEST(Tcp, AnAcceptThatWaitsCanBeStopped) {
  Loopback().run([](Loopback& l) -> Task<> {
    auto fd = listen_on(kAnyPort, {});
    auto acceptor = l.network.acceptor(*fd);
    struct Wait {
      static Task<> accept(Acceptor& a) { co_await a.accept(); }
    };
    EXPECT_FALSE(co_await within(milliseconds(2), Wait::accept(*acceptor)));
    auto client = l.network.connect(bound_address(*fd), {});
    auto accepted = co_await acceptor->accept();
    EXPECT_TRUE(accepted.transport);
  });
}

TEST(Tcp, ConnectionsThatCameTogetherAreAllAccepted) {
  Loopback().run([](Loopback& l) -> Task<> {
    auto fd = listen_on(kAnyPort, {});
    Address address = bound_address(*fd);
    auto acceptor = l.network.acceptor(*fd);
    std::vector<std::unique_ptr<Transport>> kept;
    for (int i = 0; i < 50; i++) EXPECT_EQ(co_await connect_to(l, address, kept), 0);
    for (int i = 0; i < 50; i++) {
      auto accepted = co_await acceptor->accept();
      EXPECT_TRUE(accepted.transport);
      kept.push_back(std::move(accepted.transport));
    }
  });
}

// Takes every descriptor that the process may still open.
class NoDescriptorsLeft {
 public:
  NoDescriptorsLeft() {
    getrlimit(RLIMIT_NOFILE, &before_);
    int highest = dup(0);
    close(highest);
    rlimit low = before_;
    low.rlim_cur = static_cast<rlim_t>(highest) + 8;
    setrlimit(RLIMIT_NOFILE, &low);
    for (int fd; (fd = dup(0)) >= 0;) taken_.push_back(fd);
  }
  ~NoDescriptorsLeft() {
    for (int fd : taken_) close(fd);
    setrlimit(RLIMIT_NOFILE, &before_);
  }

 private:
  rlimit before_;
  std::vector<int> taken_;
};

TEST(Tcp, WithoutDescriptorsAcceptAndConnectSaySoAndTheConnectionIsTakenLater) {
  Loopback().run([](Loopback& l) -> Task<> {
    auto fd = listen_on(kAnyPort, {});
    Address address = bound_address(*fd);
    auto acceptor = l.network.acceptor(*fd);
    std::vector<std::unique_ptr<Transport>> kept;
    EXPECT_EQ(co_await connect_to(l, address, kept), 0);
    {
      NoDescriptorsLeft none;
      auto accepted = co_await acceptor->accept();
      EXPECT_FALSE(accepted.transport);
      EXPECT_EQ(accepted.error, EMFILE);
      auto refused = l.network.connect(address, {});
      EXPECT_FALSE(refused);
      EXPECT_EQ(refused.error().error, EMFILE);
    }
    auto accepted = co_await acceptor->accept();
    EXPECT_TRUE(accepted.transport);
    co_await write_text(*kept[0], "still here");
    EXPECT_EQ(co_await read_text(*accepted.transport, 10), "still here");
  });
}

TEST(Tcp, ClosedAndReopenedDescriptorsDoNotMixUpTheirEvents) {
  // The same few descriptor numbers come again and again, with events of the old sockets still in flight.
  Loopback().run([](Loopback& l) -> Task<> {
    for (int i = 0; i < 300; i++) {
      TransportPair pair = co_await l.connect();
      if (!pair.server) co_return;
      co_await write_text(*pair.client, "x");
      if (i % 3 == 0) pair.client->reset_on_close();
      pair.client.reset();
      TransportPair next = co_await l.connect();
      co_await write_text(*next.client, "yes");
      EXPECT_EQ(co_await read_text(*next.server, 3), "yes");
    }
  });
}

TEST(ListenOn, TwoSocketsShareAPortOnlyIfBothWantTo) {
  auto first = listen_on(kAnyPort, {});
  ASSERT_TRUE(first);
  Address address = bound_address(*first);
  EXPECT_NE(address.port(), 0);
  auto second = listen_on(address, {});
  EXPECT_TRUE(second);
  auto third = listen_on(address, {.reuse_port = false});
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error(), "cannot bind '" + address.text() + "': Address already in use");
  close(*first);
  close(*second);
}

TEST(ListenOn, AnUnknownAddressIsRefusedWithItsName) {
  auto fd = listen_on(*Address::parse("192.0.2.1", 80), {});
  ASSERT_FALSE(fd);
  EXPECT_EQ(fd.error(), "cannot bind '192.0.2.1:80': Cannot assign requested address");
}

TEST(ListenOn, Ipv6LeavesIpv4OfTheSamePortAlone) {
  auto v6 = listen_on(*Address::parse("::", 0), {.reuse_port = false});
  ASSERT_TRUE(v6) << v6.error();
  auto v4 = listen_on(Address::any4(bound_address(*v6).port()), {.reuse_port = false});
  EXPECT_TRUE(v4) << v4.error();
  close(*v6);
  if (v4) close(*v4);
}

TEST(ListenOn, Ipv4CompatTakesIpv4Too) {
  Loopback().run([](Loopback& l) -> Task<> {
    auto fd = listen_on(*Address::parse("::", 0), {.ipv4_compat = true});
    std::vector<std::unique_ptr<Transport>> kept;
    EXPECT_EQ(co_await connect_to(l, kAnyPort.with_port(bound_address(*fd).port()), kept), 0);
    close(*fd);
  });
}

TEST(ListenOn, AStaleSocketFileIsReplacedButNoOtherFile) {
  std::string path = temporary_path("stale");
  auto first = listen_on(Address::pipe(path), {});
  ASSERT_TRUE(first);
  close(*first);
  auto second = listen_on(Address::pipe(path), {});
  EXPECT_TRUE(second) << second.error();
  if (second) close(*second);
  unlink(path.c_str());

  std::FILE* file = std::fopen(path.c_str(), "w");
  std::fputs("precious", file);
  std::fclose(file);
  auto third = listen_on(Address::pipe(path), {});
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error(), "cannot bind '" + path + "': Address already in use");
  EXPECT_EQ(std::filesystem::file_size(path), 8u);
  unlink(path.c_str());
}

TEST(ListenOn, APipeWithATooLongPathIsRefused) {
  std::string path = "/tmp/" + std::string(200, 'x');
  auto fd = listen_on(Address::pipe(path), {});
  ASSERT_FALSE(fd);
  EXPECT_EQ(fd.error(), "cannot bind '" + path + "': File name too long");
}

TEST(ProbeFree, FindsAListenerThatWouldShareItsPort) {
  auto fd = listen_on(kAnyPort, {});
  ASSERT_TRUE(fd);
  Address address = bound_address(*fd);
  auto taken = probe_free(address);
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error(), "cannot bind '" + address.text() + "': Address already in use");
  EXPECT_FALSE(probe_free(Address::any4(address.port()))) << "the wildcard overlaps";
  close(*fd);
  EXPECT_TRUE(probe_free(address));
  EXPECT_TRUE(probe_free(kAnyPort));
}

TEST(ProbeFree, ConnectionsOfAnEarlierListenerAreNoHindrance) {
  Loopback().run([](Loopback& l) -> Task<> {
    TransportPair pair = co_await l.connect();
    Address address = pair.client->peer();
    EXPECT_TRUE(probe_free(address)) << "an open connection";
    pair.server.reset();
    pair.client.reset();
    EXPECT_TRUE(probe_free(address)) << "TIME_WAIT";
  });
}

TEST(ProbeFree, APipeIsTakenWhileSomebodyListens) {
  for (const std::string& path : {temporary_path("probe"), "@" + temporary_path("probe")}) {
    Address address = Address::pipe(path);
    EXPECT_TRUE(probe_free(address));
    auto fd = listen_on(address, {});
    ASSERT_TRUE(fd);
    auto taken = probe_free(address);
    ASSERT_FALSE(taken) << path;
    EXPECT_EQ(taken.error(), "cannot bind '" + path + "': Address already in use");
    close(*fd);
    EXPECT_TRUE(probe_free(address)) << path;
    unlink(path.c_str());
  }
}

}  // namespace
}  // namespace outrider
