// `/clusters`: the clusters of the present snapshot in order of name, each with the hosts that it has when the text
// comes to it, in order of priority.
#include <re2/re2.h>

#include <algorithm>
#include <charconv>
#include <vector>

#include "admin/address_json.h"
#include "admin/page.h"

namespace outrider {
namespace {

struct HostNumber {
  std::string_view name;
  std::atomic<std::uint64_t> Endpoint::Numbers::* number;
  bool gauge = false;
};

constexpr HostNumber kHostNumbers[] = {
    {"cx_active", &Endpoint::Numbers::cx_active, true},
    {"cx_connect_fail", &Endpoint::Numbers::cx_connect_fail},
    {"cx_total", &Endpoint::Numbers::cx_total},
    {"rq_active", &Endpoint::Numbers::rq_active, true},
    {"rq_error", &Endpoint::Numbers::rq_error},
    {"rq_pending_active", &Endpoint::Numbers::rq_pending_active, true},
    {"rq_success", &Endpoint::Numbers::rq_success},
    {"rq_timeout", &Endpoint::Numbers::rq_timeout},
    {"rq_total", &Endpoint::Numbers::rq_total},
};

std::uint64_t read(const Endpoint& host, const HostNumber& number) {
  return (host.numbers.*number.number).load(std::memory_order_relaxed);
}

struct Threshold {
  std::string_view name;
  Breaker Breakers::* breaker;
};

constexpr Threshold kThresholds[] = {{"max_connections", &Breakers::connections},
                                     {"max_pending_requests", &Breakers::pending_requests},
                                     {"max_requests", &Breakers::requests},
                                     {"max_retries", &Breakers::retries}};

// The name in the statistics: alt_stat_name, if there is one.
std::string_view observability_name(const Cluster& cluster) {
  std::string_view name = cluster.stats->name();
  constexpr std::string_view kPrefix = "cluster.";
  if (name.starts_with(kPrefix)) name.remove_prefix(kPrefix.size());
  if (name.ends_with('.')) name.remove_suffix(1);
  return name;
}

// The configuration says some of them.
bool has_flag(const Endpoint& host, HealthFlag flag) {
  if (flag == HealthFlag::eds_status_draining) return host.told_to_drain;
  if (flag == HealthFlag::failed_eds_health) return host.health == HostHealth::unhealthy && !host.told_to_drain;
  if (flag == HealthFlag::degraded_eds_health) return host.health == HostHealth::degraded;
  return host.flags.has(flag);
}

// One cluster after the other, one host after the other.
class ClustersText : public PageText {
 public:
  ClustersText(SnapshotPtr snapshot, std::unique_ptr<re2::RE2> filter)
      : snapshot_(std::move(snapshot)), filter_(std::move(filter)) {
    if (snapshot_) at_ = snapshot_->clusters.begin();
  }

  bool next(std::string& out, std::size_t bytes) final {
    std::size_t enough = out.size() + bytes;
    while (out.size() < enough) {
      if (hosts_ && host_ < ordered_.size()) {
        append_host(*at_->second, *ordered_[host_++], out);
      } else if (hosts_) {
        end_cluster(*at_++->second, out);
        hosts_.reset();
      } else if (find()) {
        take_hosts();
        begin_cluster(*at_->second, !ordered_.empty(), out);
      } else {
        end(out);
        return false;
      }
    }
    return true;
  }

 private:
  virtual void begin_cluster(const Cluster& cluster, bool has_hosts, std::string& out) = 0;
  virtual void append_host(const Cluster& cluster, const Endpoint& host, std::string& out) = 0;
  virtual void end_cluster(const Cluster& cluster, std::string& out) = 0;
  virtual void end(std::string& out) = 0;

  // Goes on to the next cluster that is wanted.
  bool find() {
    if (!snapshot_) return false;
    while (at_ != snapshot_->clusters.end() && filter_ && !re2::RE2::PartialMatch(at_->first, *filter_)) ++at_;
    return at_ != snapshot_->clusters.end();
  }

  void take_hosts() {
    hosts_ = at_->second->hosts();
    host_ = 0;
    ordered_.clear();
    for (const EndpointPtr& host : hosts_->all) {
      ordered_.insert(std::ranges::upper_bound(ordered_, host->priority, {}, &Endpoint::priority), host.get());
    }
  }

