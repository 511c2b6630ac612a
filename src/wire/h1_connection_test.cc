#include <gtest/gtest.h>

#include "wire/h1_reading.h"

namespace outrider::h1 {
namespace {

struct Message {
  explicit Message(const Fields& fields) {
    for (auto& [name, value] : fields) headers.add(arena.copy(name), arena.copy(value));
  }
  Arena arena;
  Headers headers{arena};
};

Fields stripped(const Fields& fields, bool keep_upgrade = false) {
  Message message(fields);
  auto error = strip_hop_by_hop(message.headers, keep_upgrade);
  EXPECT_FALSE(error.has_value());
  return copy_fields(message.headers);
}

std::string_view refusal(const Fields& fields) {
  Message message(fields);
  auto error = strip_hop_by_hop(message.headers);
  return error ? error->detail : std::string_view{};
}

bool stays_open(Version version, const Fields& fields) { return persistent(version, Message(fields).headers); }

TEST(Persistence, IsTheDefaultOfHttp11Alone) {
  EXPECT_TRUE(stays_open(Version::http11, {}));
  EXPECT_FALSE(stays_open(Version::http10, {}));
}

TEST(Persistence, EndsWithCloseAnywhereInTheOptions) {
  EXPECT_FALSE(stays_open(Version::http11, {{"connection", "close"}}));
  EXPECT_FALSE(stays_open(Version::http11, {{"connection", "x , Close"}}));
  EXPECT_FALSE(stays_open(Version::http11, {{"connection", "keep-alive"}, {"connection", "close"}}));
  EXPECT_FALSE(stays_open(Version::http11, {{"proxy-connection", "close"}}));
  EXPECT_FALSE(stays_open(Version::http10, {{"connection", "keep-alive, close"}}));
  EXPECT_TRUE(stays_open(Version::http11, {{"connection", "closed, enclose"}}));
}

TEST(Persistence, IsAskedForInHttp10) { EXPECT_TRUE(stays_open(Version::http10, {{"connection", "Keep-Alive"}})); }

TEST(ConnectionOption, IsFoundInAnyFieldAndCase) {
  Message message({{"connection", " ,a,, B\t"}, {"connection", "c"}});
  for (const char* token : {"a", "b", "c"}) EXPECT_TRUE(has_connection_option(message.headers, token)) << token;
  EXPECT_FALSE(has_connection_option(message.headers, ""));
  EXPECT_FALSE(has_connection_option(message.headers, "d"));
}

TEST(Upgrade, NeedsBothFields) {
  EXPECT_EQ(requested_upgrade(Message({{"connection", "keep-alive, Upgrade"}, {"upgrade", "WebSocket"}}).headers),
            "WebSocket");
  EXPECT_EQ(requested_upgrade(Message({{"upgrade", "websocket"}}).headers), "");
  EXPECT_EQ(requested_upgrade(Message({{"connection", "upgrade"}}).headers), "");
  EXPECT_EQ(requested_upgrade(Message({{"connection", "x-upgrade"}, {"upgrade", "websocket"}}).headers), "");
}

TEST(Upgrade, ToH2cIsPassedOver) {
  EXPECT_EQ(requested_upgrade(Message({{"connection", "upgrade"}, {"upgrade", "H2C"}}).headers), "");
}

TEST(HopByHop, FieldsAreStripped) {
  EXPECT_EQ(stripped({{"a", "1"},
                      {"connection", "keep-alive, upgrade, http2-settings"},
                      {"keep-alive", "timeout=5"},
                      {"proxy-connection", "keep-alive"},
                      {"transfer-encoding", "chunked"},
                      {"upgrade", "h2c"},
                      {"http2-settings", "AAA"},
                      {"trailer", "x"},
                      {"b", "2"}}),
            (Fields{{"a", "1"}, {"trailer", "x"}, {"b", "2"}}));
}

TEST(HopByHop, FieldsThatConnectionNamesAreStripped) {
  EXPECT_EQ(stripped({{"x", "1"}, {"connection", "X, close"}, {"y", "2"}, {"connection", "y"}, {"z", "3"}, {"x", "4"}}),
            (Fields{{"z", "3"}}));
  EXPECT_EQ(stripped({{"connection", "cookie,x-forwarded-client-cert"}, {"cookie", "a"}, {"host-x", "b"}}),
            (Fields{{"host-x", "b"}}));
  EXPECT_EQ(stripped({{"connection", "a b"}, {"a", "1"}, {"b", "2"}}), (Fields{{"a", "1"}, {"b", "2"}}));
}

TEST(HopByHop, OfTeOnlyTrailersGoesOn) {
  EXPECT_EQ(stripped({{"te", "gzip, trailers"}}), (Fields{{"te", "trailers"}}));
  EXPECT_EQ(stripped({{"te", "gzip"}, {"te", "Trailers"}}), (Fields{{"te", "trailers"}}));
  EXPECT_EQ(stripped({{"te", "gzip;q=1"}}), Fields{});
  EXPECT_EQ(stripped({{"connection", "te"}, {"te", "trailers"}}), (Fields{{"te", "trailers"}}));
}

TEST(HopByHop, UpgradeStaysForATunnel) {
  Fields upgrade = {{"connection", "keep-alive, Upgrade"}, {"upgrade", "websocket"}, {"sec-websocket-key", "k"}};
  EXPECT_EQ(stripped(upgrade, true), upgrade);
}

TEST(HopByHop, OfAnUpgradeNoNamesOfFieldsGoOn) {
  EXPECT_EQ(stripped({{"connection", "keep-alive, Upgrade, X"}, {"upgrade", "websocket"}, {"x", "1"}}, true),
            (Fields{{"connection", "upgrade"}, {"upgrade", "websocket"}}));
}

TEST(HopByHop, NominationOfWhatAProxyReliesOnIsRefused) {
  for (const char* name : {"Host", "x-forwarded-for", "X-Forwarded-Host", "x-forwarded-proto", ":path"}) {
    EXPECT_EQ(refusal({{"connection", name}}), "http1.connection_header_rejected") << name;
  }
}

TEST(HopByHop, MoreThanNineNominationsAreRefused) {
  EXPECT_EQ(refusal({{"connection", "a,b,c,d,e,f,g,h,i"}}), "");
  EXPECT_EQ(refusal({{"connection", "a,b,c,d,e,f,g,h,i,j"}}), "http1.connection_header_rejected");
  EXPECT_EQ(refusal({{"connection", "a,b,c,d,e"}, {"connection", "f,g,h,i,j"}}), "http1.connection_header_rejected");
}

TEST(HopByHop, OverlongTeIsRefused) {
  EXPECT_EQ(refusal({{"te", std::string(257, 'a')}}), "http1.connection_header_rejected");
}

}  // namespace
}  // namespace outrider::h1
