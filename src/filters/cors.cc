// Answers preflights, and tells browsers which origins may read a response. Envoy's document: "CORS".
#include "filters/cors.h"

#include "core/worker.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "envoy/extensions/filters/http/cors/v3/cors.pb.h"
#include "http/exchange.h"
#include "proto/http_filter.h"
#include "proto/matcher.h"

namespace outrider::filters {
namespace {

namespace v3 = envoy::extensions::filters::http::cors::v3;

struct Policy final : RouteFilterConfig {
  StringMatchers origins;
  bool any_origin = false;  // A matcher of `origins` takes "*".
  std::string methods, headers, expose, max_age;
  std::optional<bool> credentials, private_network, forward_not_matching;
  std::optional<RuntimeFraction> enabled, shadow;
};

template <class Message>
std::shared_ptr<Policy> to_policy(proto::Report& report, const Message& from, const std::string& path) {
  auto to = std::make_shared<Policy>();
  to->origins =
      proto::compile_list<StringMatcher>(report, from.allow_origin_string_match(), path + ".allow_origin_string_match");
  for (const StringMatcher& m : to->origins) {
    bool usable = m.kind != StringMatcher::Kind::regex || m.regex;
    to->any_origin = to->any_origin || (usable && m.matches("*"));
  }
  to->methods = from.allow_methods();
  to->headers = from.allow_headers();
  to->expose = from.expose_headers();
  to->max_age = from.max_age();
  if (from.has_allow_credentials()) to->credentials = from.allow_credentials().value();
  if (from.has_allow_private_network_access()) to->private_network = from.allow_private_network_access().value();
  if (from.has_forward_not_matching_preflights()) {
    to->forward_not_matching = from.forward_not_matching_preflights().value();
  }
  if (from.has_filter_enabled()) to->enabled = proto::to_runtime(from.filter_enabled());
  if (from.has_shadow_enabled()) to->shadow = proto::to_runtime(from.shadow_enabled());
  return to;
}

// Those of the route and the scopes around it. Each setting is that of the first one that has it.
class Policies {
 public:
  explicit Policies(const RouteFilter* word) : word_(word) {}

  // Null: there are none.
  const Policy* first() const {
    return find([](const Policy&) { return true; });
  }
  std::string_view text(std::string Policy::* member) const {
    const Policy* p = find([&](const Policy& each) { return !(each.*member).empty(); });
    return p ? std::string_view(p->*member) : std::string_view{};
  }
  bool flag(std::optional<bool> Policy::* member, bool otherwise) const {
    const Policy* p = find([&](const Policy& each) { return (each.*member).has_value(); });
    return p ? *(p->*member) : otherwise;
  }
  bool allow(std::string_view origin) const {
    const Policy* p = find([](const Policy& each) { return !each.origins.empty(); });
    return p && (p->any_origin || any_matches(p->origins, origin));
  }

 private:
  template <class Condition>
  const Policy* find(Condition condition) const {
    const Policy* found = nullptr;
    each_config(word_, false, [&](const RouteFilterConfig& each) {
      const auto& policy = static_cast<const Policy&>(each);
      if (!found && condition(policy)) found = &policy;
    });
    return found;
  }
  const RouteFilter* word_;
};

enum class CorsStat : std::uint8_t { origin_invalid, origin_valid, count };
constexpr StatDefinition kStats[] = {{"origin_invalid", StatKind::counter}, {"origin_valid", StatKind::counter}};
constexpr StatTable kTable{kStats, ""};

// A request whose origin may read the response.
struct AllowedOrigin : FilterNote {
  std::string_view origin;
  RouteFilter const* word = nullptr;
};

class Cors final : public HeadFilter {
 public:
  Cors(LocalStats stats, int slot) : stats_(std::move(stats)), slot_(slot) {}

 protected:
  std::optional<Response> on_request(Exchange& x) const override;
  void on_response(Exchange& x, Response& response) const override;

 private:
  const RouteFilter* word(Exchange& x) const;
  Response preflight(Exchange& x, const Policies& policies, std::string_view origin) const;

