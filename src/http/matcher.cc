#include "http/matcher.h"

#include <re2/re2.h>

#include <algorithm>
#include <charconv>

#include "core/ascii.h"
#include "http/metadata.h"
#include "http/query.h"

namespace outrider {
namespace {

bool contains_ignore_case(std::string_view text, std::string_view part) {
  auto same = [](char a, char b) { return ascii_lower(a) == ascii_lower(b); };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same) != text.end();
}

bool matches_ignoring_case(const StringMatcher& m, std::string_view value) {
  switch (m.kind) {
    case StringMatcher::Kind::exact:
      return equals_ignore_case(value, m.text);
    case StringMatcher::Kind::prefix:
      return starts_with_ignore_case(value, m.text);
    case StringMatcher::Kind::suffix:
      return value.size() >= m.text.size() && equals_ignore_case(value.substr(value.size() - m.text.size()), m.text);
    default:
      return contains_ignore_case(value, m.text);
  }
}

std::optional<std::int64_t> whole_number(std::string_view text) {
  std::int64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

}  // namespace

bool StringMatcher::matches(std::string_view value) const {
  if (kind == Kind::regex) return re2::RE2::FullMatch(re2::StringPiece(value.data(), value.size()), *regex);
  if (ignore_case) return matches_ignoring_case(*this, value);
  switch (kind) {
    case Kind::exact:
      return value == text;
    case Kind::prefix:
      return value.starts_with(text);
    case Kind::suffix:
      return value.ends_with(text);
    default:
      return value.find(text) != std::string_view::npos;
  }
}

bool any_matches(const StringMatchers& matchers, std::string_view value) {
  return std::any_of(matchers.begin(), matchers.end(), [&](const StringMatcher& m) { return m.matches(value); });
}

std::optional<std::string_view> field_value(const Headers& headers, std::string_view name, std::string& joined) {
  const Field* first = headers.find(name);
  if (!first) return std::nullopt;
  const Field* next = std::find_if(first + 1, headers.end(), [&](const Field& f) { return f.name == name; });
  if (next == headers.end()) return first->value;
  joined.assign(first->value);
  for (; next != headers.end(); ++next) {
    if (next->name == name) joined.append(",").append(next->value);
  }
  return joined;
}

std::optional<std::string_view> field_value(const RequestHead& request, std::string_view name, std::string& joined) {
  if (!name.starts_with(':')) {
    if (name == "host") return request.authority;
    return field_value(request.headers, name, joined);
  }
  if (name == ":path") return request.path;
  if (name == ":method") return request.method_name;
  if (name == ":authority") return request.authority;
  if (name == ":scheme") {
    if (!request.scheme.empty()) return request.scheme;
    return request.headers.value(Known::x_forwarded_proto);
  }
  return std::nullopt;
}

namespace {

constexpr std::string_view kInline[] = {"accept",
                                        "accept-encoding",
                                        "access-control-request-headers",
                                        "access-control-request-method",
                                        "access-control-request-private-network",
                                        "authorization",
                                        "cache-control",
                                        "cdn-loop",
                                        "content-encoding",
                                        "content-type",
                                        "grpc-accept-encoding",
                                        "grpc-timeout",
                                        "if-match",
                                        "if-modified-since",
                                        "if-none-match",
                                        "if-range",
                                        "if-unmodified-since",
                                        "origin",
                                        "pragma",
                                        "proxy-status",
                                        "referer",
                                        "user-agent",
                                        "via",
                                        "x-client-trace-id",
                                        "x-envoy-attempt-count",
                                        "x-envoy-decorator-operation",
                                        "x-envoy-downstream-service-cluster",
                                        "x-envoy-downstream-service-node",
                                        "x-envoy-external-address",
                                        "x-envoy-is-timeout-retry",
                                        "x-envoy-original-host",
                                        "x-envoy-original-path",
                                        "x-forwarded-client-cert",
                                        "x-forwarded-for",
                                        "x-forwarded-host",
                                        "x-forwarded-port",
                                        "x-forwarded-proto",
                                        "x-request-id"};
static_assert(std::ranges::is_sorted(kInline));

}  // namespace

std::string_view one_value(const Headers& headers, std::string_view name, std::string& joined) {
  const Field* first = headers.find(name);
  if (!first) return {};
  bool more = std::find_if(first + 1, headers.end(), [&](const Field& f) { return f.name == name; }) != headers.end();
  if (!more || !std::ranges::binary_search(kInline, name)) return first->value;
  return *field_value(headers, name, joined);
}

std::string_view one_value(const RequestHead& request, std::string_view name, std::string& joined) {
  if (name == "host") return request.authority;
  return one_value(request.headers, name, joined);
}

bool HeaderMatcher::matches_value(std::string_view value) const {
  if (kind == Kind::text) return text.matches(value);
  auto number = whole_number(value);
  return number && *number >= begin && *number < end;
}

bool HeaderMatcher::matches_only(std::optional<std::string_view> value) const {
  if (kind == Kind::present) return ((value.has_value() || missing_is_empty) == present) != invert;
  if (!value && !missing_is_empty) return false;
  return matches_value(value.value_or(std::string_view{})) != invert;
}

bool HeaderMatcher::matches(const RequestHead& request) const {
  if (!name.starts_with(':') && known != Known::host) return matches(request.headers);
  std::string joined;
  return matches_only(field_value(request, name, joined));
}

bool HeaderMatcher::matches(const Headers& headers) const {
  const Field* first = known != Known::none && !headers.has(known) ? nullptr : headers.find(name);
  if (!first) return matches_only(std::nullopt);
  if (kind == Kind::present) return present != invert;
  for (const Field* f = first; f != headers.end(); ++f) {
    if (f->name == name && matches_value(f->value)) return !invert;
  }
  return invert;
}

bool HeaderMatcher::matches(const ResponseHead& response) const {
  if (name != ":status") return matches(response.headers);
  char digits[8];
  char* end = std::to_chars(digits, digits + sizeof digits, response.status).ptr;
  return matches_only(std::string_view(digits, static_cast<std::size_t>(end - digits)));
}

std::optional<std::string_view> query_parameter(std::string_view path, std::string_view name) {
  std::size_t at = path.find('?');
  if (at == std::string_view::npos) return std::nullopt;
  return raw_parameter(path.substr(at + 1, path.find('#', at) - at - 1), name);
}

bool QueryMatcher::matches(std::string_view path_and_query) const {
  auto value = query_parameter(path_and_query, name);
  return present_only ? value.has_value() == present : value && text.matches(*value);
}

bool ValueMatcher::matches(const Value* value) const {
  if (kind == Kind::present) return flag && value != nullptr && !value->is_null();
  if (kind == Kind::any) {
    return std::any_of(inner.begin(), inner.end(), [&](const ValueMatcher& m) { return m.matches(value); });
  }
  if (!value) return false;
  switch (kind) {
    case Kind::null:
      return value->is_null();
    case Kind::number:
      return value->number() && *value->number() == begin;
    case Kind::range:
      return value->number() && *value->number() >= begin && *value->number() < end;
    case Kind::text:
      return value->text() && text.matches(*value->text());
    case Kind::boolean:
      return value->boolean() && *value->boolean() == flag;
    default:
      return value->list() && !inner.empty() &&
             std::any_of(value->list()->begin(), value->list()->end(),
                         [&](const Value& each) { return inner[0].matches(&each); });
  }
}

bool MetadataMatcher::matches(const Metadata& metadata) const {
  return value.matches(metadata.find(space, path)) != invert;
}

}  // namespace outrider
