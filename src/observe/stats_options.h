// What a configuration says of statistics as a whole: which there are, their buckets, and where they are sent.
#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace outrider {

enum class StatsdTags : std::uint8_t {
  none,       // The whole name.
  dogstatsd,  // "name:1|c|#tag:value,tag:value"
  graphite,   // "name;tag=value;tag=value:1|c"
};

// A place that statistics are sent to, again and again.
struct StatSinkOptions {
  StatsdTags tags = StatsdTags::none;
  std::string prefix;
  std::string address;             // Of UDP, as text with a port; empty: `cluster`.
  std::string cluster;             // TCP, to a host of this cluster.
  std::size_t datagram_bytes = 0;  // As many lines as fit go into one; 0: one line each.
};

struct StatsOptions {
  std::chrono::milliseconds flush_interval{5000};
  std::vector<StatSinkOptions> sinks;
  // Whether there is a statistic of that full name; empty: there are all.
  std::function<bool(std::string_view)> exists;
  // More tags: what is found in a statistic's whole name, and those that all have.
  struct Found {
    std::size_t begin, size;  // What is left out of the name.
    std::string value;
  };
  struct Tag {
    std::string label;
    std::string fixed;  // Its value for all; else:
    std::function<bool(std::string_view name, Found& found)> find;
  };
  std::vector<Tag> tags;
  bool finds_tags() const;                  // Names have to be looked at one by one.
  bool default_tags = true;                 // All that Envoy has; else:
  std::vector<std::string> named_defaults;  // The labels of those that are wanted.
  // The bounds of histograms' buckets, by full name: those of the first that matches, else kHistogramBounds.
  struct Buckets {
    std::function<bool(std::string_view)> match;
    std::vector<double> bounds;  // Ascending.
  };
  std::vector<Buckets> buckets;
  std::span<const double> bounds_of(std::string_view scope, std::string_view stat) const;
  bool flush_on_admin = false;  // Sinks get numbers, and intervals end, when somebody asks for `/stats`; no timer.
};

// Those in force, of the process. The main thread's.
const StatsOptions& stats_options();
void set_stats_options(StatsOptions options);

}  // namespace outrider
