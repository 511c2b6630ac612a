#include <fmt/format.h>
#include <gtest/gtest.h>

#include "config/compile.h"
#include "config/schema.h"
#include "http/h2_options.h"
#include "http/http_options.h"

namespace outrider::config {
namespace {

// A file of one listener and one cluster; what was made of it, or the problems.
class Compiled {
 public:
  explicit Compiled(const std::string& text) : Compiled("f.yaml", text) {}
  Compiled(std::string_view name, const std::string& text) {
    static const Schema schema;
    auto loaded = load_text(schema, name, text);
    auto made = loaded ? compile(*loaded, nullptr, process_) : std::unexpected(loaded.error());
    if (made) {
      snapshot_ = *made;
    } else {
      for (const Problem& each : made.error()) problems += to_text(each) + "\n";
    }
  }
  const ClusterOptions& cluster() const { return snapshot_->clusters.begin()->second->options; }
  const HttpOptions& http() const { return *snapshot_->listeners.at(0).http; }
  bool made() const { return snapshot_ != nullptr; }
  std::string problems;

 private:
  StatRegistry stats_;
  LogFiles logs_{{.stats = nullptr, .touches_files = false}};
  Process process_{stats_, logs_, 1, [] { return 0; }, {}, {}, {}, {}};
  SnapshotPtr snapshot_;
};

std::string v3_cluster(std::string_view options) {
  return fmt::format(
      "static_resources: {{clusters: [{{name: c, typed_extension_protocol_options: {{"
      "envoy.extensions.upstreams.http.v3.HttpProtocolOptions: {{'@type': "
      "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, {}}}}}}}]}}",
      options);
}
std::string v3_listener(std::string_view fields) {
  return fmt::format(R"(static_resources:
  listeners:
  - name: l
    address: {{socket_address: {{address: 127.0.0.1, port_value: 1}}}}
    filter_chains:
    - filters:
      - name: http
        typed_config:
          '@type': type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager
          stat_prefix: s
          http_filters: [{{name: envoy.filters.http.router, typed_config: {{
            '@type': type.googleapis.com/envoy.extensions.filters.http.router.v3.Router}}}}]
          route_config: {{virtual_hosts: []}}
          {}
)",
                     fields);
}

TEST(CompileH2, ClustersSpeakHttp2WhereEveryDialectSaysSo) {
  struct Case {
    std::string file;
    bool h2, as_downstream;
  };
  const Case cases[] = {
      {"static_resources: {clusters: [{name: c}]}", false, false},
      {R"({"listeners": [], "cluster_manager": {"clusters": [{"name": "c", "type": "static", "lb_type": "round_robin",
          "connect_timeout_ms": 1, "features": "http2", "hosts": []}]}, "admin": {"access_log_path": "/dev/null",
          "address": "tcp://127.0.0.1:0"}})",
       true, false},
      {"static_resources: {clusters: [{name: c, http2_protocol_options: {}}]}", true, false},
      {"static_resources: {clusters: [{name: c, http2_protocol_options: ~}]}", true, false},
      {"static_resources: {clusters: [{name: c, protocol_selection: USE_DOWNSTREAM_PROTOCOL}]}", true, true},
      {v3_cluster("explicit_http_config: {http_protocol_options: {}}"), false, false},
      {v3_cluster("explicit_http_config: {http2_protocol_options: {}}"), true, false},
      {v3_cluster("use_downstream_protocol_config: {}"), true, true},
      {v3_cluster("use_downstream_protocol_config: {http2_protocol_options: {}}"), true, true},
  };
  for (const Case& one : cases) {
    Compiled compiled(one.file.starts_with('{') ? "f.json" : "f.yaml", one.file);
    ASSERT_TRUE(compiled.made()) << one.file << "\n" << compiled.problems;
    const ClusterOptions& o = compiled.cluster();
    EXPECT_EQ(o.h2 != nullptr, one.h2) << one.file;
    EXPECT_EQ(o.as_downstream, one.as_downstream) << one.file;
    EXPECT_EQ(o.speaks_h2(Version::http11), one.h2 && !one.as_downstream) << one.file;
    EXPECT_EQ(o.speaks_h2(Version::http2), one.h2) << one.file;
  }
}

