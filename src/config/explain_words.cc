#include "config/explain_words.h"

#include <fmt/format.h>
#include <re2/re2.h>

#include "upstream/rewrite.h"

namespace outrider::config {
namespace {

std::string wanted_text(const StringMatcher& m) {
  constexpr std::string_view kKinds[] = {"", "beginning with ", "ending with ", "containing ", "matching the pattern "};
  auto kind = static_cast<std::size_t>(m.kind);
  const std::string& text = m.kind == StringMatcher::Kind::regex ? m.regex->pattern() : m.text;
  return fmt::format("{}'{}'{}", kKinds[kind], text, m.ignore_case ? " in any case" : "");
}

std::string wanted_field(const HeaderMatcher& m) {
  std::string wish;
  switch (m.kind) {
    case HeaderMatcher::Kind::present:
      return fmt::format("the field {} {}", m.name, m.present != m.invert ? "is missing" : "is there");
    case HeaderMatcher::Kind::range:
      wish = fmt::format("from {} up to {}", m.begin, m.end);
      break;
    default:
      wish = wanted_text(m.text);
  }
  return fmt::format("the field {} is {}{}", m.name, m.invert ? "" : "not ", wish);
}

}  // namespace

std::string unmet_condition(const RouteConditions& conditions, RouteQuery& query) {
  for (const HeaderMatcher& each : conditions.headers) {
    if (!each.matches(query.request)) return wanted_field(each);
  }
  for (const QueryMatcher& each : conditions.query) {
    if (!each.matches(query.request.path)) {
      return each.present_only ? fmt::format("the parameter {} is missing", each.name)
                               : fmt::format("the parameter {} is not {}", each.name, wanted_text(each.text));
    }
  }
  RouteConditions rest = conditions;
  rest.fraction.reset();
  if (conditions_match(rest, query)) return {};
  return conditions.grpc ? "it is no gRPC request" : "the metadata that filters would have to set is missing";
}

std::string path_rule(const Route& r) {
  std::string_view any_case = r.case_sensitive ? "" : " in any case";
  switch (r.match) {
    case PathMatch::prefix:
      return fmt::format("prefix '{}'{}", r.path, any_case);
    case PathMatch::path:
      return fmt::format("path '{}'{}", r.path, any_case);
    case PathMatch::segments:
      return fmt::format("path_separated_prefix '{}'{}", r.path, any_case);
    case PathMatch::connect:
      return "connect_matcher";
    case PathMatch::regex:
      return fmt::format("safe_regex '{}'", r.regex->pattern());
    default:
      return fmt::format("uri_template '{}'", r.uri_template);
  }
}

std::string numbered(const Route& r, std::size_t index) {
  return r.name.empty() ? fmt::format("route {}", index + 1) : fmt::format("route {} '{}'", index + 1, r.name);
}

std::string rewriting(const Route& r, const RequestHead& request) {
  std::string path = rewritten_path(r, request.path), text;
  if (r.path_rewrite.format) text = "the path by a format";
  if (!path.empty()) text = fmt::format("path '{}'", path);
  const HostRewrite& host = r.host_rewrite;
  std::string_view from =
      host.header.empty() ? std::string_view{} : request.headers.value(std::string_view(host.header));
  std::string host_text = !host.literal.empty() ? fmt::format("host '{}'", host.literal)
                          : !from.empty()       ? fmt::format("host '{}'", from)
                          : host.of_endpoint    ? "the endpoint's name as host"
                          : host.regex          ? fmt::format("the host by the pattern '{}'", host.regex->pattern())
                          : host.format         ? "the host by a format"
                                                : "";
  return host_text.empty() || text.empty() ? text + host_text : text + ", " + host_text;
}

}  // namespace outrider::config
