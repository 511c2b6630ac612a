// Asks an authorization server over HTTP whether a request may go on. Envoy's document: "External Authorization".

#include "core/ascii.h"
#include "core/decimal.h"
#include "envoy/extensions/filters/http/ext_authz/v3/ext_authz.pb.h"
#include "http/buffered_body.h"
#include "http/exchange.h"
#include "http/http_call.h"
#include "http/http_stats.h"
#include "proto/header_mutation.h"
#include "proto/http_filter.h"
#include "proto/matcher.h"

namespace outrider::filters {
namespace {

namespace v3 = envoy::extensions::filters::http::ext_authz::v3;

constexpr std::string_view kName = "envoy.filters.http.ext_authz";
constexpr std::string_view kToRemove = "x-envoy-auth-headers-to-remove";

enum class Stat { denied, disabled, error, failure_mode_allowed, ok, count };
constexpr StatDefinition kStats[] = {{"denied", StatKind::counter},
                                     {"disabled", StatKind::counter},
                                     {"error", StatKind::counter},
                                     {"failure_mode_allowed", StatKind::counter},
                                     {"ok", StatKind::counter}};
constexpr StatTable kStatTable{kStats, ""};

// Which part of a request's body the server gets to see.
struct BodySettings {
  std::uint32_t bytes_max = 0;
  bool partial = false;  // A longer body is cut, not refused.
};

struct Settings {
  std::string stat_scope;  // "ext_authz.", or "ext_authz.<stat_prefix>."
  std::string cluster;
  std::chrono::milliseconds timeout{};
  std::string path_prefix;
  StringMatchers request_fields;   // Besides those that are always sent.
  StringMatchers withheld_fields;  // Even so.
  HeaderMutations request_additions;
  StringMatchers to_backend, to_backend_added;  // Of an answer that allows.
  StringMatchers to_client;                     // Of an answer that denies; empty: all.
  StringMatchers to_client_allowed;             // Of an answer that allows.
  StringMatchers to_metadata;
  std::optional<BodySettings> body;
  int status_on_error = 403;
  bool allow_on_error = false, tell_allowed_on_error = false;
  bool clear_route = false;
  RuntimeFraction enabled;
  std::optional<MetadataMatcher> enabled_metadata;
  RuntimeFlag deny_at_disable{false, {}};
  std::size_t denied_body_bytes_max = 0;  // 0: no limit.
};

struct RouteSettings final : RouteFilterConfig {
  bool disabled = false;
  bool no_body = false;
  std::optional<BodySettings> body;
};

using Answer = std::expected<HttpAnswer, CallFailure>;

std::string_view joined(Arena& arena, std::string_view a, std::string_view b) {
  char* to = static_cast<char*>(arena.allocate(a.size() + b.size() + 1, 1));
  std::memcpy(to, a.data(), a.size());
  if (!b.empty()) std::memcpy(to + a.size(), b.data(), b.size());
  return {to, a.size() + b.size()};
}

class ExtAuthz final : public Filter {
 public:
  ExtAuthz(Settings settings, LocalStats stats, int slot)
      : settings_(std::move(settings)), stats_(std::move(stats)), slot_(slot) {}

  OUTRIDER_FORWARDS Task<Response> handle(Exchange& x, Next next) const override {
    auto* route = static_cast<const RouteSettings*>(x.route_config(slot_));
    if (!x.route() || (route && route->disabled)) return next(x);
    if (!enabled(x)) {
      count(x, Stat::disabled);
      if (!settings_.deny_at_disable.on(*x.worker.runtime())) return next(x);
      return at_once(refuse(x));
    }
    return check(x, next, route);
  }

