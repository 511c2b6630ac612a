// Route: all that a request needs to know of where it goes, resolved to pointers.
#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "http/route_entry.h"
#include "upstream/cluster.h"

namespace re2 {
class RE2;
}

namespace outrider {

enum class PathMatch : std::uint8_t { prefix, path, regex };

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
};

struct DirectResponse {
  int status = 200;
  std::string body;
};

struct Route : RouteEntry {
  PathMatch match = PathMatch::prefix;
  std::string path;                       // Of prefix and path.
  std::shared_ptr<const re2::RE2> regex;  // Of regex: matches the whole path.
  bool case_sensitive = true;

  // One of three.
  ClusterPtr cluster;
  std::unique_ptr<Redirect> redirect;
  std::unique_ptr<DirectResponse> direct;
  std::string missing_cluster;  // Named, but not known: answered with cluster_not_found_status.
  int cluster_not_found_status = 503;

  std::chrono::milliseconds timeout{15000};               // 0: none.
  std::optional<std::chrono::milliseconds> idle_timeout;  // Instead of the connection manager's stream_idle_timeout.
  Priority priority = Priority::normal;
  std::string prefix_rewrite;
  std::shared_ptr<const re2::RE2> rewrite_regex;
  std::string rewrite_substitution;
  std::string host_rewrite;
  bool auto_host_rewrite = false;
  std::vector<std::string> upgrades_on;   // Protocols, lower case, that this route allows
  std::vector<std::string> upgrades_off;  // or forbids, whatever the connection manager says.
};

}  // namespace outrider
