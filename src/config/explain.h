// Why a request takes the way it takes, rule by rule, with the file and line of each.
#pragma once
#include <string>
#include <vector>

#include "config/snapshot.h"
#include "core/runtime.h"

namespace outrider::config {

struct ExplainedRequest {
  std::string method = "GET";
  std::string url;                  // "http://host:port/path", "host/path" or "/path".
  std::vector<std::string> fields;  // "name: value" each; "host" stands above the URL.
};

struct ExplainedStep {
  enum class Kind : std::uint8_t { place, changed, passed_over, taken, answer };
  Kind kind;
  int depth;  // How deep it stands in what it belongs to.
  std::string text;
  std::string source;  // "envoy.yaml:12"; empty: it is written nowhere.
};
std::string_view name_of(ExplainedStep::Kind kind);

// What keeps the request from being explained: no host, or a URL of another scheme; else empty.
std::string not_a_request(const ExplainedRequest& request);

// For each listener that has the URL's port, or for all if none has it: what the edge changes, virtual host, routes
// that were passed over and why, the one taken, its cluster and endpoints. Filters are not run. A choice by chance is
// told as such.
std::vector<ExplainedStep> explain(const Snapshot& snapshot, const ExplainedRequest& request, const Runtime& runtime);
// A line for each step.
std::string to_text(const std::vector<ExplainedStep>& steps);

// What is missing is empty, the path "/".
struct ExplainedUrl {
  std::string scheme;
  std::string authority;
  std::string path;
  std::uint16_t port = 0;  // Of the authority, or what the scheme says; 0: not told.
};
ExplainedUrl parse_explained_url(std::string_view url);

}  // namespace outrider::config
