#include "observe/stat_tags.h"

#include <algorithm>

#include "observe/stats_options.h"

namespace outrider {
namespace {

constexpr std::string_view kAuthz = "envoy_ext_authz_prefix";
constexpr std::string_view kAuthzScope = "ext_authz.";
constexpr std::string_view kCluster = "envoy_cluster_name";
constexpr std::string_view kGrpcMethod = "envoy_grpc_bridge_method";
constexpr std::string_view kGrpcService = "envoy_grpc_bridge_service";
constexpr std::string_view kHttp = "envoy_http_conn_manager_prefix";
constexpr std::string_view kListener = "envoy_listener_address";
constexpr std::string_view kRoute = "envoy_route";
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

// Where `front` is at the front of `rest`, as in "ext_authz.waf.": it goes to the name, the piece behind it into a tag.
void take_behind(std::string_view front, std::string_view label, std::string_view& rest, TaggedName& out) {
  if (!rest.starts_with(front)) return;
  rest.remove_prefix(front.size());
  out.name += front;
  take_token(rest, label, out.tags);
}

// "grpc.service.method.": two pieces, of which a name with dots has more.
void take_grpc(std::string_view& rest, TaggedName& out) {
  constexpr std::string_view kFilter = "grpc.";
  if (!rest.starts_with(kFilter)) return;
  std::string_view names = rest.substr(kFilter.size());
  std::vector<StatTag> service;
  if (!take_token(names, kGrpcService, service)) return;
  take_token(names, kGrpcMethod, out.tags);
  out.tags.push_back(std::move(service.front()));
  out.name += kFilter;
  rest = names;
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
  if (!manager.empty()) take_behind(kAuthzScope, kAuthz, rest, out);
  out.name.append(rest);
  std::ranges::move(manager, std::back_inserter(out.tags));
}

void vhost(std::string_view rest, TaggedName& out) {
  out.name = "vhost.";
  std::vector<StatTag> host;
  take_token(rest, kVirtualHost, host);
  if (!host.empty()) {
    take_behind("vcluster.", kVirtualCluster, rest, out);
    take_behind("route.", kRoute, rest, out);
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
    std::vector<StatTag> cluster;
    take_token(rest, kCluster, cluster);
    out.name = "cluster.";
    if (!cluster.empty()) {
      take_behind(kAuthzScope, kAuthz, rest, out);
      take_grpc(rest, out);
    }
    out.name.append(rest);
    std::ranges::move(cluster, std::back_inserter(out.tags));
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

namespace {

bool wanted(const StatsOptions& options, std::string_view label) {
  return options.default_tags || std::ranges::find(options.named_defaults, label) != options.named_defaults.end();
}

void add_fixed(const StatsOptions& options, std::vector<StatTag>& tags) {
  for (const StatsOptions::Tag& tag : options.tags) {
    if (!tag.find) tags.push_back({tag.label, tag.fixed});
  }
}

// A name, and which of its bytes stay.
class Cut {
 public:
  explicit Cut(std::string name) : name_(std::move(name)), stays_(name_.size(), true) {}
  const std::string& name() const { return name_; }
  void mark(std::size_t begin, std::size_t size, bool stays = false) {
    for (std::size_t i = begin; i < std::min(begin + size, stays_.size()); i++) stays_[i] = stays;
  }
  // Takes out what is not in `left`, piece by piece between the dots of the first `bytes`.
  void reduce(std::size_t bytes, std::string_view left) {
    constexpr std::string_view kWorker = "worker_";  // "worker_3." leaves "worker.".
    for (std::size_t begin = 0; begin < bytes;) {
      std::size_t end = std::min(name_.find('.', begin), bytes - 1) + 1;
      std::string_view piece = std::string_view(name_).substr(begin, end - begin);
      if (left.starts_with(piece)) {
        left.remove_prefix(piece.size());
      } else if (piece.starts_with(kWorker) && left.starts_with("worker.")) {
        left.remove_prefix(kWorker.size());
        mark(begin + kWorker.size(), piece.size() - kWorker.size());
      } else {
        mark(begin, piece.size());
      }
      begin = end;
    }
  }
  std::string left() const {
    std::string out;
    for (std::size_t i = 0; i < name_.size(); i++) {
      if (stays_[i]) out += name_[i];
    }
    return out;
  }

 private:
  std::string name_;
  std::vector<bool> stays_;
};

// The tags of the scope that are wanted; the others stay in the name.
void cut_scope(std::string_view scope, const StatsOptions& options, Cut& cut, std::vector<StatTag>& tags) {
  TaggedName all = tags_of(scope);
  cut.reduce(scope.size(), all.name);
  for (StatTag& tag : all.tags) {
    if (wanted(options, tag.label)) {
      tags.push_back(std::move(tag));
    } else if (std::size_t at = scope.find("." + tag.value + "."); at != scope.npos) {
      cut.mark(at + 1, tag.value.size() + 1, true);
    }
  }
}

// The status at the end of "upstream_rq_200"; empty: there is none.
std::string_view status_of(std::string_view name) {
  constexpr std::size_t kDigits = 3;
  if (name.size() <= kDigits || !name.substr(0, name.size() - kDigits).ends_with("_rq_")) return {};
  std::string_view end = name.substr(name.size() - kDigits);
  return end.find_first_not_of("0123456789") == end.npos ? end : std::string_view();
}

}  // namespace

TaggedName tags_of(std::string_view scope, const StatsOptions& options) {
  TaggedName out;
  if (options.default_tags) {
    out = tags_of(scope);
  } else {
    Cut cut{std::string(scope)};
    cut_scope(scope, options, cut, out.tags);
    out.name = cut.left();
  }
  add_fixed(options, out.tags);
  return out;
}

TaggedName tags_of(std::string_view scope, std::string_view stat, const StatsOptions& options) {
  Cut cut{std::string(scope).append(stat)};
  TaggedName out;
  char digit;
  if (response_class_of(stat, digit) && wanted(options, kResponseCodeClassLabel)) {
    out.tags.push_back({kResponseCodeClassLabel, std::string(1, digit)});
    cut.mark(cut.name().size() - 3, 1);
  } else if (std::string_view status = status_of(stat); !status.empty() && wanted(options, kResponseCodeLabel)) {
    out.tags.push_back({kResponseCodeLabel, std::string(status)});
    cut.mark(cut.name().size() - status.size() - 1, status.size() + 1);
  }
  cut_scope(scope, options, cut, out.tags);
  for (const StatsOptions::Tag& tag : options.tags) {
    StatsOptions::Found found{};
    if (!tag.find) {
      out.tags.push_back({tag.label, tag.fixed});
    } else if (tag.find(cut.name(), found)) {
      cut.mark(found.begin, found.size);
      out.tags.push_back({tag.label, std::move(found.value)});
    }
  }
  out.name = cut.left();
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
