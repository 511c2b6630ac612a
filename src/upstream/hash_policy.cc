#include "upstream/hash_policy.h"

#include <re2/re2.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <bit>

#include "core/hex.h"
#include "http/cookie.h"
#include "http/matcher.h"
#include "http/query.h"

namespace outrider {
namespace {

std::uint64_t xx_hash(std::string_view text) { return XXH64(text.data(), text.size(), 0); }

// The values of the field, sorted: their order makes no difference.
std::vector<std::string> values_of(const RequestHead& request, const std::string& name) {
  std::vector<std::string> values;
  if (name.starts_with(':') || name == "host") {
    std::string joined;
    if (auto value = field_value(request, name, joined)) values.emplace_back(*value);
    return values;
  }
  for (const Field& field : request.headers) {
    if (field.name == name) values.emplace_back(field.value);
  }
  return values;
}

// One value without a rewrite is hashed where it is.
std::optional<std::uint64_t> of_header(const Exchange& x, const HashMethod& method) {
  const Headers& headers = x.request.headers;
  const Field* first = headers.find(method.name);
  bool alone = first && std::none_of(first + 1, headers.end(), [&](const Field& f) { return f.name == method.name; });
  if (alone && !method.regex) return xx_hash(first->value);
  std::vector<std::string> values = values_of(x.request, method.name);
  if (values.empty()) return std::nullopt;
  if (method.regex) {
    for (std::string& each : values) re2::RE2::GlobalReplace(&each, *method.regex, method.substitution);
  }
  std::ranges::sort(values);
  std::uint64_t hash = 0;  // Of all before it is the seed of each.
  for (const std::string& each : values) hash = XXH64(each.data(), each.size(), hash);
  return hash;
}

std::string set_cookie(const HashMethod& method, std::string_view value) {
  std::string text = method.name + "=\"" + std::string(value) + "\"";
  if (method.ttl->count() > 0) text += "; Max-Age=" + std::to_string(method.ttl->count());
  if (!method.path.empty()) text += "; Path=" + method.path;
  for (const auto& [name, said] : method.attributes) {
    text += "; " + name;
    if (!said.empty()) text += "=" + said;
  }
  return text + "; HttpOnly";
}

// The same for all requests of a connection: those that race get the same cookie.
std::string new_value(const Exchange& x) {
  std::uint64_t hash = xx_hash(x.connection.peer->text() + x.connection.local().text());
  std::string text;
  for (int shift = 56; shift >= 0; shift -= 8) {
    const auto& digits = kHexPairs[(hash >> shift) & 255];
    text.append(digits.data(), digits.size());
  }
  return text;
}

std::optional<std::uint64_t> of_cookie(const Exchange& x, const HashMethod& method, Arena& arena,
                                       std::vector<std::string_view>& cookies) {
  std::string_view value = cookie_value(x.request.headers, method.name).value_or("");
  if (!value.empty()) return xx_hash(value);
  if (!method.ttl) return std::nullopt;
  std::string made = new_value(x);
  cookies.push_back(arena.copy(set_cookie(method, made)));
  return xx_hash(made);
}

// The parameter as it is written, escapes and all.
std::optional<std::uint64_t> of_query(const Exchange& x, const HashMethod& method) {
  std::string_view path = x.request.path.substr(0, x.request.path.find('#'));
  std::size_t mark = path.find('?');
  if (mark == std::string_view::npos) return std::nullopt;
  std::optional<std::string_view> value = raw_parameter(path.substr(mark + 1), method.name);
  return value ? std::optional(xx_hash(*value)) : std::nullopt;
}

std::optional<std::uint64_t> hash_of(const Exchange& x, const HashMethod& method, Arena& arena,
                                     std::vector<std::string_view>& cookies) {
  switch (method.kind) {
    case HashMethod::Kind::header:
      return of_header(x, method);
    case HashMethod::Kind::cookie:
      return of_cookie(x, method, arena, cookies);
    case HashMethod::Kind::source_ip:
      if (x.client_address().ip_bytes().empty()) return std::nullopt;
      return xx_hash(x.client_address().ip_text());
    case HashMethod::Kind::query_parameter:
      return of_query(x, method);
  }
  return std::nullopt;
}

}  // namespace

std::optional<std::uint64_t> hash_of(const Exchange& x, const HashPolicy& policy, Arena& arena,
                                     std::vector<std::string_view>& cookies) {
  std::optional<std::uint64_t> hash;
  for (const HashMethod& each : policy) {
    if (auto one = hash_of(x, each, arena, cookies)) hash = (hash ? std::rotl(*hash, 1) : 0) ^ *one;
    if (each.terminal && hash) break;
  }
  return hash;
}

}  // namespace outrider
