#include "wire/headers.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "wire/message.h"

namespace outrider {
namespace {

std::vector<std::string> lines(const Headers& headers) {
  std::vector<std::string> lines;
  for (const Field& field : headers) lines.push_back(std::string(field.name) + ": " + std::string(field.value));
  return lines;
}
using Lines = std::vector<std::string>;

class HeadersTest : public testing::Test {
 protected:
  Arena arena_;
  Headers headers_{arena_};
};

TEST(KnownHeader, IsFoundByItsNameAndByNoOther) {
  for (size_t i = 1; i < static_cast<size_t>(Known::count); ++i) {
    auto known = static_cast<Known>(i);
    std::string name(name_of(known));
    EXPECT_EQ(known_of(name), known) << name;
    EXPECT_EQ(known_of(name + "x"), Known::none);
    EXPECT_EQ(known_of(name.substr(1)) == known, false);
    for (size_t at = 0; at < name.size(); ++at) {
      std::string other = name;
      other[at] = other[at] == 'q' ? 'z' : 'q';
      EXPECT_EQ(known_of(other), Known::none) << other;
    }
  }
  EXPECT_EQ(known_of(""), Known::none);
  EXPECT_EQ(known_of("x"), Known::none);
  EXPECT_EQ(name_of(Known::none), "");
}

TEST_F(HeadersTest, KeepOrderAndRepetition) {
  headers_.add("x", "1");
  headers_.add(Known::cookie, "a");
  headers_.add("x", "2");
  headers_.add("cookie", "b");
  EXPECT_EQ(lines(headers_), (Lines{"x: 1", "cookie: a", "x: 2", "cookie: b"}));
  EXPECT_EQ(headers_.count(), 4u);
  EXPECT_EQ(headers_.count(Known::cookie), 2u);
  EXPECT_EQ(headers_.byte_size(), 18u);
}

TEST_F(HeadersTest, FindTheFirstOfAName) {
  EXPECT_EQ(headers_.find(Known::cookie), nullptr);
  EXPECT_EQ(headers_.find("x"), nullptr);
  headers_.add("x", "1");
  headers_.add("x", "2");
  headers_.add(Known::cookie, "a");
  headers_.add(Known::cookie, "b");
  EXPECT_EQ(headers_.value(Known::cookie), "a");
  EXPECT_EQ(headers_.value("cookie"), "a");
  EXPECT_EQ(headers_.value("x"), "1");
  EXPECT_EQ(headers_.value("y"), "");
  EXPECT_TRUE(headers_.has(Known::cookie));
  EXPECT_FALSE(headers_.has(Known::host));
}

TEST_F(HeadersTest, ReplaceAllOfANameAtThePlaceOfTheFirst) {
  for (const char* value : {"1", "2", "3"}) {
    headers_.add("x", value);
    headers_.add(Known::via, value);
  }
  headers_.set(Known::via, "v");
  headers_.set("x", "w");
  headers_.set("new", "n");
  headers_.set("server", "s");
  EXPECT_EQ(lines(headers_), (Lines{"x: w", "via: v", "new: n", "server: s"}));
}

TEST_F(HeadersTest, ForgetANameThatWasRemoved) {
  headers_.add(Known::te, "a");
  headers_.add("x", "1");
  headers_.add(Known::te, "b");
  EXPECT_EQ(headers_.remove(Known::te), 2u);
  EXPECT_FALSE(headers_.has(Known::te));
  EXPECT_EQ(headers_.remove(Known::te), 0u);
  EXPECT_EQ(headers_.remove("x"), 1u);
  EXPECT_TRUE(headers_.empty());
  EXPECT_EQ(headers_.present(), 0u);
}

TEST_F(HeadersTest, AddOnlyWhatIsAbsentWhenAsked) {
  headers_.add_if_absent(Known::server, "a");
  headers_.add_if_absent(Known::server, "b");
  EXPECT_EQ(lines(headers_), (Lines{"server: a"}));
}

TEST_F(HeadersTest, GrowPastTheirFirstStorage) {
  std::vector<std::string> names;
  for (int i = 0; i < 200; ++i) names.push_back("x-" + std::to_string(i));
  for (const std::string& name : names) headers_.add(name, name);
  headers_.add(Known::origin, "o");
  EXPECT_EQ(headers_.count(), 201u);
  for (const std::string& name : names) EXPECT_EQ(headers_.value(name), name);
  EXPECT_EQ(headers_.value(Known::origin), "o");
}

TEST_F(HeadersTest, LeaveNothingBehindWhenMoved) {
  headers_.add(Known::origin, "o");
  Headers moved = std::move(headers_);
  EXPECT_EQ(lines(moved), (Lines{"origin: o"}));
  EXPECT_TRUE(headers_.empty());
  EXPECT_FALSE(headers_.has(Known::origin));
  headers_.add(Known::via, "v");
  EXPECT_EQ(lines(headers_), (Lines{"via: v"}));
}

TEST_F(HeadersTest, AreEmptyAfterClear) {
  headers_.add(Known::origin, "o");
  headers_.clear();
  EXPECT_TRUE(headers_.empty());
  EXPECT_EQ(headers_.find(Known::origin), nullptr);
}

TEST(Method, IsNamedAsItIsRead) {
  for (const char* name : {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}) {
    EXPECT_EQ(name_of(method_of(name)), name);
  }
  EXPECT_EQ(method_of("get"), Method::extension);
  EXPECT_EQ(method_of("PROPFIND"), Method::extension);
  EXPECT_EQ(method_of(""), Method::extension);
}

TEST(ReasonPhrase, IsTheOneThatEnvoyWrites) {
  EXPECT_EQ(reason_phrase(200), "OK");
  EXPECT_EQ(reason_phrase(413), "Payload Too Large");
  EXPECT_EQ(reason_phrase(431), "Request Header Fields Too Large");
  EXPECT_EQ(reason_phrase(599), "Last Unassigned Server Error Code");
  for (uint16_t status : {0, 99, 299, 418, 600, 999}) EXPECT_EQ(reason_phrase(status), "Unknown") << status;
}

}  // namespace
}  // namespace outrider
