// Route: all that a request needs to know of where it goes, resolved to pointers.
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/runtime.h"
#include "http/header_mutation.h"
#include "http/route_entry.h"
#include "observe/local_stats.h"
#include "upstream/cluster.h"
#include "upstream/hash_policy.h"
#include "upstream/mirror.h"
#include "upstream/retry_policy.h"
#include "upstream/time_limit.h"
#include "upstream/uri_template.h"

namespace re2 {
class RE2;
}

namespace outrider {

class VirtualHost;

enum class PathMatch : std::uint8_t {
  prefix,
  path,
  segments,  // path_separated_prefix: "/api" and all that begins with "/api/".
  regex,
  uri_template,
  connect,  // CONNECT, whatever it asks for.
};

// What else a request has to be like.
struct RouteConditions {
  std::vector<HeaderMatcher> headers;
  std::vector<QueryMatcher> query;
  std::vector<MetadataMatcher> metadata;
  std::optional<RuntimeFraction> fraction;
  bool grpc = false;  // Its content-type is that of gRPC.
};

// redirect: the parts of the URL that change.
struct Redirect {
  int status = 301;
  std::string host;  // Empty: kept.
  std::optional<std::uint32_t> port;
  std::string path;            // Empty: kept. May carry a query.
  std::string prefix_rewrite;  // With has_prefix_rewrite.
  bool has_prefix_rewrite = false;
  std::shared_ptr<const re2::RE2> regex;
  std::string regex_substitution;
  bool https = false;
  std::string scheme;  // Empty: kept.
  bool strip_query = false;
  bool keep_port = false;  // Even one that was the default of the old scheme.
};

struct DirectResponse {
  int status = 200;
  std::string body;
  std::optional<Format> format;  // Of the body; else it is sent as it is.
  std::string content_type = "text/plain";
};

// How the host that the backend sees is made; the first that is set counts.
struct HostRewrite {
  std::string literal;
  std::string header;                     // The value of this field.
  std::shared_ptr<const re2::RE2> regex;  // The path without its query, with the matches replaced.
  std::string substitution;
  std::optional<Format> format;
  bool untold = false;             // x-envoy-original-host does not tell of it.
  bool of_endpoint = false;        // auto_host_rewrite: the name of the host chosen.
  bool keep_in_forwarded = false;  // append_x_forwarded_host
};

struct PathRewrite {
  std::string prefix;  // Instead of what the route matched.
  std::shared_ptr<const re2::RE2> regex;
  std::string substitution;
  std::string uri_template;  // RE2's form: what the variables of the match become.
  std::optional<Format> format;
};

struct WeightedClusters;

struct Route : RouteEntry {
  PathMatch match = PathMatch::prefix;
  std::string path;                       // Of prefix, path and segments; of uri_template its literal beginning.
  std::shared_ptr<const re2::RE2> regex;  // Of regex and uri_template: matches the whole path.
  std::string uri_template;               // As it is written, of uri_template.
  bool case_sensitive = true;
  std::shared_ptr<const RouteConditions> conditions;  // Null: none.

  // One of these.
  ClusterPtr cluster;
  std::string cluster_header;  // The field that names it; lower case.
  std::shared_ptr<const WeightedClusters> weighted;
  std::unique_ptr<Redirect> redirect;
  std::unique_ptr<DirectResponse> direct;
  std::string missing_cluster;  // Named, but not known: answered with cluster_not_found_status.
  int cluster_not_found_status = 503;

  std::chrono::milliseconds timeout{15000};                      // 0: none.
  std::optional<std::chrono::milliseconds> idle_timeout;         // Instead of the connection manager's.
  std::optional<std::chrono::milliseconds> max_stream_duration;  // Likewise.
  bool limits_stream = false;                         // It has a word on the stream's duration, and `timeout` is none.
  std::shared_ptr<const GrpcTimeouts> grpc_timeouts;  // Null: grpc-timeout means nothing.
  Priority priority = Priority::normal;
  std::shared_ptr<const RetryPolicy> retry;         // Null: none.
  std::shared_ptr<const MirrorPolicies> mirrors;    // Null: none.
  std::shared_ptr<const SubsetCriteria> subset;     // metadata_match; null: none.
  std::shared_ptr<const HashPolicy> hash;           // hash_policy; null: none.
  std::optional<std::uint64_t> request_bytes_kept;  // Of a body, in case it is sent again; else the listener's limit.
  PathRewrite path_rewrite;
  HostRewrite host_rewrite;
  std::vector<std::shared_ptr<const HeaderMutations>> request_headers;  // As RouteEntry::response_headers.
  std::vector<std::string> upgrades_on;                                 // Protocols, lower case, that this route allows
  bool terminates_connect = false;          // The backend gets what a CONNECT carries, not the request.
  std::vector<std::string> upgrades_off;    // or forbids, whatever the connection manager says.
  std::shared_ptr<const LocalStats> stats;  // vhost.<name>.route.<stat_prefix>.; null: not kept.
  const VirtualHost* host = nullptr;        // Outlives the route.
};

// Each choice is a route of its own: the one that it belongs to, with another cluster.
struct WeightedClusters {
  std::vector<std::unique_ptr<Route>> routes;
  std::vector<std::uint32_t> weights;
  std::uint64_t total = 0;
  std::string runtime_prefix;      // "<prefix>.<cluster>" overrides a weight; empty: none.
  std::vector<std::string> names;  // Of the clusters.
  std::string random_header;       // Its number decides instead of chance; lower case.
};

}  // namespace outrider
