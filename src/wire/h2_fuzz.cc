// Bytes from anywhere as what a peer sends on a connection of HTTP/2: however they are cut, the same must happen.
//
// Input: the first byte chooses the side (bit 0) and the size of the pieces for the second reading.

#include <cstdint>
#include <cstdlib>
#include <string>

#include "wire/h2_for_test.h"

namespace outrider::h2 {
namespace {

void require(bool condition) {
  if (!condition) std::abort();
}

constexpr std::uint32_t kStreamsMax = 10;

Options few_streams() {
  Options o;
  o.settings.max_concurrent_streams = kStreamsMax;
  return o;
}

// Writes down what happens, and answers requests.
struct Peer final : Events {
  explicit Peer(Side s) : side(s), connection(s, options, *this) {
    connection.start();
    for (int i = 0; side == Side::client && i < 3; i++) {
      TestStream& k = all.make();
      k.request.path = "/";
      k.request.authority = "a";
      if (i == 1) k.request.set_method(Method::head);
      connection.open(k.stream, i != 2);
    }
  }

  Stream* stream_opens(StreamId) override { return &all.make().stream; }
  void head_received(Stream& s) override {
    TestStream& k = all.of(s);
    const Headers& headers = side == Side::server ? k.request.headers : k.response.headers;
    note(s, "head " + std::string(k.request.path) + " " + std::to_string(k.response.status));
    for (const Field& f : headers) told += std::string(f.name) + ": " + std::string(f.value) + "\n";
    require(side == Side::client || !k.request.authority.empty());
    if (side == Side::server) {
      connection.send_response(s, k.response, false);
      if (connection.sendable(s) > 0) connection.send_data(s, "x", true);
    } else if (k.response.informational()) {
      k.response.headers.clear();
    }
  }
  void data_received(Stream& s, std::string_view data) override { all.of(s).body += data; }
  void remote_ended(Stream& s) override { note(s, "end " + all.of(s).body); }
  void stream_reset(Stream& s, ErrorCode code) override { note(s, "reset " + std::to_string(int(code))); }
  void stream_failed(Stream& s, const Fault& fault) override { note(s, "failed " + std::string(fault.reason)); }
  void window_opened(Stream& s) override {
    note(s, "window");
    require(s.send_window.bytes() > 0);
  }
  void settings_received() override { told += "settings\n"; }
  void goaway_received(StreamId last, ErrorCode) override { told += "goaway " + std::to_string(last) + "\n"; }
  void ping_answered(std::uint64_t) override { told += "pong\n"; }

  void note(Stream& s, const std::string& what) { told += std::to_string(s.id) + " " + what + "\n"; }

  Side side;
  Options options = few_streams();
  TestStreams all;
  Connection connection;
  std::string told;
};

// What happened, and what was sent.
std::string read(Side side, std::string_view bytes, std::size_t piece) {
  Peer peer(side);
  if (side == Side::server) peer.connection.receive(kPreface);
  for (std::size_t at = 0; at < bytes.size() && !peer.connection.failed(); at += piece) {
    std::string exact(bytes.substr(at, piece));  // So that reading beyond it is seen.
    peer.connection.receive(exact);
  }
  require(peer.connection.streams() <= kStreamsMax);
  SendBuffer& out = peer.connection.output();
  return peer.told + std::string(out.data(), out.size());
}

}  // namespace
}  // namespace outrider::h2

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace outrider::h2;
  if (size < 1) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  Side side = data[0] & 1 ? Side::client : Side::server;
  std::string whole = read(side, bytes, bytes.size() + 1);
  require(whole == read(side, bytes, 1 + (data[0] >> 1)));
  return 0;
}
