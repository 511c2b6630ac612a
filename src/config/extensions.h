#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace outrider::config {

// The places of the API that take an extension by name.
enum class Slot : uint8_t {
  none,
  network_filter,
  http_filter,
  listener_filter,
  access_logger,
  downstream_transport_socket,
  upstream_transport_socket,
  tracer,
  stats_sink,
  resource_monitor,
  health_checker,
  cluster_type,
  protocol_options,
  access_log_filter,
  retry_host_predicate,
  retry_priority,
  thrift_filter,
};

std::string_view to_text(Slot slot);  // "an HTTP filter"

// The slot of a message that has `name` and `typed_config`, by its full name; `holder` is the message around it.
Slot slot_of(std::string_view message_full_name, std::string_view holder_full_name);

struct Extension {
  Slot slot = Slot::none;
  std::string_view name;    // of today: `envoy.filters.http.router`
  std::string_view type;    // its message in v3
  std::string_view legacy;  // the names that it had in v2 and v1, with blanks between
};

std::span<const Extension> all_extensions();

// The extension of a name in any of the three families; nullptr if none is called that.
const Extension* extension_named(Slot slot, std::string_view name);

// The message that configures an HTTP filter for a virtual host, a route or a weighted cluster; empty if there is none.
std::string_view per_route_type(std::string_view extension_name);

// Today's name of the extension in this slot that is called almost so; empty if none is.
std::string_view nearest_extension(Slot slot, std::string_view name);

// The extension that a message configures, of this slot if there is one of it; nullptr if none.
const Extension* extension_of_type(std::string_view type_full_name, Slot slot = Slot::none);

}  // namespace outrider::config
