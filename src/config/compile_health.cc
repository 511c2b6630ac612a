#include "config/compile_health.h"

#include "config/compile_h2.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "envoy/config/core/v3/protocol.pb.h"
#include "proto/header_mutation.h"
#include "proto/matcher.h"

namespace outrider::config {
namespace {

using ClusterProto = envoy::config::cluster::v3::Cluster;
using CheckProto = envoy::config::core::v3::HealthCheck;
using Ranges = std::vector<HealthCheckOptions::StatusRange>;

Ranges compile_ranges(Compilation& c, const google::protobuf::RepeatedPtrField<envoy::type::v3::Int64Range>& protos,
                      const std::string& path) {
  Ranges ranges;
  for (int i = 0; i < protos.size(); i++) {
    std::string at = path + "[" + std::to_string(i) + "]";
    if (protos[i].start() < 100 || protos[i].end() > 600 || protos[i].start() >= protos[i].end()) {
      c.fail(at, "a range of statuses lies within [100, 600) and is not empty");
    }
    ranges.push_back({static_cast<int>(protos[i].start()), static_cast<int>(protos[i].end())});
  }
  return ranges;
}

HealthCheckOptions::Http compile_http(Compilation& c, const CheckProto::HttpHealthCheck& proto,
                                      const std::string& path) {
  HealthCheckOptions::Http http;
  http.host = proto.host();
  http.path = proto.path();
  if (proto.method() != envoy::config::core::v3::METHOD_UNSPECIFIED) {
    http.method = envoy::config::core::v3::RequestMethod_Name(proto.method());
  }
  if (http.method == "CONNECT") c.fail(path + ".method", "CONNECT asks for no health");
  if (!proto.expected_statuses().empty()) {
    http.expected = compile_ranges(c, proto.expected_statuses(), path + ".expected_statuses");
  }
  http.retriable = compile_ranges(c, proto.retriable_statuses(), path + ".retriable_statuses");
  proto::add_mutations(c, proto.request_headers_to_add(), path + ".request_headers_to_add",
                       proto.request_headers_to_remove(), path + ".request_headers_to_remove", http.request_headers);
  if (proto.has_service_name_matcher()) {
    http.service_name = proto::compile_matcher(c, proto.service_name_matcher(), path + ".service_name_matcher");
  }
  return http;
}

std::string payload(Compilation& c, const CheckProto::Payload& proto, const std::string& path) {
  if (!proto.has_text()) return proto.binary();
  std::string bytes;
  const std::string& text = proto.text();
  auto digit = [](char ch) {
    if (ch >= '0' && ch <= '9') return ch - '0';
    char lower = static_cast<char>(ch | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
  };
  for (std::size_t i = 0; i + 1 < text.size(); i += 2) {
    int high = digit(text[i]), low = digit(text[i + 1]);
    if (high < 0 || low < 0) break;
    bytes += static_cast<char>(16 * high + low);
  }
  if (text.empty() || 2 * bytes.size() != text.size())
    c.fail(path + ".text", "pairs of hexadecimal digits were expected");
  return bytes;
}

HealthCheckOptions::Grpc compile_grpc(Compilation& c, const CheckProto::GrpcHealthCheck& proto,
                                      const std::string& path) {
  HealthCheckOptions::Grpc grpc{proto.service_name(), proto.authority(), {}};
  proto::add_mutations(c, proto.initial_metadata(), path + ".initial_metadata", {}, {}, grpc.metadata);
  return grpc;
}

// How a check speaks HTTP/2: as the cluster does, if that speaks it at all.
std::shared_ptr<const H2Options> compile_checks_h2(Compilation& c, const std::string& path,
                                                   const ClusterOptions& options, const std::string& prefix) {
  if (options.h2) return options.h2;
  return compile_h2(c, envoy::config::core::v3::Http2ProtocolOptions::default_instance(), path, options.limits, prefix);
}

HealthCheckOptions::Tcp compile_tcp(Compilation& c, const CheckProto::TcpHealthCheck& proto, const std::string& path) {
  HealthCheckOptions::Tcp tcp;
  if (proto.has_send()) tcp.send = payload(c, proto.send(), path + ".send");
  for (int i = 0; i < proto.receive_size(); i++) {
    tcp.receive.push_back(payload(c, proto.receive(i), path + ".receive[" + std::to_string(i) + "]"));
  }
  return tcp;
}

template <class Proto>
std::chrono::milliseconds at_least_one(const Proto& duration) {
  return std::max(std::chrono::milliseconds(1), to_ms(duration));
}

}  // namespace

std::shared_ptr<const HealthCheckOptions> compile_health_check(Compilation& c, const ClusterProto& cluster,
                                                               const std::string& path, const ClusterOptions& options,
                                                               const std::string& prefix) {
  if (cluster.health_checks().empty()) return nullptr;
  if (cluster.health_checks_size() > 1) c.fail(path + ".health_checks[1]", "a cluster has one health check");
  const CheckProto& proto = cluster.health_checks(0);
  std::string at = path + ".health_checks[0]";
  auto o = std::make_shared<HealthCheckOptions>();
  o->timeout = at_least_one(proto.timeout());
  o->interval = at_least_one(proto.interval());
  o->initial_jitter = to_ms(proto.initial_jitter());
  o->interval_jitter = to_ms(proto.interval_jitter());
  o->interval_jitter_percent = proto.interval_jitter_percent();
  o->unhealthy_threshold = proto.unhealthy_threshold().value();
  o->healthy_threshold = proto.healthy_threshold().value();
  o->reuse_connection = !proto.has_reuse_connection() || proto.reuse_connection().value();
  if (proto.has_no_traffic_interval()) o->no_traffic_interval = at_least_one(proto.no_traffic_interval());
  if (proto.has_no_traffic_healthy_interval()) {
    o->no_traffic_healthy_interval = at_least_one(proto.no_traffic_healthy_interval());
  }
  if (proto.has_unhealthy_interval()) o->unhealthy_interval = at_least_one(proto.unhealthy_interval());
  if (proto.has_unhealthy_edge_interval()) o->unhealthy_edge_interval = at_least_one(proto.unhealthy_edge_interval());
  if (proto.has_healthy_edge_interval()) o->healthy_edge_interval = at_least_one(proto.healthy_edge_interval());
  if (proto.has_http_health_check()) o->http = compile_http(c, proto.http_health_check(), at + ".http_health_check");
  if (proto.http_health_check().codec_client_type() == envoy::type::v3::HTTP2) {
    o->h2 = compile_checks_h2(c, at, options, prefix);
  }
  if (proto.has_grpc_health_check()) {
    o->grpc = compile_grpc(c, proto.grpc_health_check(), at + ".grpc_health_check");
    o->h2 = options.h2;
    if (!o->h2) c.fail(at + ".grpc_health_check", "gRPC is HTTP/2: the cluster has to have http2_protocol_options");
  }
  if (proto.has_tcp_health_check()) o->tcp = compile_tcp(c, proto.tcp_health_check(), at + ".tcp_health_check");
  return o;
}

std::shared_ptr<const OutlierOptions> compile_outlier_detection(const ClusterProto& cluster) {
  if (!cluster.has_outlier_detection()) return nullptr;
  const auto& proto = cluster.outlier_detection();
  auto o = std::make_shared<OutlierOptions>();
  if (proto.has_interval()) o->interval = at_least_one(proto.interval());
  if (proto.has_base_ejection_time()) o->base_ejection_time = to_ms(proto.base_ejection_time());
  if (proto.has_max_ejection_time()) o->max_ejection_time = to_ms(proto.max_ejection_time());
  if (proto.has_max_ejection_time_jitter()) o->max_ejection_time_jitter = to_ms(proto.max_ejection_time_jitter());
  if (proto.has_always_eject_one_host()) o->always_eject_one_host = proto.always_eject_one_host().value();
  o->split_local_origin = proto.split_external_local_origin_errors();
  if (proto.has_successful_active_health_check_uneject_host()) {
    o->uneject_by_health_check = proto.successful_active_health_check_uneject_host().value();
  }
#define NUMBER(field, member) \
  if (proto.has_##field()) o->member = proto.field().value();
  NUMBER(max_ejection_percent, max_ejection_percent)
  NUMBER(consecutive_5xx, consecutive_5xx)
  NUMBER(consecutive_gateway_failure, consecutive_gateway_failure)
  NUMBER(consecutive_local_origin_failure, consecutive_local_origin_failure)
  NUMBER(success_rate_minimum_hosts, success_rate_minimum_hosts)
  NUMBER(success_rate_request_volume, success_rate_request_volume)
  NUMBER(success_rate_stdev_factor, success_rate_stdev_factor)
  NUMBER(failure_percentage_threshold, failure_percentage_threshold)
  NUMBER(failure_percentage_minimum_hosts, failure_percentage_minimum_hosts)
  NUMBER(failure_percentage_request_volume, failure_percentage_request_volume)
  NUMBER(enforcing_consecutive_5xx, enforcing_consecutive_5xx)
  NUMBER(enforcing_consecutive_gateway_failure, enforcing_consecutive_gateway_failure)
  NUMBER(enforcing_consecutive_local_origin_failure, enforcing_consecutive_local_origin_failure)
  NUMBER(enforcing_success_rate, enforcing_success_rate)
  NUMBER(enforcing_local_origin_success_rate, enforcing_local_origin_success_rate)
  NUMBER(enforcing_failure_percentage, enforcing_failure_percentage)
  NUMBER(enforcing_failure_percentage_local_origin, enforcing_failure_percentage_local_origin)
#undef NUMBER
  return o;
}

}  // namespace outrider::config
