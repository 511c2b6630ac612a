#include <algorithm>
#include <cstdint>

#include "config/compile_listener_address.h"
#include "config/compile_parts.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "http/http_stats.h"
#include "proto/matcher.h"

namespace outrider::config {
namespace {

namespace lv3 = envoy::config::listener::v3;
constexpr std::size_t kNoBytesLimit = SIZE_MAX / 2;  // More than there will be, and bytes may be added to it.
constexpr std::string_view kOriginalDst = "envoy.extensions.filters.listener.original_dst.v3.OriginalDst";
constexpr std::string_view kConnectionManager =
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

bool is_type(const google::protobuf::Any& any, std::string_view name) {
  std::string_view url = any.type_url();
  return url.ends_with(name) && (url.size() == name.size() || url[url.size() - name.size() - 1] == '/');
}

// What the connections of a chain get. A chain that cannot be used is looked through all the same, for its other
// mistakes.
std::shared_ptr<HttpOptions> compile_chain(Compilation& c, const lv3::FilterChain& chain,
                                           const StatScope& listener_stats, const std::string& path) {
  std::shared_ptr<HttpOptions> http;
  for (int i = 0; i < chain.filters_size(); i++) {
    const auto& any = chain.filters(i).typed_config();
    std::string at = path + ".filters[" + std::to_string(i) + "]";
    if (is_type(any, kConnectionManager)) {
      http = compile_connection_manager(c, any, listener_stats, at + ".typed_config");
    } else {
      c.fail(at, "the network filter '" + chain.filters(i).name() + "' is not built into outrider yet");
    }
  }
  if (chain.filters_size() > 1)
    c.fail(path + ".filters", "more than one network filter is not built into outrider yet");
  return http;
}

std::shared_ptr<const Metadata> metadata_of(const envoy::config::core::v3::Metadata& metadata) {
  return std::make_shared<Metadata>(proto::to_metadata(metadata));
}

FilterChainMatch compile_chain_match(Compilation& c, const lv3::FilterChainMatch& proto, const std::string& path) {
  FilterChainMatch m;
  if (proto.has_destination_port()) m.destination_port = static_cast<std::uint16_t>(proto.destination_port().value());
  m.destinations = to_ranges(c, proto.prefix_ranges(), path + ".prefix_ranges");
  m.transport_protocol = proto.transport_protocol();
  m.direct_sources = to_ranges(c, proto.direct_source_prefix_ranges(), path + ".direct_source_prefix_ranges");
  m.source_type = proto.source_type() == lv3::FilterChainMatch::SAME_IP_OR_LOOPBACK ? SourceType::same_machine
                  : proto.source_type() == lv3::FilterChainMatch::EXTERNAL          ? SourceType::external
                                                                                    : SourceType::any;
  m.sources = to_ranges(c, proto.source_prefix_ranges(), path + ".source_prefix_ranges");
  m.source_ports.assign(proto.source_ports().begin(), proto.source_ports().end());
  return m;
}

void refuse_collisions(Compilation& c, const std::vector<FilterChainMatch>& matches, const std::string& path) {
  for (std::size_t i = 0; i < matches.size(); i++) {
    for (std::size_t j = 0; j < i; j++) {
      if (!matches[i].collides_with(matches[j])) continue;
      c.fail(path + "[" + std::to_string(i) + "]",
             "takes the same connections as the filter chain " + std::to_string(j + 1) + " of the listener");
      break;
    }
  }
}

void compile_chains(Compilation& c, const lv3::Listener& proto, const std::string& path, ListenerConfig& l) {
  auto add = [&](const lv3::FilterChain& chain, const std::string& at) {
    auto http = compile_chain(c, chain, *l.stats, at);
    if (!http && chain.filters_size() > 0) return;
    if (http && proto.has_per_connection_buffer_limit_bytes()) {
      const std::uint32_t limit = proto.per_connection_buffer_limit_bytes().value();
      http->buffer_bytes_max = limit == 0 ? kNoBytesLimit : limit;
      http->read_bytes_max = read_bytes_max(limit);
    }
    if (http) {
      http->listener_name = proto.name();
      http->connection_logs = l.access_logs;
      http->filter_chain_name = chain.name();
      if (chain.has_metadata()) http->filter_chain_metadata = metadata_of(chain.metadata());
      if (proto.has_metadata()) http->listener_metadata = metadata_of(proto.metadata());
    }
    l.chains.push_back(std::move(http));
  };
  const std::string list = path + ".filter_chains";
  for (int i = 0; i < proto.filter_chains_size(); i++) {
    const std::string at = list + "[" + std::to_string(i) + "]";
    l.matches.push_back(
        compile_chain_match(c, proto.filter_chains(i).filter_chain_match(), at + ".filter_chain_match"));
    add(proto.filter_chains(i), at);
  }
  if (!c.loaded.doubts(list)) refuse_collisions(c, l.matches, list);
  if (proto.has_default_filter_chain()) add(proto.default_filter_chain(), path + ".default_filter_chain");
  if (proto.filter_chains_size() == 0 && !proto.has_default_filter_chain()) {
    c.fail(list, "a listener needs a filter chain");
  }
  if (!l.chains.empty()) l.http = l.chains.front();
  if (l.matches.size() == 1 && l.matches[0].takes_all()) l.matches.clear();
}

void compile_listener_filters(Compilation& c, const lv3::Listener& proto, const std::string& path, ListenerConfig& l) {
  l.original_destination = proto.use_original_dst().value();
  for (int i = 0; i < proto.listener_filters_size(); i++) {
    const auto& filter = proto.listener_filters(i);
    if (is_type(filter.typed_config(), kOriginalDst)) {
      l.original_destination = true;
    } else {
      c.fail(path + ".listener_filters[" + std::to_string(i) + "]",
             "the listener filter '" + filter.name() + "' is not built into outrider yet");
    }
  }
}

// "0.0.0.0:80" as a part of a statistic's name.
std::string stat_name(std::string address) {
  std::replace(address.begin(), address.end(), ':', '_');
  return address;
}

// Its own, or one made from where it listens, which may be any port.
std::string name_of(const Compilation& c, const lv3::Listener& proto, const ListenerConfig& l) {
  if (!proto.name().empty()) return proto.name();
  std::string name = l.address().text();
  return c.listener_names.contains(name) ? name + "#" + std::to_string(l.index) : name;
}

// Envoy keeps the first of one name. True: this is another.
bool left_out(Compilation& c, const lv3::Listener& proto, const std::string& path) {
  if (proto.name().empty() || c.loaded.doubts(path + ".name")) return false;
  if (!c.listener_names.contains(proto.name())) return false;
  c.warn(path + ".name", "a listener named '" + proto.name() + "' exists already: this one is left out");
  return true;
}

}  // namespace

void compile_listener(Compilation& c, const lv3::Listener& proto, std::size_t index, std::size_t number) {
  const std::string path = "static_resources.listeners[" + std::to_string(index) + "]";
  ListenerConfig l;
  l.index = number;
  l.addresses = compile_listener_addresses(c, proto, path);
  l.name = name_of(c, proto, l);
  c.egress = proto.traffic_direction() == envoy::config::core::v3::OUTBOUND;
  l.fingerprint = fingerprint_of(proto.SerializeAsString());
  l.inbound = proto.traffic_direction() == envoy::config::core::v3::INBOUND;
  if (proto.has_max_connections_to_accept_per_socket_event()) {
    l.accepts_in_a_row_max = static_cast<int>(
        std::min<std::uint32_t>(proto.max_connections_to_accept_per_socket_event().value(), kAcceptsInARowLimit));
  }
  std::string stat = proto.stat_prefix().empty() ? stat_name(l.address().text()) : proto.stat_prefix();
  l.stats = c.process.stats.scope("listener." + stat + ".", listener_stat_table());
  l.binds = proto.has_bind_to_port()                   ? proto.bind_to_port().value()
            : proto.deprecated_v1().has_bind_to_port() ? proto.deprecated_v1().bind_to_port().value()
                                                       : true;
  for (int i = 0; i < proto.access_log_size(); i++) {
    auto log = compile_access_log(c, proto.access_log(i), path + ".access_log[" + std::to_string(i) + "]");
    if (log) l.access_logs.push_back(std::move(log));
  }
  const bool another = left_out(c, proto, path);
  bool is_udp = proto.address().socket_address().protocol() == envoy::config::core::v3::SocketAddress::UDP;
  if (!is_udp && !another) take_addresses(c, l, path);
  compile_chains(c, proto, path, l);
  compile_listener_filters(c, proto, path, l);
  if (is_udp || another) return;
  c.listener_names.insert(l.name);
  c.snapshot.listeners.push_back(std::move(l));
}

}  // namespace outrider::config
