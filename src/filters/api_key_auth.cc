// Lets requests pass that carry a known key. Envoy's document: "API key auth".
#include <algorithm>
#include <unordered_map>

#include "core/ascii.h"
#include "core/worker.h"
#include "envoy/extensions/filters/http/api_key_auth/v3/api_key_auth.pb.h"
#include "http/cookie.h"
#include "http/exchange.h"
#include "http/query.h"
#include "proto/http_filter.h"

namespace outrider::filters {
namespace {

namespace v3 = envoy::extensions::filters::http::api_key_auth::v3;

#define OUTRIDER_API_KEY_STATS(X) X(allowed) X(forbidden) X(unauthorized)
enum class KeyStat : std::uint8_t {
#define X(name) name,
  OUTRIDER_API_KEY_STATS(X)
#undef X
      count
};
#define X(name) {#name, StatKind::counter},
constexpr StatDefinition kStats[] = {OUTRIDER_API_KEY_STATS(X)};
#undef X
constexpr StatTable kTable{kStats, ""};

struct Source {
  enum class Kind : std::uint8_t { header, query, cookie };
  Kind kind;
  std::string name;

  // Empty: it has none.
  std::string key(const RequestHead& request) const;
  void remove_from(RequestHead& request) const;
};

std::string Source::key(const RequestHead& request) const {
  constexpr std::string_view kBearer = "Bearer ";
  switch (kind) {
    case Kind::header: {
      std::string joined;
      std::string_view value = one_value(request, name, joined);
      if (value.starts_with(kBearer)) value.remove_prefix(kBearer.size());
      return std::string(value);
    }
    case Kind::query:
      return QueryParameters(request.path).first(name).value_or("");
    default:
      return std::string(cookie_value(request.headers, name).value_or(""));
  }
}

void Source::remove_from(RequestHead& request) const {
  if (kind == Kind::header) {
    request.headers.remove(name);
  } else if (kind == Kind::cookie) {
    remove_cookie(request.headers, name);
  } else {
    QueryParameters parameters(request.path);
    parameters.remove(name);
    request.path = request.headers.arena().copy(parameters.path_with(request.path));
  }
}

struct Forwarding {
  std::string header;  // Lower case; empty: the backend is not told who the client is.
  bool hide = false;   // The backend gets no key.
};

// Of the filter; a route replaces the keys and sources if it has any, and the forwarding in any case.
struct Settings final : RouteFilterConfig {
  std::unordered_map<std::string, std::string> clients;  // By key.
  std::vector<Source> sources;
  std::optional<Forwarding> forwarding;
  std::vector<std::string> allowed;  // Of a route: the clients that may use it; empty: all.
};

class ApiKeyAuth final : public HeadFilter {
 public:
  ApiKeyAuth(std::shared_ptr<const Settings> settings, LocalStats stats, int slot)
      : settings_(std::move(settings)), stats_(std::move(stats)), slot_(slot) {}
  bool sees_replies() const override { return false; }

 protected:
  std::optional<Response> on_request(Exchange& x) const override;

 private:
  Response refuse(Exchange& x, std::string_view why) const {
    stats_.of(x.worker.index())[KeyStat::unauthorized].add();
    return x.reply(401, "Client authentication failed.", why);
  }
  std::shared_ptr<const Settings> settings_;
  LocalStats stats_;
  int slot_;
};

void forward(Exchange& x, const Forwarding& forwarding, const std::vector<Source>& sources, const std::string& client) {
  if (!forwarding.header.empty()) x.request.headers.set(forwarding.header, client);
  if (!forwarding.hide) return;
  for (const Source& each : sources) each.remove_from(x.request);
}

std::optional<Response> ApiKeyAuth::on_request(Exchange& x) const {
  const auto* route = static_cast<const Settings*>(x.route_config(slot_));
  const auto& sources = route && !route->sources.empty() ? route->sources : settings_->sources;
  const auto& clients = route && !route->clients.empty() ? route->clients : settings_->clients;
  if (sources.empty()) return refuse(x, "missing_key_sources");
  if (clients.empty()) return refuse(x, "missing_credentials");
  auto client = clients.end();
  bool has_key = false;
  for (const Source& each : sources) {
    std::string key = each.key(x.request);
    if (key.empty()) continue;
    has_key = true;
    client = clients.find(key);
    break;
  }
  if (!has_key) return refuse(x, "missing_api_key");
  if (client == clients.end()) return refuse(x, "unknown_api_key");
  StatBlock& stats = stats_.of(x.worker.index());
  if (route && !route->allowed.empty() && std::ranges::find(route->allowed, client->second) == route->allowed.end()) {
    stats[KeyStat::forbidden].add();
    return x.reply(403, "Client is forbidden.", "client_not_allowed");
  }
  const auto& forwarding = route ? route->forwarding : settings_->forwarding;
  if (forwarding) forward(x, *forwarding, sources, client->second);
  stats[KeyStat::allowed].add();
  return std::nullopt;
}

template <class Message>
std::shared_ptr<Settings> to_settings(const proto::FilterSource& source, const Message& from) {
  auto to = std::make_shared<Settings>();
  for (int i = 0; i < from.credentials_size(); i++) {
    if (!to->clients.emplace(from.credentials(i).key(), from.credentials(i).client()).second) {
      source.fail("credentials[" + std::to_string(i) + "].key", "another client has this key");
    }
  }
  for (int i = 0; i < from.key_sources_size(); i++) {
    const v3::KeySource& each = from.key_sources(i);
    if (!each.header().empty()) {
      to->sources.push_back({Source::Kind::header, ascii_lower(each.header())});
    } else if (!each.query().empty()) {
      to->sources.push_back({Source::Kind::query, each.query()});
    } else if (!each.cookie().empty()) {
      to->sources.push_back({Source::Kind::cookie, each.cookie()});
    } else {
      source.fail("key_sources[" + std::to_string(i) + "]", "needs one of `header`, `query` and `cookie`");
    }
  }
  if (from.has_forwarding()) {
    to->forwarding = Forwarding{ascii_lower(from.forwarding().header()), from.forwarding().hide_credentials()};
  }
  return to;
}

std::unique_ptr<Filter> make(const proto::FilterSource& source) {
  v3::ApiKeyAuth config;
  if (!proto::parse(source, config)) return nullptr;
  return std::make_unique<ApiKeyAuth>(to_settings(source, config), source.stats("api_key_auth.", kTable), source.slot);
}

std::shared_ptr<RouteFilterConfig> make_route(const proto::FilterSource& source) {
  v3::ApiKeyAuthPerRoute config;
  if (!proto::parse(source, config)) return nullptr;
  auto settings = to_settings(source, config);
  settings->allowed.assign(config.allowed_clients().begin(), config.allowed_clients().end());
  return settings;
}

}  // namespace

extern const proto::HttpFilterType api_key_auth{
    "envoy.filters.http.api_key_auth",
    "envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuth",
    make,
    "envoy.extensions.filters.http.api_key_auth.v3.ApiKeyAuthPerRoute",
    make_route,
};

}  // namespace outrider::filters
