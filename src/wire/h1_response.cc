#include <cstring>

#include "wire/h1_chars.h"
#include "wire/h1_lines.h"

namespace outrider::h1 {
namespace {

LineRead refuse(const ProtocolError& reason, const ProtocolError*& error) {
  error = &reason;
  return LineRead::refused;
}

// "HTTP/" digit "." digit SP 3digit, byte by byte so that a cut never changes the verdict.
LineRead read_version_and_status(char*& at, const char* end, ResponseHead& head, const ProtocolError*& error) {
  constexpr std::string_view kForm = "HTTP/d.d ddd";
  constexpr std::string_view kUsual = "HTTP/1.1 ";
  bool usual = static_cast<size_t>(end - at) > kUsual.size() && std::memcmp(at, kUsual.data(), kUsual.size()) == 0;
  for (size_t i = usual ? kUsual.size() : 0; i < kForm.size(); ++i) {
    if (at + i == end) return LineRead::incomplete;
    bool fits = kForm[i] == 'd' ? is_digit(at[i]) : at[i] == kForm[i];
    if (!fits) return refuse(kBadStatusLine, error);
  }
  if (at[5] != '1' || at[7] > '1') return refuse(kResponseVersion, error);
  if (at[9] == '0') return refuse(kBadStatusLine, error);
  head.version = at[7] == '1' ? Version::http11 : Version::http10;
  head.status = static_cast<uint16_t>((at[9] - '0') * 100 + (at[10] - '0') * 10 + (at[11] - '0'));
  at += kForm.size();
  return LineRead::line;
}

// [SP reason-phrase] CRLF. Servers that leave the SP out are common.
LineRead read_reason(char*& at, char* end, ResponseHead& head, const ProtocolError*& error) {
  if (at == end) return LineRead::incomplete;
  if (*at != ' ') return *at == '\r' ? read_line_end(at, end, error) : refuse(kBadStatusLine, error);
  char* reason = at + 1;
  char* p = skip_value(reason, end);
  if (p == end) return LineRead::incomplete;
  std::string_view text(reason, static_cast<size_t>(p - reason));
  LineRead read = read_line_end(p, end, error);
  if (read != LineRead::line) return read;
  head.reason = text;
  at = p;
  return read;
}

LineRead read_status_line(char*& at, char* end, ResponseHead& head, const ProtocolError*& error) {
  char* p = at;
  LineRead read = read_version_and_status(p, end, head, error);
  if (read == LineRead::line) read = read_reason(p, end, head, error);
  if (read == LineRead::line) at = p;
  return read;
}

}  // namespace

ParseResult ResponseParser::parse(char* data, size_t size, ResponseHead& head) {
  auto read_line = [&](char*& at, char* end, const ProtocolError*& error) {
    if (at == end) return LineRead::incomplete;
    if (!started_) {
      LineRead read = read_status_line(at, end, head, error);
      started_ = read == LineRead::line;
      return read;
    }
    Field field;
    LineRead read = read_field_line(at, end, field, error);
    if (read != LineRead::line) return read;
    if (head.headers.count() >= limits_->field_count_max) return refuse(kTooManyFields, error);
    head.headers.add(field.name, known_of(field.name), field.value);
    return read;
  };
  auto rebase = [&](const char* from, size_t bytes, const char* to) {
    rebase_view(head.reason, from, bytes, to);
    rebase_fields(head.headers, from, bytes, to);
  };
  return read_section(progress_, data, size, limits_->head_bytes_max, read_line, rebase);
}

}  // namespace outrider::h1
