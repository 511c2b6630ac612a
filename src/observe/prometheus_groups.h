// How scopes come together for `/stats/prometheus`: what has one name there stands in one group, told apart by labels.
#pragma once
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "observe/counters.h"
#include "observe/stat_format.h"
#include "observe/stat_query.h"
#include "observe/stat_tags.h"

namespace outrider::prometheus {

// What a line says of where its number comes from.
struct Labels {
  stat_format::PaddedView tail;  // `envoy_cluster_name="backend"} `
  std::string_view all() const { return {tail.text, tail.bytes - kEnd.size()}; }
  static constexpr std::string_view kEnd = "} ";
};

struct Scope {
  std::shared_ptr<StatScope> scope;
  std::size_t tail = 0;  // Where its labels and what ends them begin, in the family's tails.
  bool used = false;
  std::vector<CodeCount> codes;
};

// The statistics of one table that share a name once the tags are out of it.
struct Metric {
  enum class Source : std::uint8_t { cells, codes, code_classes, code_total };
  std::string name;  // "upstream_rq_xx"
  StatKind kind;
  Source source = Source::cells;
  struct Part {
    std::size_t definition;
    char response_class;  // '2' of "upstream_rq_2xx"; 0: none.
  };
  std::vector<Part> parts;
};

struct Plan {
  const StatTable* table;
  std::vector<Metric> metrics;
};

// The scopes of one kind: what differs is in their labels. Lines are made metric by metric, so what they need of
// thousands of scopes stands side by side.
struct Family {
  std::string name;  // "cluster."
  const Plan* plan;
  std::vector<Scope> scopes;
  std::string tails;  // Padded.
  // By statistic, then by scope; empty where no worker touched any scope: all numbers are 0.
  std::vector<std::uint64_t> values;
  std::vector<std::uint8_t> written;

  std::size_t tail_begin(std::size_t scope) const {
    return scope < scopes.size() ? scopes[scope].tail : tails.size() - stat_format::PaddedView::kBlock;
  }
  Labels labels(std::size_t scope) const {
    std::size_t begin = tail_begin(scope);
    return {{tails.data() + begin, tail_begin(scope + 1) - begin}};
  }
  std::uint64_t value(std::size_t stat, std::size_t scope) const {
    return values.empty() ? 0 : values[stat * scopes.size() + scope];
  }
  bool is_written(std::size_t stat, std::size_t scope) const {
    return !written.empty() && written[stat * scopes.size() + scope];
  }
  void read();
};

struct Group {
  const Family* family;
  const Metric* metric;
};

// All scopes of one rendering.
class Groups {
 public:
  // In order of name. `used`: some worker has touched it. `labels`: what it has besides the tags of its name.
  void add(std::shared_ptr<StatScope> scope, bool used, std::string_view labels);
  // Reads all numbers, but those of histograms. What the query wants: counters, gauges, histograms, each by name. The
  // groups live as long as this.
  std::vector<Group> finish(const StatQuery& query);

 private:
  const Plan& plan(const StatTable& table);
  Family& family(std::string name, const Plan& plan);

  std::vector<std::unique_ptr<Plan>> plans_;
  std::vector<std::unique_ptr<Family>> families_;
  std::string labels_;  // While they are put together.
};

}  // namespace outrider::prometheus
