#pragma once

// Reads a section of lines as bytes come: what request heads, response heads and trailer sections share.

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "wire/h1.h"
#include "wire/h1_errors.h"

namespace outrider::h1 {

// What a line reader found. It moves `at` behind the line when it says `line` or `section_end`.
enum class LineRead : uint8_t { incomplete, line, section_end, refused };

// Reads "name: value CRLF" at `at`, or the empty line that ends the section. The name is put into lower case in place.
// Judges bytes from left to right and says `refused` as soon as one is wrong, so that a cut never changes the verdict.
LineRead read_field_line(char*& at, char* end, Field& field, const ProtocolError*& error);

// Reads CRLF at `at`, where a control character stands: `line`, `incomplete`, or the reason why it is no line end.
LineRead read_line_end(char*& at, const char* end, const ProtocolError*& error);

// Reads lines until the section ends, at most `bytes_max` bytes of them. `read_line(at, end, error)` adds what it read
// to the message; `rebase(from, bytes, to)` moves the views that point into the buffer of the last call.
template <class ReadLine, class Rebase>
ParseResult read_section(Progress& progress, char* data, size_t size, size_t bytes_max, ReadLine read_line,
                         Rebase rebase) {
  if (progress.base != data && progress.line_start != 0) rebase(progress.base, progress.line_start, data);
  progress.base = data;
  // After a cut inside a line only the new bytes are searched until it is whole. Else a peer that sends byte by byte
  // would have the line read again for each of them.
  if (size < bytes_max && progress.scanned > progress.line_start && progress.scanned <= size &&
      std::memchr(data + progress.scanned, '\n', size - progress.scanned) == nullptr) {
    progress.scanned = size;
    return {};
  }
  char* at = data + progress.line_start;
  char* end = data + (size < bytes_max ? size : bytes_max);
  const ProtocolError* error = nullptr;
  for (;;) {
    LineRead read = read_line(at, end, error);
    if (read == LineRead::refused) return {ParseStatus::error, 0, *error};
    if (read == LineRead::section_end) return {ParseStatus::complete, static_cast<size_t>(at - data), {}};
    if (read == LineRead::incomplete) break;
    progress.line_start = static_cast<size_t>(at - data);
  }
  progress.scanned = size;
  if (size >= bytes_max) return {ParseStatus::error, 0, kHeadTooLarge};
  return {};
}

// Moves a view that lies in [from, from + bytes) to the same place behind `to`.
inline void rebase_view(std::string_view& view, const char* from, size_t bytes, const char* to) {
  auto offset = reinterpret_cast<uintptr_t>(view.data()) - reinterpret_cast<uintptr_t>(from);
  if (view.data() != nullptr && offset < bytes) view = {to + offset, view.size()};
}

void rebase_fields(Headers& headers, const char* from, size_t bytes, const char* to);

}  // namespace outrider::h1
