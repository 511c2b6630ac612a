#include "wire/h2_connection.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "wire/h2_peer_for_test.h"

namespace outrider::h2 {
namespace {

using testing::ElementsAre;

class ConnectionTest : public testing::Test {
 protected:
  // Until neither has anything to say, in pieces of so many bytes.
  void talk(std::size_t piece = 1 << 20) { exchange(client, server, piece); }
  static void exchange(Peer& a, Peer& b, std::size_t piece) {
    for (bool said = true; said;) {
      said = pass(a, b, piece);
      said = pass(b, a, piece) || said;
    }
  }
  static bool pass(Peer& from, Peer& to, std::size_t piece) {
    std::string bytes = from.take_output();
    for (std::size_t at = 0; at < bytes.size(); at += piece) {
      if (!to.connection.failed()) to.connection.receive(std::string_view(bytes).substr(at, piece));
    }
    return !bytes.empty();
  }
  TestStream& ask(std::string_view path, bool end = true) {
    TestStream& s = client.all.make();
    s.request.path = path;
    s.request.authority = "a";
    s.request.headers.add("x-own", "1");
    client.connection.open(s.stream, end);
    return s;
  }
  TestStream& asked() { return server.all.last(); }
  void answer(TestStream& s, std::string_view body) {
    s.response.status = 200;
    s.response.headers.clear();
    server.connection.send_response(s.stream, s.response, body.empty());
    if (!body.empty()) server.connection.send_data(s.stream, body, true);
  }

