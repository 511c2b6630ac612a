// The HTTP filters that outrider has: one line each, with the type of its configuration.
#include "config/http_filters.h"

#include "envoy/extensions/filters/http/router/v3/router.pb.h"
#include "upstream/router.h"

namespace outrider::config {
namespace {

std::unique_ptr<Filter> make_router(const FilterSource& source) {
  envoy::extensions::filters::http::router::v3::Router proto;
  if (!proto.ParseFromString(source.bytes)) return nullptr;
  return std::make_unique<Router>(source.routes, RouterOptions{proto.suppress_envoy_headers()});
}

constexpr HttpFilterType kList[] = {
    {"envoy.extensions.filters.http.router.v3.Router", make_router, true},
};

}  // namespace

const HttpFilterType* find_http_filter(std::string_view type) {
  for (const HttpFilterType& each : kList) {
    if (each.type == type) return &each;
  }
  return nullptr;
}

}  // namespace outrider::config
