#include "admin/config_dump.h"

#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/util/json_util.h>
#include <re2/re2.h>

#include "admin/config_dump_mask.h"
#include "admin/redact.h"
#include "config/load.h"

namespace outrider {
namespace {

namespace pb = google::protobuf;

constexpr std::string_view kAdmin = "envoy.admin.v3.";
constexpr std::string_view kBootstrap = "envoy.config.bootstrap.v3.Bootstrap";
constexpr std::string_view kConnectionManager =
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

std::string print(const ApiMessage& dump) {
  pb::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string out;
  return pb::util::MessageToJsonString(dump.message(), &out, options).ok() ? out : std::string();
}

std::string_view health_name(HostHealth health) {
  constexpr std::string_view kNames[] = {"HEALTHY", "DEGRADED", "UNHEALTHY"};
  return kNames[static_cast<std::size_t>(health)];
}

bool same_place(const Endpoint& a, const Endpoint& b) {
  return a.priority == b.priority && a.region == b.region && a.zone == b.zone && a.sub_zone == b.sub_zone;
}

void set_address(const ApiMessage& to, const Address& address) {
  if (address.is_pipe()) {
    to.child("pipe").set("path", address.text());
    return;
  }
  ApiMessage socket = to.child("socket_address");
  socket.set("address", address.ip_text());
  socket.set_number("port_value", address.port());
}

void set_place(const ApiMessage& endpoints, const Endpoint& host) {
  ApiMessage locality = endpoints.child("locality");
  locality.set("region", host.region);
  locality.set("zone", host.zone);
  locality.set("sub_zone", host.sub_zone);
  endpoints.set_number("priority", host.priority);
  endpoints.child("load_balancing_weight").set_number("value", 0);
}

void set_host(const ApiMessage& entry, const Endpoint& host) {
  ApiMessage endpoint = entry.child("endpoint");
  set_address(endpoint.child("address"), host.address);
  endpoint.child("health_check_config");
  endpoint.set("hostname", host.hostname);
  entry.set_enum("health_status", std::string(health_name(host.health)));
  entry.child("load_balancing_weight").set_number("value", host.weight);
}

}  // namespace

ApiMessage ConfigDump::make(const std::string& type) {
  made_.emplace_back(schema_.factory().GetPrototype(schema_.message(type))->New());
  return ApiMessage(*made_.back());
}

ApiMessage& ConfigDump::section(const std::string& name) {
  std::string type = std::string(kAdmin) + name;
  ApiMessage message = make(type);
  return sections_.emplace_back(std::move(type), message).message;
}

bool ConfigDump::wanted(const std::string& name) const {
  return !choice_.name_regex || re2::RE2::FullMatch(name, *choice_.name_regex);
}

void ConfigDump::stamp(const ApiMessage& part) const {
  if (configured_) part.child("last_updated").set_time(*configured_);
}

bool ConfigDump::add_sections() {
  sections_.reserve(7);
  ApiMessage bootstrap_dump = section("BootstrapConfigDump");
  ApiMessage bootstrap = bootstrap_dump.child("bootstrap");
  if (!bootstrap.message().ParsePartialFromString(snapshot_.bootstrap)) return false;
  redact(bootstrap.message(), schema_);
  stamp(bootstrap_dump);
  ApiMessage clusters = section("ClustersConfigDump");
  if (choice_.endpoints) add_endpoints(section("EndpointsConfigDump"));
  ApiMessage listeners = section("ListenersConfigDump");
  section("ScopedRoutesConfigDump");
  ApiMessage routes = section("RoutesConfigDump");
  section("SecretsConfigDump");
  add_discovered_clusters(clusters);
  add_discovered_listeners(listeners, routes);
  add_discovered_routes(routes);
  if (!bootstrap.has("static_resources")) return true;
  ApiMessage resources = bootstrap.child("static_resources");
  add_all(resources.list("clusters"), clusters, "static_clusters", "cluster");
  add_all(resources.list("listeners"), listeners, "static_listeners", "listener");
  add_routes(resources, routes);
  return true;
}

ApiMessage ConfigDump::parse(const std::string& type, const std::string& bytes) {
  ApiMessage message = make(type);
  (void)message.message().ParsePartialFromString(bytes);  // They were good when they were made.
  redact(message.message(), schema_);
  return message;
}

void ConfigDump::add_discovered_clusters(const ApiMessage& to) {
  const config::Loaded* answer = snapshot_.answers.clusters.loaded.get();
  if (!answer) return;
  to.set("version_info", answer->version);
  const ApiMessage resources = parse(std::string(kBootstrap), answer->bootstrap).child("static_resources");
  for (const ApiMessage& cluster : resources.list("clusters")) {
    auto used = snapshot_.clusters.find(cluster.text("name"));
    if (used == snapshot_.clusters.end() || !used->second->options.added_via_api || !wanted(used->first)) continue;
    ApiMessage entry = to.add("dynamic_active_clusters");
    entry.set("version_info", answer->version);
    entry.child("cluster").pack(cluster);
    stamp(entry);
  }
}

void ConfigDump::add_discovered_listeners(const ApiMessage& to, const ApiMessage& routes) {
  const config::Loaded* answer = snapshot_.answers.listeners.loaded.get();
  if (!answer) return;
  to.set("version_info", answer->version);
  const ApiMessage resources = parse(std::string(kBootstrap), answer->bootstrap).child("static_resources");
  for (const ApiMessage& listener : resources.list("listeners")) {
    if (!wanted(listener.text("name"))) continue;
    ApiMessage entry = to.add("dynamic_listeners");
    entry.set("name", listener.text("name"));
    ApiMessage state = entry.child("active_state");
    state.set("version_info", answer->version);
    state.child("listener").pack(listener);
    stamp(state);
  }
  add_routes(resources, routes);
}

void ConfigDump::add_discovered_routes(const ApiMessage& to) {
  for (const auto& [url, answer] : snapshot_.answers.routes) {
    const ApiMessage routes = parse("envoy.config.route.v3.RouteConfiguration", answer->bootstrap);
    if (!wanted(routes.text("name"))) continue;
    ApiMessage entry = to.add("dynamic_route_configs");
    entry.set("version_info", answer->version);
    entry.child("route_config").pack(routes);
    stamp(entry);
  }
}

void ConfigDump::add_all(const std::vector<ApiMessage>& configs, const ApiMessage& to, const std::string& list,
                         const std::string& field) {
  for (const ApiMessage& config : configs) {
    if (!wanted(config.text("name"))) continue;
    ApiMessage entry = to.add(list);
    entry.child(field).pack(config);
    stamp(entry);
  }
}

// The routes that stand inside of listeners.
void ConfigDump::add_routes(const ApiMessage& resources, const ApiMessage& to) {
  for (const ApiMessage& listener : resources.list("listeners")) {
    std::vector<ApiMessage> chains = listener.list("filter_chains");
    if (listener.has("default_filter_chain")) chains.push_back(listener.child("default_filter_chain"));
    for (const ApiMessage& chain : chains) {
      for (const ApiMessage& filter : chain.list("filters")) add_routes_of(filter, to);
    }
  }
}

void ConfigDump::add_routes_of(const ApiMessage& filter, const ApiMessage& to) {
  if (!filter.has("typed_config")) return;
  ApiMessage any = filter.child("typed_config");
  if (config::type_of_url(any.text("type_url")) != kConnectionManager) return;
  ApiMessage connection_manager = make(std::string(kConnectionManager));
  if (connection_manager.message().ParsePartialFromString(any.text("value")) &&
      connection_manager.has("route_config") && wanted(connection_manager.child("route_config").text("name"))) {
    ApiMessage entry = to.add("static_route_configs");
    entry.child("route_config").pack(connection_manager.child("route_config"));
    stamp(entry);
  }
  made_.pop_back();
}

// The hosts that each cluster has now.
void ConfigDump::add_endpoints(const ApiMessage& to) {
  for (const auto& [name, cluster] : snapshot_.clusters) {
    if (!wanted(name)) continue;
    ApiMessage assignment = make("envoy.config.endpoint.v3.ClusterLoadAssignment");
    assignment.set("cluster_name", name);
    const HostSetPtr hosts = cluster->hosts();
    const Endpoint* before = nullptr;
    std::optional<ApiMessage> endpoints;
    for (const EndpointPtr& host : hosts->all) {
      if (!before || !same_place(*before, *host)) {
        endpoints = assignment.add("endpoints");
        set_place(*endpoints, *host);
      }
      set_host(endpoints->add("lb_endpoints"), *host);
      before = host.get();
    }
    assignment.child("policy").child("overprovisioning_factor").set_number("value", kOverprovisioningPercent);
    const bool found = cluster->options.added_via_api;
    to.add(found ? "dynamic_endpoint_configs" : "static_endpoint_configs").child("endpoint_config").pack(assignment);
    made_.pop_back();
  }
}

std::optional<ConfigDump::Refusal> ConfigDump::pack_resource(const ApiMessage& dump, std::string_view resource,
                                                             std::string_view mask) {
  const std::string name(resource);
  for (const Section& s : sections_) {
    if (!s.message.has_field(name)) continue;
    if (!s.message.is_list(name)) {
      return Refusal{400, name + " is not a repeated field. Use ?mask=" + name + " to get only this field"};
    }
    for (const ApiMessage& each : s.message.list(name)) {
      if (!mask.empty() && !apply_mask(each, mask, schema_)) {
        return Refusal{400, "FieldMask " + std::string(mask) + " could not be successfully used."};
      }
      dump.add("configs").pack(each);
    }
    return std::nullopt;
  }
  return Refusal{404, name + " not found in config dump"};
}

std::optional<ConfigDump::Refusal> ConfigDump::pack_masked(const ApiMessage& dump, std::string_view mask) {
  for (const Section& s : sections_) {
    if (apply_plain_mask(s.message, mask)) dump.add("configs").pack(s.message);
  }
  if (!dump.list("configs").empty()) return std::nullopt;
  return Refusal{400, "FieldMask " + std::string(mask) + " could not be successfully applied to any configs."};
}

std::expected<std::string, ConfigDump::Refusal> ConfigDump::json(const Choice& choice) {
  constexpr std::string_view kUnprintable = "the configuration cannot be printed\n";
  choice_ = choice;
  if (!add_sections()) return std::unexpected(Refusal{500, std::string(kUnprintable)});
  ApiMessage dump = make(std::string(kAdmin) + "ConfigDump");
  std::optional<Refusal> refusal;
  if (!choice.resource.empty()) {
    refusal = pack_resource(dump, choice.resource, choice.mask);
  } else if (!choice.mask.empty()) {
    refusal = pack_masked(dump, choice.mask);
  } else {
    for (const Section& s : sections_) dump.add("configs").pack(s.message);
  }
  if (refusal) return std::unexpected(*refusal);
  sections_.clear();
  std::string text = print(dump);
  if (text.empty()) return std::unexpected(Refusal{500, std::string(kUnprintable)});
  return text;
}

}  // namespace outrider