  LocalStats stats_;
  int slot_;
};

// What is said to the filter counts; the older fields only where nothing is.
const RouteFilter* Cors::word(Exchange& x) const {
  const RouteFilter* said = x.route_filter(slot_);
  return said && Policies(said).first() ? said : &x.route()->cors;
}

std::optional<Response> Cors::on_request(Exchange& x) const {
  if (!x.request.headers.has(Known::origin) || !x.route() || !x.route()->forwards) return std::nullopt;
  const RouteFilter* said = word(x);
  Policies policies(said);
  const Policy* first = policies.first();
  if (!first) return std::nullopt;
  const Runtime& runtime = *x.worker.runtime();
  bool enabled = !first->enabled || first->enabled->sample(runtime, x.worker.random());
  if (!enabled && !(first->shadow && first->shadow->sample(runtime, x.worker.random()))) return std::nullopt;
  std::string joined, joined_method;
  std::string_view origin = *field_value(x.request.headers, "origin", joined);
  if (origin.empty()) return std::nullopt;
  bool allowed = policies.allow(origin);
  stats_.of(x.worker.index())[allowed ? CorsStat::origin_valid : CorsStat::origin_invalid].add();
  if (!enabled) return std::nullopt;
  if (allowed) x.leave_note(*this, AllowedOrigin{{}, origin = x.arena.copy(origin), said});
  bool asks_first = x.request.method == Method::options &&
                    !one_value(x.request, "access-control-request-method", joined_method).empty();
  if (!asks_first) return std::nullopt;
  if (!allowed && policies.flag(&Policy::forward_not_matching, true)) return std::nullopt;
  return preflight(x, policies, allowed ? origin : std::string_view{});
}

// "*" gives back what was asked for.
Response Cors::preflight(Exchange& x, const Policies& policies, std::string_view origin) const {
  Response response = x.answer(200, "cors_response");
  Headers& headers = response.head->headers;
  std::string joined;
  auto allow = [&](std::string_view name, std::string_view said, std::string_view asked) {
    if (said.empty()) return;
    headers.add(name, said == "*" ? x.arena.copy(one_value(x.request, asked, joined)) : said);
  };
  if (!origin.empty()) headers.add("access-control-allow-origin", origin);
  if (policies.flag(&Policy::credentials, false)) headers.add("access-control-allow-credentials", "true");
  allow("access-control-allow-methods", policies.text(&Policy::methods), "access-control-request-method");
  allow("access-control-allow-headers", policies.text(&Policy::headers), "access-control-request-headers");
  if (std::string_view age = policies.text(&Policy::max_age); !age.empty()) headers.add("access-control-max-age", age);
  bool private_network = one_value(x.request, "access-control-request-private-network", joined) == "true";
  if (private_network && policies.flag(&Policy::private_network, false)) {
    headers.add("access-control-allow-private-network", "true");
  }
  return response;
}

void Cors::on_response(Exchange& x, Response& response) const {
  const auto* allowed = x.note<AllowedOrigin>(*this);
  if (!allowed) return;
  Policies policies(allowed->word);
  Headers& headers = response.head->headers;
  headers.set("access-control-allow-origin", allowed->origin);
  if (policies.flag(&Policy::credentials, false)) headers.set("access-control-allow-credentials", "true");
  std::string_view expose = policies.text(&Policy::expose);
  if (!expose.empty()) headers.set("access-control-expose-headers", expose);
}

std::unique_ptr<Filter> make(const proto::FilterSource& source) {
  v3::Cors config;
  if (!proto::parse(source, config)) return nullptr;
  return std::make_unique<Cors>(source.stats("cors.", kTable), source.slot);
}

std::shared_ptr<RouteFilterConfig> make_route(const proto::FilterSource& source) {
  v3::CorsPolicy policy;
  if (!proto::parse(source, policy)) return nullptr;
  return to_policy(source.report, policy, source.path);
}

}  // namespace

std::shared_ptr<const RouteFilterConfig> make_cors_policy(proto::Report& report,
                                                          const envoy::config::route::v3::CorsPolicy& policy,
                                                          const std::string& path) {
  return to_policy(report, policy, path);
}

extern const proto::HttpFilterType cors{
    "envoy.filters.http.cors",
    "envoy.extensions.filters.http.cors.v3.Cors",
    make,
    "envoy.extensions.filters.http.cors.v3.CorsPolicy",
    make_route,
};

}  // namespace outrider::filters
