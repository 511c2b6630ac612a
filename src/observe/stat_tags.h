// What Envoy takes out of a statistic's name for systems that have labels: "cluster.backend.upstream_rq_total" becomes
// "cluster.upstream_rq_total" with envoy_cluster_name="backend".
#pragma once
#include <string>
#include <string_view>
#include <vector>

namespace outrider {

struct StatsOptions;

struct StatTag {
  std::string_view label;  // "envoy_cluster_name"; lives for ever.
  std::string value;
  bool operator==(const StatTag&) const = default;
};

struct TaggedName {
  std::string name;           // The scope's name without the values of its tags: "cluster.".
  std::vector<StatTag> tags;  // In Envoy's order.
};

// Of a scope's name, with its final dot. Follows Envoy's default tags for the roots cluster, http, listener, vhost,
// server and thread_local_cluster_manager; a name of any other root has none. As in Envoy a tag ends at the first dot
// (of a listener's address: at its end), so a cluster "a.b" has the tag "a" and the name "cluster.b.".
TaggedName tags_of(std::string_view scope);

// The same with the tags that a configuration adds or leaves out; without those that it finds in whole names.
TaggedName tags_of(std::string_view scope, const StatsOptions& options);

// Of a whole statistic, with all tags: first the status or its class at the end, then those of its scope.
TaggedName tags_of(std::string_view scope, std::string_view stat, const StatsOptions& options);

// The same for the response class at the end of a statistic's own name: "downstream_rq_2xx" is "downstream_rq_xx" with
// envoy_response_code_class="2". False if it has none.
bool response_class_of(std::string_view stat, char& digit);

inline constexpr std::string_view kResponseCodeLabel = "envoy_response_code";
inline constexpr std::string_view kResponseCodeClassLabel = "envoy_response_code_class";

}  // namespace outrider
