#include <re2/re2.h>

#include "config/route_scope.h"
#include "envoy/extensions/path/match/uri_template/v3/uri_template_match.pb.h"

namespace outrider::config {
namespace {

namespace v3 = envoy::config::route::v3;

void compile_uri_template(Compilation& c, const google::protobuf::Any& any, const std::string& path, Route& r) {
  envoy::extensions::path::match::uri_template::v3::UriTemplateMatchConfig config;
  const std::string at = path + ".path_match_policy.typed_config";
  if (!config.ParseFromString(any.value())) return c.fail(at, "is not a valid " + any.type_url());
  auto parsed = parse_uri_template(config.path_template());
  if (!parsed) return c.fail(at + ".path_template", parsed.error());
  r.match = PathMatch::uri_template;
  r.path = parsed->literal_prefix;
  r.uri_template = config.path_template();
  r.regex = proto::compile_regex(c, parsed->regex, at + ".path_template");
}

std::shared_ptr<const RouteConditions> compile_conditions(Compilation& c, const v3::RouteMatch& match,
                                                          const std::string& path) {
  auto conditions = std::make_shared<RouteConditions>();
  conditions->headers = proto::compile_list<HeaderMatcher>(c, match.headers(), path + ".headers");
  conditions->query = proto::compile_list<QueryMatcher>(c, match.query_parameters(), path + ".query_parameters");
  conditions->metadata = proto::compile_list<MetadataMatcher>(c, match.dynamic_metadata(), path + ".dynamic_metadata");
  if (match.has_runtime_fraction()) conditions->fraction = proto::to_runtime(match.runtime_fraction());
  conditions->grpc = match.has_grpc();
  bool any = !conditions->headers.empty() || !conditions->query.empty() || !conditions->metadata.empty() ||
             conditions->fraction || conditions->grpc;
  return any ? conditions : nullptr;
}

}  // namespace

void compile_match(Compilation& c, const v3::RouteMatch& match, const std::string& path, Route& r) {
  r.case_sensitive = !match.has_case_sensitive() || match.case_sensitive().value();
  switch (match.path_specifier_case()) {
    case v3::RouteMatch::kPath:
      r.match = PathMatch::path;
      r.path = match.path();
      break;
    case v3::RouteMatch::kSafeRegex:
      r.match = PathMatch::regex;
      r.regex = proto::compile_regex(c, match.safe_regex(), path + ".safe_regex");
      break;
    case v3::RouteMatch::kPathSeparatedPrefix:
      r.match = PathMatch::segments;
      r.path = match.path_separated_prefix();
      break;
    case v3::RouteMatch::kPathMatchPolicy:
      compile_uri_template(c, match.path_match_policy().typed_config(), path, r);
      break;
    case v3::RouteMatch::kConnectMatcher:
      r.match = PathMatch::connect;
      break;
    default:
      r.match = PathMatch::prefix;
      r.path = match.prefix();
  }
  r.conditions = compile_conditions(c, match, path);
}

}  // namespace outrider::config
