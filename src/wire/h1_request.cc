#include <cstring>

#include "wire/h1_chars.h"
#include "wire/h1_lines.h"
#include "wire/h1_target.h"

namespace outrider::h1 {
namespace {

LineRead refuse(const ProtocolError& reason, const ProtocolError*& error) {
  error = &reason;
  return LineRead::refused;
}

// method SP
LineRead read_method(char*& at, const char* end, const Limits& limits, RequestHead& head, const ProtocolError*& error) {
  char* p = at;
  while (p != end && is_token(*p)) ++p;
  if (p == end) return LineRead::incomplete;
  if (*p != ' ') {
    if (p == at) return refuse(kBadMethod, error);
    if (*p == '\r' || *p == '\n') return refuse(kNoTarget, error);
    return refuse(is_control(*p) && *p != '\t' ? kControlCharacter : kBadMethod, error);
  }
  if (p == at) return refuse(kBadMethod, error);
  head.set_method(std::string_view(at, static_cast<size_t>(p - at)));
  if (head.method == Method::extension && !limits.allow_custom_methods && !is_registered_method(head.method_name)) {
    return refuse(kUnknownMethod, error);
  }
  at = p + 1;
  return LineRead::line;
}

const ProtocolError& why_no_target(const char* start, const char* at) {
  if (*at == '#') return *start == '/' ? kFragment : kBadTargetCharacter;
  if (*at == '\n') return kBareLf;
  return is_control(*at) && *at != '\t' ? kControlCharacter : kBadTargetCharacter;
}

// request-target SP. A line that ends here is HTTP/0.9.
LineRead read_target(char*& at, const char* end, const Limits& limits, RequestHead& head, const ProtocolError*& error) {
  char* p = skip_target(at, end);
  if (p == end) return LineRead::incomplete;
  if (*p != ' ' && *p != '\r') return refuse(why_no_target(at, p), error);
  if (p == at) return refuse(kNoTarget, error);
  error = parse_target({at, static_cast<size_t>(p - at)}, head, limits.allow_absolute_url);
  if (error != nullptr) return LineRead::refused;
  if (*p == '\r') {
    LineRead read = read_line_end(p, end, error);
    return read == LineRead::line ? refuse(kLowVersion, error) : read;
  }
  at = p + 1;
  return LineRead::line;
}

// "HTTP/" digit "." digit CRLF
LineRead read_version(char*& at, const char* end, RequestHead& head, const ProtocolError*& error) {
  constexpr std::string_view kUsual = "HTTP/1.1\r\n", kForm = "HTTP/d.d\r\n";
  if (end - at >= static_cast<std::ptrdiff_t>(kUsual.size()) && std::memcmp(at, kUsual.data(), kUsual.size()) == 0) {
    head.version = Version::http11;
    at += kUsual.size();
    return LineRead::line;
  }
  for (size_t i = 0; i < kForm.size(); ++i) {
    if (at + i == end) return LineRead::incomplete;
    bool fits = kForm[i] == 'd' ? is_digit(at[i]) : at[i] == kForm[i];
    if (!fits) return refuse(kBadVersion, error);
  }
  if (at[5] != '1' || at[7] > '1') return refuse(kLowVersion, error);
  head.version = at[7] == '1' ? Version::http11 : Version::http10;
  at += kForm.size();
  return LineRead::line;
}

LineRead read_request_line(char*& at, const char* end, const Limits& limits, RequestHead& head,
                           const ProtocolError*& error) {
  char* p = at;
  LineRead read = read_method(p, end, limits, head, error);
  if (read == LineRead::line) read = read_target(p, end, limits, head, error);
  if (read == LineRead::line) read = read_version(p, end, head, error);
  if (read == LineRead::line) at = p;
  return read;
}

const ProtocolError* take_field(const Field& field, const Limits& limits, RequestHead& head, bool& host_seen) {
  Known known = known_of(field.name);
  if (known != Known::host) {
    if (head.headers.count() + host_seen >= limits.field_count_max) return &kTooManyFields;
    head.headers.add(field.name, known, field.value);
    return nullptr;
  }
  if (host_seen) return &kSeveralHosts;
  if (head.headers.count() >= limits.field_count_max) return &kTooManyFields;
  if (!parse_authority(field.value).valid) return &kBadHost;
  host_seen = true;
  // The target's authority stands above Host (RFC 9112 §3.2.2).
  if (head.authority.empty()) head.authority = field.value;
  return nullptr;
}

}  // namespace

ParseResult RequestParser::parse(char* data, size_t size, RequestHead& head) {
  const char* section = data;
  auto read_line = [&](char*& at, char* end, const ProtocolError*& error) {
    if (at == end) return LineRead::incomplete;
    if (!started_) {
      if (*at == '\r' || *at == '\n') {
        if (static_cast<size_t>(at - section) >= limits_->leading_empty_bytes_max)
          return refuse(kTooManyEmptyLines, error);
        if (*at == '\r') return read_line_end(at, end, error);
        ++at;
        return LineRead::line;
      }
      begun_ = true;
      LineRead read = read_request_line(at, end, *limits_, head, error);
      started_ = read == LineRead::line;
      return read;
    }
    Field field;
    LineRead read = read_field_line(at, end, field, error);
    if (read == LineRead::line) {
      error = take_field(field, *limits_, head, host_seen_);
      return error == nullptr ? read : LineRead::refused;
    }
    if (read == LineRead::section_end && !host_seen_ && head.version == Version::http11 && head.authority.empty() &&
        !limits_->allow_no_host) {
      return refuse(kNoHost, error);
    }
    return read;
  };
  auto rebase = [&](const char* from, size_t bytes, const char* to) {
    rebase_view(head.method_name, from, bytes, to);
    rebase_view(head.path, from, bytes, to);
    rebase_view(head.authority, from, bytes, to);
    rebase_fields(head.headers, from, bytes, to);
  };
  return read_section(progress_, data, size, limits_->head_bytes_max, read_line, rebase);
}

PrefaceMatch is_http2_preface(const char* data, size_t size) {
  constexpr std::string_view kPreface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
  std::string_view seen(data, size < kPreface.size() ? size : kPreface.size());
  if (!kPreface.starts_with(seen)) return PrefaceMatch::no;
  return seen.size() == kPreface.size() ? PrefaceMatch::yes : PrefaceMatch::need_more;
}

}  // namespace outrider::h1
