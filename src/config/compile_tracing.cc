#include "config/compile_tracing.h"

#include <cstdlib>

#include "config/compile_open_telemetry.h"
#include "config/compile_parts.h"
#include "config/compile_span_delivery.h"
#include "core/ascii.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "envoy/config/trace/v3/http_tracer.pb.h"
#include "envoy/config/trace/v3/opentelemetry.pb.h"
#include "envoy/config/trace/v3/zipkin.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/type/tracing/v3/custom_tag.pb.h"
#include "http/tracing.h"
#include "http/zipkin.h"
#include "proto/matcher.h"

namespace outrider::config {
namespace {

namespace trace_v3 = envoy::config::trace::v3;
namespace tag_v3 = envoy::type::tracing::v3;
using Hcm = envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

constexpr const char *kClientKey = "tracing.client_enabled", *kRandomKey = "tracing.random_sampling",
                     *kOverallKey = "tracing.global_enabled";

// Of a percentage with two decimals.
RuntimeFraction sampling(bool given, double percent, const char* key) {
  constexpr std::uint32_t kParts = 10'000;
  RuntimeFraction fraction;
  fraction.fallback = {given ? static_cast<std::uint32_t>(percent * kParts / 100) : kParts, kParts};
  fraction.key = key;
  return fraction;
}

std::shared_ptr<const Tracer> compile_zipkin(Compilation& c, const trace_v3::ZipkinConfig& config,
                                             const std::string& path) {
  SpanDelivery d;
  d.cluster = config.collector_cluster();
  d.path = config.collector_endpoint();
  d.authority = config.collector_hostname().empty() ? d.cluster : config.collector_hostname();
  d.fields.emplace_back("content-type", "application/json");
  d.runtime_prefix = "tracing.zipkin.";
  if (config.has_collector_service()) {
    read_http_service(c, config.collector_service(), path + ".collector_service", d);
  } else {
    check_collector(c, d.cluster, path + ".collector_cluster");
  }
  ZipkinOptions o;
  o.service = c.snapshot.node_cluster;
  o.machine_address = c.process.machine_address;
  o.id_128bit = config.trace_id_128bit();
  o.shared_span = !config.has_shared_span_context() || config.shared_span_context().value();
  o.split_spans = config.split_spans_for_request();
  o.w3c = config.trace_context_option() == trace_v3::ZipkinConfig::USE_B3_WITH_W3C_PROPAGATION;
  o.stats = c.process.stats.scope(d.runtime_prefix, zipkin_stat_table());
  return std::make_shared<ZipkinTracer>(std::move(o), std::move(d));
}

std::shared_ptr<const Tracer> compile_provider(Compilation& c, const trace_v3::Tracing::Http& provider,
                                               const std::string& path) {
  const auto& any = provider.typed_config();
  const std::string at = path + ".typed_config";
  if (any.type_url().ends_with(".ZipkinConfig")) {
    trace_v3::ZipkinConfig config;
    if (config.ParseFromString(any.value())) return compile_zipkin(c, config, at);
  } else if (any.type_url().ends_with(".OpenTelemetryConfig")) {
    trace_v3::OpenTelemetryConfig config;
    if (config.ParseFromString(any.value())) return compile_open_telemetry(c, config, at);
  } else {
    c.fail(path, "the tracer '" + provider.name() + "' is not built into outrider yet");
    return nullptr;
  }
  c.fail(at, "is not a valid " + any.type_url());
  return nullptr;
}

std::optional<Format> compile_name(Compilation& c, const std::string& text, const std::string& path) {
  if (text.empty()) return std::nullopt;
  auto format = Format::compile(text, {.omit_empty = true});
  if (format) return std::move(*format);
  c.fail(path, "in the format, at byte " + std::to_string(format.error().position) + ": " + format.error().message);
  return std::nullopt;
}

CustomTag::Kind kind_of(const envoy::type::metadata::v3::MetadataKind& kind) {
  if (kind.has_route()) return CustomTag::Kind::route_metadata;
  if (kind.has_cluster()) return CustomTag::Kind::cluster_metadata;
  return kind.has_host() ? CustomTag::Kind::host_metadata : CustomTag::Kind::request_metadata;
}

void read_metadata_tag(const tag_v3::CustomTag::Metadata& from, CustomTag& tag) {
  tag.kind = kind_of(from.kind());
  tag.space = from.metadata_key().key();
  for (const auto& step : from.metadata_key().path()) tag.path.push_back(step.key());
  tag.value = from.default_value();
}

CustomTag compile_tag(Compilation& c, const tag_v3::CustomTag& from, const std::string& path) {
  CustomTag tag;
  tag.name = from.tag();
  if (from.has_literal()) {
    tag.value = from.literal().value();
  } else if (from.has_environment()) {
    const char* value = std::getenv(from.environment().name().c_str());
    tag.value = value ? value : from.environment().default_value();
  } else if (from.has_request_header()) {
    tag.kind = CustomTag::Kind::request_header;
    tag.header = ascii_lower(from.request_header().name());
    tag.value = from.request_header().default_value();
  } else if (from.has_metadata()) {
    read_metadata_tag(from.metadata(), tag);
  } else {
    tag.format = compile_name(c, from.value(), path + ".value");
    if (tag.format) tag.kind = CustomTag::Kind::format;
  }
  return tag;
}

template <class Tags>
std::vector<CustomTag> compile_tags(Compilation& c, const Tags& from, const std::string& path) {
  std::vector<CustomTag> tags;
  int i = 0;
  for (const auto& each : from) tags.push_back(compile_tag(c, each, path + "[" + std::to_string(i++) + "]"));
  return tags;
}

}  // namespace

void compile_tracing(Compilation& c, const Hcm& m, const std::string& path, HttpOptions& o) {
  if (!m.has_tracing()) return;
  const auto& from = m.tracing();
  const std::string at = path + ".tracing";
  auto tracing = std::make_shared<Tracing>();
  if (from.has_provider()) {
    tracing->tracer = compile_provider(c, from.provider(), at + ".provider");
  } else if (c.tracing && c.tracing->has_http()) {
    tracing->tracer = compile_provider(c, c.tracing->http(), "tracing.http");
  }
  TraceSampling& s = tracing->sampling;
  s.client = sampling(from.has_client_sampling(), from.client_sampling().value(), kClientKey);
  s.random = sampling(from.has_random_sampling(), from.random_sampling().value(), kRandomKey);
  s.overall = sampling(from.has_overall_sampling(), from.overall_sampling().value(), kOverallKey);
  tracing->egress = c.egress;
  tracing->verbose = from.verbose();
  tracing->spawn_upstream_span = from.spawn_upstream_span().value();
  if (from.has_max_path_tag_length()) tracing->path_bytes_max = from.max_path_tag_length().value();
  tracing->tags = compile_tags(c, from.custom_tags(), at + ".custom_tags");
  tracing->name = compile_name(c, from.operation(), at + ".operation");
  tracing->upstream_name = compile_name(c, from.upstream_operation(), at + ".upstream_operation");
  tracing->node_id = c.snapshot.node_id;
  tracing->zone = c.snapshot.node_zone;
  tracing->stats = c.process.stats.scope("http." + m.stat_prefix() + ".tracing.", tracing_stat_table());
  o.access_logs.push_back(std::make_shared<TracingLog>());
  o.filters.add(std::make_unique<TracingFilter>(std::move(tracing)));
}

std::shared_ptr<const RouteTracing> compile_route_tracing(Compilation& c, const envoy::config::route::v3::Route& route,
                                                          const std::string& path) {
  if (!route.has_decorator() && !route.has_tracing()) return nullptr;
  auto tracing = std::make_shared<RouteTracing>();
  tracing->operation = route.decorator().operation();
  tracing->propagates = !route.decorator().has_propagate() || route.decorator().propagate().value();
  if (!route.has_tracing()) return tracing;
  const auto& from = route.tracing();
  auto fraction = [](bool given, const envoy::type::v3::FractionalPercent& percent, const char* key) {
    return RuntimeFraction{given ? proto::to_fraction(percent) : Fraction(), key};
  };
  tracing->sampling = {fraction(from.has_client_sampling(), from.client_sampling(), kClientKey),
                       fraction(from.has_random_sampling(), from.random_sampling(), kRandomKey),
                       fraction(from.has_overall_sampling(), from.overall_sampling(), kOverallKey)};
  tracing->tags = compile_tags(c, from.custom_tags(), path + ".tracing.custom_tags");
  tracing->name = compile_name(c, from.operation(), path + ".tracing.operation");
  tracing->upstream_name = compile_name(c, from.upstream_operation(), path + ".tracing.upstream_operation");
  return tracing;
}

}  // namespace outrider::config