TEST(CompileH2, EverySettingIsTaken) {
  Compiled compiled(
      v3_cluster("common_http_protocol_options: {max_headers_count: 7, max_response_headers_kb: 3}, "
                 "explicit_http_config: {http2_protocol_options: {hpack_table_size: 11, max_concurrent_streams: 12, "
                 "initial_stream_window_size: 65536, initial_connection_window_size: 65537, allow_connect: true, "
                 "max_outbound_frames: 13, max_outbound_control_frames: 14, "
                 "max_consecutive_inbound_frames_with_empty_payload: 15, max_inbound_priority_frames_per_stream: 16, "
                 "max_inbound_window_update_frames_per_data_frame_sent: 17, "
                 "override_stream_error_on_invalid_http_message: true, "
                 "custom_settings_parameters: [{identifier: 5, value: 20000}, {identifier: 99, value: 18}], "
                 "connection_keepalive: {interval: 1s, timeout: 2s, interval_jitter: {value: 3}, "
                 "connection_idle_interval: 4s}}}"));
  ASSERT_TRUE(compiled.made()) << compiled.problems;
  const H2Options& o = *compiled.cluster().h2;
  const h2::Settings& s = o.codec.settings;
  EXPECT_EQ(s.header_table_size, 11u);
  EXPECT_EQ(s.max_concurrent_streams, 12u);
  EXPECT_EQ(s.initial_window_size, 65'536u);
  EXPECT_EQ(o.codec.connection_window, 65'537u);
  EXPECT_TRUE(s.enable_connect_protocol);
  EXPECT_EQ(s.max_frame_size, 20'000u);
  EXPECT_EQ(o.codec.more_settings, (std::vector<std::pair<std::uint16_t, std::uint32_t>>{{99, 18}}));
  const h2::FloodLimits& f = o.codec.floods;
  EXPECT_EQ(f.outbound_frames, 13u);
  EXPECT_EQ(f.outbound_control_frames, 14u);
  EXPECT_EQ(f.empty_frames_in_a_row, 15u);
  EXPECT_EQ(f.priority_frames_per_stream, 16u);
  EXPECT_EQ(f.window_updates_per_data_frame, 17u);
  EXPECT_TRUE(o.codec.lenient);
  EXPECT_EQ(o.codec.head.bytes_max, 3072u);
  EXPECT_EQ(o.codec.head.field_count_max, 7u);
  EXPECT_EQ(o.keepalive.interval, std::chrono::seconds(1));
  EXPECT_EQ(o.keepalive.timeout, std::chrono::seconds(2));
  EXPECT_EQ(o.keepalive.jitter_percent, 3);
  EXPECT_EQ(o.keepalive.idle, std::chrono::seconds(4));
}

TEST(CompileH2, CustomSettingsThatEnvoyRefusesAreRefused) {
  struct Case {
    std::string_view options, why;
  };
  constexpr Case kCases[] = {
      {"custom_settings_parameters: [{identifier: 2, value: 1}]", "nobody pushes"},
      {"custom_settings_parameters: [{identifier: 8, value: 1}]", "is set by allow_connect"},
      {"max_concurrent_streams: 8, custom_settings_parameters: [{identifier: 3, value: 7}]",
       "`max_concurrent_streams` says the same"},
      {"custom_settings_parameters: [{identifier: 99, value: 1}, {identifier: 99, value: 2}]", "stands here twice"},
      {"custom_settings_parameters: [{identifier: 5, value: 1}]", "1 is not allowed there"},
  };
  for (const Case& one : kCases) {
    Compiled compiled(v3_cluster(fmt::format("explicit_http_config: {{http2_protocol_options: {{{}}}}}", one.options)));
    EXPECT_FALSE(compiled.made());
    EXPECT_NE(compiled.problems.find(one.why), std::string::npos) << compiled.problems;
  }
}

TEST(CompileH2, ListenersHaveTheirOptionsAndWhatUnreadStreamsMayHold) {
  struct Case {
    std::string_view fields;
    CodecType codec;
    std::uint32_t streams;
    bool lenient;
  };
  constexpr Case kCases[] = {
      {"", CodecType::automatic, 1024, false},
      {"codec_type: HTTP1", CodecType::http1, 1024, false},
      {"codec_type: HTTP2\n          http2_protocol_options: {max_concurrent_streams: 3}", CodecType::http2, 3, false},
      {"stream_error_on_invalid_http_message: true", CodecType::automatic, 1024, true},
      {"stream_error_on_invalid_http_message: true\n          http2_protocol_options: "
       "{override_stream_error_on_invalid_http_message: false}",
       CodecType::automatic, 1024, false},
  };
  for (const Case& one : kCases) {
    Compiled compiled(v3_listener(one.fields));
    ASSERT_TRUE(compiled.made()) << one.fields << compiled.problems;
    const H2Options& o = *compiled.http().h2;
    EXPECT_EQ(compiled.http().codec, one.codec) << one.fields;
    EXPECT_EQ(o.codec.settings.max_concurrent_streams, one.streams) << one.fields;
    EXPECT_EQ(o.codec.settings.initial_window_size, 256u * 1024) << one.fields;
    EXPECT_EQ(o.codec.connection_window, 1024u * 1024) << one.fields;
    EXPECT_EQ(o.codec.head.bytes_max, 60u * 1024) << one.fields;
    EXPECT_EQ(o.codec.lenient, one.lenient) << one.fields;
  }
}

TEST(CompileH2, OldListenersSayItToo) {
  Compiled v1("f.json", R"({"listeners": [{"address": "tcp://127.0.0.1:1", "filters": [{"type": "read",
      "name": "http_connection_manager", "config": {"codec_type": "http2", "stat_prefix": "s",
      "http2_settings": {"max_concurrent_streams": 5}, "route_config": {"virtual_hosts": []},
      "filters": [{"type": "decoder", "name": "router", "config": {}}]}}]}],
      "cluster_manager": {"clusters": []},
      "admin": {"access_log_path": "/dev/null", "address": "tcp://127.0.0.1:0"}})");
  ASSERT_TRUE(v1.made()) << v1.problems;
  EXPECT_EQ(v1.http().codec, CodecType::http2);
  EXPECT_EQ(v1.http().h2->codec.settings.max_concurrent_streams, 5u);
}

TEST(CompileH2, OptionsStandAtTheNameOfTheirType) {
  Compiled wrong(
      "static_resources: {clusters: [{name: c, typed_extension_protocol_options: {http: {'@type': "
      "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions, "
      "explicit_http_config: {http2_protocol_options: {}}}}}]}");
  EXPECT_FALSE(wrong.made());
  EXPECT_NE(wrong.problems.find("nobody goes by this name"), std::string::npos) << wrong.problems;
}

}  // namespace
}  // namespace outrider::config
