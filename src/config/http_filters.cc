// The HTTP filters that outrider has, one line each: X(name) is defined in src/filters/name.cc, lua_script in
// src/filters/lua/filter.cc.
#include "config/http_filters.h"

#include "core/ascii.h"
#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "upstream/router.h"

#define OUTRIDER_HTTP_FILTERS(X) \
  X(api_key_auth)                \
  X(buffer)                      \
  X(cors)                        \
  X(csrf)                        \
  X(ext_authz)                   \
  X(grpc_http1_bridge)           \
  X(grpc_stats)                  \
  X(grpc_web)                    \
  X(header_mutation)             \
  X(header_to_metadata)          \
  X(health_check)                \
  X(lua_script)

namespace outrider {
namespace filters {
#define X(name) extern const proto::HttpFilterType name;
OUTRIDER_HTTP_FILTERS(X)
#undef X
}  // namespace filters

namespace config {
namespace {

std::unique_ptr<Filter> make_router(const proto::FilterSource& source) {
  envoy::extensions::filters::http::router::v3::Router router;
  if (!proto::parse(source, router)) return nullptr;
  RouterOptions o{router.suppress_envoy_headers(),
                  router.respect_expected_rq_timeout(),
                  !router.has_dynamic_stats() || router.dynamic_stats().value(),
                  {},
                  router.start_child_span()};
  for (const std::string& name : router.strict_check_headers()) o.strict_headers.push_back(known_of(ascii_lower(name)));
  return std::make_unique<Router>(std::move(o));
}

constexpr proto::HttpFilterType kRouter{
    "envoy.filters.http.router", "envoy.extensions.filters.http.router.v3.Router", make_router, "", nullptr, true};

const proto::HttpFilterType* const kList[] = {
#define X(name) &filters::name,
    OUTRIDER_HTTP_FILTERS(X)
#undef X
        & kRouter,
};

}  // namespace

const proto::HttpFilterType* find_http_filter(std::string_view type) {
  for (const proto::HttpFilterType* each : kList) {
    if (each->type == type) return each;
  }
  return nullptr;
}

const proto::HttpFilterType* find_http_filter_of_route(std::string_view type) {
  for (const proto::HttpFilterType* each : kList) {
    if (each->route_type == type && each->make_route) return each;
  }
  return nullptr;
}

}  // namespace config
}  // namespace outrider
