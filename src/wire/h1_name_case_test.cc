#include "wire/h1_name_case.h"

#include <gtest/gtest.h>

#include <string>

namespace outrider::h1 {
namespace {

std::string capitalized(std::string text) {
  capitalize_names(text.data(), text.data() + text.size());
  return text;
}

TEST(CapitalizeNames, WordsOfNamesBeginInUpperCaseAndNothingElseChanges) {
  EXPECT_EQ(capitalized("GET /a-b HTTP/1.1\r\nhost: a.b\r\nx-request-id: a-b: c\r\nfoo$b#$are: x\r\n\r\n"),
            "GET /a-b HTTP/1.1\r\nHost: a.b\r\nX-Request-Id: a-b: c\r\nFoo$B#$Are: x\r\n\r\n");
  EXPECT_EQ(capitalized("HTTP/1.1 200 OK\r\n\r\n"), "HTTP/1.1 200 OK\r\n\r\n");
}

TEST(CapitalizeNames, ADigitBelongsToItsWord) {
  EXPECT_EQ(capitalized("x\r\nx-b3-traceid: 1\r\n1a: b\r\n"), "x\r\nX-B3-Traceid: 1\r\n1a: b\r\n");
}

TEST(CapitalizeNames, TrailersStandBehindTheLastChunk) {
  EXPECT_EQ(capitalized("0\r\nx-sum: a\r\n\r\n"), "0\r\nX-Sum: a\r\n\r\n");
}

TEST(CapitalizeNames, NothingIsNothing) { EXPECT_EQ(capitalized(""), ""); }

}  // namespace
}  // namespace outrider::h1
