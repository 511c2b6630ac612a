// One side of a connection of HTTP/2 that tells what happens to it, and the bytes of one that keeps no rules.
#pragma once
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <utility>
#include <vector>

#include "wire/h2_for_test.h"

namespace outrider::h2 {

using Lines = std::vector<std::string>;

// One side; what happens to it is told as lines.
class Peer final : public Events {
 public:
  Peer(Side side, Options o) : options(o), connection(side, options, *this) { connection.start(); }

  Stream* stream_opens(StreamId) override { return refuses ? nullptr : &all.make().stream; }
  void head_received(Stream& s) override {
    TestStream& t = all.of(s);
    std::string line = std::to_string(s.id) + ": ";
    if (s.response->version == Version::http2) {
      line += std::to_string(t.response.status);
    } else {
      line += std::string(t.request.method_name) + " " + std::string(t.request.authority) + std::string(t.request.path);
    }
    const Headers& headers = s.response->version == Version::http2 ? t.response.headers : t.request.headers;
    for (const Field& f : headers) line += " " + std::string(f.name) + "=" + std::string(f.value);
    lines.push_back(line + (s.remote_ended() ? " end" : ""));
  }
  void data_received(Stream& s, std::string_view data) override {
    all.of(s).body += data;
    if (reads) connection.consumed(s, data.size());
  }
  void remote_ended(Stream& s) override {
    std::string line = std::to_string(s.id) + ": end after " + std::to_string(all.of(s).body.size());
    for (std::size_t i = 0; s.trailers && i < s.trailers->count(); i++) {
      line += " " + std::string((*s.trailers)[i].name) + "=" + std::string((*s.trailers)[i].value);
    }
    lines.push_back(line);
  }
  void stream_reset(Stream& s, ErrorCode code) override { told("reset", s, code); }
  void stream_failed(Stream& s, const Fault& fault) override { told("failed", s, fault.code); }
  void window_opened(Stream& s) override { opened.push_back(s.id); }
  void settings_received() override {}
  void goaway_received(StreamId last, ErrorCode code) override {
    lines.push_back("goaway " + std::to_string(last) + " " + std::to_string(static_cast<int>(code)));
  }
  void ping_answered(std::uint64_t opaque) override { lines.push_back("pong " + std::to_string(opaque)); }

  std::string take_output() {
    SendBuffer& out = connection.output();
    std::string bytes(out.data(), out.size());
    out.consume(bytes.size());
    connection.sent(connection.waiting());
    return bytes;
  }
  Lines take_lines() { return std::exchange(lines, {}); }

  Options options;
  Connection connection;
  TestStreams all;
  Lines lines;
  std::vector<StreamId> opened;
  bool reads = true, refuses = false;

 private:
  void told(const char* what, Stream& s, ErrorCode code) {
    lines.push_back(std::to_string(s.id) + ": " + what + " " + std::to_string(static_cast<int>(code)));
  }
};

inline Options small() {
  Options o;
  o.settings.max_concurrent_streams = 100;
  o.settings.enable_connect_protocol = true;
  return o;
}

inline std::string frame(FrameType type, std::uint8_t flags, StreamId stream, std::string_view payload) {
  std::string bytes(kFrameHeaderBytes, '\0');
  put_frame_header({static_cast<std::uint32_t>(payload.size()), type, flags, stream}, bytes.data());
  return bytes + std::string(payload);
}

inline std::string block(std::vector<std::pair<std::string, std::string>> fields) {
  hpack::Encoder encoder;
  std::string bytes(1 << 17, '\0');
  char* end = encoder.begin(bytes.data());
  for (auto& [name, value] : fields) {
    end = encoder.field(hpack::look_up(name), value, hpack::Indexing::no, end);
  }
  bytes.resize(static_cast<std::size_t>(end - bytes.data()));
  return bytes;
}

inline std::vector<std::pair<std::string, std::string>> request(
    std::initializer_list<std::pair<std::string, std::string>> more = {}) {
  std::vector<std::pair<std::string, std::string>> fields{
      {":method", "GET"}, {":scheme", "http"}, {":authority", "a"}, {":path", "/"}};
  fields.insert(fields.end(), more);
  return fields;
}

constexpr std::uint8_t kWhole = flag::kEndHeaders | flag::kEndStream;
const inline std::string kSettings = frame(FrameType::settings, 0, 0, "");

// What the server says in the end: "goaway CODE", "reset CODE", or nothing.
inline std::string verdict(std::string_view bytes, Options options = small()) {
  Peer server(Side::server, options);
  server.connection.receive(kPreface);
  server.connection.receive(bytes);
  std::string out = server.take_output(), said;
  for (std::size_t at = 0; at + kFrameHeaderBytes <= out.size();) {
    FrameHeader header = read_frame_header(out.data() + at);
    at += kFrameHeaderBytes;
    if (header.type == FrameType::rst_stream) said = "reset " + std::to_string(read_32(out.data() + at));
    if (header.type == FrameType::goaway) said = "goaway " + std::to_string(read_32(out.data() + at + 4));
    at += header.length;
  }
  EXPECT_EQ(server.connection.failed(), said.starts_with("goaway"));
  return said;
}

}  // namespace outrider::h2
