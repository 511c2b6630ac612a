#include <algorithm>
#include <charconv>

#include "core/ascii.h"
#include "core/blanks.h"
#include "wire/h1_chars.h"
#include "wire/h1_target.h"
#include "wire/h2_head.h"

namespace outrider::h2 {
namespace {

using hpack::Name;
using hpack::Pseudo;

// Section 8.2.1; upper case is no token here.
bool is_field_name(std::string_view name) {
  return !name.empty() && std::ranges::all_of(name, [](char c) { return h1::token_lower(c) == c && c != 0; });
}

bool is_field_value(std::string_view value) { return std::ranges::all_of(value, h1::is_value); }

// Section 8.2.2: what concerns one connection of HTTP/1.
bool concerns_connection(Known known, std::string_view value) {
  switch (known) {
    case Known::connection:
    case Known::keep_alive:
    case Known::proxy_connection:
    case Known::transfer_encoding:
    case Known::upgrade:
      return true;
    case Known::te:
      return !equals_ignore_case(value, "trailers");
    default:
      return false;
  }
}

// Collects one block: checks each field, keeps within the limits. Its pseudo fields are the derived reader's.
class Reading : public hpack::FieldSink {
 public:
  Reading(const HeadLimits& limits, Headers& headers) : limits_(limits), headers_(headers) {}

  bool put(const Name& name, std::string_view value, bool never_indexed) final {
    bytes_ += name.text.size() + value.size();
    if (bytes_ > limits_.bytes_max) return refuse(HeadStatus::too_large, kListTooLarge);
    if (name.pseudo != Pseudo::none) {
      return (!fields_begun_ && pseudo(name.pseudo, value)) || refuse(HeadStatus::malformed, kInvalidField);
    }
    fields_begun_ = true;
    value = without_blanks(value);
    bool valid = (name.known != Known::none || is_field_name(name.text)) && is_field_value(value) &&
                 !concerns_connection(name.known, value);
    if (!valid) return refuse(HeadStatus::malformed, kInvalidField);
    if (headers_.count() == limits_.field_count_max) return refuse(HeadStatus::too_large, kTooManyHeaders);
    headers_.add(name.text, name.known, value);
    if (never_indexed) (headers_.end() - 1)->never_indexed = true;
    return true;
  }

  HeadResult result(bool decoded) const {
    if (!decoded) return {HeadStatus::undecodable, {}};
    return result_;
  }

 protected:
  // False: it may not stand here.
  virtual bool pseudo(Pseudo which, std::string_view value) = 0;
  bool refuse(HeadStatus status, std::string_view detail) {
    result_ = {status, detail};
    return false;
  }
  // Whether it is the first of its kind.
  bool first(Pseudo which) {
    unsigned bit = 1u << static_cast<unsigned>(which);
    return (std::exchange(seen_, seen_ | bit) & bit) == 0;
  }
  bool has(Pseudo which) const { return (seen_ >> static_cast<unsigned>(which)) & 1; }

  const HeadLimits& limits_;
  Headers& headers_;
  HeadResult result_;

 private:
  std::size_t bytes_ = 0;
  bool fields_begun_ = false;
  unsigned seen_ = 0;
};

bool is_authority(std::string_view text) {
  h1::Authority authority = h1::parse_authority(text);
  return authority.valid && !authority.host.empty();
}

// What may stand in a path: no control, no blank; other bytes pass, as in Envoy.
bool is_path(std::string_view text) {
  return std::ranges::none_of(text, [](char c) { return h1::is_control(c) || c == ' '; });
}

class RequestReading final : public Reading {
 public:
  RequestReading(const HeadLimits& limits, RequestHead& head) : Reading(limits, head.headers), head_(head) {}

  // Sections 8.3.1 and 8.5; RFC 8441 section 4.
  HeadResult finish(bool decoded) {
    HeadResult read = result(decoded);
    if (read.status != HeadStatus::complete) return read;
    take_host();
    bool connects = head_.method == Method::connect;
    bool plain_connect = connects && !has(Pseudo::protocol);
    if (!has(Pseudo::method) || !head_.authority.data()) return {HeadStatus::malformed, kBrokenRule};
    if (plain_connect) {
      if (has(Pseudo::scheme) || has(Pseudo::path)) return {HeadStatus::malformed, kBrokenRule};
      head_.target_form = TargetForm::authority;
      return read;
    }
    if (has(Pseudo::protocol) && !connects) return {HeadStatus::malformed, kInvalidField};
    if (!has(Pseudo::scheme) || !has(Pseudo::path)) return {HeadStatus::malformed, kBrokenRule};
    bool asterisk = head_.path == "*" && head_.method == Method::options;
    if (!asterisk && !head_.path.starts_with('/')) return {HeadStatus::malformed, kBrokenRule};
    if (asterisk) head_.target_form = TargetForm::asterisk;
    return read;
  }

