#pragma once

// For tests and fuzzers: reads a whole message as a peer would, cut into pieces anywhere, each time in a buffer of its
// own and of exactly the right size, so that a view kept too long or a byte read too far does not go unseen.

#include <cstring>
#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "wire/h1.h"

namespace outrider::h1 {

using Fields = std::vector<std::pair<std::string, std::string>>;

inline Fields copy_fields(const Headers& headers) {
  Fields fields;
  for (const Field& field : headers) fields.emplace_back(field.name, field.value);
  return fields;
}

// What came of reading bytes as one message.
struct Reading {
  enum class Outcome { incomplete, complete, refused };

  Outcome outcome = Outcome::incomplete;
  uint16_t error_status = 0;
  std::string error_detail;
  std::string error_reason;

  std::string method, path, authority, scheme;
  TargetForm target_form = TargetForm::origin;
  uint16_t status = 0;
  std::string reason;
  Version version = Version::http11;
  Fields fields;
  BodyFraming framing;
  std::string body;
  Fields trailers;
  size_t consumed = 0;  // bytes of the message

  bool operator==(const Reading&) const = default;
};

// The positions at which the bytes are cut, ascending.
using Cuts = std::vector<size_t>;

inline Cuts every_byte(size_t size) {
  Cuts cuts;
  for (size_t i = 1; i < size; ++i) cuts.push_back(i);
  return cuts;
}

class MessageReader {
 public:
  MessageReader(std::string_view bytes, const Cuts& cuts, const Limits& limits)
      : bytes_(bytes), cuts_(cuts), limits_(limits) {
    cuts_.push_back(bytes.size());
  }

  Reading request() {
    RequestHead head(arena_);
    RequestParser parser(limits_);
    if (!read_head(parser, head)) return reading_;
    reading_.method = head.method_name;
    reading_.path = head.path;
    reading_.authority = head.authority;
    reading_.scheme = head.scheme;
    reading_.target_form = head.target_form;
    return finish(head, request_framing(head));
  }

  Reading response(Method request_method) {
    ResponseHead head(arena_);
    ResponseParser parser(limits_);
    if (!read_head(parser, head)) return reading_;
    reading_.status = head.status;
    reading_.reason = head.reason;
    return finish(head, response_framing(head, request_method));
  }

 private:
  // One more piece: the bytes that were not used up and the next ones, in a new buffer. False at the end.
  bool next_piece() {
    if (cut_ == cuts_.size()) return false;
    size_t until = cuts_[cut_++];
    size_t size = size_ + (until - taken_);
    auto grown = std::make_unique<char[]>(size);
    if (size_ != 0) std::memcpy(grown.get(), at(), size_);
    if (until != taken_) std::memcpy(grown.get() + size_, bytes_.data() + taken_, until - taken_);
    buffer_ = std::move(grown);
    begin_ = 0;
    size_ = size;
    taken_ = until;
    return true;
  }
  char* at() { return buffer_.get() + begin_; }
  void consume(size_t bytes) {
    begin_ += bytes;
    size_ -= bytes;
    reading_.consumed += bytes;
  }

  Reading refused(const ProtocolError& error) {
    reading_ = Reading{};  // what was read until then depends on the cuts
    reading_.outcome = Reading::Outcome::refused;
    reading_.error_status = error.status;
    reading_.error_detail = error.detail;
    reading_.error_reason = error.reason;
    return reading_;
  }

  template <class Parser, class Head>
  bool read_head(Parser& parser, Head& head) {
    while (next_piece()) {
      ParseResult result = parser.parse(at(), size_, head);
      if (result.status == ParseStatus::error) refused(result.error);
      if (result.status == ParseStatus::complete) {
        reading_.version = head.version;
        reading_.fields = copy_fields(head.headers);
        consume(result.consumed);
      }
      if (result.status != ParseStatus::incomplete) return result.status == ParseStatus::complete;
    }
    return false;
  }

