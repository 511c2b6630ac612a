#include "filters/grpc_call.h"

#include <gtest/gtest.h>

#include "filters/connect_end.h"

namespace outrider::filters {
namespace {

std::string message(std::string_view text, std::uint8_t flags = 0) {
  return std::string(view_of(grpc_prefix(flags, text.size()))).append(text);
}

TEST(GrpcMessages, AreFoundHoweverTheyAreCut) {
  std::string bytes = message("abc") + message("") + message(std::string(300, 'x'));
  for (std::size_t size = 1; size <= bytes.size(); size++) {
    GrpcMessages messages;
    std::uint64_t sum = 0;
    for (std::size_t at = 0; at < bytes.size(); at += size)
      sum += messages.read(std::string_view(bytes).substr(at, size));
    EXPECT_EQ(messages.count(), 3u) << size;
    EXPECT_EQ(sum, 3u) << size;
  }
}

TEST(GrpcMessages, BeginWithTheirFirstByte) {
  GrpcMessages messages;
  EXPECT_EQ(messages.read(std::string_view("\0", 1)), 1u);
  EXPECT_EQ(messages.read(std::string_view("\0\0\0\2a", 5)), 0u);
  EXPECT_EQ(messages.read(std::string_view("b\0", 2)), 1u);
}

TEST(GrpcMethods, HaveTwoNames) {
  for (std::string_view path : {"/a.B/c", "//a.B//c/", "/a.B/c?x=/y"}) {
    auto method = grpc_method_of(path);
    ASSERT_TRUE(method) << path;
    EXPECT_EQ(method->service, "a.B") << path;
    EXPECT_EQ(method->method, "c") << path;
  }
  for (std::string_view path : {"", "/", "/a", "/a/b/c", "/a/?b/c", "*"}) EXPECT_FALSE(grpc_method_of(path)) << path;
}

TEST(ConnectMessages, TellHowTheStreamEnded) {
  struct Case {
    std::string bytes;
    std::uint64_t messages;
    bool succeeded;
  };
  for (const Case& c : {Case{message("a") + message("{}", 2), 1, true},
                        Case{message("a") + message(R"({"error":{"code":"x"}})", 2), 1, false},
                        Case{message("a") + message("no JSON", 2), 1, false}, Case{message("a"), 1, false},
                        Case{message("{}", 2) + message("behind"), 0, true},
                        Case{message("{" + std::string(1 << 20, ' ') + "}", 2), 0, false}}) {
    ConnectMessages messages;
    messages.read(c.bytes);
    EXPECT_EQ(messages.messages(), c.messages) << c.bytes.substr(0, 40);
    EXPECT_EQ(messages.succeeded(), c.succeeded) << c.bytes.substr(0, 40);
  }
}

}  // namespace
}  // namespace outrider::filters