 private:
  bool pseudo(Pseudo which, std::string_view value) override {
    if (!first(which)) return false;
    switch (which) {
      case Pseudo::method:
        head_.set_method(value);
        return !value.empty() && std::ranges::all_of(value, h1::is_token);
      case Pseudo::scheme:
        head_.scheme = value;
        return !value.empty() && std::ranges::all_of(value, [](char c) { return h1::is_token(c); });
      case Pseudo::authority:
        head_.authority = value;
        return is_authority(value);
      case Pseudo::path:
        head_.path = value;
        return !value.empty() && is_path(value);
      case Pseudo::protocol:
        head_.protocol = value;
        return !value.empty() && std::ranges::all_of(value, h1::is_token);
      default:
        return false;
    }
  }

  void take_host() {
    const Field* host = headers_.find(Known::host);
    if (!host) return;
    if (!head_.authority.data()) head_.authority = host->value;
    headers_.remove(Known::host);
  }

  RequestHead& head_;
};

class ResponseReading final : public Reading {
 public:
  ResponseReading(const HeadLimits& limits, ResponseHead& head) : Reading(limits, head.headers), head_(head) {}
  HeadResult finish(bool decoded) {
    HeadResult read = result(decoded);
    if (read.status == HeadStatus::complete && !has(Pseudo::status)) return {HeadStatus::malformed, kBrokenRule};
    return read;
  }

 private:
  // Section 8.3.2; 101 has no meaning here (section 8.6).
  bool pseudo(Pseudo which, std::string_view value) override {
    if (which != Pseudo::status || !first(which) || value.size() != 3) return false;
    auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), head_.status);
    return error == std::errc() && end == value.data() + value.size() && head_.status >= 100 && head_.status != 101;
  }
  ResponseHead& head_;
};

class TrailerReading final : public Reading {
 public:
  using Reading::Reading;

 private:
  bool pseudo(Pseudo, std::string_view) override { return false; }
};

class NobodyReading final : public hpack::FieldSink {
 public:
  bool put(const Name&, std::string_view, bool) override { return false; }
};

// Section 8.2.3.
void join_cookies(Headers& headers) {
  constexpr std::string_view kBetween = "; ";
  if (headers.count(Known::cookie) < 2) return;
  std::size_t size = 0;
  for (const Field& field : headers) {
    if (field.known == Known::cookie) size += field.value.size() + kBetween.size();
  }
  char* const text = static_cast<char*>(headers.arena().allocate(size, 1));
  char* to = text;
  for (const Field& field : headers) {
    if (field.known != Known::cookie) continue;
    if (to != text) to = std::ranges::copy(kBetween, to).out;
    to = std::ranges::copy(field.value, to).out;
  }
  headers.set(Known::cookie, {text, static_cast<std::size_t>(to - text)});
}

}  // namespace

HeadResult read_request(hpack::Decoder& decoder, std::string_view block, const HeadLimits& limits, RequestHead& head) {
  head.version = Version::http2;
  RequestReading reading(limits, head);
  HeadResult result = reading.finish(decoder.decode(block, head.headers.arena(), reading));
  if (result.status == HeadStatus::complete && head.headers.has(Known::cookie)) join_cookies(head.headers);
  return result;
}

HeadResult read_response(hpack::Decoder& decoder, std::string_view block, const HeadLimits& limits,
                         ResponseHead& head) {
  head.version = Version::http2;
  ResponseReading reading(limits, head);
  return reading.finish(decoder.decode(block, head.headers.arena(), reading));
}

HeadResult read_trailers(hpack::Decoder& decoder, std::string_view block, const HeadLimits& limits, Headers& trailers) {
  TrailerReading reading(limits, trailers);
  return reading.result(decoder.decode(block, trailers.arena(), reading));
}

bool skip_head(hpack::Decoder& decoder, std::string_view block, Arena& arena) {
  NobodyReading nobody;
  return decoder.decode(block, arena, nobody);
}

std::optional<std::uint64_t> content_length_of(std::string_view value) {
  std::uint64_t length = 0;
  auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), length);
  if (value.empty() || error != std::errc() || end != value.data() + value.size()) return std::nullopt;
  return length;
}

}  // namespace outrider::h2