  const SnapshotPtr snapshot_;
  const std::unique_ptr<re2::RE2> filter_;
  std::map<std::string, ClusterPtr, std::less<>>::const_iterator at_;
  HostSetPtr hosts_;  // Of the cluster that is being written; null between two clusters.
  std::vector<const Endpoint*> ordered_;
  std::size_t host_ = 0;
};

class PlainClusters final : public ClustersText {
 public:
  using ClustersText::ClustersText;

 private:
  void begin_cluster(const Cluster& cluster, bool, std::string& out) override {
    prefix_.assign(cluster.name()).append("::");
    line(out, "observability_name", observability_name(cluster));
    if (cluster.options.outlier) {
      append_rate("outlier::success_rate_average", cluster.success_rates.average, out);
      append_rate("outlier::success_rate_ejection_threshold", cluster.success_rates.ejection_threshold, out);
      append_rate("outlier::local_origin_success_rate_average", cluster.local_origin_success_rates.average, out);
      append_rate("outlier::local_origin_success_rate_ejection_threshold",
                  cluster.local_origin_success_rates.ejection_threshold, out);
    }
    append_thresholds("default_priority::", cluster.breakers[0], out);
    append_thresholds("high_priority::", cluster.breakers[1], out);
    line(out, "added_via_api", cluster.options.added_via_api ? "true" : "false");
  }

  void append_thresholds(std::string_view priority, const Breakers& breakers, std::string& out) {
    for (const Threshold& t : kThresholds) {
      out.append(prefix_).append(priority).append(t.name).append("::");
      append_number(out, (breakers.*t.breaker).limit());
      out += '\n';
    }
  }

  void append_host(const Cluster& cluster, const Endpoint& host, std::string& out) override {
    prefix_.assign(cluster.name()).append("::").append(host.address.text()).append("::");
    for (const HostNumber& number : kHostNumbers) line(out, number.name, read(host, number));
    line(out, "hostname", host.hostname);
    out.append(prefix_).append("health_flags::");
    append_health_flags(host, out);
    out += '\n';
    line(out, "weight", host.weight);
    line(out, "region", host.region);
    line(out, "zone", host.zone);
    line(out, "sub_zone", host.sub_zone);
    line(out, "canary", host.canary ? "true" : "false");
    line(out, "priority", host.priority);
    append_rate("success_rate", host.outlier ? host.outlier->external.percent : -1, out);
    append_rate("local_origin_success_rate", host.outlier ? host.outlier->local.percent : -1, out);
  }

  void end_cluster(const Cluster&, std::string&) override {}
  void end(std::string&) override {}

  static void append_health_flags(const Endpoint& host, std::string& out) {
    static constexpr std::string_view kNames[] = {
#define X(name) #name,
        OUTRIDER_HEALTH_FLAGS(X)
#undef X
    };
    std::size_t before = out.size();
    for (std::size_t i = 0; i < std::size(kNames); i++) {
      if (has_flag(host, static_cast<HealthFlag>(i))) out.append("/").append(kNames[i]);
    }
    if (out.size() == before) out += "healthy";
  }

  // -1: it has not been measured.
  void append_rate(std::string_view name, double percent, std::string& out) {
    char digits[32];
    std::snprintf(digits, sizeof digits, "%g", percent);
    line(out, name, digits);
  }

  static void append_number(std::string& out, std::uint64_t value) {
    char digits[20];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, value).ptr);
  }
  void line(std::string& out, std::string_view name, std::string_view value) {
    out.append(prefix_).append(name).append("::").append(value).append("\n");
  }
  void line(std::string& out, std::string_view name, std::uint64_t value) {
    out.append(prefix_).append(name).append("::");
    append_number(out, value);
    out += '\n';
  }

  std::string prefix_;
};

// envoy.admin.v3.Clusters: values that are zero or empty are left out, as protobuf does.
class JsonClusters final : public ClustersText {
 public:
  // The text begins in `head`.
  JsonClusters(SnapshotPtr snapshot, std::unique_ptr<re2::RE2> filter, std::string& head)
      : ClustersText(std::move(snapshot), std::move(filter)), json_(head) {}

 private:
  void begin_cluster(const Cluster& cluster, bool has_hosts, std::string& out) override {
    json_.continue_in(out);
    if (!any_) json_.open_list("cluster_statuses");
    any_ = true;
    json_.open_element();
    json_.text("name", cluster.name());
    if (cluster.options.added_via_api) json_.truth("added_via_api", true);
    append_percent("success_rate_ejection_threshold", cluster.success_rates.ejection_threshold);
    has_hosts_ = has_hosts;
    if (has_hosts) json_.open_list("host_statuses");
  }

