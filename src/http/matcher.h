// Matchers: conditions on texts, header fields, query parameters and metadata, as routes, logs and filters use them.
// Envoy's API: envoy.type.matcher.v3, envoy.config.route.v3.HeaderMatcher.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/value.h"
#include "wire/message.h"

namespace re2 {
class RE2;
}

namespace outrider {

struct Metadata;

struct StringMatcher {
  enum class Kind : std::uint8_t { exact, prefix, suffix, contains, regex };

  Kind kind = Kind::exact;
  bool ignore_case = false;  // Not of regex.
  std::string text;
  std::shared_ptr<const re2::RE2> regex;  // The whole text must match.

  bool matches(std::string_view value) const;
};

// Any of them; an empty list matches nothing.
using StringMatchers = std::vector<StringMatcher>;
bool any_matches(const StringMatchers& matchers, std::string_view value);

struct HeaderMatcher {
  enum class Kind : std::uint8_t { present, text, range };

  std::string name;  // Lower case; ":path" and the other pseudo-headers too.
  Known known = Known::none;
  Kind kind = Kind::present;
  StringMatcher text;
  std::int64_t begin = 0, end = 0;  // Of range; the end is not part of it.
  bool present = true;              // Of present: false wants it to be missing.
  bool invert = false;
  bool missing_is_empty = false;

  // Of several fields of the name, one has to match.
  bool matches(const RequestHead& request) const;
  bool matches(const ResponseHead& response) const;
  bool matches(const Headers& headers) const;

 private:
  bool matches_value(std::string_view value) const;
  bool matches_only(std::optional<std::string_view> value) const;
};

template <class Head>
bool all_match(const std::vector<HeaderMatcher>& matchers, const Head& head) {
  for (const HeaderMatcher& each : matchers) {
    if (!each.matches(head)) return false;
  }
  return true;
}

// The value of a field of a request, pseudo-headers too; several of the name are joined by commas in `joined`.
std::optional<std::string_view> field_value(const RequestHead& request, std::string_view name, std::string& joined);
std::optional<std::string_view> field_value(const Headers& headers, std::string_view name, std::string& joined);
// The one value that Envoy takes where it asks for one: of the names that it keeps as single fields (inline, in its
// words) all values, joined by commas in `joined`; of others the first. Empty: there is none.
std::string_view one_value(const RequestHead& request, std::string_view name, std::string& joined);
std::string_view one_value(const Headers& headers, std::string_view name, std::string& joined);

struct QueryMatcher {
  std::string name;
  bool present_only = true;  // Else `text` has to match the value.
  bool present = true;       // Of present_only: whether it is to be there.
  StringMatcher text;

  bool matches(std::string_view path_and_query) const;
};

// The value of the first parameter of that name in "/path?a=1&b=2", as it stands there; nothing if it is missing.
std::optional<std::string_view> query_parameter(std::string_view path_and_query, std::string_view name);

struct ValueMatcher {
  enum class Kind : std::uint8_t { null, number, range, text, boolean, present, list, any };

  Kind kind = Kind::present;
  double begin = 0, end = 0;  // number: begin; range: [begin, end).
  StringMatcher text;
  bool flag = true;  // boolean: the value wanted; present: false matches nothing, as in Envoy.
  // list: an element has to match; any: one of these has to.
  std::vector<ValueMatcher> inner;

  bool matches(const Value* value) const;  // Null: there is none.
};

struct MetadataMatcher {
  std::string space;
  std::vector<std::string> path;
  ValueMatcher value;
  bool invert = false;

  bool matches(const Metadata& metadata) const;
};

}  // namespace outrider
