#include "upstream/rewrite.h"

#include <re2/re2.h>

#include <algorithm>

#include "core/ascii.h"
#include "upstream/route_table.h"

namespace outrider {
namespace {

std::string rewrite_path(std::string_view path, const re2::RE2& regex, const std::string& substitution) {
  std::string_view bare = without_query(path);
  std::string result(bare);
  re2::RE2::GlobalReplace(&result, regex, substitution);
  return result.append(path.substr(bare.size()));
}

// What the route's match leaves of the path; a regular expression has matched all but the query.
std::string_view behind_match(const Route& route, std::string_view path) {
  std::size_t matched = route.match == PathMatch::regex ? without_query(path).size() : route.path.size();
  return path.substr(std::min(matched, path.size()));
}

bool contains(const std::vector<std::string>& list, std::string_view protocol) {
  return std::any_of(list.begin(), list.end(),
                     [&](const std::string& each) { return equals_ignore_case(each, protocol); });
}

// "host:port" without the port, if it has one.
std::string_view without_port(std::string_view authority) {
  std::size_t colon = authority.rfind(':');
  if (colon == std::string_view::npos || authority.find(']', colon) != std::string_view::npos) return authority;
  return authority.substr(0, colon);
}

std::string redirect_authority(const Exchange& x, const Redirect& r, std::string_view scheme) {
  std::string_view given = r.host.empty() ? x.request.authority : std::string_view(r.host);
  if (!r.port) {
    // A port that was only the default of the old scheme does not survive the change of scheme, as in Envoy.
    std::string_view before = x.request.headers.value(Known::x_forwarded_proto);
    bool by_default = (before == "http" && given.ends_with(":80")) || (before == "https" && given.ends_with(":443"));
    if (r.host.empty() && scheme != before && by_default) return std::string(without_port(given));
    return std::string(given);
  }
  return std::string(without_port(given)) + ":" + std::to_string(*r.port);
}

}  // namespace

void rewrite_request(Exchange& x, const Route& route, bool envoy_headers) {
  RequestHead& request = x.request;
  std::string_view before = request.path;
  if (!route.prefix_rewrite.empty()) {
    request.path = x.arena.copy(route.prefix_rewrite + std::string(behind_match(route, request.path)));
  } else if (route.rewrite_regex) {
    request.path = x.arena.copy(rewrite_path(request.path, *route.rewrite_regex, route.rewrite_substitution));
  }
  if (request.path.data() != before.data()) {
    x.record.original_path = before;
    if (envoy_headers) request.headers.set(Known::x_envoy_original_path, before);
  }
  if (!route.host_rewrite.empty()) rewrite_host(x, route.host_rewrite, envoy_headers);
}

void rewrite_host(Exchange& x, std::string_view host, bool envoy_headers) {
  if (x.request.authority == host) return;
  if (envoy_headers) x.request.headers.set(Known::x_envoy_original_host, x.request.authority);
  x.request.authority = host;
}

Response redirect(Exchange& x, const Route& route) {
  const Redirect& r = *route.redirect;
  std::string scheme = r.https             ? "https"
                       : !r.scheme.empty() ? r.scheme
                                           : std::string(x.request.headers.value(Known::x_forwarded_proto));
  if (scheme.empty()) scheme = "http";
  std::string_view given = x.request.path;
  std::string_view bare = without_query(given);
  std::string_view query = r.strip_query ? std::string_view{} : given.substr(bare.size());
  std::string path(bare);
  if (!r.path.empty()) {
    path = r.path;
    if (r.path.find('?') != std::string::npos) query = {};
  } else if (r.has_prefix_rewrite) {
    path = r.prefix_rewrite + std::string(behind_match(route, path));
  } else if (r.regex) {
    re2::RE2::GlobalReplace(&path, *r.regex, r.regex_substitution);
  }
  std::string location = scheme + "://" + redirect_authority(x, r, scheme) + path;
  location.append(query);
  Response response = x.reply(r.status, "", "direct_response");
  response.head->headers.add(Known::location, x.arena.copy(location));
  return response;
}

bool upgrade_allowed(const Exchange& x, const Route& route) {
  if (contains(route.upgrades_off, x.upgrade)) return false;
  return contains(route.upgrades_on, x.upgrade) || contains(x.options.upgrades, x.upgrade);
}

}  // namespace outrider