  void append_host(const Cluster&, const Endpoint& host, std::string& out) override {
    json_.continue_in(out);
    json_.open_element();
    append_address("address", host.address, json_);
    json_.open_list("stats");
    for (bool gauge : {false, true}) {
      for (const HostNumber& number : kHostNumbers) {
        if (number.gauge == gauge) append_number(host, number);
      }
    }
    json_.close_list();
    json_.open_object("health_status");
    if (has_flag(host, HealthFlag::failed_active_hc)) json_.truth("failed_active_health_check", true);
    if (has_flag(host, HealthFlag::failed_outlier_check)) json_.truth("failed_outlier_check", true);
    json_.text("eds_health_status", health_status(host.health));
    if (has_flag(host, HealthFlag::degraded_active_hc)) json_.truth("failed_active_degraded_check", true);
    if (has_flag(host, HealthFlag::excluded_via_immediate_hc_fail)) json_.truth("excluded_via_immediate_hc_fail", true);
    if (has_flag(host, HealthFlag::active_hc_timeout)) json_.truth("active_hc_timeout", true);
    json_.close_object();
    if (host.outlier) append_percent("success_rate", host.outlier->external.percent);
    json_.number("weight", host.weight);
    if (!host.hostname.empty()) json_.text("hostname", host.hostname);
    if (host.priority) json_.number("priority", host.priority);
    if (host.outlier) append_percent("local_origin_success_rate", host.outlier->local.percent);
    json_.open_object("locality");
    if (!host.region.empty()) json_.text("region", host.region);
    if (!host.zone.empty()) json_.text("zone", host.zone);
    if (!host.sub_zone.empty()) json_.text("sub_zone", host.sub_zone);
    json_.close_object();
    json_.close_object();
  }

  void append_number(const Endpoint& host, const HostNumber& number) {
    json_.open_element();
    if (number.gauge) json_.text("type", "GAUGE");
    json_.text("name", number.name);
    if (std::uint64_t value = read(host, number)) json_.wide_number("value", value);
    json_.close_object();
  }

  // envoy.type.v3.Percent; negative: it has not been measured.
  void append_percent(std::string_view name, double percent) {
    if (percent < 0) return;
    json_.open_object(name);
    if (percent > 0) json_.fraction("value", percent);
    json_.close_object();
  }

  void end_cluster(const Cluster& cluster, std::string& out) override {
    json_.continue_in(out);
    if (has_hosts_) json_.close_list();
    append_percent("local_origin_success_rate_ejection_threshold",
                   cluster.local_origin_success_rates.ejection_threshold);
    json_.open_object("circuit_breakers");
    json_.open_list("thresholds");
    for (Priority priority : {Priority::normal, Priority::high}) {
      json_.open_element();
      if (priority == Priority::high) json_.text("priority", "HIGH");
      const Breakers& breakers = cluster.breakers[static_cast<std::size_t>(priority)];
      for (const Threshold& t : kThresholds) json_.number(t.name, (breakers.*t.breaker).limit());
      json_.close_object();
    }
    json_.close_list();
    json_.close_object();
    json_.text("observability_name", observability_name(cluster));
    json_.close_object();
  }

  void end(std::string& out) override {
    json_.continue_in(out);
    if (any_) json_.close_list();
    json_.finish();
  }

  static std::string_view health_status(HostHealth health) {
    switch (health) {
      case HostHealth::healthy:
        return "HEALTHY";
      case HostHealth::degraded:
        return "DEGRADED";
      case HostHealth::unhealthy:
        return "UNHEALTHY";
    }
    return "UNKNOWN";
  }

  IndentedJson json_;
  bool any_ = false;
  bool has_hosts_ = false;
};

}  // namespace

PageAnswer clusters_page(const PageRequest& request) {
  std::unique_ptr<re2::RE2> filter;
  if (auto pattern = request.parameter("filter"); pattern && !pattern->empty()) {
    re2::RE2::Options options;
    options.set_log_errors(false);
    filter = std::make_unique<re2::RE2>(re2::StringPiece(pattern->data(), pattern->size()), options);
    if (!filter->ok()) return PageAnswer::plain("Invalid re2 regex", 400);
  }
  SnapshotPtr snapshot = request.view.snapshot();
  if (request.wants_json()) {
    std::string head;
    auto rest = std::make_unique<JsonClusters>(std::move(snapshot), std::move(filter), head);
    return {200, content_type::kJson, std::move(head), std::move(rest)};
  }
  return {200, content_type::kPlain, "", std::make_unique<PlainClusters>(std::move(snapshot), std::move(filter))};
}

}  // namespace outrider
