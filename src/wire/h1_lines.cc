#include "wire/h1_lines.h"

#include "wire/h1_chars.h"

namespace outrider::h1 {
namespace {

LineRead refuse(const ProtocolError& reason, const ProtocolError*& error) {
  error = &reason;
  return LineRead::refused;
}

// `at` is the first byte of a line's name that is neither token character nor colon.
const ProtocolError& why_no_name(const char* start, const char* at) {
  if (is_blank(*at)) return at == start ? kFoldedField : kBlankBeforeColon;
  if (*at == '\r' || *at == '\n') return kNoColon;
  return is_control(*at) ? kControlCharacter : kBadFieldName;
}

}  // namespace

LineRead read_line_end(char*& at, const char* end, const ProtocolError*& error) {
  if (*at == '\r') {
    if (end - at < 2) return LineRead::incomplete;
    if (at[1] != '\n') return refuse(kBareCr, error);
    at += 2;
    return LineRead::line;
  }
  return refuse(*at == '\n' ? kBareLf : kControlCharacter, error);
}

LineRead read_field_line(char*& at, char* end, Field& field, const ProtocolError*& error) {
  char* name = at;
  char* p = lower_token(name, end);
  if (p == end) return LineRead::incomplete;
  if (*p != ':') {
    if (p != name || (*p != '\r' && *p != '\n')) return refuse(why_no_name(name, p), error);
    LineRead read = read_line_end(at, end, error);
    return read == LineRead::line ? LineRead::section_end : read;
  }
  if (p == name) return refuse(kEmptyFieldName, error);
  field.name = {name, static_cast<size_t>(p - name)};
  ++p;
  while (p != end && is_blank(*p)) ++p;
  char* value = p;
  p = skip_value(p, end);
  if (p == end) return LineRead::incomplete;
  char* value_end = p;
  LineRead read = read_line_end(p, end, error);
  if (read != LineRead::line) return read;
  while (value_end != value && is_blank(value_end[-1])) --value_end;
  field.value = {value, static_cast<size_t>(value_end - value)};
  at = p;
  return LineRead::line;
}

void rebase_fields(Headers& headers, const char* from, size_t bytes, const char* to) {
  for (Field& field : headers) {
    rebase_view(field.name, from, bytes, to);
    rebase_view(field.value, from, bytes, to);
  }
}

}  // namespace outrider::h1
