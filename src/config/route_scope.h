// What routes of one scope share while they are compiled; private to compile_route*.cc.
#pragma once
#include "config/compile_parts.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "proto/header_mutation.h"
#include "proto/matcher.h"
#include "upstream/route_table.h"

namespace outrider::config {

using RouteFilters = std::vector<RouteFilter>;
using SharedMutations = std::shared_ptr<const HeaderMutations>;

// Field changes of a route configuration, a virtual host, a route or a weighted cluster; null: none.
struct ScopeHeaders {
  SharedMutations request, response;
};

template <class Scope>
ScopeHeaders compile_headers(Compilation& c, const Scope& scope, const std::string& path) {
  auto make = [&](const auto& add, const char* add_name, const auto& remove, const char* remove_name) {
    if (add.empty() && remove.empty()) return SharedMutations();
    auto made = std::make_shared<HeaderMutations>();
    proto::add_mutations(c, add, path + add_name, remove, path + remove_name, *made);
    return SharedMutations(std::move(made));
  };
  return {make(scope.request_headers_to_add(), ".request_headers_to_add", scope.request_headers_to_remove(),
               ".request_headers_to_remove"),
          make(scope.response_headers_to_add(), ".response_headers_to_add", scope.response_headers_to_remove(),
               ".response_headers_to_remove")};
}

// Those of a wider scope stay where this one says nothing.
RouteFilters compile_route_filters(Compilation& c,
                                   const google::protobuf::Map<std::string, google::protobuf::Any>& configs,
                                   const std::string& path, const RouteFilters& wider);

// What a virtual host or a route says of the bodies that it keeps, over the wider scope's.
template <class Proto>
std::optional<std::uint64_t> bytes_kept(const Proto& proto, std::optional<std::uint64_t> wider) {
  if (proto.has_request_body_buffer_limit()) return proto.request_body_buffer_limit().value();
  if (proto.has_per_request_buffer_limit_bytes()) return proto.per_request_buffer_limit_bytes().value();
  return wider;
}

// What a route inherits.
struct RouteScope {
  bool validate_clusters = true;
  bool specific_headers_win = false;  // most_specific_header_mutations_wins
  std::size_t body_bytes_max = 4096;
  ScopeHeaders all, host;
  RouteFilters filters;
  RouteFilter cors;                                 // The host's word in its deprecated form.
  std::shared_ptr<const RetryPolicy> retry;         // The host's; null: none.
  std::optional<std::uint64_t> request_bytes_kept;  // Likewise.
  std::shared_ptr<const MirrorPolicies> mirrors;    // Of the narrowest scope that has any; null: none.
  std::string stat_prefix;                          // "vhost.<name>."
};

Route compile_route(Compilation& c, const envoy::config::route::v3::Route& from, const std::string& path,
                    const RouteScope& scope);
std::unique_ptr<MatchTree> compile_match_tree(Compilation& c, const xds::type::matcher::v3::Matcher& proto,
                                              const std::string& path, const RouteScope& scope);
void compile_match(Compilation& c, const envoy::config::route::v3::RouteMatch& match, const std::string& path,
                   Route& route);
std::shared_ptr<const RetryPolicy> compile_retry(Compilation& c, const envoy::config::route::v3::RetryPolicy& proto,
                                                 const std::string& path);
// `wider` where the scope has none of its own.
std::shared_ptr<const MirrorPolicies> compile_mirrors(
    Compilation& c,
    const google::protobuf::RepeatedPtrField<envoy::config::route::v3::RouteAction::RequestMirrorPolicy>& protos,
    const std::string& path, const RouteScope& wider);
// The substitution `\1` must not name a group that the pattern lacks.
proto::Regex compile_rewrite(Compilation& c, const envoy::type::matcher::v3::RegexMatchAndSubstitute& rewrite,
                             const std::string& path);
// Refuses a name that no cluster has.
void check_cluster(Compilation& c, const std::string& name, const std::string& path);
// Whatever the route does with a request that it matches. `headers`: the route's own.
void compile_action(Compilation& c, const envoy::config::route::v3::Route& from, const std::string& path,
                    const RouteScope& scope, const ScopeHeaders& headers, Route& route);

}  // namespace outrider::config
