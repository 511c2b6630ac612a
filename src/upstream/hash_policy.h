// What of a request a route's hash_policy makes a number of, for clusters that hash consistently.
#pragma once
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/exchange.h"

namespace re2 {
class RE2;
}

namespace outrider {

struct HashMethod {
  enum class Kind : std::uint8_t { header, cookie, source_ip, query_parameter };
  Kind kind = Kind::header;
  std::string name;       // Of the field (lower case), the cookie or the parameter.
  bool terminal = false;  // Where it gives a number, or one was given before, the methods behind it are not asked.

  std::shared_ptr<const re2::RE2> regex;  // Of a header: what of its value is replaced first; null: nothing.
  std::string substitution;

  // Of a cookie: where the request has none, the response sets one that lives so long. Nothing: there is no hash then.
  std::optional<std::chrono::seconds> ttl;
  std::string path;                                             // Empty: none.
  std::vector<std::pair<std::string, std::string>> attributes;  // An empty value: the name alone.
};

using HashPolicy = std::vector<HashMethod>;

// Nothing: the request has none of it. A cookie that the response has to set is appended to `cookies`, as the value of
// set-cookie; it lives as long as the exchange.
std::optional<std::uint64_t> hash_of(const Exchange& x, const HashPolicy& policy, Arena& arena,
                                     std::vector<std::string_view>& cookies);

}  // namespace outrider
