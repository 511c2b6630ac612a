#include "observe/stat_tags.h"

#include <algorithm>

#include "observe/stats_options.h"

namespace outrider {
namespace {

constexpr std::string_view kCluster = "envoy_cluster_name";
constexpr std::string_view kHttp = "envoy_http_conn_manager_prefix";
constexpr std::string_view kListener = "envoy_listener_address";
constexpr std::string_view kRouteConfig = "envoy_rds_route_config";
constexpr std::string_view kVirtualCluster = "envoy_virtual_cluster";
constexpr std::string_view kVirtualHost = "envoy_virtual_host";
constexpr std::string_view kWorker = "envoy_worker_id";

// Moves the piece before the next dot, and the dot, from the front of `rest` into a tag. False if there is no dot.
bool take_token(std::string_view& rest, std::string_view label, std::vector<StatTag>& tags) {
  std::size_t dot = rest.find('.');
  if (dot == std::string_view::npos || dot == 0) return false;
  tags.push_back({label, std::string(rest.substr(0, dot))});
  rest.remove_prefix(dot + 1);
  return true;
}

// "worker_3." at the front: what is left in the name is "worker.".
bool take_worker(std::string_view& rest, std::vector<StatTag>& tags) {
  constexpr std::string_view kPrefix = "worker_";
  if (!rest.starts_with(kPrefix)) return false;
  std::size_t dot = rest.find('.');
  if (dot == std::string_view::npos) return false;
  std::string_view number = rest.substr(kPrefix.size(), dot - kPrefix.size());
  if (number.empty() || number.find_first_not_of("0123456789") != std::string_view::npos) return false;
  tags.push_back({kWorker, std::string(number)});
  rest.remove_prefix(dot + 1);
  return true;
}

// The longest front of `rest` that consists of these characters and ends before a dot.
std::size_t address_length(std::string_view rest, std::string_view characters) {
  std::size_t end = std::min(rest.find_first_not_of(characters), rest.size());
  while (end > 0 && (end == rest.size() || rest[end] != '.')) end--;
  return end;
}

bool take_address(std::string_view& rest, std::vector<StatTag>& tags) {
  if (rest.starts_with("admin.")) return false;
  std::size_t length = address_length(rest, "_.0123456789");
  if (length == 0) length = address_length(rest, "_[]abcdefABCDEF0123456789");
  if (length == 0) return take_token(rest, kListener, tags);
  tags.push_back({kListener, std::string(rest.substr(0, length))});
  rest.remove_prefix(length + 1);
  return true;
}

void listener(std::string_view rest, TaggedName& out) {
  out.name = "listener.";
  std::vector<StatTag> address;
  take_address(rest, address);
  if (address.empty() || !take_worker(rest, out.tags)) {
    std::size_t http = rest.starts_with("http.") ? 0 : rest.find(".http.");
    if (http != std::string_view::npos) {
      std::string_view behind = rest.substr(http + (http ? 6 : 5));
      std::size_t front = static_cast<std::size_t>(behind.data() - rest.data());
      if (take_token(behind, kHttp, out.tags)) {
        out.name.append(rest.substr(0, front));
        rest = behind;
      }
    }
  } else {
    out.name += "worker.";
  }
  out.name.append(rest);
  std::ranges::move(address, std::back_inserter(out.tags));
}

void http(std::string_view rest, TaggedName& out) {
  out.name = "http.";
  std::vector<StatTag> manager;
  take_token(rest, kHttp, manager);
  constexpr std::string_view kRds = "rds.";
  // A route configuration's name may hold dots: it reaches to the end.
  if (!manager.empty() && rest.starts_with(kRds) && rest.size() > kRds.size() + 1) {
    rest.remove_prefix(kRds.size());
    out.tags.push_back({kRouteConfig, std::string(rest.substr(0, rest.size() - 1))});
    out.name += kRds;
    rest = {};
  }
  out.name.append(rest);
  std::ranges::move(manager, std::back_inserter(out.tags));
}

void vhost(std::string_view rest, TaggedName& out) {
  out.name = "vhost.";
  std::vector<StatTag> host;
  take_token(rest, kVirtualHost, host);
  constexpr std::string_view kVcluster = "vcluster.";
  if (!host.empty() && rest.starts_with(kVcluster)) {
    rest.remove_prefix(kVcluster.size());
    out.name += kVcluster;
    take_token(rest, kVirtualCluster, out.tags);
  }
  out.name.append(rest);
  std::ranges::move(host, std::back_inserter(out.tags));
}

void workers(std::string_view root, std::string_view rest, TaggedName& out) {
  out.name = root;
  if (take_worker(rest, out.tags)) out.name += "worker.";
  out.name.append(rest);
}

}  // namespace

TaggedName tags_of(std::string_view scope) {
  TaggedName out;
  auto under = [&](std::string_view root, std::string_view& rest) {
    if (!scope.starts_with(root)) return false;
    rest = scope.substr(root.size());
    return true;
  };
  std::string_view rest;
  if (under("cluster.", rest)) {
    take_token(rest, kCluster, out.tags);
    out.name = "cluster.";
    out.name.append(rest);
  } else if (under("http.", rest)) {
    http(rest, out);
  } else if (under("listener.", rest)) {
    listener(rest, out);
  } else if (under("vhost.", rest)) {
    vhost(rest, out);
  } else if (under("server.", rest)) {
    workers("server.", rest, out);
  } else if (under("thread_local_cluster_manager.", rest)) {
    workers("thread_local_cluster_manager.", rest, out);
  } else {
    out.name = scope;
  }
  return out;
}

TaggedName tags_of(std::string_view scope, const StatsOptions& options) {
  TaggedName out = tags_of(scope);
  if (!options.default_tags) {
    std::erase_if(out.tags, [&](const StatTag& tag) {
      return std::ranges::find(options.named_defaults, tag.label) == options.named_defaults.end();
    });
    if (out.tags.empty()) out.name = scope;  // A name keeps what no tag has taken out.
  }
  for (const StatsOptions::Tag& tag : options.tags) {
    std::string value = tag.fixed;
    if (tag.take && !tag.take(out.name, value)) continue;
    out.tags.push_back({tag.label, std::move(value)});
  }
  return out;
}

bool response_class_of(std::string_view stat, char& digit) {
  constexpr std::size_t kEnd = 7;  // "_rq_2xx"
  if (stat.size() < kEnd || !stat.ends_with("xx")) return false;
  std::string_view end = stat.substr(stat.size() - kEnd);
  if (!end.starts_with("_rq_") || end[4] < '0' || end[4] > '9') return false;
  digit = end[4];
  return true;
}

}  // namespace outrider
