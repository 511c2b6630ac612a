// Changes header fields of requests and responses. Envoy's document: "Header Mutation".
#include "proto/header_mutation.h"
#include "envoy/extensions/filters/http/header_mutation/v3/header_mutation.pb.h"
#include "http/exchange.h"
#include "proto/http_filter.h"

namespace outrider::filters {
namespace {

namespace v3 = envoy::extensions::filters::http::header_mutation::v3;

struct Mutations final : RouteFilterConfig {
  HeaderMutations request, response;
};

std::shared_ptr<Mutations> to_mutations(const proto::FilterSource& source, const v3::Mutations& from) {
  auto to = std::make_shared<Mutations>();
  const std::string path = source.path + ".mutations";
  to->request = proto::to_mutations(source.report, from.request_mutations(), path + ".request_mutations");
  to->response = proto::to_mutations(source.report, from.response_mutations(), path + ".response_mutations");
  return to;
}

class HeaderMutationFilter final : public HeadFilter {
 public:
  HeaderMutationFilter(std::shared_ptr<const Mutations> all, int slot) : all_(std::move(all)), slot_(slot) {}

 protected:
  std::optional<Response> on_request(Exchange& x) const override {
    apply_all(all_->request, x, x.request);
    if (const Mutations* own = of_route(x)) apply_all(own->request, x, x.request);
    return std::nullopt;
  }
  void on_response(Exchange& x, Response& response) const override {
    apply_all(all_->response, x, *response.head);
    if (const Mutations* own = of_route(x)) apply_all(own->response, x, *response.head);
  }

 private:
  const Mutations* of_route(Exchange& x) const { return static_cast<const Mutations*>(x.route_config(slot_)); }
  std::shared_ptr<const Mutations> all_;
  int slot_;
};

std::unique_ptr<Filter> make(const proto::FilterSource& source) {
  v3::HeaderMutation config;
  if (!proto::parse(source, config)) return nullptr;
  return std::make_unique<HeaderMutationFilter>(to_mutations(source, config.mutations()), source.slot);
}

std::shared_ptr<RouteFilterConfig> make_route(const proto::FilterSource& source) {
  v3::HeaderMutationPerRoute config;
  if (!proto::parse(source, config)) return nullptr;
  return to_mutations(source, config.mutations());
}

}  // namespace

extern const proto::HttpFilterType header_mutation{
    "envoy.filters.http.header_mutation",
    "envoy.extensions.filters.http.header_mutation.v3.HeaderMutation",
    make,
    "envoy.extensions.filters.http.header_mutation.v3.HeaderMutationPerRoute",
    make_route,
};

}  // namespace outrider::filters
