// From the API's OpenTelemetryConfig to a tracer.
#pragma once
#include <memory>
#include <string>

namespace envoy::config::trace::v3 {
class OpenTelemetryConfig;
}

namespace outrider {
class Tracer;
}

namespace outrider::config {

struct Compilation;

std::shared_ptr<const Tracer> compile_open_telemetry(Compilation& c,
                                                     const envoy::config::trace::v3::OpenTelemetryConfig& config,
                                                     const std::string& path);

}  // namespace outrider::config