  template <class Head>
  Reading finish(Head& head, std::expected<BodyFraming, ProtocolError> framing) {
    if (!framing) return refused(framing.error());
    reading_.framing = *framing;
    switch (framing->kind) {
      case BodyFraming::Kind::none:
      case BodyFraming::Kind::tunnel:
        return complete();
      case BodyFraming::Kind::length:
        return length_body(framing->length);
      case BodyFraming::Kind::until_close:
        do {
          reading_.body.append(at(), size_);
          consume(size_);
        } while (next_piece());
        return complete();
      case BodyFraming::Kind::chunked:
        break;
    }
    return chunked_body();
  }

  Reading complete() {
    reading_.outcome = Reading::Outcome::complete;
    return reading_;
  }

  Reading length_body(uint64_t length) {
    for (;;) {
      size_t bytes = std::min<uint64_t>(length, size_);
      reading_.body.append(at(), bytes);
      consume(bytes);
      length -= bytes;
      if (length == 0) return complete();
      if (!next_piece()) return reading_;
    }
  }

  Reading chunked_body() {
    ChunkDecoder decoder(limits_);
    Headers trailers(arena_);
    for (;;) {
      ChunkDecoder::Step step = decoder.step(at(), size_, trailers);
      if (step.kind == ChunkDecoder::Kind::error) return refused(step.error);
      reading_.body.append(step.data);
      if (step.kind == ChunkDecoder::Kind::end) reading_.trailers = copy_fields(trailers);
      consume(step.consumed);
      if (step.kind == ChunkDecoder::Kind::end) return complete();
      if (step.kind == ChunkDecoder::Kind::need_more && !next_piece()) return reading_;
    }
  }

  std::string_view bytes_;
  Cuts cuts_;
  Limits limits_;
  Arena arena_;
  Reading reading_;
  std::unique_ptr<char[]> buffer_ = std::make_unique<char[]>(0);
  size_t begin_ = 0;
  size_t size_ = 0;   // bytes at at()
  size_t taken_ = 0;  // bytes of bytes_ that were handed over
  size_t cut_ = 0;
};

inline Reading read_request(std::string_view bytes, const Cuts& cuts = {}, const Limits& limits = {}) {
  return MessageReader(bytes, cuts, limits).request();
}

inline Reading read_response(std::string_view bytes, Method request_method = Method::get, const Cuts& cuts = {},
                             const Limits& limits = {}) {
  return MessageReader(bytes, cuts, limits).response(request_method);
}

// Body and trailers as a sender would write them, the body in chunks of two sizes.
inline void write_body(const Reading& reading, Arena& arena, std::string& out) {
  if (reading.framing.kind != BodyFraming::Kind::chunked) {
    out += reading.body;
    return;
  }
  std::string_view rest = reading.body;
  for (size_t chunk = 1; !rest.empty(); chunk = 17) {
    std::string_view bytes = rest.substr(0, chunk);
    char header[kChunkHeaderSizeMax];
    out.append(header, encode_chunk_header(bytes.size(), header));
    out += bytes;
    out += kChunkEnd;
    rest.remove_prefix(bytes.size());
  }
  Headers trailers(arena);
  for (auto& [name, value] : reading.trailers) trailers.add(name, value);
  std::string last(trailers_size(trailers), '\0');
  last.resize(static_cast<size_t>(encode_last_chunk(trailers, last.data()) - last.data()));
  out += last;
}

template <class Head>
std::string write_message(const Reading& reading, Head& head, size_t (*size)(const Head&, BodyFraming),
                          char* (*encode)(const Head&, BodyFraming, char*)) {
  for (auto& [name, value] : reading.fields) head.headers.add(name, value);
  std::string out(size(head, reading.framing), '\0');
  out.resize(static_cast<size_t>(encode(head, reading.framing, out.data()) - out.data()));
  write_body(reading, head.headers.arena(), out);
  return out;
}

// The message as the encoder writes it.
inline std::string write_request(const Reading& reading) {
  Arena arena;
  RequestHead head(arena);
  head.set_method(reading.method);
  head.path = reading.path;
  head.authority = reading.authority;
  return write_message<RequestHead>(reading, head, request_head_size, encode_request_head);
}

inline std::string write_response(const Reading& reading) {
  Arena arena;
  ResponseHead head(arena);
  head.status = reading.status;
  return write_message<ResponseHead>(
      reading, head, response_head_size,
      [](const ResponseHead& h, BodyFraming framing, char* out) { return encode_response_head(h, framing, out); });
}

}  // namespace outrider::h1
