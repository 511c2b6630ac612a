#include "config/compile_open_telemetry.h"

#include <cstdlib>

#include "config/compile_parts.h"
#include "config/compile_span_delivery.h"
#include "core/log.h"
#include "envoy/config/trace/v3/opentelemetry.pb.h"
#include "envoy/extensions/tracers/opentelemetry/resource_detectors/v3/static_config_resource_detector.pb.h"
#include "envoy/extensions/tracers/opentelemetry/samplers/v3/parent_based_sampler.pb.h"
#include "envoy/extensions/tracers/opentelemetry/samplers/v3/trace_id_ratio_based_sampler.pb.h"
#include "http/open_telemetry.h"
#include "proto/matcher.h"

namespace outrider::config {
namespace {

namespace v3 = envoy::config::trace::v3;
namespace samplers = envoy::extensions::tracers::opentelemetry::samplers::v3;
namespace detectors = envoy::extensions::tracers::opentelemetry::resource_detectors::v3;
using Extension = envoy::config::core::v3::TypedExtensionConfig;

template <class Message>
bool unpack(Compilation& c, const Extension& from, const std::string& path, Message& message) {
  if (message.ParseFromString(from.typed_config().value())) return true;
  c.fail(path + ".typed_config", "is not a valid " + from.typed_config().type_url());
  return false;
}

bool is(const Extension& from, std::string_view message) { return from.typed_config().type_url().ends_with(message); }

void read_sampler(Compilation& c, const Extension& from, const std::string& path, TraceSampler& to) {
  if (is(from, ".AlwaysOnSamplerConfig")) {
    to.kind = TraceSampler::Kind::always_on;
  } else if (is(from, ".TraceIdRatioBasedSamplerConfig")) {
    samplers::TraceIdRatioBasedSamplerConfig config;
    if (!unpack(c, from, path, config)) return;
    to.kind = TraceSampler::Kind::ratio;
    to.ratio = proto::to_fraction(config.sampling_percentage());
  } else if (is(from, ".ParentBasedSamplerConfig") && !to.parent_based) {
    samplers::ParentBasedSamplerConfig config;
    if (!unpack(c, from, path, config)) return;
    to.parent_based = true;
    if (config.has_wrapped_sampler()) {
      read_sampler(c, config.wrapped_sampler(), path + ".typed_config.wrapped_sampler", to);
    }
  } else {
    c.fail(path, "the sampler '" + from.name() + "' is not built into outrider yet here");
  }
}

// "key=value,key=value" of $OTEL_RESOURCE_ATTRIBUTES; as in Envoy, nothing is trimmed or decoded.
void read_environment(Compilation& c, const std::string& path, ResourceAttributes& to) {
  const char* variable = std::getenv("OTEL_RESOURCE_ATTRIBUTES");
  std::string_view rest = variable ? variable : "";
  if (rest.empty()) {
    log(Logger::config, LogLevel::warning, "the detector of resources finds no $OTEL_RESOURCE_ATTRIBUTES");
  }
  while (!rest.empty()) {
    std::string_view pair = rest.substr(0, rest.find(','));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    if (pair.empty()) continue;
    std::size_t equals = pair.find('=');
    bool good =
        equals != pair.npos && equals > 0 && equals + 1 < pair.size() && pair.find('=', equals + 1) == pair.npos;
    if (!good) return c.fail(path, "$OTEL_RESOURCE_ATTRIBUTES is not like key=value,key=value");
    to[std::string(pair.substr(0, equals))] = pair.substr(equals + 1);
  }
}

void read_detector(Compilation& c, const Extension& from, const std::string& path, ResourceAttributes& to) {
  if (is(from, ".EnvironmentResourceDetectorConfig")) return read_environment(c, path, to);
  if (!is(from, ".StaticConfigResourceDetectorConfig")) {
    return c.fail(path, "the resource detector '" + from.name() + "' is not built into outrider yet");
  }
  detectors::StaticConfigResourceDetectorConfig config;
  if (!unpack(c, from, path, config)) return;
  for (const auto& [name, value] : config.attributes()) {
    if (!name.empty() && !value.empty()) to[name] = value;
  }
}

ResourceAttributes resource_of(Compilation& c, const v3::OpenTelemetryConfig& config, const std::string& path) {
  ResourceAttributes resource{{"telemetry.sdk.language", "cpp"},
                              {"telemetry.sdk.name", "outrider"},
                              {"telemetry.sdk.version", OUTRIDER_VERSION}};
  resource["service.name"] = config.service_name().empty() ? "unknown_service:outrider" : config.service_name();
  for (int i = 0; i < config.resource_detectors_size(); i++) {
    read_detector(c, config.resource_detectors(i), path + ".resource_detectors[" + std::to_string(i) + "]", resource);
  }
  return resource;
}

}  // namespace

std::shared_ptr<const Tracer> compile_open_telemetry(Compilation& c, const v3::OpenTelemetryConfig& config,
                                                     const std::string& path) {
  SpanDelivery d;
  d.runtime_prefix = "tracing.opentelemetry.";
  d.spans_max = config.has_max_cache_size() ? config.max_cache_size().value() : 1024;
  d.sends_when_full = true;
  d.fields.emplace_back("content-type", "application/x-protobuf");
  d.fields.emplace_back("user-agent", "OTel-OTLP-Exporter-outrider/" OUTRIDER_VERSION);
  if (config.has_http_service()) {
    read_http_service(c, config.http_service(), path + ".http_service", d);
  } else {
    c.fail(path, "http_service is missing: it says where spans go");
  }
  OpenTelemetryOptions o;
  if (config.has_sampler()) read_sampler(c, config.sampler(), path + ".sampler", o.sampler);
  o.resource = resource_of(c, config, path);
  o.stats = c.process.stats.scope(d.runtime_prefix, open_telemetry_stat_table());
  return std::make_shared<OpenTelemetryTracer>(std::move(o), std::move(d));
}

}  // namespace outrider::config
