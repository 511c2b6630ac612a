#include "config/compile_h2.h"

#include <fmt/format.h>

#include "envoy/config/core/v3/protocol.pb.h"

namespace outrider::config {
namespace {

using Proto = envoy::config::core::v3::Http2ProtocolOptions;
using h2::Setting;

// What an unread stream, and an unread connection, may hold of us. Envoy's are 16 and 24 MiB.
constexpr std::uint32_t kStreamWindow = 256 * 1024, kConnectionWindow = 1024 * 1024;

template <class Value>
void take(const Value& value, bool is_set, std::uint32_t& into) {
  if (is_set) into = value.value();
}

void read_settings(const Proto& proto, h2::Options& o) {
  o.settings.enable_push = false;
  o.settings.max_concurrent_streams = H2Options::kConcurrentStreams;
  o.settings.initial_window_size = kStreamWindow;
  o.connection_window = kConnectionWindow;
  take(proto.hpack_table_size(), proto.has_hpack_table_size(), o.settings.header_table_size);
  take(proto.max_concurrent_streams(), proto.has_max_concurrent_streams(), o.settings.max_concurrent_streams);
  take(proto.initial_stream_window_size(), proto.has_initial_stream_window_size(), o.settings.initial_window_size);
  take(proto.initial_connection_window_size(), proto.has_initial_connection_window_size(), o.connection_window);
  o.settings.enable_connect_protocol = proto.allow_connect();
}

void read_floods(const Proto& proto, h2::FloodLimits& o) {
  take(proto.max_outbound_frames(), proto.has_max_outbound_frames(), o.outbound_frames);
  take(proto.max_outbound_control_frames(), proto.has_max_outbound_control_frames(), o.outbound_control_frames);
  take(proto.max_consecutive_inbound_frames_with_empty_payload(),
       proto.has_max_consecutive_inbound_frames_with_empty_payload(), o.empty_frames_in_a_row);
  take(proto.max_inbound_priority_frames_per_stream(), proto.has_max_inbound_priority_frames_per_stream(),
       o.priority_frames_per_stream);
  take(proto.max_inbound_window_update_frames_per_data_frame_sent(),
       proto.has_max_inbound_window_update_frames_per_data_frame_sent(), o.window_updates_per_data_frame);
}

// The field of Http2ProtocolOptions that says the same, where the file has it.
std::string_view said_by_name(const Proto& proto, Setting setting) {
  if (setting == Setting::header_table_size && proto.has_hpack_table_size()) return "hpack_table_size";
  if (setting == Setting::max_concurrent_streams && proto.has_max_concurrent_streams()) return "max_concurrent_streams";
  if (setting == Setting::initial_window_size && proto.has_initial_stream_window_size()) {
    return "initial_stream_window_size";
  }
  return {};
}

// Why Envoy does not take it; empty: it does.
std::string refusal(const Proto& proto, Setting setting, std::uint32_t value, h2::Options& o) {
  if (setting == Setting::enable_push && value != 0) return "nobody pushes: SETTINGS_ENABLE_PUSH can only be 0";
  if (setting == Setting::enable_connect_protocol) return "SETTINGS_ENABLE_CONNECT_PROTOCOL is set by allow_connect";
  if (std::string_view name = said_by_name(proto, setting); !name.empty()) {
    return fmt::format("`{}` says the same", name);
  }
  if (setting == Setting::enable_push) return {};
  if (o.settings.take(static_cast<std::uint16_t>(setting), value)) return fmt::format("{} is not allowed there", value);
  return {};
}

bool is_known(Setting setting) { return setting <= Setting::max_header_list_size; }

void read_custom_settings(Compilation& c, const Proto& proto, const std::string& path, h2::Options& o) {
  for (int i = 0; i < proto.custom_settings_parameters_size(); i++) {
    const auto& one = proto.custom_settings_parameters(i);
    auto setting = static_cast<Setting>(one.identifier().value());
    std::string at = path + ".custom_settings_parameters[" + std::to_string(i) + "]";
    for (int before = 0; before < i; before++) {
      const auto& other = proto.custom_settings_parameters(before);
      if (other.identifier().value() == one.identifier().value() && other.value().value() != one.value().value()) {
        c.fail(at, fmt::format("setting {} stands here twice, with different values", one.identifier().value()));
      }
    }
    if (std::string why = refusal(proto, setting, one.value().value(), o); !why.empty()) c.fail(at, std::move(why));
    if (is_known(setting)) continue;
    o.more_settings.emplace_back(static_cast<std::uint16_t>(setting), one.value().value());
  }
}

H2Keepalive keepalive_of(const envoy::config::core::v3::KeepaliveSettings& proto) {
  H2Keepalive k;
  if (proto.has_interval()) k.interval = to_ms(proto.interval());
  k.timeout = to_ms(proto.timeout());
  if (proto.has_interval_jitter()) k.jitter_percent = proto.interval_jitter().value();
  if (proto.has_connection_idle_interval()) k.idle = to_ms(proto.connection_idle_interval());
  return k;
}

}  // namespace

std::shared_ptr<H2Options> compile_h2(Compilation& c, const Proto& proto, const std::string& path,
                                      const h1::Limits& heads, const std::string& prefix) {
  auto made = std::make_shared<H2Options>();
  H2Options& o = *made;
  read_settings(proto, o.codec);
  read_floods(proto, o.codec.floods);
  read_custom_settings(c, proto, path, o.codec);
  o.codec.lenient = proto.has_override_stream_error_on_invalid_http_message()
                        ? proto.override_stream_error_on_invalid_http_message().value()
                        : proto.stream_error_on_invalid_http_messaging();
  if (proto.has_connection_keepalive()) o.keepalive = keepalive_of(proto.connection_keepalive());
  o.codec.head = o.codec.trailers = {static_cast<std::uint32_t>(heads.head_bytes_max),
                                     static_cast<std::uint32_t>(heads.field_count_max)};
  o.stats = c.process.stats.scope(prefix + "http2.", h2_stat_table());
  return made;
}

}  // namespace outrider::config
