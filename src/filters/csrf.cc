// Refuses requests that change something and come from another site. Envoy's document: "CSRF".
#include <algorithm>

#include "core/worker.h"
#include "envoy/extensions/filters/http/csrf/v3/csrf.pb.h"
#include "http/exchange.h"
#include "proto/http_filter.h"
#include "proto/matcher.h"

namespace outrider::filters {
namespace {

namespace v3 = envoy::extensions::filters::http::csrf::v3;

enum class CsrfStat : std::uint8_t { missing_source_origin, request_invalid, request_valid, count };
constexpr StatDefinition kStats[] = {{"missing_source_origin", StatKind::counter},
                                     {"request_invalid", StatKind::counter},
                                     {"request_valid", StatKind::counter}};
constexpr StatTable kTable{kStats, ""};

struct Policy final : RouteFilterConfig {
  RuntimeFraction enabled;
  std::optional<RuntimeFraction> shadow;
  StringMatchers more_origins;  // Hosts with their ports that may ask too.
};

bool changes_something(const RequestHead& request) {
  return request.method == Method::post || request.method == Method::put || request.method == Method::delete_ ||
         request.method == Method::patch;
}

// "http://a:80/path" is "a:80"; what is no URL stays as it is.
std::string_view host_and_port(std::string_view url) {
  std::size_t at = url.find("://");
  if (at == std::string_view::npos) return url;
  std::string_view host = url.substr(at + 3);
  host = host.substr(0, host.find_first_of("/?#"));
  if (std::size_t user = host.rfind('@'); user != std::string_view::npos) host.remove_prefix(user + 1);
  std::size_t port = host.find(':', host.find(']') == std::string_view::npos ? 0 : host.find(']'));
  bool digits = port == std::string_view::npos || std::all_of(host.begin() + static_cast<std::ptrdiff_t>(port) + 1,
                                                              host.end(), [](char c) { return c >= '0' && c <= '9'; });
  return host.empty() || !digits ? url : host;
}

// Empty: nobody says where the request comes from. An origin that is hidden ("null") is none.
std::string_view source_of(const RequestHead& request, std::string& joined) {
  std::string_view origin = one_value(request, "origin", joined);
  if (origin == "null") return {};
  return host_and_port(origin.empty() ? one_value(request, "referer", joined) : origin);
}

class Csrf final : public HeadFilter {
 public:
  Csrf(std::shared_ptr<const Policy> policy, LocalStats stats, int slot)
      : policy_(std::move(policy)), stats_(std::move(stats)), slot_(slot) {}
  bool sees_replies() const override { return false; }

 protected:
  std::optional<Response> on_request(Exchange& x) const override {
    if (!changes_something(x.request)) return std::nullopt;
    const auto* said = static_cast<const Policy*>(x.route_config(slot_));
    const Policy& policy = said ? *said : *policy_;
    const Runtime& runtime = *x.worker.runtime();
    bool enabled = policy.enabled.sample(runtime, x.worker.random());
    if (!enabled && !(policy.shadow && policy.shadow->sample(runtime, x.worker.random()))) return std::nullopt;
    if (valid(x, policy) || !enabled) return std::nullopt;
    return x.reply(403, "Invalid origin", "csrf_origin_mismatch");
  }

 private:
  bool valid(Exchange& x, const Policy& policy) const {
    StatBlock& stats = stats_.of(x.worker.index());
    std::string joined;
    std::string_view source = source_of(x.request, joined);
    bool same = source == host_and_port(x.request.authority) || any_matches(policy.more_origins, source);
    CsrfStat found = source.empty() ? CsrfStat::missing_source_origin
                     : same         ? CsrfStat::request_valid
                                    : CsrfStat::request_invalid;
    stats[found].add();
    return found == CsrfStat::request_valid;
  }

  std::shared_ptr<const Policy> policy_;
  LocalStats stats_;
  int slot_;
};

std::shared_ptr<Policy> to_policy(const proto::FilterSource& source) {
  v3::CsrfPolicy from;
  if (!proto::parse(source, from)) return nullptr;
  auto to = std::make_shared<Policy>();
  to->enabled = proto::to_runtime(from.filter_enabled());
  if (from.has_shadow_enabled()) to->shadow = proto::to_runtime(from.shadow_enabled());
  to->more_origins =
      proto::compile_list<StringMatcher>(source.report, from.additional_origins(), source.path + ".additional_origins");
  return to;
}

std::unique_ptr<Filter> make(const proto::FilterSource& source) {
  auto policy = to_policy(source);
  if (!policy) return nullptr;
  return std::make_unique<Csrf>(std::move(policy), source.stats("csrf.", kTable), source.slot);
}

std::shared_ptr<RouteFilterConfig> make_route(const proto::FilterSource& source) { return to_policy(source); }

}  // namespace

extern const proto::HttpFilterType csrf{
    "envoy.filters.http.csrf",
    "envoy.extensions.filters.http.csrf.v3.CsrfPolicy",
    make,
    "envoy.extensions.filters.http.csrf.v3.CsrfPolicy",
    make_route,
};

}  // namespace outrider::filters
