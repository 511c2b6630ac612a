#include <set>

#include "config/compile_discovery.h"
#include "config/compile_h2.h"
#include "config/compile_parts.h"
#include "config/compile_tracing.h"
#include "config/http_filters.h"
#include "core/ascii.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "http/http_stats.h"
#include "proto/matcher.h"
#include "wire/h1_target.h"

namespace outrider::config {
namespace {

namespace hcm = envoy::extensions::filters::network::http_connection_manager::v3;

void read_timeouts(const hcm::HttpConnectionManager& m, HttpOptions& o) {
  const auto& common = m.common_http_protocol_options();
  if (common.has_idle_timeout()) o.idle_timeout = to_ms(common.idle_timeout());
  if (common.has_max_connection_duration()) o.max_connection_duration = to_ms(common.max_connection_duration());
  if (common.has_max_stream_duration()) o.max_stream_duration = to_ms(common.max_stream_duration());
  if (common.has_max_requests_per_connection())
    o.max_requests_per_connection = common.max_requests_per_connection().value();
  if (common.has_max_headers_count()) o.limits.field_count_max = common.max_headers_count().value();
  if (m.has_drain_timeout()) o.drain_timeout = to_ms(m.drain_timeout());
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
  o.proper_case_names = http1.header_key_format().has_proper_case_words();
  o.default_host_for_http_10 = http1.default_host_for_http_10();
  if (!h1::parse_authority(o.default_host_for_http_10).valid) {
    c.fail(path + ".http_protocol_options.default_host_for_http_10", "a host was expected, such as example.com");
  }
}

void read_http2(Compilation& c, const hcm::HttpConnectionManager& m, const std::string& path, HttpOptions& o) {
  const auto& http2 = m.http2_protocol_options();
  auto h2 = compile_h2(c, http2, path + ".http2_protocol_options", o.limits, "");
  if (m.has_stream_error_on_invalid_http_message() && !http2.has_override_stream_error_on_invalid_http_message()) {
    h2->codec.lenient = m.stream_error_on_invalid_http_message().value();
  }
  if (c.routes_upgrade) h2->codec.settings.enable_connect_protocol = true;
  o.h2 = std::move(h2);
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
  if (m.codec_type() == hcm::HttpConnectionManager::HTTP2) return CodecType::http2;
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
  for (const hcm::HttpFilter& filter : m.http_filters()) c.filters_of_routes.erase(filter.name());
  for (const auto& [name, at] : std::exchange(c.filters_of_routes, {})) {
    c.warn(at, "no filter of this connection manager is named '" + name + "': this has no effect");
  }
  if (m.http_filters_size() == 0) c.fail(path, "http_filters is empty: the router is missing");
}

}  // namespace

std::shared_ptr<HttpOptions> compile_connection_manager(Compilation& c, const google::protobuf::Any& any,
                                                        const StatScope& listener_stats, const std::string& path) {
  hcm::HttpConnectionManager m;
  if (!m.ParseFromString(any.value())) {
    c.fail(path, "is not a valid " + any.type_url());
    return nullptr;
  }
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
  c.routes_upgrade = !o->upgrades.empty() || m.has_rds();  // Nobody knows what will come.
  o->routes = m.has_rds() ? compile_discovered_routes(c, m.rds(), m.stat_prefix(), path + ".rds")
                          : compile_routes(c, m.route_config(), path + ".route_config");
  read_http2(c, m, path, *o);
  compile_tracing(c, m, path, *o);
  add_filters(c, m, path, *o);
  read_access_log_options(m, *o);
  for (int i = 0; i < m.access_log_size(); i++) {
    auto log = compile_access_log(c, m.access_log(i), path + ".access_log[" + std::to_string(i) + "]");
    if (log) o->access_logs.push_back(std::move(log));
  }
  return o;
}

}  // namespace outrider::config
