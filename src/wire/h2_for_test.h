// What tests and the fuzzer of connections of HTTP/2 share.
#pragma once
#include <cstdlib>
#include <deque>
#include <string>

#include "wire/h2_connection.h"

namespace outrider::h2 {

// What of a stream a test keeps.
struct TestStream {
  Arena arena;
  Stream stream{arena};
  RequestHead request{arena};
  ResponseHead response{arena};
  std::string body;
};

// All streams that one side ever had.
class TestStreams {
 public:
  TestStream& make() {
    TestStream& made = all_.emplace_back();
    made.stream.request = &made.request;
    made.stream.response = &made.response;
    return made;
  }
  TestStream& of(const Stream& stream) {
    for (TestStream& each : all_) {
      if (&each.stream == &stream) return each;
    }
    std::abort();
  }
  TestStream& first() { return all_.front(); }
  TestStream& last() { return all_.back(); }
  auto begin() { return all_.begin(); }
  auto end() { return all_.end(); }

 private:
  std::deque<TestStream> all_;
};

}  // namespace outrider::h2