  Peer client{Side::client, small()};
  Peer server{Side::server, small()};
};

TEST_F(ConnectionTest, CarriesMessagesHoweverTheBytesAreCut) {
  for (std::size_t piece : {1u, 2u, 3u, 5u, 8u, 9u, 10u, 13u, 100u, 100'000u}) {
    Peer c(Side::client, small()), s(Side::server, small());
    auto both = [&] { exchange(c, s, piece); };
    both();
    TestStream& request = c.all.make();
    request.request.set_method(Method::post);
    request.request.path = "/p";
    request.request.authority = "a";
    request.request.headers.add(Known::content_length, "7");
    c.connection.open(request.stream, false);
    c.connection.send_data(request.stream, "content", false);
    Arena arena;
    Headers trailers(arena);
    trailers.add("t", "1");
    c.connection.send_trailers(request.stream, trailers);
    both();
    EXPECT_THAT(s.take_lines(), ElementsAre("1: POST a/p content-length=7", "1: end after 7 t=1"));
    EXPECT_EQ(s.all.last().body, "content");
    TestStream& served = s.all.last();
    served.response.headers.add(Known::server, "s");
    s.connection.send_response(served.stream, served.response, false);
    s.connection.send_data(served.stream, "answer", true);
    both();
    EXPECT_THAT(c.take_lines(), ElementsAre("1: 200 server=s", "1: end after 6"));
    EXPECT_EQ(c.connection.streams() + s.connection.streams(), 0u);
  }
}

TEST_F(ConnectionTest, CarriesManyStreamsAtOnce) {
  talk();
  for (int i = 0; i < 100; i++) ask("/" + std::to_string(i));
  EXPECT_FALSE(client.connection.may_open());
  talk();
  EXPECT_EQ(server.lines.size(), 100u);
  for (TestStream& s : server.all) answer(s, "x");
  talk();
  EXPECT_EQ(client.lines.size(), 200u);
  EXPECT_TRUE(client.connection.may_open());
}

TEST_F(ConnectionTest, SendsNoMoreThanTheWindowsAllow) {
  server.reads = false;
  talk();
  TestStream& s = ask("/", false);
  std::size_t sent = 0;
  while (std::size_t n = client.connection.sendable(s.stream)) {
    client.connection.send_data(s.stream, std::string(n, 'x'), false);
    sent += n;
  }
  EXPECT_EQ(sent, 65'535u);
  talk();
  EXPECT_EQ(asked().body.size(), sent);
  EXPECT_EQ(client.connection.sendable(s.stream), 0u);
  server.connection.consumed(asked().stream, 40'000);
  talk();
  EXPECT_EQ(client.opened, (std::vector<StreamId>{1}));
  EXPECT_EQ(client.connection.sendable(s.stream), 16'384u);
}

TEST_F(ConnectionTest, AResetEndsAStreamOnBothSidesAndNothingElse) {
  talk();
  TestStream& first = ask("/1", false);
  TestStream& second = ask("/2");
  talk();
  server.take_lines();
  client.connection.reset(first.stream, ErrorCode::cancel);
  talk();
  EXPECT_THAT(server.take_lines(), ElementsAre("1: reset 8"));
  answer(server.all.last(), "y");
  talk();
  EXPECT_THAT(client.take_lines(), ElementsAre("3: 200", "3: end after 1"));
  EXPECT_TRUE(second.stream.closed());
}

// The other side cannot know of a reset before it comes.
TEST_F(ConnectionTest, IgnoresWhatIsOnItsWayOfAStreamThatItHasReset) {
  talk();
  TestStream& s = ask("/", false);
  talk();
  server.connection.reset(asked().stream, ErrorCode::cancel);
  client.connection.send_data(s.stream, "late", false);
  Arena arena;
  Headers trailers(arena);
  trailers.add("late", "1");
  client.connection.send_trailers(s.stream, trailers);
  talk();
  EXPECT_FALSE(server.connection.failed());
  EXPECT_FALSE(client.connection.failed());
  ask("/next");
  talk();
  EXPECT_EQ(server.lines.back(), "3: GET a/next x-own=1 end");
}

TEST_F(ConnectionTest, RefusesAStreamAndStaysInStep) {
  talk();
  server.refuses = true;
  ask("/1");
  talk();
  EXPECT_THAT(client.take_lines(), ElementsAre("1: reset 7"));
  server.refuses = false;
  ask("/2");
  talk();
  EXPECT_THAT(server.take_lines(), ElementsAre("3: GET a/2 x-own=1 end"));
}

TEST_F(ConnectionTest, AGoawayEndsTheStreamsThatItDoesNotServe) {
  talk();
  ask("/1");
  talk();
  server.connection.send_goaway(server.connection.last_remote_stream(), ErrorCode::no_error);
  ask("/2");
  talk();
  EXPECT_THAT(client.take_lines(), ElementsAre("3: reset 7", "goaway 1 0"));
  EXPECT_FALSE(client.connection.may_open());
  answer(server.all.first(), "");
  talk();
  EXPECT_THAT(client.take_lines(), ElementsAre("1: 200 end"));
}

TEST_F(ConnectionTest, AnswersPings) {
  talk();
  client.connection.send_ping(0x1234567890);
  talk();
  EXPECT_THAT(client.take_lines(), ElementsAre("pong 78187493520"));
}

TEST_F(ConnectionTest, SplitsAHeadThatDoesNotFitAFrame) {
  talk();
  TestStream& s = client.all.make();
  s.request.path = "/";
  s.request.authority = "a";
  std::string long_value(20'000, 'v');
  s.request.headers.add("x-a", long_value);
  s.request.headers.add("x-b", long_value);
  client.connection.open(s.stream, true);
  talk(7);
  EXPECT_EQ(asked().request.headers.value("x-b"), long_value);
}

TEST_F(ConnectionTest, TellsAnInformationalResponseFromTheFinalOne) {
  talk();
  ask("/");
  talk();
  server.all.last().response.status = 103;
  server.connection.send_response(asked().stream, asked().response, false);
  talk();
  answer(asked(), "x");
  talk();
  EXPECT_THAT(client.take_lines(), ElementsAre("1: 103", "1: 200", "1: end after 1"));
}

TEST_F(ConnectionTest, ABodyWhereNoneCanBeBreaksItsStream) {
  struct Case {
    Method method;
    int status;
  };
  for (Case each : {Case{Method::head, 200}, Case{Method::get, 204}, Case{Method::get, 304}}) {
    Peer c(Side::client, small()), s(Side::server, small());
    exchange(c, s, 1 << 20);
    TestStream& request = c.all.make();
    request.request.set_method(each.method);
    request.request.path = "/";
    request.request.authority = "a";
    c.connection.open(request.stream, true);
    exchange(c, s, 1 << 20);
    TestStream& served = s.all.last();
    served.response.status = static_cast<std::uint16_t>(each.status);
    s.connection.send_response(served.stream, served.response, false);
    s.connection.send_data(served.stream, "x", true);
    exchange(c, s, 1 << 20);
    EXPECT_THAT(c.take_lines(), ElementsAre("1: " + std::to_string(each.status), "1: failed 1"));
  }
}

}  // namespace
}  // namespace outrider::h2
