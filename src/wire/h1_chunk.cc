// The chunked coding (RFC 9112 §7.1), taken apart.
//
//   size_first → size → [padding] → [extension] → size_lf → data → data_cr → data_lf → size_first …
//                                                    └ size 0 → trailers

#include <algorithm>
#include <cassert>

#include "core/hex.h"
#include "wire/h1.h"
#include "wire/h1_chars.h"
#include "wire/h1_errors.h"
#include "wire/h1_lines.h"

namespace outrider::h1 {
namespace {

// Room for one more digit without passing INT64_MAX.
constexpr uint64_t kSizeBeforeDigitMax = static_cast<uint64_t>(INT64_MAX) >> 4;

// Fields that say where a message ends or goes must come before its body (RFC 9110 §6.5.1).
constexpr uint64_t kNotInTrailers =
    Headers::bit(Known::content_length) | Headers::bit(Known::transfer_encoding) | Headers::bit(Known::host);

// Whether [data, data + size) holds an empty line that ends a section; looks only at what came since the last call.
bool holds_section_end(Progress& progress, const char* data, size_t size) {
  while (progress.scanned < size) {
    const void* found = std::memchr(data + progress.scanned, '\n', size - progress.scanned);
    if (found == nullptr) break;
    size_t lf = static_cast<size_t>(static_cast<const char*>(found) - data);
    bool is_empty = lf == progress.line_start || (lf == progress.line_start + 1 && data[progress.line_start] == '\r');
    if (is_empty) return true;
    progress.line_start = progress.scanned = lf + 1;
  }
  progress.scanned = std::max(progress.scanned, size);
  return false;
}

}  // namespace

ChunkDecoder::Step ChunkDecoder::step(char* data, size_t size, Headers& trailers) {
  size_t at = 0;
  while (at != size) {
    if (state_ == State::data) {
      size_t bytes = std::min<uint64_t>(remaining_, size - at);
      remaining_ -= bytes;
      if (remaining_ == 0) state_ = State::data_cr;
      return {Kind::data, at + bytes, {data + at, bytes}, {}};
    }
    if (state_ == State::trailers) return trailer_section(data + at, size - at, at, trailers);
    if (const ProtocolError* error = take_between(data[at])) return {Kind::error, at, {}, *error};
    ++at;
  }
  return {Kind::need_more, at, {}, {}};
}

const ProtocolError* ChunkDecoder::take_between(char byte) {
  switch (state_) {
    case State::data_cr:
      if (byte != '\r') return &kBadChunkEnd;
      state_ = State::data_lf;
      return nullptr;
    case State::data_lf:
      if (byte != '\n') return &kBadChunkEnd;
      state_ = State::size_first;
      line_bytes_ = 0;
      return nullptr;
    case State::size_lf:
      if (byte != '\n') return &kBareCr;
      state_ = remaining_ == 0 ? State::trailers : State::data;
      return nullptr;
    default:
      return take_size_line(byte);
  }
}

const ProtocolError* ChunkDecoder::take_size_line(char byte) {
  if (++line_bytes_ > limits_->chunk_line_bytes_max) return &kChunkLineTooLong;
  if (state_ == State::size_first || state_ == State::size) {
    if (int digit = hex_value(byte); digit >= 0) {
      if (remaining_ > kSizeBeforeDigitMax) return &kChunkTooLarge;
      remaining_ = remaining_ << 4 | static_cast<uint64_t>(digit);
      state_ = State::size;
      return nullptr;
    }
    if (state_ == State::size_first) return &kBadChunkSize;
  }
  if (byte == '\r') {
    state_ = State::size_lf;
    return nullptr;
  }
  if (byte == '\n') return &kBareLf;
  if (state_ == State::extension) return is_value(byte) ? nullptr : &kBadChunkExtension;
  if (byte == ';') {
    state_ = State::extension;
    return nullptr;
  }
  // Some servers pad the size with blanks.
  if (!is_blank(byte)) return &kBadChunkSize;
  state_ = State::padding;
  return nullptr;
}

// Fields are read only once all are there, so that the decoder never holds a view.
ChunkDecoder::Step ChunkDecoder::trailer_section(char* data, size_t size, size_t consumed, Headers& trailers) {
  if (!holds_section_end(progress_, data, size) && size < limits_->trailer_bytes_max) {
    return {Kind::need_more, consumed, {}, {}};
  }
  auto read_line = [&](char*& at, char* end, const ProtocolError*& error) {
    Field field;
    LineRead read = read_field_line(at, end, field, error);
    if (read != LineRead::line) return read;
    Known known = known_of(field.name);
    if (trailers.count() >= limits_->trailer_count_max) error = &kTooManyFields;
    if ((Headers::bit(known) & kNotInTrailers) != 0) error = &kBadTrailer;
    if (error != nullptr) return LineRead::refused;
    trailers.add(field.name, known, field.value);
    return read;
  };
  Progress progress;
  ParseResult section = read_section(progress, data, size, limits_->trailer_bytes_max, read_line,
                                     [](const char*, size_t, const char*) {});
  if (section.status == ParseStatus::complete) return {Kind::end, consumed + section.consumed, {}, {}};
  assert(section.status == ParseStatus::error);
  return {Kind::error, consumed, {}, section.error};
}

}  // namespace outrider::h1
