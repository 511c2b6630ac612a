// What services of discovery have answered, loaded and ready to be compiled with the file.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "upstream/rest_source.h"

namespace outrider::config {

struct Loaded;

// A list of clusters (CDS), of listeners (LDS), or a table of routes (RDS).
enum class Resources : std::uint8_t { clusters, listeners, routes };

// Where they are asked for.
struct ResourceSource {
  RestSource rest;
  std::string path;              // "/v1/clusters/<service cluster>/<service node>"
  std::string name = {};         // Of a table of routes: what connection managers call it.
  std::string stat_prefix = {};  // "cluster_manager.cds.", "http.<stat prefix>.rds.<name>."

  std::string url() const { return "http://" + rest.cluster + path; }
  bool operator==(const ResourceSource&) const = default;
};

// By the URL of the answer.
using ResourceSources = std::map<std::string, ResourceSource, std::less<>>;

struct Answers {
  struct One {
    std::string url;
    std::shared_ptr<const Loaded> loaded;  // Null: nothing has come.
    bool operator==(const One&) const = default;
  };
  One clusters, listeners;
  std::map<std::string, std::shared_ptr<const Loaded>, std::less<>> routes;  // By URL.
};

}  // namespace outrider::config
