#include <algorithm>
#include <set>

#include "config/compile_parts.h"
#include "config/compile_tracing.h"
#include "config/http_filters.h"
#include "core/ascii.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "http/http_stats.h"
#include "proto/matcher.h"
#include "wire/h1_target.h"

namespace outrider::config {
namespace {

namespace hcm = envoy::extensions::filters::network::http_connection_manager::v3;

// Reads the content of an Any, which load() has already found to be of that type.
template <class M>
bool unpack(Compilation& c, const google::protobuf::Any& any, const std::string& path, M& message) {
  if (message.ParseFromString(any.value())) return true;
  c.fail(path, "is not a valid " + any.type_url());
  return false;
}

bool is_type(const google::protobuf::Any& any, std::string_view name) {
  std::string_view url = any.type_url();
  return url.ends_with(name) && (url.size() == name.size() || url[url.size() - name.size() - 1] == '/');
}

void read_timeouts(const hcm::HttpConnectionManager& m, HttpOptions& o) {
  const auto& common = m.common_http_protocol_options();
  if (common.has_idle_timeout()) o.idle_timeout = to_ms(common.idle_timeout());
  if (common.has_max_connection_duration()) o.max_connection_duration = to_ms(common.max_connection_duration());
  if (common.has_max_stream_duration()) o.max_stream_duration = to_ms(common.max_stream_duration());
  if (common.has_max_requests_per_connection())
    o.max_requests_per_connection = common.max_requests_per_connection().value();
  if (common.has_max_headers_count()) o.limits.field_count_max = common.max_headers_count().value();
  if (m.has_stream_idle_timeout()) o.stream_idle_timeout = to_ms(m.stream_idle_timeout());
  if (m.has_request_timeout()) o.request_timeout = to_ms(m.request_timeout());
  if (m.has_request_headers_timeout()) o.request_headers_timeout = to_ms(m.request_headers_timeout());
  if (m.has_delayed_close_timeout()) o.delayed_close_timeout = to_ms(m.delayed_close_timeout());
}

void read_access_log_options(const hcm::HttpConnectionManager& m, HttpOptions& o) {
  const auto& options = m.access_log_options();
  o.access_log_options.on_new_request =
      options.flush_access_log_on_new_request() || m.flush_access_log_on_new_request();
  o.access_log_options.on_tunnel_established = options.flush_log_on_tunnel_successfully_established();
  if (options.has_access_log_flush_interval()) {
    o.access_log_options.interval = to_ms(options.access_log_flush_interval());
  } else if (m.has_access_log_flush_interval()) {
    o.access_log_options.interval = to_ms(m.access_log_flush_interval());
  }
}

void read_headers(const hcm::HttpConnectionManager& m, HttpOptions& o) {
  if (m.has_max_request_headers_kb()) o.limits.head_bytes_max = m.max_request_headers_kb().value() * 1024;
  if (!m.server_name().empty()) o.server_name = m.server_name();
  switch (m.server_header_transformation()) {
    case hcm::HttpConnectionManager::APPEND_IF_ABSENT:
      o.server_header = ServerHeader::append_if_absent;
      break;
    case hcm::HttpConnectionManager::PASS_THROUGH:
      o.server_header = ServerHeader::pass_through;
      break;
    default:
      o.server_header = ServerHeader::overwrite;
  }
  o.proxy_100_continue = m.proxy_100_continue();
}

void read_http1(Compilation& c, const hcm::HttpConnectionManager& m, const std::string& path, HttpOptions& o) {
  const auto& http1 = m.http_protocol_options();
  o.limits.allow_custom_methods = http1.allow_custom_methods();
  o.limits.allow_absolute_url = !http1.has_allow_absolute_url() || http1.allow_absolute_url().value();
  o.allow_chunked_length = http1.allow_chunked_length();
  o.go_on_after_invalid = http1.has_override_stream_error_on_invalid_http_message()
                              ? http1.override_stream_error_on_invalid_http_message().value()
                              : m.stream_error_on_invalid_http_message().value();
  o.limits.allow_no_host = o.go_on_after_invalid;
  o.upgrades_passed_over = proto::compile_list<StringMatcher>(c, http1.ignore_http_11_upgrade(),
                                                              path + ".http_protocol_options.ignore_http_11_upgrade");
  o.accept_http_10 = http1.accept_http_10();
  o.default_host_for_http_10 = http1.default_host_for_http_10();
  if (!h1::parse_authority(o.default_host_for_http_10).valid) {
    c.fail(path + ".http_protocol_options.default_host_for_http_10", "a host was expected, such as example.com");
  }
}

void read_upgrades(Compilation& c, const hcm::HttpConnectionManager& m, const std::string& path, HttpOptions& o) {
  std::set<std::string> seen;
  for (int i = 0; i < m.upgrade_configs_size(); i++) {
    const auto& upgrade = m.upgrade_configs(i);
    std::string type = ascii_lower(upgrade.upgrade_type());
    if (!seen.insert(type).second) {
      c.fail(path + ".upgrade_configs[" + std::to_string(i) + "]", "the upgrade '" + type + "' stands there twice");
    }
    if (!upgrade.has_enabled() || upgrade.enabled().value()) o.upgrades.push_back(std::move(type));
  }
}

CodecType codec_of(const hcm::HttpConnectionManager& m) {
  return m.codec_type() == hcm::HttpConnectionManager::HTTP1 ? CodecType::http1 : CodecType::automatic;
}

// Null if it cannot be used.
const proto::HttpFilterType* filter_type(Compilation& c, const hcm::HttpFilter& filter, const std::string& path,
                                         bool last) {
  std::string_view url = filter.typed_config().type_url();
  const proto::HttpFilterType* type = find_http_filter(url.substr(url.rfind('/') + 1));
  if (!type) {
    if (!filter.is_optional()) c.fail(path, "the filter '" + filter.name() + "' is not built into outrider yet");
    return nullptr;
  }
  if (type->terminal == last) return type;
  c.fail(path, last ? "the last filter must be one that answers every request, such as the router"
                    : "the filter '" + filter.name() + "' answers every request: it must be the last");
  return nullptr;
}

void add_filters(Compilation& c, const hcm::HttpConnectionManager& m, const std::string& path, HttpOptions& o) {
  for (int i = 0; i < m.http_filters_size(); i++) {
    const hcm::HttpFilter& filter = m.http_filters(i);
    std::string at = path + ".http_filters[" + std::to_string(i) + "]";
    const proto::HttpFilterType* type = filter_type(c, filter, at, i + 1 == m.http_filters_size());
    if (!type) continue;
    int slot = type->terminal ? -1 : c.filter_slot(filter.name());
    auto made =
        type->make({c, c, at + ".typed_config", filter.typed_config().value(), "http." + m.stat_prefix() + ".", slot});
    if (made) o.filters.add(std::move(made), {slot, filter.disabled()});
  }
  if (m.http_filters_size() == 0) c.fail(path, "http_filters is empty: the router is missing");
}

std::shared_ptr<HttpOptions> compile_http(Compilation& c, const google::protobuf::Any& any,
                                          const StatScope& listener_stats, const std::string& path) {
  hcm::HttpConnectionManager m;
  if (!unpack(c, any, path, m)) return nullptr;
  auto o = std::make_shared<HttpOptions>();
  o->stat_prefix = m.stat_prefix();
  o->stats = c.process.stats.scope("http." + m.stat_prefix() + ".", http_stat_table());
  o->listener_stats = listener_stats.under("http." + m.stat_prefix() + ".", listener_http_stat_table());
  o->h1_stats = c.process.stats.scope("http1.", h1_stat_table());
  o->codec = codec_of(m);
  o->machine_address = c.process.machine_address;
  o->health = c.process.health;
  read_timeouts(m, *o);
  read_headers(m, *o);
  compile_edge(c, m, path, *o);
  if (m.has_local_reply_config()) {
    compile_local_replies(c, m.local_reply_config(), path + ".local_reply_config", *o);
  }
  read_http1(c, m, path, *o);
  read_upgrades(c, m, path, *o);
  o->routes = compile_routes(c, m.route_config(), path + ".route_config");
  compile_tracing(c, m, path, *o);
  add_filters(c, m, path, *o);
  read_access_log_options(m, *o);
  for (int i = 0; i < m.access_log_size(); i++) {
    auto log = compile_access_log(c, m.access_log(i), path + ".access_log[" + std::to_string(i) + "]");
    if (log) o->access_logs.push_back(std::move(log));
  }
  return o;
}

// "0.0.0.0:80" as a part of a statistic's name.
std::string stat_name(std::string address) {
  std::replace(address.begin(), address.end(), ':', '_');
  return address;
}

// What the connections of a chain get. A chain that cannot be used is looked through all the same, for its other
// mistakes.
std::shared_ptr<HttpOptions> compile_chain(Compilation& c, const envoy::config::listener::v3::FilterChain& chain,
                                           const StatScope& listener_stats, const std::string& path) {
  std::shared_ptr<HttpOptions> http;
  for (int i = 0; i < chain.filters_size(); i++) {
    const auto& any = chain.filters(i).typed_config();
    std::string at = path + ".filters[" + std::to_string(i) + "]";
    if (is_type(any, "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager")) {
      http = compile_http(c, any, listener_stats, at + ".typed_config");
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

void refuse_duplicate(Compilation& c, const ListenerConfig& l, const std::string& path) {
  bool address_known = !c.loaded.doubts(path + ".address");
  for (const ListenerConfig& other : c.snapshot.listeners) {
    bool same_address = other.address == l.address && address_known && l.address.port() != 0;
    if (same_address) {
      c.fail(path + ".address", "the listener '" + other.name + "' has the address " + l.address.text() + " already");
    }
    bool made_from_address = same_address && l.name == l.address.text();
    if (other.name == l.name && !l.name.empty() && !made_from_address) {
      c.fail(path + ".name", "a listener named '" + l.name + "' exists already");
    }
  }
}

}  // namespace

namespace {

namespace lv3 = envoy::config::listener::v3;
constexpr std::string_view kOriginalDst = "envoy.extensions.filters.listener.original_dst.v3.OriginalDst";

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
      http->buffer_bytes_max = proto.per_connection_buffer_limit_bytes().value();
      http->read_bytes_max = read_bytes_max(proto.per_connection_buffer_limit_bytes().value());
    }
    if (http) {
      http->listener_name = proto.name();
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

}  // namespace

void compile_listener(Compilation& c, const envoy::config::listener::v3::Listener& proto, const std::string& path) {
  ListenerConfig l;
  l.address = to_address(c, proto.address(), path + ".address");
  l.name = proto.name().empty() ? l.address.text() : proto.name();
  c.egress = proto.traffic_direction() == envoy::config::core::v3::OUTBOUND;
  l.inbound = proto.traffic_direction() == envoy::config::core::v3::INBOUND;
  if (proto.has_tcp_backlog_size()) l.backlog = static_cast<int>(proto.tcp_backlog_size().value());
  std::string stat = proto.stat_prefix().empty() ? stat_name(l.address.text()) : proto.stat_prefix();
  l.stats = c.process.stats.scope("listener." + stat + ".", listener_stat_table());
  l.binds = proto.has_bind_to_port()                   ? proto.bind_to_port().value()
            : proto.deprecated_v1().has_bind_to_port() ? proto.deprecated_v1().bind_to_port().value()
                                                       : true;
  bool is_udp = proto.address().socket_address().protocol() == envoy::config::core::v3::SocketAddress::UDP;
  if (!is_udp) refuse_duplicate(c, l, path);
  compile_chains(c, proto, path, l);
  compile_listener_filters(c, proto, path, l);
  if (!is_udp) c.snapshot.listeners.push_back(std::move(l));
}

}  // namespace outrider::config