 private:
  bool enabled(Exchange& x) const {
    if (!settings_.enabled.sample(*x.worker.runtime(), x.worker.random())) return false;
    return !settings_.enabled_metadata || settings_.enabled_metadata->matches(x.metadata());
  }
  void count(Exchange& x, Stat stat) const { stats_.of(x.worker.index())[stat].add(); }
  // As Envoy, what concerns the cluster that the request is on its way to is counted there too.
  void count_there_too(Exchange& x, Stat stat) const {
    count(x, stat);
    if (!x.connection.caller) return;
    if (StatBlock* stats = x.connection.caller->stats_of_cluster(x, settings_.stat_scope, kStatTable)) {
      (*stats)[stat].add();
    }
  }
  Response refuse(Exchange& x) const {
    return x.reply(settings_.status_on_error, "", "ext_authz_error", ResponseFlag::unauthorized_external_service);
  }
  Task<Response> check(Exchange& x, Next next, const RouteSettings* route) const;
  Task<Response> allow(Exchange& x, Next next, const HttpAnswer& answer) const;
  Task<Response> allow_or_refuse_error(Exchange& x, Next next) const;
  Response deny(Exchange& x, const HttpAnswer& answer) const;
  void change_request(Exchange& x, const HttpAnswer& answer) const;
  void keep_metadata(Exchange& x, const HttpAnswer& answer, TimePoint asked) const;
  const std::optional<BodySettings>& body_settings(const RouteSettings* route) const {
    return route && route->body ? route->body : settings_.body;
  }
  bool wants_body(const Exchange& x, const RouteSettings* route) const {
    return body_settings(route) && !(route && route->no_body) && x.upgrade.empty() && x.request_body->length() != 0;
  }
  bool asks_for(std::string_view name) const;
  void write_call(Exchange& x, std::string_view body, RequestHead& call) const;

