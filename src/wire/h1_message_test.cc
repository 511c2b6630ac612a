// Valid messages, one table for both directions: what a reader makes of the bytes, and what the writer makes of that.

#include <gtest/gtest.h>

#include <algorithm>

#include "wire/h1_reading.h"

namespace outrider::h1 {
namespace {

using Kind = BodyFraming::Kind;

struct RequestCase {
  const char* name;
  std::string bytes;
  const char* method;
  const char* path;
  const char* authority;
  BodyFraming framing;
  Fields fields;
  std::string body = {};
  Fields trailers = {};
  std::string rewritten = {};  // what the encoder makes of it; empty: the same bytes
};

const RequestCase kRequests[] = {
    {"plain", "GET / HTTP/1.1\r\nhost: a\r\n\r\n", "GET", "/", "a", {}, {}},
    {"names in lower case, order kept",
     "GET /x?y=1 HTTP/1.1\r\nA-B: 1\r\nHost: a:80\r\nA-B: 2\r\nCookie: c\r\n\r\n",
     "GET",
     "/x?y=1",
     "a:80",
     {},
     {{"a-b", "1"}, {"a-b", "2"}, {"cookie", "c"}},
     "",
     {},
     "GET /x?y=1 HTTP/1.1\r\nhost: a:80\r\na-b: 1\r\na-b: 2\r\ncookie: c\r\n\r\n"},
    {"white space around values",
     "GET / HTTP/1.1\r\nhost:a \r\nx: \t b\t c\t \r\nempty:\r\nblank:  \t\r\n\r\n",
     "GET",
     "/",
     "a",
     {},
     {{"x", "b\t c"}, {"empty", ""}, {"blank", ""}},
     "",
     {},
     "GET / HTTP/1.1\r\nhost: a\r\nx: b\t c\r\nempty: \r\nblank: \r\n\r\n"},
    {"every token character in a name",
     "GET / HTTP/1.1\r\nhost: a\r\n!#$%&'*+-.^_`|~09AZaz: v\r\n\r\n",
     "GET",
     "/",
     "a",
     {},
     {{"!#$%&'*+-.^_`|~09azaz", "v"}},
     "",
     {},
     "GET / HTTP/1.1\r\nhost: a\r\n!#$%&'*+-.^_`|~09azaz: v\r\n\r\n"},
    {"obs-text in a value",
     "GET / HTTP/1.1\r\nhost: a\r\nx: \xff\x80\r\n\r\n",
     "GET",
     "/",
     "a",
     {},
     {{"x", "\xff\x80"}}},
    {"empty lines first",
     "\r\n\n\r\nGET / HTTP/1.1\r\nhost: a\r\n\r\n",
     "GET",
     "/",
     "a",
     {},
     {},
     "",
     {},
     "GET / HTTP/1.1\r\nhost: a\r\n\r\n"},
    {"empty Host", "GET / HTTP/1.1\r\nhost: \r\n\r\n", "GET", "/", "", {}, {}},
    {"IPv6 Host", "GET / HTTP/1.1\r\nhost: [::1]:8080\r\n\r\n", "GET", "/", "[::1]:8080", {}, {}},
    {"Host with underscore", "GET / HTTP/1.1\r\nhost: my_service\r\n\r\n", "GET", "/", "my_service", {}, {}},
    {"odd characters in the path",
     "GET /\"<>\\^`{|}% HTTP/1.1\r\nhost: a\r\n\r\n",
     "GET",
     "/\"<>\\^`{|}%",
     "a",
     {},
     {}},
    {"long path", "GET /" + std::string(3000, 'p') + " HTTP/1.1\r\nhost: a\r\n\r\n", "GET", nullptr, "a", {}, {}},
    {"known extension method", "PROPFIND / HTTP/1.1\r\nhost: a\r\n\r\n", "PROPFIND", "/", "a", {}, {}},
    {"length",
     "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n\r\nhello",
     "POST",
     "/",
     "a",
     {Kind::length, 5},
     {{"content-length", "5"}},
     "hello"},
    {"length zero",
     "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 0\r\n\r\n",
     "POST",
     "/",
     "a",
     {Kind::length, 0},
     {{"content-length", "0"}}},
    {"length keeps its place",
     "POST / HTTP/1.1\r\nhost: a\r\ncontent-length: 1\r\nx: y\r\n\r\nz",
     "POST",
     "/",
     "a",
     {Kind::length, 1},
     {{"content-length", "1"}, {"x", "y"}},
     "z"},
    {"GET with a body",
     "GET / HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\n\r\nok",
     "GET",
     "/",
     "a",
     {Kind::length, 2},
     {{"content-length", "2"}},
     "ok"},
    {"chunked",
     "POST / HTTP/1.1\r\nhost: a\r\nTransfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
     "POST",
     "/",
     "a",
     {Kind::chunked, 0},
     {{"transfer-encoding", "Chunked"}},
     "hello world",
     {},
     "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nh\r\na\r\nello world\r\n0\r\n\r\n"},
    {"chunked and empty",
     "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
     "POST",
     "/",
     "a",
     {Kind::chunked, 0},
     {{"transfer-encoding", "chunked"}}},
    {"chunked with trailers",
     "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\nGrpc-Status: 0\r\nb: \r\n\r\n",
     "POST",
     "/",
     "a",
     {Kind::chunked, 0},
     {{"transfer-encoding", "chunked"}},
     "x",
     {{"grpc-status", "0"}, {"b", ""}},
     "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\ngrpc-status: 0\r\nb: \r\n\r\n"},
    {"chunk size with zeros, padding and extension",
     "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n0000001 \t\r\nx\r\n1 "
     ";a=\"b;\xff\"\r\ny\r\n000;z\r\n\r\n",
     "POST",
     "/",
     "a",
     {Kind::chunked, 0},
     {{"transfer-encoding", "chunked"}},
     "xy",
     {},
     "POST / HTTP/1.1\r\nhost: a\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n1\r\ny\r\n0\r\n\r\n"},
    {"absolute-form",
     "GET http://b:81/x?y HTTP/1.1\r\nhost: a\r\n\r\n",
     "GET",
     "/x?y",
     "b:81",
     {},
     {},
     "",
     {},
     "GET /x?y HTTP/1.1\r\nhost: b:81\r\n\r\n"},
    {"absolute-form without path",
     "GET HTTP://b HTTP/1.1\r\nhost: a\r\n\r\n",
     "GET",
     "/",
     "b",
     {},
     {},
     "",
     {},
     "GET / HTTP/1.1\r\nhost: b\r\n\r\n"},
    {"absolute-form with a query alone",
     "GET http://b?q HTTP/1.1\r\nhost: a\r\n\r\n",
     "GET",
     "/?q",
     "b",
     {},
     {},
     "",
     {},
     "GET /?q HTTP/1.1\r\nhost: b\r\n\r\n"},
    {"absolute-form without Host",
     "GET http://b/ HTTP/1.1\r\n\r\n",
     "GET",
     "/",
     "b",
     {},
     {},
     "",
     {},
     "GET / HTTP/1.1\r\nhost: b\r\n\r\n"},
    {"asterisk-form", "OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n", "OPTIONS", "*", "a", {}, {}},
    {"CONNECT",
     "CONNECT b:443 HTTP/1.1\r\nhost: a\r\n\r\n",
     "CONNECT",
     "",
     "b:443",
     {Kind::tunnel, 0},
     {},
     "",
     {},
     "CONNECT b:443 HTTP/1.1\r\nhost: b:443\r\n\r\n"},
    {"CONNECT with length zero",
     "CONNECT b:443 HTTP/1.1\r\ncontent-length: 0\r\n\r\n",
     "CONNECT",
     "",
     "b:443",
     {Kind::tunnel, 0},
     {{"content-length", "0"}},
     "",
     {},
     "CONNECT b:443 HTTP/1.1\r\nhost: b:443\r\n\r\n"},
    {"HTTP/1.0 without Host",
     "GET / HTTP/1.0\r\n\r\n",
     "GET",
     "/",
     "",
     {},
     {},
     "",
     {},
     "GET / HTTP/1.1\r\nhost: \r\n\r\n"},
};

struct ResponseCase {
  const char* name;
  std::string bytes;
  Method request_method;
  uint16_t status;
  BodyFraming framing;
  Fields fields;
  std::string body = {};
  Fields trailers = {};
  std::string rewritten = {};
};

const ResponseCase kResponses[] = {
    {"plain",
     "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok",
     Method::get,
     200,
     {Kind::length, 2},
     {{"content-length", "2"}},
     "ok"},
    {"standard phrase for any other",
     "HTTP/1.1 404 Nowhere\t\xe9\r\ncontent-length: 0\r\n\r\n",
     Method::get,
     404,
     {Kind::length, 0},
     {{"content-length", "0"}},
     "",
     {},
     "HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n"},
    {"empty phrase",
     "HTTP/1.1 200 \r\ncontent-length: 0\r\n\r\n",
     Method::get,
     200,
     {Kind::length, 0},
     {{"content-length", "0"}},
     "",
     {},
     "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"},
    {"no phrase",
     "HTTP/1.1 299\r\ncontent-length: 0\r\n\r\n",
     Method::get,
     299,
     {Kind::length, 0},
     {{"content-length", "0"}},
     "",
     {},
     "HTTP/1.1 299 Unknown\r\ncontent-length: 0\r\n\r\n"},
    {"until close",
     "HTTP/1.1 200 OK\r\nx: y\r\n\r\nto the end",
     Method::get,
     200,
     {Kind::until_close, 0},
     {{"x", "y"}},
     "to the end"},
    {"HTTP/1.0 until close",
     "HTTP/1.0 200 OK\r\n\r\n",
     Method::get,
     200,
     {Kind::until_close, 0},
     {},
     "",
     {},
     "HTTP/1.1 200 OK\r\n\r\n"},
    {"chunked with trailers",
     "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\nh\r\n4\r\nello\r\n0\r\nx-sum: 1\r\n\r\n",
     Method::get,
     200,
     {Kind::chunked, 0},
     {{"transfer-encoding", "chunked"}},
     "hello",
     {{"x-sum", "1"}}},
    {"answer to HEAD",
     "HTTP/1.1 200 OK\r\ncontent-length: 7\r\n\r\n",
     Method::head,
     200,
     {},
     {{"content-length", "7"}}},
    {"answer to HEAD, chunked",
     "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
     Method::head,
     200,
     {},
     {{"transfer-encoding", "chunked"}},
     "",
     {},
     "HTTP/1.1 200 OK\r\n\r\n"},
    {"304 with the length of the whole",
     "HTTP/1.1 304 Not Modified\r\ncontent-length: 7\r\n\r\n",
     Method::get,
     304,
     {},
     {{"content-length", "7"}}},
    {"204", "HTTP/1.1 204 No Content\r\n\r\n", Method::get, 204, {}, {}},
    {"100", "HTTP/1.1 100 Continue\r\n\r\n", Method::post, 100, {}, {}},
    {"103", "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n", Method::get, 103, {}, {{"link", "</a>"}}},
    {"101",
     "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n",
     Method::get,
     101,
     {Kind::tunnel, 0},
     {{"connection", "upgrade"}, {"upgrade", "websocket"}}},
    {"2xx to CONNECT",
     "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n",
     Method::connect,
     200,
     {Kind::tunnel, 0},
     {{"content-length", "5"}},
     "",
     {},
     "HTTP/1.1 200 OK\r\n\r\n"},
    {"error to CONNECT",
     "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno",
     Method::connect,
     403,
     {Kind::length, 2},
     {{"content-length", "2"}},
     "no"},
};

std::string title(const char* name) {
  std::string title = name;
  std::ranges::replace_if(title, [](char c) { return !isalnum(static_cast<unsigned char>(c)); }, '_');
  return title;
}

class Requests : public testing::TestWithParam<RequestCase> {};
class Responses : public testing::TestWithParam<ResponseCase> {};

TEST_P(Requests, AreReadAsTheyAreMeant) {
  const RequestCase& expected = GetParam();
  Reading reading = read_request(expected.bytes);
  ASSERT_EQ(reading.outcome, Reading::Outcome::complete) << reading.error_reason;
  EXPECT_EQ(reading.method, expected.method);
  if (expected.path != nullptr) EXPECT_EQ(reading.path, expected.path);
  EXPECT_EQ(reading.authority, expected.authority);
  EXPECT_EQ(reading.fields, expected.fields);
  EXPECT_EQ(reading.framing, expected.framing);
  EXPECT_EQ(reading.body, expected.body);
  EXPECT_EQ(reading.trailers, expected.trailers);
  EXPECT_EQ(reading.consumed, expected.bytes.size());
}

TEST_P(Requests, AreIncompleteWhereverTheyAreCutOff) {
  const std::string& bytes = GetParam().bytes;
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(read_request(bytes.substr(0, size)).outcome, Reading::Outcome::incomplete) << "at " << size;
  }
}

TEST_P(Requests, MeanTheSameByteByByte) {
  const std::string& bytes = GetParam().bytes;
  EXPECT_EQ(read_request(bytes, every_byte(bytes.size())), read_request(bytes));
}

TEST_P(Requests, MeanTheSameInTwoPieces) {
  const std::string& bytes = GetParam().bytes;
  Reading whole = read_request(bytes);
  for (size_t cut = 0; cut <= bytes.size(); ++cut) EXPECT_EQ(read_request(bytes, {cut}), whole) << "at " << cut;
}

TEST_P(Requests, AreFollowedByTheNextMessage) {
  const RequestCase& expected = GetParam();
  EXPECT_EQ(read_request(expected.bytes + "GET /next HTTP/1.1\r\n").consumed, expected.bytes.size());
}

TEST_P(Requests, AreWrittenInOneForm) {
  const RequestCase& expected = GetParam();
  std::string written = write_request(read_request(expected.bytes));
  EXPECT_EQ(written, expected.rewritten.empty() ? expected.bytes : expected.rewritten);
  EXPECT_EQ(write_request(read_request(written)), written);
}

INSTANTIATE_TEST_SUITE_P(H1, Requests, testing::ValuesIn(kRequests),
                         [](const auto& info) { return title(info.param.name); });

TEST_P(Responses, AreReadAsTheyAreMeant) {
  const ResponseCase& expected = GetParam();
  Reading reading = read_response(expected.bytes, expected.request_method);
  ASSERT_EQ(reading.outcome, Reading::Outcome::complete) << reading.error_reason;
  EXPECT_EQ(reading.status, expected.status);
  EXPECT_EQ(reading.fields, expected.fields);
  EXPECT_EQ(reading.framing, expected.framing);
  EXPECT_EQ(reading.body, expected.body);
  EXPECT_EQ(reading.trailers, expected.trailers);
  EXPECT_EQ(reading.consumed, expected.bytes.size());
}

TEST_P(Responses, AreIncompleteWhereverTheyAreCutOff) {
  const ResponseCase& expected = GetParam();
  size_t end = expected.bytes.size() - (expected.framing.kind == Kind::until_close ? expected.body.size() : 0);
  for (size_t size = 0; size < end; ++size) {
    Reading reading = read_response(expected.bytes.substr(0, size), expected.request_method);
    EXPECT_EQ(reading.outcome, Reading::Outcome::incomplete) << "at " << size;
  }
}

TEST_P(Responses, MeanTheSameHoweverTheyAreCut) {
  const ResponseCase& expected = GetParam();
  Reading whole = read_response(expected.bytes, expected.request_method);
  EXPECT_EQ(read_response(expected.bytes, expected.request_method, every_byte(expected.bytes.size())), whole);
  for (size_t cut = 0; cut <= expected.bytes.size(); ++cut) {
    EXPECT_EQ(read_response(expected.bytes, expected.request_method, {cut}), whole) << "at " << cut;
  }
}

TEST_P(Responses, AreWrittenInOneForm) {
  const ResponseCase& expected = GetParam();
  std::string written = write_response(read_response(expected.bytes, expected.request_method));
  EXPECT_EQ(written, expected.rewritten.empty() ? expected.bytes : expected.rewritten);
}

INSTANTIATE_TEST_SUITE_P(H1, Responses, testing::ValuesIn(kResponses),
                         [](const auto& info) { return title(info.param.name); });

TEST(H1Head, TellsWhetherARequestHasBegun) {
  Limits limits;
  RequestParser parser(limits);
  Arena arena;
  RequestHead head(arena);
  std::string bytes = "\r\n\r\n";
  EXPECT_EQ(parser.parse(bytes.data(), bytes.size(), head).status, ParseStatus::incomplete);
  EXPECT_FALSE(parser.begun());
  bytes += "G";
  EXPECT_EQ(parser.parse(bytes.data(), bytes.size(), head).status, ParseStatus::incomplete);
  EXPECT_TRUE(parser.begun());
  parser.reset();
  EXPECT_FALSE(parser.begun());
}

TEST(H1Head, KeepsTheFormAndSchemeOfTheTarget) {
  EXPECT_EQ(read_request("GET http://a/ HTTP/1.1\r\n\r\n").target_form, TargetForm::absolute);
  EXPECT_EQ(read_request("GET HTTPS://a/ HTTP/1.1\r\n\r\n").scheme, "https");
  EXPECT_EQ(read_request("GET / HTTP/1.1\r\nhost: a\r\n\r\n").target_form, TargetForm::origin);
  EXPECT_EQ(read_request("GET / HTTP/1.1\r\nhost: a\r\n\r\n").scheme, "");
  EXPECT_EQ(read_request("OPTIONS * HTTP/1.1\r\nhost: a\r\n\r\n").target_form, TargetForm::asterisk);
  EXPECT_EQ(read_request("CONNECT a:1 HTTP/1.1\r\n\r\n").target_form, TargetForm::authority);
}

TEST(H1Head, GivesNoLengthToAResponseThatCanHaveNone) {
  for (uint16_t status : {103, 204, 304}) {
    Reading response;
    response.status = status;
    response.fields = {{"content-length", "0"}};
    EXPECT_EQ(write_response(response).contains("content-length"), status == 304) << status;
  }
}

TEST(H1Head, AnswersAnHttp10ClientInItsVersion) {
  Arena arena;
  ResponseHead head(arena);
  char out[256];
  char* end = encode_response_head(head, {Kind::length, 3}, out, Version::http10);
  EXPECT_EQ(std::string(out, end), "HTTP/1.0 200 OK\r\ncontent-length: 3\r\n\r\n");
}

TEST(H1Head, TellsTheHttp2Preface) {
  const std::string preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  for (size_t size = 0; size < preface.size(); ++size) {
    EXPECT_EQ(is_http2_preface(preface.data(), size), PrefaceMatch::need_more);
  }
  EXPECT_EQ(is_http2_preface(preface.data(), preface.size()), PrefaceMatch::yes);
  EXPECT_EQ(is_http2_preface("PRO", 3), PrefaceMatch::no);
  EXPECT_EQ(is_http2_preface("GET / HTTP/1.1\r\n", 16), PrefaceMatch::no);
}

}  // namespace
}  // namespace outrider::h1
