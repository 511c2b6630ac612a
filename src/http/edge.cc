#include "http/edge.h"

#include <algorithm>
#include <array>
#include <ctime>

#include "core/uuid.h"
#include "core/worker.h"
#include "http/client_address.h"
#include "http/http_stats.h"
#include "http/matcher.h"

namespace outrider {
namespace {

// A random UUID (RFC 9562, version 4) as text.
std::string_view make_uuid(Exchange& x) {
  char* out = static_cast<char*>(x.arena.allocate(kUuidBytes, 1));
  write_uuid(x.worker.random(), out);
  return {out, kUuidBytes};
}

// What only proxies of one's own may say to each other.
constexpr std::uint64_t kInternal =
    Headers::bit(Known::x_forwarded_client_cert) | Headers::bit(Known::x_envoy_internal) |
    Headers::bit(Known::x_envoy_expected_rq_timeout_ms) | Headers::bit(Known::x_envoy_upstream_rq_timeout_ms) |
    Headers::bit(Known::x_envoy_upstream_rq_per_try_timeout_ms) |
    Headers::bit(Known::x_envoy_upstream_rq_timeout_alt_response) | Headers::bit(Known::x_envoy_max_retries) |
    Headers::bit(Known::x_envoy_retry_on) | Headers::bit(Known::x_envoy_retry_grpc_on) |
    Headers::bit(Known::x_envoy_retriable_status_codes) | Headers::bit(Known::x_envoy_retriable_header_names) |
    Headers::bit(Known::x_envoy_hedge_on_per_try_timeout) | Headers::bit(Known::x_envoy_ip_tags);
// And where clients of the world connect (use_remote_address).
constexpr std::uint64_t kInternalAtEdge =
    Headers::bit(Known::x_envoy_decorator_operation) | Headers::bit(Known::x_envoy_downstream_service_cluster) |
    Headers::bit(Known::x_envoy_downstream_service_node) | Headers::bit(Known::x_envoy_original_host) |
    Headers::bit(Known::x_envoy_original_path);
constexpr std::string_view kInternalNames[] = {"x-envoy-force-trace", "x-envoy-original-url",
                                               "x-envoy-upstream-alt-stat-name", "x-envoy-upstream-stream-duration-ms"};

void remove_internal(Headers& headers, bool at_edge) {
  std::uint64_t internal = at_edge ? kInternal | kInternalAtEdge : kInternal;
  auto named = [](const Field& f) {
    return f.known == Known::none && f.name.starts_with("x-envoy-") &&
           std::ranges::find(kInternalNames, f.name) != std::end(kInternalNames);
  };
  if (!(headers.present() & internal) && std::none_of(headers.begin(), headers.end(), named)) return;
  headers.remove_if([&](const Field& f) { return (Headers::bit(f.known) & internal) != 0 || named(f); });
}

}  // namespace

namespace {

std::expected<void, ProtocolError> treat_underscores(Exchange& x) {
  Underscores action = x.options.underscores;
  if (action == Underscores::allow) return {};
  Headers& headers = x.request.headers;
  auto has_underscore = [](const Field& f) { return f.name.find('_') != std::string_view::npos; };
  if (std::none_of(headers.begin(), headers.end(), has_underscore)) return {};
  auto count = [&](H1Stat stat, std::uint64_t n) {
    if (x.options.h1_stats) x.options.h1_stats->local(x.worker.index())[stat].add(n);
  };
  if (action == Underscores::reject) {
    count(H1Stat::requests_rejected_with_underscores_in_headers, 1);
    return std::unexpected(ProtocolError{400, "http1.unexpected_underscore", "a field's name has an underscore"});
  }
  count(H1Stat::dropped_headers_with_underscores,
        static_cast<std::uint64_t>(std::count_if(headers.begin(), headers.end(), has_underscore)));
  headers.remove_if(has_underscore);
  return {};
}

void strip_host(Exchange& x) {
  std::string host = stripped_host(x.options, x.request, x.connection.local().port());
  if (!host.empty()) x.request.authority = x.arena.copy(host);
}

std::expected<void, ProtocolError> normalize(Exchange& x) {
  std::string path;
  switch (normalize_path(x.options.path_normalization, x.request.path, path)) {
    case PathVerdict::same:
      return {};
    case PathVerdict::changed:
      x.request.path = x.arena.copy(path);
      return {};
    case PathVerdict::redirect:
      x.request.path = x.arena.copy(path);
      return std::unexpected(ProtocolError{307, kPathRefused, "the path has escaped slashes"});
    default:
      x.request.path = x.arena.copy(path);
      return std::unexpected(ProtocolError{400, kPathRefused, "the path cannot be normalized"});
  }
}

void add_user_agent(Exchange& x) {
  Headers& headers = x.request.headers;
  headers.set(Known::x_envoy_downstream_service_cluster, x.options.user_agent);
  if (headers.value(Known::user_agent).empty()) headers.set(Known::user_agent, x.options.user_agent);
  if (!x.options.node_id.empty()) headers.set(Known::x_envoy_downstream_service_node, x.options.node_id);
}

void append_via(Exchange& x, Headers& headers) {
  std::string joined;
  std::string via(one_value(headers, "via", joined));
  if (!via.empty()) via += ", ";
  headers.set(Known::via, x.arena.copy(via + x.options.via));
}

void sanitize(Exchange& x) {
  Headers& headers = x.request.headers;
  bool from_outside = x.options.client.use_remote_address && !x.internal;
  if (x.internal) {
    headers.set(Known::x_envoy_internal, "true");
  } else {
    remove_internal(headers, from_outside);
    for (const std::string& name : x.options.internal_only_headers) headers.remove(name);
  }
  if (from_outside && !x.client_address().is_pipe()) {
    headers.set(Known::x_envoy_external_address, x.arena.copy(x.client_address().ip_text()));
  }
  bool believed = !from_outside || x.options.preserve_external_request_id;
  if (x.options.generate_request_id && !(believed && headers.has(Known::x_request_id))) {
    headers.set(Known::x_request_id, make_uuid(x));
  }
}

}  // namespace

namespace {

// Takes the protocols that are passed over from those that the client offers.
void pass_over_upgrades(Exchange& x) {
  std::string left;
  for (std::string_view rest = x.upgrade; !rest.empty();) {
    std::string_view token = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(rest.size(), token.size() + 1));
    while (token.starts_with(' ')) token.remove_prefix(1);
    while (token.ends_with(' ')) token.remove_suffix(1);
    if (token.empty() || any_matches(x.options.upgrades_passed_over, token)) continue;
    left.append(left.empty() ? "" : ",").append(token);
  }
  x.upgrade = x.arena.copy(left);
  if (!left.empty()) x.request.headers.set(Known::upgrade, x.upgrade);
}

}  // namespace

