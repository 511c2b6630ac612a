#include "upstream/rewrite.h"

#include <re2/re2.h>

#include <algorithm>

#include "core/ascii.h"
#include "upstream/virtual_host.h"
#include "wire/h1_chars.h"

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
  bool whole = route.match == PathMatch::regex || route.match == PathMatch::uri_template;
  std::size_t matched = whole ? without_query(path).size() : route.path.size();
  return path.substr(std::min(matched, path.size()));
}

// `part`: the request's, ":path". What it may not hold makes the request unsendable.
std::string formatted(Exchange& x, const Format& format, std::string_view part) {
  std::string text;
  format.append(x, text);
  for (char& c : text) {
    if (!h1::is_control(c) && c != ' ') continue;
    x.unsendable = part;
    c = '_';
  }
  return text;
}

// The host that the backend sees; empty: the one that it has.
std::string_view new_host(Exchange& x, const HostRewrite& rewrite) {
  if (!rewrite.literal.empty()) return rewrite.literal;
  if (!rewrite.header.empty()) {
    std::string joined;
    return x.arena.copy(one_value(x.request, rewrite.header, joined));
  }
  if (rewrite.regex) {
    std::string path(without_query(x.request.path));
    re2::RE2::Replace(&path, *rewrite.regex, rewrite.substitution);
    return x.arena.copy(path);
  }
  return rewrite.format ? x.arena.copy(formatted(x, *rewrite.format, ":authority")) : std::string_view{};
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

std::string redirect_authority(const RequestHead& request, const Redirect& r, std::string_view scheme) {
  std::string_view given = r.host.empty() ? request.authority : std::string_view(r.host);
  if (!r.port) {
    // A port that was only the default of the old scheme does not survive the change of scheme, as in Envoy.
    std::string_view before = request.headers.value(Known::x_forwarded_proto);
    bool by_default = (before == "http" && given.ends_with(":80")) || (before == "https" && given.ends_with(":443"));
    if (r.host.empty() && scheme != before && by_default && !r.keep_port) return std::string(without_port(given));
    return std::string(given);
  }
  return std::string(without_port(given)) + ":" + std::to_string(*r.port);
}

}  // namespace

std::string rewritten_path(const Route& route, std::string_view path) {
  const PathRewrite& rewrite = route.path_rewrite;
  if (!rewrite.prefix.empty()) return rewrite.prefix + std::string(behind_match(route, path));
  if (rewrite.regex) return rewrite_path(path, *rewrite.regex, rewrite.substitution);
  if (rewrite.uri_template.empty()) return {};
  std::string result;
  std::string_view bare = without_query(path);
  bool done =
      re2::RE2::Extract(re2::StringPiece(bare.data(), bare.size()), *route.regex, rewrite.uri_template, &result);
  return done ? result.append(path.substr(bare.size())) : std::string();
}

namespace {

void replace_path(Exchange& x, std::string_view path, bool envoy_headers) {
  if (envoy_headers) {
    x.record.original_path = x.request.path;
    x.request.headers.set(Known::x_envoy_original_path, x.request.path);
  }
  x.request.path = x.arena.copy(path);
}

}  // namespace

void rewrite_request(Exchange& x, const Route& route, bool envoy_headers) {
  for (const auto& mutations : route.request_headers) apply_together(*mutations, x, x.request);
  std::string_view host = new_host(x, route.host_rewrite);
  if (!host.empty()) rewrite_host(x, route.host_rewrite, host, envoy_headers);
  const std::optional<Format>& format = route.path_rewrite.format;
  std::string path = format ? formatted(x, *format, ":path") : rewritten_path(route, x.request.path);
  if (path.empty()) return;
  replace_path(x, path, envoy_headers);
}

void rewrite_host(Exchange& x, const HostRewrite& rewrite, std::string_view host, bool envoy_headers) {
  if (x.request.authority == host) return;
  if (rewrite.keep_in_forwarded) {
    std::string joined;
    std::string hosts(one_value(x.request, "x-forwarded-host", joined));
    if (!hosts.empty()) hosts += ',';
    x.request.headers.set(Known::x_forwarded_host, x.arena.copy(hosts.append(x.request.authority)));
  }
  if (envoy_headers && !rewrite.untold) x.request.headers.set(Known::x_envoy_original_host, x.request.authority);
  x.request.authority = host;
}

std::string url_of(const Exchange& x) {
  std::string url(x.request.scheme.empty() ? std::string_view("http") : x.request.scheme);
  return url.append("://").append(x.request.authority).append(x.request.path);
}

namespace {

// What the redirect makes of a path without its query by a prefix or an expression; nothing: it has neither.
std::optional<std::string> redirected_path(const Route& route, std::string_view bare) {
  const Redirect& r = *route.redirect;
  if (!r.path.empty() || (!r.has_prefix_rewrite && !r.regex)) return std::nullopt;
  if (r.has_prefix_rewrite) return r.prefix_rewrite + std::string(behind_match(route, bare));
  std::string path(bare);
  re2::RE2::GlobalReplace(&path, *r.regex, r.regex_substitution);
  return path;
}

}  // namespace

std::string redirect_location(const RequestHead& request, const Route& route) {
  const Redirect& r = *route.redirect;
  std::string scheme = r.https             ? "https"
                       : !r.scheme.empty() ? r.scheme
                                           : std::string(request.headers.value(Known::x_forwarded_proto));
  if (scheme.empty()) scheme = "http";
  std::string_view given = request.path;
  std::string_view bare = without_query(given);
  std::string_view query = r.strip_query ? std::string_view{} : given.substr(bare.size());
  std::string path(bare);
  if (!r.path.empty()) {
    path = r.path;
    if (r.path.find('?') != std::string::npos) query = {};
  } else if (auto rewritten = redirected_path(route, bare)) {
    path = std::move(*rewritten);
  }
  std::string location = scheme + "://" + redirect_authority(request, r, scheme) + path;
  return location.append(query);
}

Response redirect(Exchange& x, const Route& route, bool envoy_headers) {
  std::string location = redirect_location(x.request, route);
  std::string_view bare = without_query(x.request.path);
  if (auto path = redirected_path(route, bare)) {
    replace_path(x, path->append(x.request.path.substr(bare.size())), envoy_headers);
  }
  Headers fields(x.arena);
  bool has_url = x.request.method != Method::connect;
  if (has_url) fields.add(Known::location, x.arena.copy(location));
  return x.reply(route.redirect->status, "", "direct_response", &fields);
}

bool upgrade_allowed(const Exchange& x, const Route& route) {
  if (contains(route.upgrades_off, x.upgrade)) return false;
  return contains(route.upgrades_on, x.upgrade) || contains(x.options.upgrades, x.upgrade);
}

}  // namespace outrider