  Settings settings_;
  LocalStats stats_;
  int slot_;
};

bool ExtAuthz::asks_for(std::string_view name) const {
  return !any_matches(settings_.withheld_fields, name) &&
         (name == "authorization" || any_matches(settings_.request_fields, name));
}

// As Envoy, several fields of one name become one.
void ExtAuthz::write_call(Exchange& x, std::string_view body, RequestHead& call) const {
  const RequestHead& from = x.request;
  call.set_method(from.method_name);
  call.path = settings_.path_prefix.empty() ? from.path : joined(x.arena, settings_.path_prefix, from.path);
  call.authority = from.authority;
  call.headers.add(Known::content_length, decimal(x.arena, body.size()));
  for (const Field& field : from.headers) {
    if (field.known == Known::content_length || field.known == Known::transfer_encoding || !asks_for(field.name)) {
      continue;
    }
    Field* there = field.known == Known::none ? nullptr : call.headers.find(field.known);
    for (Field* f = call.headers.begin(); !there && f != call.headers.end(); f++) {
      if (f->name == field.name) there = f;
    }
    if (there) {
      there->value = joined(x.arena, joined(x.arena, there->value, ","), field.value);
    } else {
      call.headers.add(field.name, field.known, field.value);
    }
  }
  apply_all(settings_.request_additions, x, call);
}

Task<Response> ExtAuthz::check(Exchange& x, Next next, const RouteSettings* route) const {
  std::string_view body;
  RequestHead call(x.arena);
  if (wants_body(x, route)) {
    BodySettings limits = *body_settings(route);
    auto& buffered = x.arena.make_owned<BufferedBody>(*x.request_body);
    x.request_body = &buffered;
    BufferedBody::Filled filled = co_await buffered.fill(limits.bytes_max);
    bool cut = filled == BufferedBody::Filled::too_long;
    if (cut && !limits.partial) co_return x.request_too_large();
    body = buffered.bytes().substr(0, limits.bytes_max);
    call.headers.add("x-envoy-auth-partial-body", cut ? "true" : "false");
  }
  write_call(x, body, call);
  TimePoint asked = x.worker.now();
  if (!x.connection.caller) co_return co_await allow_or_refuse_error(x, next);
  Answer answer = co_await x.connection.caller->call(
      x.arena,
      {.cluster = settings_.cluster, .request = &call, .body = body, .timeout = settings_.timeout, .cause = &x});
  if (!answer && answer.error() == CallFailure::loop) co_return x.reply(508, kLoopReply, kLoopDetails);
  if (!answer || answer->head.status >= 500) co_return co_await allow_or_refuse_error(x, next);
  keep_metadata(x, *answer, asked);
  if (answer->head.status != 200) co_return deny(x, *answer);
  co_return co_await allow(x, next, *answer);
}

Task<Response> ExtAuthz::allow_or_refuse_error(Exchange& x, Next next) const {
  count_there_too(x, Stat::error);
  if (!settings_.allow_on_error) co_return refuse(x);
  count_there_too(x, Stat::failure_mode_allowed);
  if (settings_.tell_allowed_on_error) x.request.headers.add("x-envoy-auth-failure-mode-allowed", "true");
  co_return co_await next(x);
}

void ExtAuthz::keep_metadata(Exchange& x, const HttpAnswer& answer, TimePoint asked) const {
  Value::Struct found;
  for (const Field& field : answer.head.headers) {
    if (any_matches(settings_.to_metadata, field.name)) found[std::string(field.name)] = std::string(field.value);
  }
  if (found.empty()) return;
  if (answer.head.status == 200) {
    auto took = std::chrono::duration_cast<std::chrono::milliseconds>(x.worker.now() - asked);
    found["ext_authz_duration"] = static_cast<double>(took.count());
  }
  for (auto& [name, value] : found) x.metadata().space(kName)[name] = std::move(value);
}

Response ExtAuthz::deny(Exchange& x, const HttpAnswer& answer) const {
  count_there_too(x, Stat::denied);
  if (x.connection.caller) x.connection.caller->count_reply(x, answer.head.status);
  std::string_view body = answer.body;
  if (settings_.denied_body_bytes_max) body = body.substr(0, settings_.denied_body_bytes_max);
  Response reply = x.reply(answer.head.status, body, "ext_authz_denied", ResponseFlag::unauthorized_external_service);
  Headers& to = reply.head->headers;
  auto given = [&](const Field& f) {
    if (f.known == Known::content_length || f.known == Known::transfer_encoding || f.name == kToRemove) return false;
    if (body.empty() && f.known == Known::content_type) return false;
    if (settings_.to_client.empty()) return true;
    return f.name == "www-authenticate" || f.name == "location" || any_matches(settings_.to_client, f.name);
  };
  for (const Field& f : answer.head.headers) {
    if (given(f)) to.remove(f.name);
  }
  for (const Field& f : answer.head.headers) {
    if (given(f)) to.add(f.name, f.known, f.value);
  }
  return reply;
}

void ExtAuthz::change_request(Exchange& x, const HttpAnswer& answer) const {
  Headers& to = x.request.headers;
  bool changed = false;
  auto each = [&](const StringMatchers& matchers, auto change) {
    for (const Field& f : answer.head.headers) {
      if (f.name == kToRemove || !any_matches(matchers, f.name)) continue;
      if (f.known == Known::content_length || f.known == Known::transfer_encoding) continue;
      change(f);
      changed = true;
    }
  };
  each(settings_.to_backend, [&](const Field& f) {
    if (f.known == Known::host) {
      x.request.authority = f.value;
    } else {
      to.set(f.name, f.value);
    }
  });
  each(settings_.to_backend_added, [&](const Field& f) { to.add(f.name, f.known, f.value); });
  for (const Field& f : answer.head.headers) {
    if (f.name != kToRemove) continue;
    std::string_view rest = f.value;
    while (!rest.empty()) {
      std::string_view name = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(name.size() + 1, rest.size()));
      while (name.starts_with(' ')) name.remove_prefix(1);
      while (name.ends_with(' ')) name.remove_suffix(1);
      std::string lower = ascii_lower(name);
      if (lower.empty() || lower == "host" || lower.starts_with(':')) continue;
      to.remove(lower);
      changed = true;
    }
  }
  if (changed && settings_.clear_route) x.clear_route_cache();
}

Task<Response> ExtAuthz::allow(Exchange& x, Next next, const HttpAnswer& answer) const {
  count_there_too(x, Stat::ok);
  change_request(x, answer);
  Response response = co_await next(x);
  for (const Field& f : answer.head.headers) {
    if (f.known == Known::content_length || f.known == Known::transfer_encoding) continue;
    if (any_matches(settings_.to_client_allowed, f.name)) response.head->headers.add(f.name, f.known, f.value);
  }
  co_return response;
}

BodySettings to_body(const v3::BufferSettings& from) {
  return {from.max_request_bytes(), from.allow_partial_message()};
}

void read_service(const proto::FilterSource& source, const v3::HttpService& from, Settings& to) {
  const std::string path = source.path + ".http_service";
  to.cluster = from.server_uri().cluster();
  if (!source.host.has_cluster(to.cluster)) {
    source.report.fail(path + ".server_uri.cluster", "there is no cluster '" + to.cluster + "'");
  }
  const auto& timeout = from.server_uri().timeout();
  to.timeout = std::chrono::milliseconds(timeout.seconds() * 1000 + timeout.nanos() / 1000000);
  to.path_prefix = from.path_prefix();
  if (!to.path_prefix.empty() && to.path_prefix[0] != '/') {
    source.report.fail(path + ".path_prefix", "does not begin with /");
  }
  const auto& request = from.authorization_request();
  auto matchers = [&](const auto& list, const std::string& name) {
    return proto::compile_matchers(source.report, list, path + name);
  };
  to.request_fields = matchers(request.allowed_headers(), ".authorization_request.allowed_headers");
  for (int i = 0; i < request.headers_to_add_size(); i++) {
    envoy::config::core::v3::HeaderValueOption option;
    *option.mutable_header() = request.headers_to_add(i);
    option.set_append_action(envoy::config::core::v3::HeaderValueOption::OVERWRITE_IF_EXISTS_OR_ADD);
    to.request_additions.push_back(proto::to_mutation(
        source.report, option, path + ".authorization_request.headers_to_add[" + std::to_string(i) + "]", true));
  }
  const auto& answer = from.authorization_response();
  const std::string at = ".authorization_response.";
  to.to_backend = matchers(answer.allowed_upstream_headers(), at + "allowed_upstream_headers");
  to.to_backend_added =
      matchers(answer.allowed_upstream_headers_to_append(), at + "allowed_upstream_headers_to_append");
  to.to_client = matchers(answer.allowed_client_headers(), at + "allowed_client_headers");
  to.to_client_allowed = matchers(answer.allowed_client_headers_on_success(), at + "allowed_client_headers_on_success");
  to.to_metadata = matchers(answer.dynamic_metadata_from_headers(), at + "dynamic_metadata_from_headers");
}

std::unique_ptr<Filter> make(const proto::FilterSource& source) {
  v3::ExtAuthz config;
  if (!proto::parse(source, config)) return nullptr;
  Settings s;
  if (!config.has_http_service()) {
    source.report.fail(source.path, "has no http_service");
    return nullptr;
  }
  read_service(source, config.http_service(), s);
  if (config.has_allowed_headers()) {
    if (config.http_service().authorization_request().has_allowed_headers()) {
      source.fail("allowed_headers", "stands beside http_service.authorization_request.allowed_headers: one is enough");
    }
    s.request_fields =
        proto::compile_matchers(source.report, config.allowed_headers(), source.path + ".allowed_headers");
  }
  s.withheld_fields =
      proto::compile_matchers(source.report, config.disallowed_headers(), source.path + ".disallowed_headers");
  if (config.has_with_request_body()) s.body = to_body(config.with_request_body());
  if (config.status_on_error().code() != 0) s.status_on_error = config.status_on_error().code();
  s.allow_on_error = config.failure_mode_allow();
  s.tell_allowed_on_error = config.failure_mode_allow_header_add();
  s.clear_route = config.clear_route_cache();
  if (config.has_filter_enabled()) s.enabled = proto::to_runtime(config.filter_enabled());
  if (config.has_filter_enabled_metadata()) {
    s.enabled_metadata = proto::compile_matcher(source.report, config.filter_enabled_metadata(),
                                                source.path + ".filter_enabled_metadata");
  }
  if (config.has_deny_at_disable()) s.deny_at_disable = proto::to_runtime(config.deny_at_disable());
  s.denied_body_bytes_max = config.max_denied_response_body_bytes();
  s.stat_scope = config.stat_prefix().empty() ? "ext_authz." : "ext_authz." + config.stat_prefix() + ".";
  LocalStats stats = source.stats(s.stat_scope, kStatTable);
  return std::make_unique<ExtAuthz>(std::move(s), std::move(stats), source.slot);
}

std::shared_ptr<RouteFilterConfig> make_route(const proto::FilterSource& source) {
  v3::ExtAuthzPerRoute config;
  if (!proto::parse(source, config)) return nullptr;
  auto route = std::make_shared<RouteSettings>();
  route->disabled = config.disabled();
  const v3::CheckSettings& check = config.check_settings();
  route->no_body = check.disable_request_body_buffering();
  if (check.has_with_request_body()) route->body = to_body(check.with_request_body());
  if (route->no_body && route->body) {
    source.fail("check_settings", "disable_request_body_buffering and with_request_body exclude each other");
  }
  return route;
}

}  // namespace

extern const proto::HttpFilterType ext_authz{
    kName,      "envoy.extensions.filters.http.ext_authz.v3.ExtAuthz",
    make,       "envoy.extensions.filters.http.ext_authz.v3.ExtAuthzPerRoute",
    make_route,
};

}  // namespace outrider::filters
