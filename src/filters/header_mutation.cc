// Changes header fields, trailers and query parameters. Envoy's document: "Header Mutation".
#include "proto/header_mutation.h"
#include "envoy/config/core/v3/base.pb.h"
#include "envoy/extensions/filters/http/header_mutation/v3/header_mutation.pb.h"
#include "http/exchange.h"
#include "http/query.h"
#include "http/watched_body.h"
#include "proto/http_filter.h"

namespace outrider::filters {
namespace {

namespace v3 = envoy::extensions::filters::http::header_mutation::v3;
using envoy::config::core::v3::KeyValueAppend;

struct QueryMutation {
  bool removes = false;
  KeyValueAppend::KeyValueAppendAction action = KeyValueAppend::APPEND_IF_EXISTS_OR_ADD;
  std::string name;
  std::optional<Format> value;  // Unless it removes.

  void apply(Exchange& x, QueryParameters& parameters) const;
};

void QueryMutation::apply(Exchange& x, QueryParameters& parameters) const {
  if (removes) return parameters.remove(name);
  std::string text;
  value->append(x, text);
  switch (action) {
    case KeyValueAppend::ADD_IF_ABSENT:
      if (!parameters.has(name)) parameters.add(name, text);
      break;
    case KeyValueAppend::OVERWRITE_IF_EXISTS:
      if (parameters.has(name)) parameters.overwrite(name, text);
      break;
    case KeyValueAppend::OVERWRITE_IF_EXISTS_OR_ADD:
      parameters.overwrite(name, text);
      break;
    default:
      parameters.add(name, text);
  }
}

struct Mutations final : RouteFilterConfig {
  HeaderMutations request, response, request_trailers, response_trailers;
  std::vector<QueryMutation> query;

  void change(Exchange& x, RequestHead& head) const {
    apply_all(request, x, head);
    if (query.empty()) return;
    QueryParameters parameters(head.path);
    for (const QueryMutation& each : query) each.apply(x, parameters);
    head.path = x.arena.copy(parameters.path_with(head.path));
  }
};

class HeaderMutationFilter final : public HeadFilter {
 public:
  HeaderMutationFilter(std::shared_ptr<const Mutations> all, bool specific_last, int slot)
      : all_(std::move(all)), specific_last_(specific_last), slot_(slot) {}

  // The filter's own first, then those of the route, its host and the table.
  template <class Visit>
  void each(Exchange& x, Visit&& visit) const {
    visit(*all_);
    each_config(x.route_filter(slot_), specific_last_,
                [&](const RouteFilterConfig& said) { visit(static_cast<const Mutations&>(said)); });
  }

 protected:
  std::optional<Response> on_request(Exchange& x) const override;
  void on_response(Exchange& x, Response& response) const override;

 private:
  std::shared_ptr<const Mutations> all_;
  bool specific_last_;  // most_specific_header_mutations_wins
  int slot_;
};

// A body whose trailers are changed when they come.
class ChangedTrailers final : public WatchedBody {
 public:
  using List = HeaderMutations Mutations::*;
  ChangedTrailers(Body& body, Exchange& x, const HeaderMutationFilter& filter, List list)
      : WatchedBody(body), x_(x), filter_(filter), list_(list) {}

 private:
  Frame watched(Frame frame) override {
    if (frame.kind != Frame::Kind::trailers) return frame;
    auto& trailers = x_.arena.make_owned<Headers>(x_.arena);
    for (const Field& field : *frame.trailers) trailers.add(field.name, field.known, field.value);
    if (list_ == &Mutations::response_trailers) x_.response_trailers = &trailers;
    filter_.each(x_, [&](const Mutations& m) { apply_all(m.*list_, x_, trailers); });
    return Frame::with_trailers(trailers);
  }
  Exchange& x_;
  const HeaderMutationFilter& filter_;
  List list_;
};

std::optional<Response> HeaderMutationFilter::on_request(Exchange& x) const {
  bool trailers = false;
  each(x, [&](const Mutations& m) {
    m.change(x, x.request);
    trailers = trailers || !m.request_trailers.empty();
  });
  if (trailers && x.request_body->length() != 0) {
    x.request_body = &x.arena.make_owned<ChangedTrailers>(*x.request_body, x, *this, &Mutations::request_trailers);
  }
  return std::nullopt;
}

void HeaderMutationFilter::on_response(Exchange& x, Response& response) const {
  bool trailers = false;
  x.response_headers = &response.head->headers;  // What is made of them may be asked for.
  each(x, [&](const Mutations& m) {
    apply_all(m.response, x, *response.head);
    trailers = trailers || !m.response_trailers.empty();
  });
  if (trailers && !response.tunnel && response.body->length() != 0) {
    response.body = &x.arena.make_owned<ChangedTrailers>(*response.body, x, *this, &Mutations::response_trailers);
  }
}

std::optional<QueryMutation> to_query_mutation(proto::Report& report,
                                               const envoy::config::core::v3::KeyValueMutation& from,
                                               const std::string& path) {
  QueryMutation to;
  to.removes = !from.has_append();
  to.name = to.removes ? from.remove() : from.append().record().key();
  to.action = from.append().action();
  if (to.removes) {
    if (to.name.empty()) report.fail(path, "needs `append` or `remove`");
    return to;
  }
  const auto& value = from.append().record().value();
  if (!from.remove().empty()) report.fail(path + ".remove", "`append` is set already");
  if (!from.append().has_record()) report.fail(path + ".append", "needs a `record`");
  if (from.append().has_record() && value.kind_case() != google::protobuf::Value::kStringValue) {
    report.fail(path + ".append.record.value", "the value of a parameter is a text");
  }
  auto format = Format::compile(value.string_value(), {.omit_empty = true});
  if (!format) {
    report.fail(path + ".append.record.value",
                "in the format, at byte " + std::to_string(format.error().position) + ": " + format.error().message);
    return std::nullopt;
  }
  to.value = std::move(*format);
  return to;
}

std::shared_ptr<Mutations> to_mutations(const proto::FilterSource& source, const v3::Mutations& from) {
  auto to = std::make_shared<Mutations>();
  proto::Report& report = source.report;
  const std::string path = source.path + ".mutations";
  to->request = proto::to_mutations(report, from.request_mutations(), path + ".request_mutations");
  to->response = proto::to_mutations(report, from.response_mutations(), path + ".response_mutations");
  to->request_trailers =
      proto::to_mutations(report, from.request_trailers_mutations(), path + ".request_trailers_mutations");
  to->response_trailers =
      proto::to_mutations(report, from.response_trailers_mutations(), path + ".response_trailers_mutations");
  for (int i = 0; i < from.query_parameter_mutations_size(); i++) {
    auto each = to_query_mutation(report, from.query_parameter_mutations(i),
                                  path + ".query_parameter_mutations[" + std::to_string(i) + "]");
    if (each) to->query.push_back(std::move(*each));
  }
  return to;
}

std::unique_ptr<Filter> make(const proto::FilterSource& source) {
  v3::HeaderMutation config;
  if (!proto::parse(source, config)) return nullptr;
  return std::make_unique<HeaderMutationFilter>(to_mutations(source, config.mutations()),
                                                config.most_specific_header_mutations_wins(), source.slot);
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