std::string stripped_host(const HttpOptions& o, const RequestHead& request, std::uint16_t listener_port) {
  std::string_view host = request.authority;
  std::size_t colon = host.rfind(':');
  if (colon != std::string_view::npos && host.find(']', colon) != std::string_view::npos)
    colon = std::string_view::npos;
  std::string_view name = host.substr(0, colon);
  std::string_view port = colon == std::string_view::npos ? std::string_view{} : host.substr(colon);
  if (o.strip_trailing_host_dot && name.ends_with('.')) name.remove_suffix(1);
  bool strip = o.strip_port == StripPort::any ||
               (o.strip_port == StripPort::matching && port == ":" + std::to_string(listener_port));
  // CONNECT keeps its port: it is what is asked for.
  if (strip && request.method != Method::connect) port = {};
  return name.size() + port.size() == host.size() ? std::string() : std::string(name).append(port);
}

std::expected<void, ProtocolError> prepare_request(Exchange& x) {
  Headers& headers = x.request.headers;
  x.upgrade = h1::requested_upgrade(headers);
  if (!x.upgrade.empty() && !x.options.upgrades_passed_over.empty()) pass_over_upgrades(x);
  if (auto error = h1::strip_hop_by_hop(headers, !x.upgrade.empty())) return std::unexpected(*error);
  const HttpOptions& o = x.options;
  if (!o.edge) return {};
  if (x.request.method == Method::connect) x.upgrade = x.request.method_name;
  if (auto fine = treat_underscores(x); !fine) return fine;
  if (o.path_normalization.any()) {
    if (auto fine = normalize(x); !fine) return fine;
  }
  if (o.strip_port != StripPort::none || o.strip_trailing_host_dot) strip_host(x);
  if (auto known = identify_client(x); !known) return known;
  sanitize(x);
  if (!o.scheme_to_overwrite.empty()) {
    x.request.scheme = o.scheme_to_overwrite;
    headers.set(Known::x_forwarded_proto, o.scheme_to_overwrite);
  } else if (x.request.scheme.empty()) {
    x.request.scheme = headers.value(Known::x_forwarded_proto);
  }
  if (!o.user_agent.empty()) add_user_agent(x);
  if (!o.via.empty()) append_via(x, headers);
  return {};
}

void prepare_response(Exchange& x, ResponseHead& head, bool closing, bool tunnel) {
  Headers& headers = head.headers;
  if (!headers.has(Known::date)) headers.add(Known::date, x.arena.copy(http_date(x.worker.wall())));
  if (x.options.server_header == ServerHeader::overwrite) {
    headers.set(Known::server, x.options.server_name);
  } else if (x.options.server_header == ServerHeader::append_if_absent) {
    headers.add_if_absent(Known::server, x.options.server_name);
  }
  if (!x.options.via.empty()) append_via(x, headers);
  if (x.options.request_id_in_response && !headers.has(Known::x_request_id)) {
    std::string joined;
    std::string_view id = one_value(x.request, "x-request-id", joined);
    if (!id.empty()) headers.add(Known::x_request_id, x.arena.copy(id));
  }
  if (tunnel) return;
  if (closing) {
    headers.set(Known::connection, "close");
  } else if (x.request.version == Version::http10) {
    headers.set(Known::connection, "keep-alive");
  }
}

std::string_view http_date(WallTime now) {
  static thread_local std::time_t second = -1;
  static thread_local std::array<char, 40> text;
  static thread_local std::size_t length = 0;
  std::time_t t = std::chrono::system_clock::to_time_t(
      std::chrono::time_point_cast<std::chrono::system_clock::duration>(std::chrono::floor<std::chrono::seconds>(now)));
  if (t != second) {
    std::tm utc{};
    gmtime_r(&t, &utc);
    length = std::strftime(text.data(), text.size(), "%a, %d %b %Y %H:%M:%S GMT", &utc);
    second = t;
  }
  return {text.data(), length};
}

}  // namespace outrider
