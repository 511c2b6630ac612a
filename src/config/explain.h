// Why a request takes the way it takes, rule by rule, with the file and line of each.
#pragma once
#include <string>
#include <vector>

#include "config/snapshot.h"
#include "upstream/route_query.h"

namespace outrider::config {

struct ExplainedStep {
  std::string text;
  std::string source;  // "envoy.yaml:12"; empty: it is written nowhere.
};

// For each listener that has the port, or for all if none has it (0: any port): virtual host, routes that were passed
// over and why, the one taken, its cluster and endpoints. Filters are not run. A choice by chance is told as such.
std::vector<ExplainedStep> explain(const Snapshot& snapshot, RouteQuery& query, std::uint16_t port);

// "http://host:port/path", "host/path" or "/path"; what is missing is empty, the path "/".
struct ExplainedUrl {
  std::string authority;
  std::string path;
  std::uint16_t port = 0;  // Of the authority, or what the scheme says; 0: not told.
};
ExplainedUrl parse_explained_url(std::string_view url);

// All of it as text, a line for each step. `fields`: "name: value" each.
std::string explained_text(const Snapshot& snapshot, std::string_view method, std::string_view url,
                           const std::vector<std::string>& fields, const Runtime& runtime, std::uint64_t seed);

}  // namespace outrider::config
