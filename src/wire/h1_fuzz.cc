// Bytes from anywhere, read as a request and as a response: cuts must not change what comes out, and what is accepted
// must come back the same from the encoder's form of it.
//
// Input: the first byte chooses side and method, the second counts the cuts, then one byte each for the distance from
// cut to cut, then the message.

#include <cstdint>
#include <cstdlib>

#include "wire/h1_reading.h"

namespace outrider::h1 {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

bool is_framing_field(const std::pair<std::string, std::string>& field) {
  return field.first == "content-length" || field.first == "transfer-encoding";
}

// What must survive writing and reading: everything but the spelling of framing fields, the phrase and the target's
// form.
void expect_same_meaning(Reading first, Reading second) {
  require(second.outcome == Reading::Outcome::complete);
  std::erase_if(first.fields, is_framing_field);
  std::erase_if(second.fields, is_framing_field);
  require(first.fields == second.fields);
  require(first.framing == second.framing);
  require(first.body == second.body);
  require(first.trailers == second.trailers);
  require(first.method == second.method && first.authority == second.authority && first.status == second.status);
  require(first.path == second.path);
}

// Half a line that is wrong may be refused before its end is there; in pieces it may still be waited for.
bool same_verdict(const Reading& whole, const Reading& cut) {
  return whole == cut || (whole.outcome == Reading::Outcome::refused && cut.outcome == Reading::Outcome::incomplete);
}

void fuzz_request(std::string_view bytes, const Cuts& cuts) {
  Reading whole = read_request(bytes);
  Reading cut = read_request(bytes, cuts);
  Reading byte_by_byte = read_request(bytes, every_byte(bytes.size()));
  require(same_verdict(whole, cut) && same_verdict(whole, byte_by_byte));
  if (whole.outcome != Reading::Outcome::complete) return;
  require(whole.consumed <= bytes.size());
  std::string written = write_request(whole);
  Reading again = read_request(written);
  expect_same_meaning(whole, again);
  require(again.consumed == written.size());
}

void fuzz_response(std::string_view bytes, const Cuts& cuts, Method method) {
  Reading whole = read_response(bytes, method);
  Reading cut = read_response(bytes, method, cuts);
  Reading byte_by_byte = read_response(bytes, method, every_byte(bytes.size()));
  require(same_verdict(whole, cut) && same_verdict(whole, byte_by_byte));
  if (whole.outcome != Reading::Outcome::complete) return;
  std::string written = write_response(whole);
  Reading again = read_response(written, method);
  expect_same_meaning(whole, again);
  require(again.consumed == written.size());
}

// Whatever connection options say, stripping ends and leaves none of them behind.
void fuzz_connection(std::string_view bytes) {
  std::string buffer(bytes);
  Arena arena;
  RequestHead head(arena);
  Limits limits;
  RequestParser parser(limits);
  if (parser.parse(buffer.data(), buffer.size(), head).status != ParseStatus::complete) return;
  persistent(head.version, head.headers);
  requested_upgrade(head.headers);
  if (strip_hop_by_hop(head.headers)) return;
  require(!head.headers.has(Known::connection) && !head.headers.has(Known::upgrade));
  require(!head.headers.has(Known::te) || head.headers.value(Known::te) == "trailers");
}

}  // namespace
}  // namespace outrider::h1

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace outrider;
  if (size < 2) return 0;
  uint8_t choice = data[0];
  size_t cut_count = data[1] & 7u;
  size_t begin = 2 + cut_count;
  if (size < begin) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + begin, size - begin);
  h1::Cuts cuts;
  size_t at = 0;
  for (size_t i = 0; i < cut_count; ++i) {
    at += data[2 + i];
    if (at < bytes.size()) cuts.push_back(at);
  }
  if ((choice & 1) == 0) {
    h1::fuzz_request(bytes, cuts);
    h1::fuzz_connection(bytes);
  } else {
    constexpr Method kMethods[] = {Method::get, Method::head, Method::connect, Method::post};
    h1::fuzz_response(bytes, cuts, kMethods[choice >> 1 & 3]);
  }
  return 0;
}
