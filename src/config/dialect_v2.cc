// The keys of v2 (2018-20) of the file as a whole, listeners, discovery and tracing that v3 does not have, and those
// that v3 has only as deprecated ones.
#include <fmt/format.h>

#include "config/rules.h"
#include "config/schema.h"

namespace outrider::config {

Node& add_typed_config(Tree& tree, Node& parent, std::string_view name, std::string_view type, Mark mark) {
  tree.set_scalar(parent, "name", name, false, mark);
  Node* config = tree.set_mapping(parent, "typed_config", mark);
  tree.set_scalar(*config, "@type", fmt::format("type.googleapis.com/{}", type), false, mark);
  return *config;
}

// {symlink_root, subdirectory, override_subdirectory, base} → layers, the last of which is the admin page's.
void runtime(Upgrade& upgrade, Node& bootstrap, Node& value, const Path& path) {
  Tree& tree = upgrade.tree;
  const Mark mark = value.key_mark();
  if (bootstrap.find("layered_runtime") != nullptr) {
    return upgrade.error(mark, path.field("runtime"), "the old form of `layered_runtime`, and both are here");
  }
  if (!value.is_mapping()) return upgrade.error(mark, path.field("runtime"), "a mapping was expected");
  Node* runtime = tree.set_mapping(bootstrap, "layered_runtime", mark);
  const auto layer = [&](std::string_view name) -> Node& {
    Node& one = append_mapping(upgrade, *runtime, "layers", mark);
    tree.set_scalar(one, "name", name, false, mark);
    return one;
  };
  Node* root = tree.take(value, "symlink_root");
  Node* below = tree.take(value, "subdirectory");
  Node* override_below = tree.take(value, "override_subdirectory");
  if (Node* base = tree.take(value, "base")) tree.set(layer("base"), "static_layer", *base);
  if (root != nullptr) {
    Node* disk = tree.set_mapping(layer("root"), "disk_layer", mark);
    tree.set(*disk, "symlink_root", *tree.copy(*root));
    if (below != nullptr) tree.set(*disk, "subdirectory", *below);
  }
  if (root != nullptr && override_below != nullptr) {
    Node* disk = tree.set_mapping(layer("override"), "disk_layer", mark);
    tree.set(*disk, "symlink_root", *root);
    tree.set(*disk, "subdirectory", *override_below);
    tree.set_scalar(*disk, "append_service_cluster", "true", true, mark);
  }
  tree.set_mapping(layer("admin"), "admin_layer", mark);
  for (const Node& unknown : value) {
    upgrade.error(unknown.key_mark(), path.field("runtime"), fmt::format("Runtime has no field `{}`", unknown.key));
  }
}

// {cluster_name} or {grpc_service} → rate_limit_service of every filter that asks one.
void deprecated_rate_limit_service(Upgrade& upgrade, Node&, Node& value, const Path& path) {
  Tree& tree = upgrade.tree;
  if (Node* how = tree.take(value, "use_data_plane_proto")) left_out(upgrade, value, *how, path.field(value.key));
  if (Node* cluster = tree.take(value, "cluster_name")) {
    put(upgrade, value, {"grpc_service", "envoy_grpc", "cluster_name"}, *cluster);
  }
  upgrade.rate_limit_service = &value;
}

namespace {

constexpr std::string_view kFileLogger = "envoy.access_loggers.file";
constexpr std::string_view kFileAccessLog = "envoy.extensions.access_loggers.file.v3.FileAccessLog";
constexpr std::string_view kZipkin = "envoy.config.trace.v3.ZipkinConfig";

// One provider for all → one of each HTTP connection manager that traces. Listeners that are discovered still ask here.
void tracing(Upgrade& upgrade, Node& bootstrap, Node& value, const Path&) {
  if (upgrade.is_overlay) return upgrade.tree.set(bootstrap, "tracing", value);
  upgrade.tracer = value.find("http");
  if (upgrade.tracer == nullptr || upgrade.listeners_are_discovered) {
    upgrade.tree.set(bootstrap, "tracing", upgrade.tracer == nullptr ? value : *upgrade.tree.copy(value));
  }
}

void admin_log(Upgrade& upgrade, Node& admin, Node& value, const Path&) {
  if (value.kind == Kind::null || (value.is_scalar() && value.text.empty())) return;
  Node& one = append_mapping(upgrade, admin, "access_log", value.key_mark());
  upgrade.tree.set(add_typed_config(upgrade.tree, one, kFileLogger, kFileAccessLog, value.key_mark()), "path", value);
}

void bind_to_port(Upgrade& upgrade, Node& listener, Node& value, const Path&) {
  if (Node* flag = upgrade.tree.take(value, "bind_to_port")) upgrade.tree.set(listener, "bind_to_port", *flag);
}

void source_type(Upgrade& upgrade, Node& match, Node& value, const Path&) {
  if (value.is_scalar() && value.text == "LOCAL") value.text = "SAME_IP_OR_LOOPBACK";
  upgrade.tree.set(match, "source_type", value);
}

// --- HTTP connection manager

void idle_timeout(Upgrade& upgrade, Node& hcm, Node& value, const Path&) {
  put(upgrade, hcm, {"common_http_protocol_options", "idle_timeout"}, value);
}

void tracer_of_manager(Upgrade& upgrade, Node& hcm, Node&, const Path&) {
  Node* tracing = hcm.find("tracing");
  if (upgrade.tracer == nullptr || tracing == nullptr || !tracing->is_mapping()) return;
  upgrade.tracer_used = true;
  if (tracing->find("provider") != nullptr) return;
  Node* copy = upgrade.tree.copy(*upgrade.tracer);
  upgrade.tree.set(*tracing, "provider", *copy);
}

// What v3 takes from the listener.
void operation_name(Upgrade& upgrade, Node&, Node& value, const Path& path) {
  const std::string_view text = value.is_scalar() ? value.text : std::string_view{};
  const bool is_ingress = text == "INGRESS" || text == "ingress" || text == "0";
  if (!is_ingress && text != "EGRESS" && text != "egress" && text != "1") {
    return upgrade.error(value.mark(), path.field("operation_name"), "INGRESS or EGRESS was expected");
  }
  if (upgrade.listener == nullptr) return left_out(upgrade, value, value, path);
  if (upgrade.listener->find("traffic_direction") != nullptr) return;
  put_text(upgrade, *upgrade.listener, {"traffic_direction"}, is_ingress ? "INBOUND" : "OUTBOUND", false,
           value.value_mark());
}

void header_tags(Upgrade& upgrade, Node& tracing, Node& value, const Path&) {
  for_each(upgrade, value, [&](Node& name) {
    Node& tag = append_mapping(upgrade, tracing, "custom_tags", name.value_mark());
    upgrade.tree.set(tag, "tag", *upgrade.tree.copy(name));
    put(upgrade, tag, {"request_header", "name"}, name);
  });
}

void san_detail(Upgrade& upgrade, Node& details, Node& value, const Path&) { upgrade.tree.set(details, "uri", value); }

// --- Tracers

std::string_view type_of_tracer(const Node& tracer) {
  const Node* typed = tracer.find("typed_config");
  const Node* type = typed == nullptr ? nullptr : typed->find("@type");
  if (type != nullptr && type->is_scalar()) {
    const std::string_view name = type_of_url(type->text);
    const std::string_view newer = successor(name);
    if (name != "google.protobuf.Struct") return newer.empty() ? name : newer;
  }
  const Node* name = tracer.find("name");
  const Extension* known = name == nullptr || !name->is_scalar() ? nullptr : extension_named(Slot::tracer, name->text);
  return known == nullptr ? std::string_view{} : known->type;
}

// LightStep takes OpenTelemetry's spans; its own tracer is gone.
void lightstep(Upgrade& upgrade, Node& tracer, const Path& path) {
  Tree& tree = upgrade.tree;
  const Mark mark = tracer.key_mark();
  Node* config = tree.take(tracer, "config");
  if (config == nullptr) config = tree.take(tracer, "typed_config");
  if (Node* value = config == nullptr ? nullptr : config->find("value")) config = value;
  Node* cluster = config == nullptr ? nullptr : config->find("collector_cluster");
  if (cluster == nullptr) return upgrade.error(mark, path, "`collector_cluster` is missing");
  tree.take(tracer, "name");
  Node& typed =
      add_typed_config(tree, tracer, "envoy.tracers.opentelemetry", "envoy.config.trace.v3.OpenTelemetryConfig", mark);
  put(upgrade, typed, {"grpc_service", "envoy_grpc", "cluster_name"}, *tree.copy(*cluster));
  upgrade.note(mark, path,
               "Envoy has no tracer of LightStep any more: read as OpenTelemetry, which its collectors take",
               "add the access token to grpc_service.initial_metadata as lightstep-access-token");
}

void tracer(Upgrade& upgrade, Node& node, Node&, const Path& path) {
  const std::string_view type = type_of_tracer(node);
  if (type == "envoy.config.trace.v3.LightstepConfig") return lightstep(upgrade, node, path);
  const bool is_gone =
      type == "envoy.config.trace.v3.DynamicOtConfig" || type == "envoy.config.trace.v3.OpenCensusConfig";
  if (!upgrade.for_envoy || !is_gone) return;
  upgrade.note(node.key_mark(), path, fmt::format("left out: Envoy 1.40 has no {} any more", type),
               "zipkin and opentelemetry are what there is");
  node.kind = Kind::null;
  node.first = node.last = nullptr;
}

// v1 of Zipkin's format is gone.
void zipkin(Upgrade& upgrade, Node& config, Node&, const Path& path) {
  Node* version = config.find("collector_endpoint_version");
  const std::string_view text = version == nullptr || !version->is_scalar() ? std::string_view{} : version->text;
  if (!text.empty() && text != "HTTP_JSON_V1" && text != "0" && text != "DEPRECATED_AND_UNAVAILABLE_DO_NOT_USE") {
    return;
  }
  Node* endpoint = config.find("collector_endpoint");
  if (endpoint != nullptr && endpoint->is_scalar() && endpoint->text == "/api/v1/spans") {
    upgrade.note(endpoint->mark(), path.field("collector_endpoint"),
                 "v1 of Zipkin's interface is gone: spans go to /api/v2/spans");
    endpoint->text = "/api/v2/spans";
  }
  if (version != nullptr) upgrade.tree.unlink(config, *version);
  upgrade.tree.set_scalar(config, "collector_endpoint_version", "HTTP_JSON", false, config.value_mark());
}

// --- Discovery

void config_path(Upgrade& upgrade, Node& source, Node& value, const Path&) {
  put(upgrade, source, {"path_config_source", "path"}, value);
}

bool is_grpc(std::string_view api_type) { return api_type.ends_with("GRPC") || api_type.ends_with("grpc"); }

// cluster_names of a service that is asked by gRPC → grpc_services.
void api_config_source(Upgrade& upgrade, Node& source, Node&, const Path& path) {
  Node* type = source.find("api_type");
  const std::string_view text = type == nullptr || !type->is_scalar() ? std::string_view{} : type->text;
  if (is_grpc(text) && source.find("grpc_services") == nullptr) {
    Node* names = upgrade.tree.take(source, "cluster_names");
    if (names == nullptr) return;
    for_each(upgrade, *names, [&](Node& name) {
      Node& service = append_mapping(upgrade, source, "grpc_services", name.value_mark());
      put(upgrade, service, {"envoy_grpc", "cluster_name"}, name);
    });
  }
  const bool is_legacy =
      (text.empty() && !upgrade.is_overlay) || text == "REST_LEGACY" || text == "UNSUPPORTED_REST_LEGACY";
  if (!is_legacy) return;
  if (type != nullptr) upgrade.tree.unlink(source, *type);
  if (upgrade.for_envoy)
    upgrade.note(source.key_mark(), path, "Envoy 1.40 asks this service in v3: it knows no REST of v1");
  upgrade.tree.set_scalar(source, "api_type", upgrade.for_envoy ? "REST" : "DEPRECATED_AND_UNAVAILABLE_DO_NOT_USE",
                          false, source.key_mark());
}

constexpr std::string_view kHcmTracing =
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.Tracing";
constexpr std::string_view kClientCertDetails =
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager.SetCurrentClientCertDetails";

constexpr Rule kRules[] = {
    {kBootstrapMessage, "runtime", runtime},
    {kBootstrapMessage, "tracing", tracing},
    {kBootstrapMessage, "rate_limit_service", deprecated_rate_limit_service},
    {"envoy.config.core.v3.Node", "build_version", left_out},
    {kAdminMessage, "access_log_path", admin_log},
    {kListenerMessage, "deprecated_v1", bind_to_port},
    {"envoy.config.listener.v3.UdpListenerConfig", "udp_listener_name", left_out},
    {"envoy.config.listener.v3.UdpListenerConfig", "config", left_out},
    {kFilterChainMessage, "tls_context", downstream_tls},
    {kFilterChainMessage, "use_proxy_proto", use_proxy_proto},
    {"envoy.config.listener.v3.FilterChainMatch", "sni_domains", nullptr, "server_names"},
    {"envoy.config.listener.v3.FilterChainMatch", "source_type", source_type},
    {kHcmMessage, kWhole, tracer_of_manager},
    {kHcmMessage, "idle_timeout", idle_timeout},
    {kHcmTracing, "operation_name", operation_name},
    {kHcmTracing, "request_headers_for_tags", header_tags},
    {kClientCertDetails, "san", san_detail},
    {kTracerMessage, kWhole, tracer},
    {kZipkin, kWhole, zipkin},
    {"envoy.config.core.v3.ConfigSource", "path", config_path},
    {kApiConfigSourceMessage, kWhole, api_config_source},
};

}  // namespace

std::span<const Rule> v2_bootstrap_rules() { return kRules; }

}  // namespace outrider::config
