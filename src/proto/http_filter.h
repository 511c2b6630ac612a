// What an HTTP filter is made from. A filter is one file in src/filters that ends with its HttpFilterType.
#pragma once
#include <memory>
#include <string>
#include <string_view>

#include "http/filter.h"
#include "http/route_entry.h"
#include "observe/local_stats.h"
#include "proto/report.h"

namespace outrider::proto {

// What the process offers to filters while they are made.
class FilterHost {
 public:
  virtual StatRegistry& stats() = 0;
  virtual int workers() = 0;
  // False only if there is surely no such cluster.
  virtual bool has_cluster(std::string_view name) = 0;
  // The cluster that this proxy is of: node.cluster, or what the command line says. Empty: not told.
  virtual const std::string& local_cluster() = 0;

 protected:
  ~FilterHost() = default;
};

struct FilterSource {
  FilterHost& host;
  Report& report;
  std::string path;         // Of the filter's configuration.
  std::string_view bytes;   // That configuration, serialized.
  std::string stat_prefix;  // "http.ingress."; empty for what a route says.
  int slot;                 // Where the filter finds what a route says to it: Exchange::route_config(slot).

  // The statistics of "http.<stat_prefix>.<name>".
  LocalStats stats(std::string_view name, const StatTable& table) const {
    return LocalStats(host.stats().scope(stat_prefix + std::string(name), table), host.workers());
  }
  void fail(std::string_view field, std::string message) const {
    report.fail(path + "." + std::string(field), std::move(message));
  }
};

struct HttpFilterType {
  std::string_view name;                                        // Envoy's: "envoy.filters.http.cors".
  std::string_view type;                                        // Full name of its message.
  std::unique_ptr<Filter> (*make)(const FilterSource& source);  // Null: it has failed, and said so.
  std::string_view route_type;                                  // Of what routes say to it; empty: nothing.
  std::shared_ptr<RouteFilterConfig> (*make_route)(const FilterSource& source) = nullptr;
  bool terminal = false;  // Answers every request: stands last, and nothing stands behind it.
};

// Reads the message; false if the bytes are none, which is said.
template <class Message>
bool parse(const FilterSource& source, Message& message) {
  if (message.ParseFromArray(source.bytes.data(), static_cast<int>(source.bytes.size()))) return true;
  source.report.fail(source.path, "is not a valid message of its type");
  return false;
}

}  // namespace outrider::proto
