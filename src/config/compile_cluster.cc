#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>

#include "config/compile_h2.h"
#include "config/compile_hashing.h"
#include "config/compile_health.h"
#include "config/compile_parts.h"
#include "config/compile_rest_source.h"
#include "core/ascii.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/extensions/upstreams/http/v3/http_protocol_options.pb.h"
#include "proto/matcher.h"
#include "upstream/health_check_stats.h"

namespace outrider::config {
namespace {

using ClusterProto = envoy::config::cluster::v3::Cluster;
constexpr std::string_view kHttpProtocolOptions = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions";

std::string stat_name_of(const ClusterOptions& o) {
  std::string name = o.alt_stat_name.empty() ? o.name : o.alt_stat_name;
  std::ranges::replace(name, ':', '_');  // As Envoy does.
  return name;
}

DiscoveryType discovery_of(const ClusterProto& proto) {
  switch (proto.type()) {
    case ClusterProto::STRICT_DNS:
      return DiscoveryType::strict_dns;
    case ClusterProto::LOGICAL_DNS:
      return DiscoveryType::logical_dns;
    case ClusterProto::ORIGINAL_DST:
      return DiscoveryType::original_dst;
    case ClusterProto::EDS:
      return DiscoveryType::eds;
    default:
      return DiscoveryType::static_;
  }
}

LbPolicy policy_of(const ClusterProto& proto) {
  switch (proto.lb_policy()) {
    case ClusterProto::LEAST_REQUEST:
      return LbPolicy::least_request;
    case ClusterProto::RANDOM:
      return LbPolicy::random;
    case ClusterProto::RING_HASH:
    case ClusterProto::MAGLEV:
      return LbPolicy::consistent_hash;
    default:
      return LbPolicy::round_robin;
  }
}

DnsFamily dns_family_of(const ClusterProto& proto) {
  switch (proto.dns_lookup_family()) {
    case ClusterProto::V4_ONLY:
      return DnsFamily::v4_only;
    case ClusterProto::V6_ONLY:
      return DnsFamily::v6_only;
    case ClusterProto::V4_PREFERRED:
      return DnsFamily::v4_preferred;
    case ClusterProto::ALL:
      return DnsFamily::all;
    default:
      return DnsFamily::automatic;
  }
}

HostHealth health_of(envoy::config::core::v3::HealthStatus status) {
  switch (status) {
    case envoy::config::core::v3::UNHEALTHY:
    case envoy::config::core::v3::DRAINING:
    case envoy::config::core::v3::TIMEOUT:
      return HostHealth::unhealthy;
    case envoy::config::core::v3::DEGRADED:
      return HostHealth::degraded;
    default:
      return HostHealth::healthy;
  }
}

void read_hosts(Compilation& c, const ClusterProto& proto, const std::string& path, ClusterOptions& o) {
  const auto& assignment = proto.load_assignment();
  for (int l = 0; l < assignment.endpoints_size(); l++) {
    const auto& locality = assignment.endpoints(l);
    for (int e = 0; e < locality.lb_endpoints_size(); e++) {
      const auto& lb = locality.lb_endpoints(e);
      const auto& address = lb.endpoint().address();
      ConfiguredHost h;
      h.is_pipe = address.has_pipe();
      h.address = h.is_pipe ? address.pipe().path() : address.socket_address().address();
      h.port = static_cast<std::uint16_t>(address.socket_address().port_value());
      h.hostname = lb.endpoint().hostname();
      h.weight = lb.has_load_balancing_weight() ? lb.load_balancing_weight().value() : 1;
      h.priority = locality.priority();
      h.health = health_of(lb.health_status());
      h.told_to_drain = lb.health_status() == envoy::config::core::v3::DRAINING;
      h.region = locality.locality().region();
      h.zone = locality.locality().zone();
      h.sub_zone = locality.locality().sub_zone();
      const auto& check = lb.endpoint().health_check_config();
      h.check.hostname = check.hostname();
      h.check.disabled = check.disable_active_health_check();
      h.check_port = static_cast<std::uint16_t>(check.port_value());
      if (check.has_address()) {
        h.check.address = to_address(c, check.address(),
                                     path + ".load_assignment.endpoints[" + std::to_string(l) + "].lb_endpoints[" +
                                         std::to_string(e) + "].endpoint.health_check_config.address");
      }
      if (lb.has_metadata()) h.metadata = std::make_shared<Metadata>(proto::to_metadata(lb.metadata()));
      std::string at =
          path + ".load_assignment.endpoints[" + std::to_string(l) + "].lb_endpoints[" + std::to_string(e) + "]";
      if (c.loaded.lacks(path + ".type")) {
        // Who knows what was meant.
      } else if (o.discovery == DiscoveryType::static_ && !h.is_pipe && !Address::parse(h.address, h.port)) {
        c.fail(at + ".endpoint.address.socket_address.address",
               "'" + h.address + "' is not an IP address; a name needs type STRICT_DNS or LOGICAL_DNS");
      } else if (h.is_pipe && o.discovery == DiscoveryType::static_) {
        to_address(c, address, at + ".endpoint.address");  // Says what is wrong with it.
      } else if (h.is_pipe) {
        c.fail(at + ".endpoint.address.pipe", "a pipe has no name to resolve; use type STATIC");
      }
      o.hosts.push_back(std::move(h));
    }
  }
  if (o.discovery == DiscoveryType::logical_dns && o.hosts.size() != 1) {
    c.fail(path + ".load_assignment",
           "a LOGICAL_DNS cluster has exactly one host, this one has " + std::to_string(o.hosts.size()));
  }
}

void read_thresholds(const ClusterProto& proto, ClusterOptions& o) {
  for (const auto& t : proto.circuit_breakers().thresholds()) {
    auto& into = o.thresholds[t.priority() == envoy::config::core::v3::HIGH ? 1 : 0];
    if (t.has_max_connections()) into.connections = t.max_connections().value();
    if (t.has_max_pending_requests()) into.pending_requests = t.max_pending_requests().value();
    if (t.has_max_requests()) into.requests = t.max_requests().value();
    if (t.has_max_retries()) into.retries = t.max_retries().value();
    if (!t.has_retry_budget()) continue;
    auto& budget = into.retry_budget.emplace();
    if (t.retry_budget().has_budget_percent()) budget.percent = t.retry_budget().budget_percent().value();
    if (t.retry_budget().has_min_retry_concurrency()) budget.min = t.retry_budget().min_retry_concurrency().value();
  }
}

constexpr std::uint32_t kResponseHeadBytesMax = 80 * 1024, kH2ResponseHeadBytesMax = 60 * 1024;  // Envoy's defaults.

void read_http2(Compilation& c, const envoy::config::core::v3::Http2ProtocolOptions& proto, const std::string& path,
                std::uint32_t head_bytes_max, ClusterOptions& o) {
  h1::Limits heads = o.limits;
  heads.head_bytes_max = head_bytes_max;
  o.h2 = compile_h2(c, proto, path, heads, "cluster." + stat_name_of(o) + ".");
}

void read_http(Compilation& c, const ClusterProto& proto, const std::string& path, ClusterOptions& o) {
  for (const auto& [name, any] : proto.typed_extension_protocol_options()) {
    envoy::extensions::upstreams::http::v3::HttpProtocolOptions http;
    if (!any.type_url().ends_with(kHttpProtocolOptions) || !http.ParseFromString(any.value())) {
      c.fail(path + ".typed_extension_protocol_options", "'" + name + "' is not built into outrider yet");
      continue;
    }
    if (name != kHttpProtocolOptions) {
      c.fail(path + ".typed_extension_protocol_options[\"" + name + "\"]",
             "nobody goes by this name: HttpProtocolOptions stand at `" + std::string(kHttpProtocolOptions) + "`");
    }
    const auto& common = http.common_http_protocol_options();
    if (common.has_idle_timeout()) o.idle_timeout = to_ms(common.idle_timeout());
    if (common.has_max_connection_duration()) o.max_connection_duration = to_ms(common.max_connection_duration());
    if (common.has_max_stream_duration()) o.max_stream_duration = to_ms(common.max_stream_duration());
    if (common.has_max_requests_per_connection())
      o.max_requests_per_connection = common.max_requests_per_connection().value();
    if (common.has_max_response_headers_kb()) o.limits.head_bytes_max = common.max_response_headers_kb().value() * 1024;
    if (common.has_max_headers_count()) o.limits.field_count_max = common.max_headers_count().value();
    std::uint32_t of_h2 = common.has_max_response_headers_kb() ? o.limits.head_bytes_max : kH2ResponseHeadBytesMax;
    std::string at = path + ".typed_extension_protocol_options[\"" + name + "\"]";
    const auto& http1 = http.has_use_downstream_protocol_config()
                            ? http.use_downstream_protocol_config().http_protocol_options()
                            : http.explicit_http_config().http_protocol_options();
    o.proper_case_names = http1.header_key_format().has_proper_case_words();
    if (http.has_use_downstream_protocol_config()) {
      o.as_downstream = true;
      read_http2(c, http.use_downstream_protocol_config().http2_protocol_options(),
                 at + ".use_downstream_protocol_config.http2_protocol_options", of_h2, o);
    } else if (http.explicit_http_config().has_http2_protocol_options()) {
      read_http2(c, http.explicit_http_config().http2_protocol_options(),
                 at + ".explicit_http_config.http2_protocol_options", of_h2, o);
    }
  }
}

void read_original_destination(Compilation& c, const ClusterProto& proto, const std::string& path, ClusterOptions& o) {
  bool provides = proto.lb_policy() == ClusterProto::CLUSTER_PROVIDED;
  if (o.discovery != DiscoveryType::original_dst) {
    if (provides && !c.loaded.lacks(path + ".cluster_type"))
      c.fail(path + ".lb_policy", "CLUSTER_PROVIDED goes with the type ORIGINAL_DST only");
    return;
  }
  if (!provides) c.fail(path + ".lb_policy", "CLUSTER_PROVIDED is what goes with the type ORIGINAL_DST");
  if (proto.has_load_assignment()) {
    c.fail(path + ".load_assignment", "an ORIGINAL_DST cluster has no hosts of its own: requests name them");
  }
  OriginalDestination& to = o.original_destination;
  to.workers = c.process.workers;
  if (proto.has_cleanup_interval()) to.cleanup_interval = to_ms(proto.cleanup_interval());
  const auto& config = proto.original_dst_lb_config();
  if (config.has_upstream_port_override()) {
    to.port = static_cast<std::uint16_t>(config.upstream_port_override().value());
  }
  if (config.use_http_header()) {
    to.header =
        config.http_header_name().empty() ? "x-envoy-original-dst-host" : ascii_lower(config.http_header_name());
  } else if (!config.http_header_name().empty()) {
    c.fail(path + ".original_dst_lb_config.http_header_name", "means nothing without use_http_header");
  }
}

void read_service(Compilation& c, const ClusterProto& proto, const std::string& path, ClusterOptions& o) {
  const std::string at = path + ".eds_cluster_config";
  if (o.discovery != DiscoveryType::eds) {
    if (proto.has_eds_cluster_config() && !c.loaded.lacks(path + ".type")) c.fail(at, "goes with the type EDS only");
    return;
  }
  if (!proto.eds_cluster_config().has_eds_config()) {
    if (!c.loaded.lacks(path + ".type")) c.fail(at, "an EDS cluster needs an eds_config, whose service has its hosts");
    return;
  }
  if (proto.has_load_assignment()) {
    c.fail(path + ".load_assignment", "an EDS cluster has no hosts of its own: its service has them");
  }
  auto rest = compile_rest_source(c, proto.eds_cluster_config().eds_config(), at + ".eds_config");
  if (!rest) return;
  const std::string& name = proto.eds_cluster_config().service_name();
  o.service = std::make_shared<ServiceSource>(ServiceSource{std::move(*rest), name.empty() ? proto.name() : name});
}

void read_dns(const ClusterProto& proto, ClusterOptions& o) {
  o.dns_family = dns_family_of(proto);
  if (proto.has_dns_refresh_rate()) o.dns_refresh_rate = to_ms(proto.dns_refresh_rate());
  if (proto.has_dns_jitter()) o.dns_jitter = to_ms(proto.dns_jitter());
  o.dns_failure_rate = o.dns_failure_rate_max = o.dns_refresh_rate;
  if (proto.has_dns_failure_refresh_rate()) {
    o.dns_failure_rate = to_ms(proto.dns_failure_refresh_rate().base_interval());
    o.dns_failure_rate_max = proto.dns_failure_refresh_rate().has_max_interval()
                                 ? to_ms(proto.dns_failure_refresh_rate().max_interval())
                                 : o.dns_failure_rate * 10;
  }
  o.respect_dns_ttl = proto.respect_dns_ttl();
  o.ignore_health_on_removal = proto.ignore_health_on_host_removal();
}

void read_discovery(Compilation& c, const ClusterProto& proto, const std::string& path, ClusterOptions& o) {
  read_dns(proto, o);
  read_original_destination(c, proto, path, o);
  read_service(c, proto, path, o);
}

EndpointPtr make_endpoint(const Cluster& cluster, const ConfiguredHost& h, int workers) {
  Address address = h.is_pipe ? Address::pipe(h.address) : Address::parse(h.address, h.port).value_or(Address{});
  return cluster.make_endpoint(h, std::move(address), workers);
}

// A host that was there before keeps what is known of its health.
void keep_health(const Cluster& before, const std::vector<EndpointPtr>& now) {
  HostSetPtr old = before.hosts();
  for (const EndpointPtr& host : now) {
    auto same = std::ranges::find_if(old->all, [&](const EndpointPtr& e) { return e->address == host->address; });
    if (same == old->all.end()) continue;
    if (!(*same)->flags.has(HealthFlag::failed_active_hc)) host->flags.clear(HealthFlag::failed_active_hc);
  }
}

std::array<std::uint64_t, 2> cluster_fingerprint(const Compilation& c, const ClusterProto& proto, bool added_via_api) {
  std::string all = proto.SerializeAsString();
  if (added_via_api) all += "via API";
  if (c.upstream_bind) all += c.upstream_bind->SerializeAsString();
  return fingerprint_of(all);
}

}  // namespace

// With 128 bits, two that differ do not have the same one by chance.
std::array<std::uint64_t, 2> fingerprint_of(std::string_view message) {
  const XXH128_hash_t hash = XXH3_128bits(message.data(), message.size());
  return {hash.high64, hash.low64};
}

ClusterPtr compile_cluster(Compilation& c, const ClusterProto& proto, const std::string& path, bool added_via_api) {
  const auto fingerprint = cluster_fingerprint(c, proto, added_via_api);
  ClusterPtr before;
  if (c.previous) {
    auto same = c.previous->clusters.find(proto.name());
    if (same != c.previous->clusters.end()) before = same->second;
    if (before && before->options.fingerprint == fingerprint) return before;
  }
  ClusterOptions o;
  o.limits.head_bytes_max = kResponseHeadBytesMax;
  o.name = proto.name();
  o.alt_stat_name = proto.alt_stat_name();
  o.fingerprint = fingerprint;
  o.added_via_api = added_via_api;
  o.discovery = discovery_of(proto);
  o.policy = policy_of(proto);
  if (proto.least_request_lb_config().has_choice_count()) {
    o.least_request_choices = proto.least_request_lb_config().choice_count().value();
  }
  if (proto.has_connect_timeout()) o.connect_timeout = to_ms(proto.connect_timeout());
  if (proto.has_per_connection_buffer_limit_bytes())
    o.read_bytes_max = read_bytes_max(proto.per_connection_buffer_limit_bytes().value());
  read_hosts(c, proto, path, o);
  read_discovery(c, proto, path, o);
  read_thresholds(proto, o);
  if (proto.has_metadata()) o.metadata = std::make_shared<Metadata>(proto::to_metadata(proto.metadata()));
  o.subset = compile_subsets(c, proto, path);
  o.hash = compile_hashing(c, proto, path);
  o.outlier = compile_outlier_detection(proto);
  if (proto.common_lb_config().has_healthy_panic_threshold()) {
    o.panic_percent = proto.common_lb_config().healthy_panic_threshold().value();
  }
  read_http(c, proto, path, o);
  o.health_check = compile_health_check(c, proto, path, o, "cluster." + stat_name_of(o) + ".");
  ConnectOptions connection = compile_connections(c, proto, path);
  if (connection.source || !connection.socket_options.empty()) {
    o.connect = std::make_shared<ConnectOptions>(std::move(connection));
  }
  if (c.problems.any_fatal()) return nullptr;  // Nothing is made for a configuration that is refused.

  std::string stat_name = stat_name_of(o);
  auto scope = [&](const char* name, const StatTable& table) {
    return c.process.stats.scope("cluster." + stat_name + name, table);
  };
  auto stats = scope(".", cluster_stat_table());
  LocalStats retry_codes(scope(".retry.", retry_stat_table()), c.process.workers);
  std::vector<ConfiguredHost> fixed;  // Their endpoints are all that is needed of them.
  if (o.discovery == DiscoveryType::static_) fixed = std::exchange(o.hosts, {});
  auto cluster =
      std::make_shared<Cluster>(std::move(o), std::move(stats), c.process.next_cluster_slot(), std::move(retry_codes));
  if (cluster->options.health_check) cluster->health_check_stats = scope(".health_check.", health_check_stat_table());
  if (cluster->options.outlier) cluster->outlier_stats = scope(".outlier_detection.", outlier_stat_table());
  if (const HashOptions* hash = cluster->options.hash.get()) {
    bool ring = hash->kind == HashOptions::Kind::ring;
    cluster->hash_scope =
        ring ? scope(".ring_hash_lb.", ring_hash_stat_table()) : scope(".maglev_lb.", maglev_stat_table());
    cluster->hash_stats = &cluster->hash_scope->local(c.process.workers);
  }
  cluster->observer = c.process.observer;
  if (cluster->options.discovery == DiscoveryType::static_) {
    std::vector<EndpointPtr> all;
    for (const ConfiguredHost& h : fixed) all.push_back(make_endpoint(*cluster, h, c.process.workers));
    if (before) keep_health(*before, all);
    StatBlock& stats_of_main = cluster->stats->local(c.process.workers);
    if (!all.empty()) stats_of_main[ClusterStat::membership_change].add();
    cluster->set_hosts(std::move(all), stats_of_main);
  }
  return cluster;
}

}  // namespace outrider::config
