// A tree made of names that the API has, in every dialect and in wrong places: upgrade, bind and validate must take it.
// What loads must load again from its own JSON, with the same bytes.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "config/load.h"
#include "config/schema.h"

namespace {

constexpr std::string_view kKeys[] = {"static_resources",
                                      "listeners",
                                      "clusters",
                                      "admin",
                                      "access_log_path",
                                      "access_log",
                                      "address",
                                      "socket_address",
                                      "pipe",
                                      "path",
                                      "port_value",
                                      "name",
                                      "filter_chains",
                                      "filters",
                                      "config",
                                      "typed_config",
                                      "@type",
                                      "type",
                                      "deprecated_v1",
                                      "value",
                                      "route_config",
                                      "virtual_hosts",
                                      "domains",
                                      "routes",
                                      "match",
                                      "prefix",
                                      "regex",
                                      "safe_regex",
                                      "route",
                                      "cluster",
                                      "timeout",
                                      "timeout_ms",
                                      "use_websocket",
                                      "host_rewrite",
                                      "redirect",
                                      "host_redirect",
                                      "direct_response",
                                      "status",
                                      "body",
                                      "inline_string",
                                      "http_filters",
                                      "stat_prefix",
                                      "codec_type",
                                      "idle_timeout",
                                      "idle_timeout_s",
                                      "cluster_manager",
                                      "hosts",
                                      "url",
                                      "connect_timeout",
                                      "connect_timeout_ms",
                                      "lb_policy",
                                      "lb_type",
                                      "features",
                                      "http2_protocol_options",
                                      "http_protocol_options",
                                      "common_http_protocol_options",
                                      "max_requests_per_connection",
                                      "typed_extension_protocol_options",
                                      "explicit_http_config",
                                      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                                      "circuit_breakers",
                                      "thresholds",
                                      "default",
                                      "high",
                                      "priority",
                                      "load_assignment",
                                      "endpoints",
                                      "lb_endpoints",
                                      "endpoint",
                                      "tls_context",
                                      "transport_socket",
                                      "node",
                                      "metadata",
                                      "id",
                                      "service_name",
                                      "dns_refresh_rate",
                                      "seconds",
                                      "nanos",
                                      "format",
                                      "log_format",
                                      "type_url",
                                      "port",
                                      "retry_policy",
                                      "request_mirror_policy"};
constexpr std::string_view kValues[] = {
    "true",
    "false",
    "0",
    "-1",
    "8080",
    "1.5",
    "250ms",
    "0.25s",
    "5s",
    "/",
    "c",
    "*",
    "auto",
    "ROUND_ROBIN",
    "strict_dns",
    "sds",
    "EDS",
    "tcp://127.0.0.1:80",
    "tcp://",
    "unix:///x",
    "http2",
    "envoy.router",
    "router",
    "envoy.filters.http.router",
    "http_connection_manager",
    "envoy.http_connection_manager",
    "envoy.file_access_log",
    "read",
    "decoder",
    "a%REQ(b)%",
    "99999999999999999999",
    "",
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager",
    "type.googleapis.com/envoy.config.filter.network.http_connection_manager.v2.HttpConnectionManager",
    "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router",
    "type.googleapis.com/udpa.type.v1.TypedStruct",
    "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
    "type.googleapis.com/google.protobuf.Struct",
    "type.googleapis.com/google.protobuf.StringValue",
    "type.googleapis.com/envoy.config.cluster.v3.Cluster",
    "nothing"};

// The bytes as a sequence of decisions.
class Choices {
 public:
  Choices(const uint8_t* data, size_t size) : data_(data), left_(size) {}
  uint8_t next() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }
  template <size_t N>
  std::string quoted(const std::string_view (&list)[N]) {
    return '"' + std::string(list[next() % N]) + '"';
  }

 private:
  const uint8_t* data_;
  size_t left_;
};

void write(Choices& choices, int depth, std::string& out) {
  const uint8_t kind = choices.next();
  if (depth > 24 || kind < 60) {
    out += kind < 5 ? "null" : choices.quoted(kValues);
    return;
  }
  const bool is_list = kind < 120;
  out += is_list ? '[' : '{';
  for (int i = kind % 6; i >= 0; --i) {
    if (!is_list) out += choices.quoted(kKeys) + ':';
    write(choices, depth + 1, out);
    if (i > 0) out += ',';
  }
  out += is_list ? ']' : '}';
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace outrider::config;
  static const Schema schema;
  Choices choices(data, size);
  std::string text;
  write(choices, 0, text);
  const auto loaded =
      load_text(schema, "f.json", text, {.substitute_environment = false, .allow_unknown_fields = true});
  if (!loaded) return 0;
  const std::string json = to_json(schema, "envoy.config.bootstrap.v3.Bootstrap", loaded->bootstrap);
  const auto again = load_text(schema, "f.json", json, {.substitute_environment = false});
  if (!again || to_json(schema, "envoy.config.bootstrap.v3.Bootstrap", again->bootstrap) != json) std::abort();
  return 0;
}
