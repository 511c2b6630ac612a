// Path patterns with variables, "/api/{version}/users/{id=*}/**". Envoy's document: envoy.path.match.uri_template.
#pragma once
#include <expected>
#include <string>
#include <string_view>
#include <vector>

namespace outrider {

struct UriTemplate {
  std::string regex;                   // RE2's, with a group for each variable.
  std::string literal_prefix;          // What every match begins with.
  std::vector<std::string> variables;  // In the order of the groups.
};

// The error says what is wrong.
std::expected<UriTemplate, std::string> parse_uri_template(std::string_view pattern);
// What a rewrite such as "/v2/{id}" is in RE2's form, "/v2/\2".
std::expected<std::string, std::string> parse_uri_rewrite(std::string_view rewrite, const UriTemplate& of);

}  // namespace outrider
