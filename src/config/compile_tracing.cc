#include "config/compile_tracing.h"

#include <cstdlib>

#include "config/compile_parts.h"
#include "core/ascii.h"
#include "envoy/config/trace/v3/http_tracer.pb.h"
#include "envoy/config/trace/v3/zipkin.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/type/tracing/v3/custom_tag.pb.h"
#include "http/zipkin.h"

namespace outrider::config {
namespace {

namespace trace_v3 = envoy::config::trace::v3;
namespace tag_v3 = envoy::type::tracing::v3;
using Hcm = envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;

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
  if (!c.has_cluster(config.collector_cluster()))
    c.fail(path + ".collector_cluster", "there is no cluster '" + config.collector_cluster() + "'");
  ZipkinOptions o;
  o.cluster = config.collector_cluster();
  o.endpoint = config.collector_endpoint();
  o.hostname = config.collector_hostname();
  o.service = c.snapshot.node_cluster;
  o.machine_address = c.process.machine_address;
  o.id_128bit = config.trace_id_128bit();
  o.shared_span = !config.has_shared_span_context() || config.shared_span_context().value();
  o.w3c = config.trace_context_option() == trace_v3::ZipkinConfig::USE_B3_WITH_W3C_PROPAGATION;
  o.stats = c.process.stats.scope("tracing.zipkin.", zipkin_stat_table());
  return std::make_shared<ZipkinTracer>(std::move(o));
}

std::shared_ptr<const Tracer> compile_provider(Compilation& c, const trace_v3::Tracing::Http& provider,
                                               const std::string& path) {
  trace_v3::ZipkinConfig zipkin;
  if (!provider.typed_config().type_url().ends_with("ZipkinConfig")) {
    c.fail(path, "the tracer '" + provider.name() + "' is not built into outrider yet");
  } else if (zipkin.ParseFromString(provider.typed_config().value())) {
    return compile_zipkin(c, zipkin, path + ".typed_config");
  } else {
    c.fail(path, "is not a valid " + provider.typed_config().type_url());
  }
  return nullptr;
}

void read_metadata_tag(Compilation& c, const tag_v3::CustomTag::Metadata& from, const std::string& path,
                       CustomTag& tag) {
  tag.kind = from.kind().has_route() ? CustomTag::Kind::route_metadata : CustomTag::Kind::request_metadata;
  if (from.kind().has_cluster() || from.kind().has_host())
    c.fail(path + ".metadata.kind", "metadata of clusters and hosts is not built into tags yet");
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
    read_metadata_tag(c, from.metadata(), path, tag);
  }
  return tag;
}

}  // namespace

void compile_tracing(Compilation& c, const Hcm& m, const std::string& path, HttpOptions& o) {
  if (!m.has_tracing()) return;
  const auto& from = m.tracing();
  auto tracing = std::make_shared<Tracing>();
  if (from.has_provider()) tracing->tracer = compile_provider(c, from.provider(), path + ".tracing.provider");
  tracing->client = sampling(from.has_client_sampling(), from.client_sampling().value(), "tracing.client_enabled");
  tracing->random = sampling(from.has_random_sampling(), from.random_sampling().value(), "tracing.random_sampling");
  tracing->overall = sampling(from.has_overall_sampling(), from.overall_sampling().value(), "tracing.global_enabled");
  tracing->verbose = from.verbose();
  tracing->spawn_upstream_span = from.spawn_upstream_span().value();
  if (from.has_max_path_tag_length()) tracing->path_bytes_max = from.max_path_tag_length().value();
  for (int i = 0; i < from.custom_tags_size(); i++) {
    std::string at = path + ".tracing.custom_tags[" + std::to_string(i) + "]";
    tracing->tags.push_back(compile_tag(c, from.custom_tags(i), at));
  }
  tracing->node_id = c.snapshot.node_id;
  tracing->stats = c.process.stats.scope("http." + m.stat_prefix() + ".tracing.", tracing_stat_table());
  if (!tracing->tracer) return;  // Nobody to tell: as in Envoy, nothing is done.
  auto filter = std::make_unique<TracingFilter>(std::move(tracing));
  o.access_logs.push_back(std::make_shared<TracingLog>(*filter));
  o.filters.add(std::move(filter));
}

}  // namespace outrider::config
