#include "config/extensions.h"

#include <array>
#include <vector>

#include "config/nearest.h"

namespace outrider::config {
namespace {

#define HTTP "envoy.extensions.filters.http."
#define NETWORK "envoy.extensions.filters.network."
#define LISTENER "envoy.extensions.filters.listener."
#define LOGGER "envoy.extensions.access_loggers."
#define SOCKET "envoy.extensions.transport_sockets."

using enum Slot;

constexpr Extension kExtensions[] = {
    {network_filter, "envoy.filters.network.http_connection_manager",
     NETWORK "http_connection_manager.v3.HttpConnectionManager",
     "envoy.http_connection_manager http_connection_manager"},
    {network_filter, "envoy.filters.network.tcp_proxy", NETWORK "tcp_proxy.v3.TcpProxy", "envoy.tcp_proxy tcp_proxy"},
    {network_filter, "envoy.filters.network.redis_proxy", NETWORK "redis_proxy.v3.RedisProxy",
     "envoy.redis_proxy redis_proxy"},
    {network_filter, "envoy.filters.network.mongo_proxy", NETWORK "mongo_proxy.v3.MongoProxy",
     "envoy.mongo_proxy mongo_proxy"},
    {network_filter, "envoy.filters.network.thrift_proxy", NETWORK "thrift_proxy.v3.ThriftProxy", ""},
    {network_filter, "envoy.filters.network.dubbo_proxy", NETWORK "dubbo_proxy.v3.DubboProxy", ""},
    {network_filter, "envoy.filters.network.generic_proxy", NETWORK "generic_proxy.v3.GenericProxy", ""},
    {network_filter, "envoy.filters.network.zookeeper_proxy", NETWORK "zookeeper_proxy.v3.ZooKeeperProxy", ""},
    {network_filter, "envoy.filters.network.echo", NETWORK "echo.v3.Echo", "envoy.echo echo"},
    {network_filter, "envoy.filters.network.direct_response", NETWORK "direct_response.v3.Config", ""},
    {network_filter, "envoy.filters.network.ratelimit", NETWORK "ratelimit.v3.RateLimit", "envoy.ratelimit ratelimit"},
    {network_filter, "envoy.filters.network.local_ratelimit", NETWORK "local_ratelimit.v3.LocalRateLimit", ""},
    {network_filter, "envoy.filters.network.ext_authz", NETWORK "ext_authz.v3.ExtAuthz", "envoy.ext_authz"},
    {network_filter, "envoy.filters.network.rbac", NETWORK "rbac.v3.RBAC", ""},
    {network_filter, "envoy.filters.network.connection_limit", NETWORK "connection_limit.v3.ConnectionLimit", ""},
    {network_filter, "envoy.filters.network.set_filter_state", NETWORK "set_filter_state.v3.Config", ""},
    {network_filter, "envoy.filters.network.sni_cluster", NETWORK "sni_cluster.v3.SniCluster", ""},
    {network_filter, "envoy.filters.network.sni_dynamic_forward_proxy",
     NETWORK "sni_dynamic_forward_proxy.v3.FilterConfig", ""},
    {network_filter, "envoy.filters.network.wasm", NETWORK "wasm.v3.Wasm", ""},
    // Envoy's contrib build has these; their messages are not in the API at hand.
    {network_filter, "envoy.filters.network.client_ssl_auth", NETWORK "client_ssl_auth.v3.ClientSSLAuth",
     "envoy.client_ssl_auth client_ssl_auth"},
    {network_filter, "envoy.filters.network.mysql_proxy", NETWORK "mysql_proxy.v3.MySQLProxy", ""},
    {network_filter, "envoy.filters.network.postgres_proxy", NETWORK "postgres_proxy.v3alpha.PostgresProxy", ""},
    {network_filter, "envoy.filters.network.kafka_broker", NETWORK "kafka_broker.v3.KafkaBroker", ""},
    {network_filter, "envoy.filters.network.rocketmq_proxy", NETWORK "rocketmq_proxy.v3.RocketmqProxy", ""},
    {network_filter, "envoy.filters.network.sip_proxy", NETWORK "sip_proxy.v3alpha.SipProxy", ""},
    {network_filter, "envoy.filters.network.golang", NETWORK "golang.v3alpha.Config", ""},

    {http_filter, "envoy.filters.http.router", HTTP "router.v3.Router", "envoy.router router"},
    {http_filter, "envoy.filters.http.buffer", HTTP "buffer.v3.Buffer", "envoy.buffer buffer"},
    {http_filter, "envoy.filters.http.cors", HTTP "cors.v3.Cors", "envoy.cors cors"},
    {http_filter, "envoy.filters.http.csrf", HTTP "csrf.v3.CsrfPolicy", "envoy.csrf"},
    {http_filter, "envoy.filters.http.fault", HTTP "fault.v3.HTTPFault", "envoy.fault fault"},
    {http_filter, "envoy.filters.http.ext_authz", HTTP "ext_authz.v3.ExtAuthz", "envoy.ext_authz"},
    {http_filter, "envoy.filters.http.ext_proc", HTTP "ext_proc.v3.ExternalProcessor", ""},
    {http_filter, "envoy.filters.http.gzip", HTTP "gzip.v3.Gzip", "envoy.gzip"},
    {http_filter, "envoy.filters.http.compressor", HTTP "compressor.v3.Compressor", ""},
    {http_filter, "envoy.filters.http.decompressor", HTTP "decompressor.v3.Decompressor", ""},
    {http_filter, "envoy.filters.http.grpc_web", HTTP "grpc_web.v3.GrpcWeb", "envoy.grpc_web grpc_web"},
    {http_filter, "envoy.filters.http.grpc_stats", HTTP "grpc_stats.v3.FilterConfig", ""},
    {http_filter, "envoy.filters.http.grpc_http1_bridge", HTTP "grpc_http1_bridge.v3.Config",
     "envoy.grpc_http1_bridge grpc_http1_bridge"},
    {http_filter, "envoy.filters.http.grpc_http1_reverse_bridge", HTTP "grpc_http1_reverse_bridge.v3.FilterConfig", ""},
    {http_filter, "envoy.filters.http.grpc_json_transcoder", HTTP "grpc_json_transcoder.v3.GrpcJsonTranscoder",
     "envoy.grpc_json_transcoder grpc_json_transcoder"},
    {http_filter, "envoy.filters.http.header_mutation", HTTP "header_mutation.v3.HeaderMutation", ""},
    {http_filter, "envoy.filters.http.header_to_metadata", HTTP "header_to_metadata.v3.Config", ""},
    {http_filter, "envoy.filters.http.json_to_metadata", HTTP "json_to_metadata.v3.JsonToMetadata", ""},
    {http_filter, "envoy.filters.http.health_check", HTTP "health_check.v3.HealthCheck",
     "envoy.health_check health_check"},
    {http_filter, "envoy.filters.http.ip_tagging", HTTP "ip_tagging.v3.IPTagging", "envoy.ip_tagging ip_tagging"},
    {http_filter, "envoy.filters.http.jwt_authn", HTTP "jwt_authn.v3.JwtAuthentication", ""},
    {http_filter, "envoy.filters.http.lua", HTTP "lua.v3.Lua", "envoy.lua lua"},
    {http_filter, "envoy.filters.http.wasm", HTTP "wasm.v3.Wasm", ""},
    {http_filter, "envoy.filters.http.ratelimit", HTTP "ratelimit.v3.RateLimit", "envoy.rate_limit rate_limit"},
    {http_filter, "envoy.filters.http.local_ratelimit", HTTP "local_ratelimit.v3.LocalRateLimit", ""},
    {http_filter, "envoy.filters.http.rate_limit_quota", HTTP "rate_limit_quota.v3.RateLimitQuotaFilterConfig", ""},
    {http_filter, "envoy.filters.http.rbac", HTTP "rbac.v3.RBAC", ""},
    {http_filter, "envoy.filters.http.oauth2", HTTP "oauth2.v3.OAuth2", ""},
    {http_filter, "envoy.filters.http.basic_auth", HTTP "basic_auth.v3.BasicAuth", ""},
    {http_filter, "envoy.filters.http.api_key_auth", HTTP "api_key_auth.v3.ApiKeyAuth", ""},
    {http_filter, "envoy.filters.http.credential_injector", HTTP "credential_injector.v3.CredentialInjector", ""},
    {http_filter, "envoy.filters.http.custom_response", HTTP "custom_response.v3.CustomResponse", ""},
    {http_filter, "envoy.filters.http.stateful_session", HTTP "stateful_session.v3.StatefulSession", ""},
    {http_filter, "envoy.filters.http.set_filter_state", HTTP "set_filter_state.v3.Config", ""},
    {http_filter, "envoy.filters.http.set_metadata", HTTP "set_metadata.v3.Config", ""},
    {http_filter, "envoy.filters.http.dynamic_forward_proxy", HTTP "dynamic_forward_proxy.v3.FilterConfig", ""},
    {http_filter, "envoy.filters.http.adaptive_concurrency", HTTP "adaptive_concurrency.v3.AdaptiveConcurrency", ""},
    {http_filter, "envoy.filters.http.admission_control", HTTP "admission_control.v3.AdmissionControl", ""},
    {http_filter, "envoy.filters.http.bandwidth_limit", HTTP "bandwidth_limit.v3.BandwidthLimit", ""},
    {http_filter, "envoy.filters.http.cache", HTTP "cache.v3.CacheConfig", ""},
    {http_filter, "envoy.filters.http.composite", HTTP "composite.v3.Composite", ""},
    {http_filter, "envoy.filters.http.on_demand", HTTP "on_demand.v3.OnDemand", ""},
    {http_filter, "envoy.filters.http.original_src", HTTP "original_src.v3.OriginalSrc", ""},
    {http_filter, "envoy.filters.http.tap", HTTP "tap.v3.Tap", ""},
    {http_filter, "envoy.filters.http.aws_lambda", HTTP "aws_lambda.v3.Config", ""},
    {http_filter, "envoy.filters.http.aws_request_signing", HTTP "aws_request_signing.v3.AwsRequestSigning", ""},
    {http_filter, "envoy.filters.http.upstream_codec", HTTP "upstream_codec.v3.UpstreamCodec", ""},
    {http_filter, "envoy.filters.http.cache_v2", HTTP "cache_v2.v3.CacheV2Config", ""},
    {http_filter, "envoy.filters.http.golang", HTTP "golang.v3alpha.Config", ""},
    {http_filter, "envoy.filters.http.squash", HTTP "squash.v3.Squash", "envoy.squash squash"},
    {http_filter, "envoy.filters.http.dynamo", HTTP "dynamo.v3.Dynamo", "envoy.http_dynamo_filter http_dynamo_filter"},

    {listener_filter, "envoy.filters.listener.tls_inspector", LISTENER "tls_inspector.v3.TlsInspector",
     "envoy.listener.tls_inspector"},
    {listener_filter, "envoy.filters.listener.http_inspector", LISTENER "http_inspector.v3.HttpInspector",
     "envoy.listener.http_inspector"},
    {listener_filter, "envoy.filters.listener.original_dst", LISTENER "original_dst.v3.OriginalDst",
     "envoy.listener.original_dst original_dst"},
    {listener_filter, "envoy.filters.listener.original_src", LISTENER "original_src.v3.OriginalSrc",
     "envoy.listener.original_src"},
    {listener_filter, "envoy.filters.listener.proxy_protocol", LISTENER "proxy_protocol.v3.ProxyProtocol",
     "envoy.listener.proxy_protocol proxy_protocol"},

    {access_logger, "envoy.access_loggers.file", LOGGER "file.v3.FileAccessLog", "envoy.file_access_log"},
    {access_logger, "envoy.access_loggers.stdout", LOGGER "stream.v3.StdoutAccessLog", ""},
    {access_logger, "envoy.access_loggers.stderr", LOGGER "stream.v3.StderrAccessLog", ""},
    {access_logger, "envoy.access_loggers.http_grpc", LOGGER "grpc.v3.HttpGrpcAccessLogConfig",
     "envoy.http_grpc_access_log"},
    {access_logger, "envoy.access_loggers.tcp_grpc", LOGGER "grpc.v3.TcpGrpcAccessLogConfig",
     "envoy.tcp_grpc_access_log"},
    {access_logger, "envoy.access_loggers.open_telemetry", LOGGER "open_telemetry.v3.OpenTelemetryAccessLogConfig", ""},

    {downstream_transport_socket, "envoy.transport_sockets.tls", SOCKET "tls.v3.DownstreamTlsContext", "tls"},
    {downstream_transport_socket, "envoy.transport_sockets.raw_buffer", SOCKET "raw_buffer.v3.RawBuffer", "raw_buffer"},
    {upstream_transport_socket, "envoy.transport_sockets.tls", SOCKET "tls.v3.UpstreamTlsContext", "tls"},
    {upstream_transport_socket, "envoy.transport_sockets.raw_buffer", SOCKET "raw_buffer.v3.RawBuffer", "raw_buffer"},

    {tracer, "envoy.tracers.zipkin", "envoy.config.trace.v3.ZipkinConfig", "envoy.zipkin zipkin"},
    {tracer, "envoy.tracers.datadog", "envoy.config.trace.v3.DatadogConfig", ""},
    {tracer, "envoy.tracers.lightstep", "envoy.config.trace.v3.LightstepConfig", "envoy.lightstep lightstep"},
    {tracer, "envoy.tracers.dynamic_ot", "envoy.config.trace.v3.DynamicOtConfig", "envoy.dynamic.ot"},
    {tracer, "envoy.tracers.opencensus", "envoy.config.trace.v3.OpenCensusConfig", ""},
    {tracer, "envoy.tracers.opentelemetry", "envoy.config.trace.v3.OpenTelemetryConfig", ""},
    {tracer, "envoy.tracers.skywalking", "envoy.config.trace.v3.SkyWalkingConfig", ""},

    {stats_sink, "envoy.stat_sinks.statsd", "envoy.config.metrics.v3.StatsdSink", "envoy.statsd"},
    {stats_sink, "envoy.stat_sinks.dog_statsd", "envoy.config.metrics.v3.DogStatsdSink", "envoy.dog_statsd"},
    {stats_sink, "envoy.stat_sinks.graphite_statsd",
     "envoy.extensions.stat_sinks.graphite_statsd.v3.GraphiteStatsdSink", "envoy.graphite_statsd"},
    {stats_sink, "envoy.stat_sinks.metrics_service", "envoy.config.metrics.v3.MetricsServiceConfig",
     "envoy.metrics_service"},
    {stats_sink, "envoy.stat_sinks.hystrix", "envoy.config.metrics.v3.HystrixSink", ""},

    {resource_monitor, "envoy.resource_monitors.fixed_heap",
     "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig", ""},
    {resource_monitor, "envoy.resource_monitors.injected_resource",
     "envoy.extensions.resource_monitors.injected_resource.v3.InjectedResourceConfig", ""},
    {resource_monitor, "envoy.resource_monitors.global_downstream_max_connections",
     "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig", ""},

    {health_checker, "envoy.health_checkers.redis", "envoy.extensions.health_checkers.redis.v3.Redis", ""},
    {cluster_type, "envoy.clusters.aggregate", "envoy.extensions.clusters.aggregate.v3.ClusterConfig", ""},
    {cluster_type, "envoy.clusters.dns", "envoy.extensions.clusters.dns.v3.DnsCluster", ""},
    {cluster_type, "envoy.clusters.dynamic_forward_proxy",
     "envoy.extensions.clusters.dynamic_forward_proxy.v3.ClusterConfig", ""},
    {cluster_type, "envoy.clusters.redis", "envoy.extensions.clusters.redis.v3.RedisClusterConfig", ""},
    {protocol_options, "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
     "envoy.extensions.upstreams.http.v3.HttpProtocolOptions", ""},
    {protocol_options, "envoy.extensions.upstreams.tcp.v3.TcpProtocolOptions",
     "envoy.extensions.upstreams.tcp.v3.TcpProtocolOptions", ""},
    {protocol_options, "envoy.filters.network.thrift_proxy", NETWORK "thrift_proxy.v3.ThriftProtocolOptions", ""},
    {protocol_options, "envoy.filters.network.redis_proxy", NETWORK "redis_proxy.v3.RedisProtocolOptions",
     "envoy.redis_proxy"},

    {access_log_filter, "envoy.access_loggers.extension_filters.cel",
     "envoy.extensions.access_loggers.filters.cel.v3.ExpressionFilter", ""},
    {retry_host_predicate, "envoy.retry_host_predicates.previous_hosts",
     "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate", ""},
    {retry_host_predicate, "envoy.retry_host_predicates.omit_canary_hosts",
     "envoy.extensions.retry.host.omit_canary_hosts.v3.OmitCanaryHostsPredicate", ""},
    {retry_host_predicate, "envoy.retry_host_predicates.omit_host_metadata",
     "envoy.extensions.retry.host.omit_host_metadata.v3.OmitHostMetadataConfig", ""},
    {retry_priority, "envoy.retry_priorities.previous_priorities",
     "envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig", ""},
    {thrift_filter, "envoy.filters.thrift.router", NETWORK "thrift_proxy.router.v3.Router", ""},
    {thrift_filter, "envoy.filters.thrift.rate_limit", NETWORK "thrift_proxy.filters.ratelimit.v3.RateLimit", ""},
    {thrift_filter, "envoy.filters.thrift.header_to_metadata",
     NETWORK "thrift_proxy.filters.header_to_metadata.v3.HeaderToMetadata", ""},
    {thrift_filter, "envoy.filters.thrift.payload_to_metadata",
     NETWORK "thrift_proxy.filters.payload_to_metadata.v3.PayloadToMetadata", ""},
};

struct PerRoute {
  std::string_view extension;
  std::string_view type;
};

constexpr PerRoute kPerRoute[] = {
    {"envoy.filters.http.api_key_auth", HTTP "api_key_auth.v3.ApiKeyAuthPerRoute"},
    {"envoy.filters.http.aws_lambda", HTTP "aws_lambda.v3.PerRouteConfig"},
    {"envoy.filters.http.aws_request_signing", HTTP "aws_request_signing.v3.AwsRequestSigningPerRoute"},
    {"envoy.filters.http.bandwidth_limit", HTTP "bandwidth_limit.v3.BandwidthLimit"},
    {"envoy.filters.http.basic_auth", HTTP "basic_auth.v3.BasicAuthPerRoute"},
    {"envoy.filters.http.buffer", HTTP "buffer.v3.BufferPerRoute"},
    {"envoy.filters.http.cache", HTTP "cache.v3.CacheConfig"},
    {"envoy.filters.http.compressor", HTTP "compressor.v3.CompressorPerRoute"},
    {"envoy.filters.http.cors", HTTP "cors.v3.CorsPolicy"},
    {"envoy.filters.http.csrf", HTTP "csrf.v3.CsrfPolicy"},
    {"envoy.filters.http.custom_response", HTTP "custom_response.v3.CustomResponse"},
    {"envoy.filters.http.dynamic_forward_proxy", HTTP "dynamic_forward_proxy.v3.PerRouteConfig"},
    {"envoy.filters.http.ext_authz", HTTP "ext_authz.v3.ExtAuthzPerRoute"},
    {"envoy.filters.http.ext_proc", HTTP "ext_proc.v3.ExtProcPerRoute"},
    {"envoy.filters.http.fault", HTTP "fault.v3.HTTPFault"},
    {"envoy.filters.http.grpc_http1_reverse_bridge", HTTP "grpc_http1_reverse_bridge.v3.FilterConfigPerRoute"},
    {"envoy.filters.http.grpc_json_transcoder", HTTP "grpc_json_transcoder.v3.GrpcJsonTranscoder"},
    {"envoy.filters.http.header_mutation", HTTP "header_mutation.v3.HeaderMutationPerRoute"},
    {"envoy.filters.http.header_to_metadata", HTTP "header_to_metadata.v3.Config"},
    {"envoy.filters.http.jwt_authn", HTTP "jwt_authn.v3.PerRouteConfig"},
    {"envoy.filters.http.local_ratelimit", HTTP "local_ratelimit.v3.LocalRateLimit"},
    {"envoy.filters.http.lua", HTTP "lua.v3.LuaPerRoute"},
    {"envoy.filters.http.on_demand", HTTP "on_demand.v3.PerRouteConfig"},
    {"envoy.filters.http.ratelimit", HTTP "ratelimit.v3.RateLimitPerRoute"},
    {"envoy.filters.http.rbac", HTTP "rbac.v3.RBACPerRoute"},
    {"envoy.filters.http.set_filter_state", HTTP "set_filter_state.v3.Config"},
    {"envoy.filters.http.set_metadata", HTTP "set_metadata.v3.Config"},
    {"envoy.filters.http.stateful_session", HTTP "stateful_session.v3.StatefulSessionPerRoute"},
};

#undef HTTP
#undef NETWORK
#undef LISTENER
#undef LOGGER
#undef SOCKET

bool has_word(std::string_view words, std::string_view word) {
  while (!words.empty()) {
    const size_t blank = words.find(' ');
    if (words.substr(0, blank) == word) return true;
    if (blank == std::string_view::npos) return false;
    words.remove_prefix(blank + 1);
  }
  return false;
}

struct Holder {
  std::string_view message;
  Slot slot;
};

constexpr Holder kHolders[] = {
    {"envoy.config.listener.v3.Filter", network_filter},
    {"envoy.extensions.filters.network.http_connection_manager.v3.HttpFilter", http_filter},
    {"envoy.config.listener.v3.ListenerFilter", listener_filter},
    {"envoy.config.accesslog.v3.AccessLog", access_logger},
    {"envoy.config.trace.v3.Tracing.Http", tracer},
    {"envoy.config.metrics.v3.StatsSink", stats_sink},
    {"envoy.config.overload.v3.ResourceMonitor", resource_monitor},
    {"envoy.config.core.v3.HealthCheck.CustomHealthCheck", health_checker},
    {"envoy.config.cluster.v3.Cluster.CustomClusterType", cluster_type},
    {"envoy.config.accesslog.v3.ExtensionFilter", access_log_filter},
    {"envoy.config.route.v3.RetryPolicy.RetryHostPredicate", retry_host_predicate},
    {"envoy.config.route.v3.RetryPolicy.RetryPriority", retry_priority},
    {"envoy.extensions.filters.network.thrift_proxy.v3.ThriftFilter", thrift_filter},
};

}  // namespace

std::string_view to_text(Slot slot) {
  constexpr std::array<std::string_view, 17> kNames = {"an extension",
                                                       "a network filter",
                                                       "an HTTP filter",
                                                       "a listener filter",
                                                       "an access logger",
                                                       "a transport socket",
                                                       "a transport socket",
                                                       "a tracer",
                                                       "a stats sink",
                                                       "a resource monitor",
                                                       "a health checker",
                                                       "a cluster type",
                                                       "protocol options",
                                                       "a filter of an access log",
                                                       "a predicate of hosts to retry",
                                                       "a priority of retries",
                                                       "a filter of the Thrift proxy"};
  return kNames[static_cast<size_t>(slot)];
}

Slot slot_of(std::string_view message_full_name, std::string_view holder_full_name) {
  if (message_full_name == "envoy.config.core.v3.TransportSocket") {
    return holder_full_name == "envoy.config.listener.v3.FilterChain" ? downstream_transport_socket
                                                                      : upstream_transport_socket;
  }
  for (const Holder& holder : kHolders) {
    if (holder.message == message_full_name) return holder.slot;
  }
  return none;
}

std::span<const Extension> all_extensions() { return kExtensions; }

const Extension* extension_named(Slot slot, std::string_view name) {
  for (const Extension& one : kExtensions) {
    if (one.slot == slot && (one.name == name || has_word(one.legacy, name))) return &one;
  }
  return nullptr;
}

std::string_view per_route_type(std::string_view extension_name) {
  for (const PerRoute& one : kPerRoute) {
    if (one.extension == extension_name) return one.type;
  }
  return {};
}

std::string_view nearest_extension(Slot slot, std::string_view name) {
  std::vector<std::string_view> names;
  for (const Extension& one : kExtensions) {
    if (one.slot != slot) continue;
    names.push_back(one.name);
    for (std::string_view rest = one.legacy; !rest.empty();) {
      const size_t blank = rest.find(' ');
      names.push_back(rest.substr(0, blank));
      rest = blank == std::string_view::npos ? std::string_view{} : rest.substr(blank + 1);
    }
  }
  return nearest(name, names);
}

const Extension* extension_of_type(std::string_view type_full_name, Slot slot) {
  const Extension* found = nullptr;
  for (const Extension& one : kExtensions) {
    if (one.type == type_full_name && (found == nullptr || one.slot == slot)) found = &one;
  }
  return found;
}

}  // namespace outrider::config
