// The statistics of an HTTP connection manager, under Envoy's names: http.<stat_prefix>.*
#pragma once
#include "observe/counters.h"

namespace outrider {

#define OUTRIDER_HTTP_STATS(COUNTER, GAUGE, HISTOGRAM)   \
  COUNTER(downstream_cx_total)                           \
  COUNTER(downstream_cx_http1_total)                     \
  COUNTER(downstream_cx_http2_total)                     \
  COUNTER(downstream_cx_upgrades_total)                  \
  COUNTER(downstream_cx_destroy)                         \
  COUNTER(downstream_cx_destroy_active_rq)               \
  COUNTER(downstream_cx_destroy_local)                   \
  COUNTER(downstream_cx_destroy_local_active_rq)         \
  COUNTER(downstream_cx_destroy_remote)                  \
  COUNTER(downstream_cx_destroy_remote_active_rq)        \
  COUNTER(downstream_cx_drain_close)                     \
  COUNTER(downstream_cx_idle_timeout)                    \
  COUNTER(downstream_cx_max_duration_reached)            \
  COUNTER(downstream_cx_max_requests_reached)            \
  COUNTER(downstream_cx_protocol_error)                  \
  COUNTER(downstream_cx_rx_bytes_total)                  \
  COUNTER(downstream_cx_tx_bytes_total)                  \
  COUNTER(downstream_cx_delayed_close_timeout)           \
  COUNTER(downstream_rq_total)                           \
  COUNTER(downstream_rq_http1_total)                     \
  COUNTER(downstream_rq_http2_total)                     \
  COUNTER(downstream_rq_1xx)                             \
  COUNTER(downstream_rq_2xx)                             \
  COUNTER(downstream_rq_3xx)                             \
  COUNTER(downstream_rq_4xx)                             \
  COUNTER(downstream_rq_5xx)                             \
  COUNTER(downstream_rq_completed)                       \
  COUNTER(downstream_rq_response_before_rq_complete)     \
  COUNTER(downstream_rq_rx_reset)                        \
  COUNTER(downstream_rq_tx_reset)                        \
  COUNTER(downstream_rq_non_relative_path)               \
  COUNTER(downstream_rq_too_large)                       \
  COUNTER(downstream_rq_too_many_premature_resets)       \
  COUNTER(downstream_rq_timeout)                         \
  COUNTER(downstream_rq_failed_path_normalization)       \
  COUNTER(downstream_rq_header_timeout)                  \
  COUNTER(downstream_rq_rejected_via_ip_detection)       \
  COUNTER(downstream_rq_idle_timeout)                    \
  COUNTER(downstream_rq_max_duration_reached)            \
  COUNTER(downstream_rq_ws_on_non_ws_route)              \
  COUNTER(downstream_rq_redirected_with_normalized_path) \
  COUNTER(no_route)                                      \
  COUNTER(no_cluster)                                    \
  COUNTER(rq_direct_response)                            \
  COUNTER(rq_loop)                                       \
  COUNTER(rq_redirect)                                   \
  COUNTER(rq_total)                                      \
  COUNTER(rs_too_large)                                  \
  GAUGE(downstream_cx_active)                            \
  GAUGE(downstream_cx_http1_active)                      \
  GAUGE(downstream_cx_http2_active)                      \
  GAUGE(downstream_cx_upgrades_active)                   \
  GAUGE(downstream_rq_active)                            \
  HISTOGRAM(downstream_cx_length_ms)                     \
  HISTOGRAM(downstream_rq_time)

enum class HttpStat : std::uint16_t {
#define X(name) name,
  OUTRIDER_HTTP_STATS(X, X, X)
#undef X
      count
};

// Those of a listener: listener.<address>.*
#define OUTRIDER_LISTENER_STATS(COUNTER, GAUGE, HISTOGRAM) \
  COUNTER(downstream_cx_total)                             \
  COUNTER(downstream_cx_destroy)                           \
  COUNTER(downstream_cx_overflow)                          \
  COUNTER(downstream_cx_overload_reject)                   \
  COUNTER(downstream_global_cx_overflow)                   \
  COUNTER(downstream_accept_emfile)                        \
  COUNTER(no_filter_chain_match)                           \
  GAUGE(downstream_cx_active)                              \
  HISTOGRAM(downstream_cx_length_ms)

enum class ListenerStat : std::uint16_t {
#define X(name) name,
  OUTRIDER_LISTENER_STATS(X, X, X)
#undef X
      count
};

// What a listener counts of its connection managers' responses: listener.<address>.http.<stat_prefix>.*
#define OUTRIDER_LISTENER_HTTP_STATS(COUNTER) \
  COUNTER(downstream_rq_1xx)                  \
  COUNTER(downstream_rq_2xx)                  \
  COUNTER(downstream_rq_3xx)                  \
  COUNTER(downstream_rq_4xx)                  \
  COUNTER(downstream_rq_5xx)                  \
  COUNTER(downstream_rq_completed)

enum class ListenerHttpStat : std::uint16_t {
#define X(name) name,
  OUTRIDER_LISTENER_HTTP_STATS(X)
#undef X
      count
};

// Of the HTTP/1 codec: http1.*
#define OUTRIDER_H1_STATS(COUNTER)                       \
  COUNTER(dropped_headers_with_underscores)              \
  COUNTER(metadata_not_supported_error)                  \
  COUNTER(requests_rejected_with_underscores_in_headers) \
  COUNTER(response_flood)

enum class H1Stat : std::uint16_t {
#define X(name) name,
  OUTRIDER_H1_STATS(X)
#undef X
      count
};

// Of the HTTP/2 codec: http2.*, and cluster.<name>.http2.*
#define OUTRIDER_H2_STATS(COUNTER, GAUGE)                \
  COUNTER(dropped_headers_with_underscores)              \
  COUNTER(goaway_sent)                                   \
  COUNTER(header_list_size_too_large)                    \
  COUNTER(header_overflow)                               \
  COUNTER(inbound_empty_frames_flood)                    \
  COUNTER(inbound_priority_frames_flood)                 \
  COUNTER(inbound_window_update_frames_flood)            \
  COUNTER(keepalive_timeout)                             \
  COUNTER(outbound_control_flood)                        \
  COUNTER(outbound_flood)                                \
  COUNTER(requests_rejected_with_underscores_in_headers) \
  COUNTER(rx_messaging_error)                            \
  COUNTER(rx_reset)                                      \
  COUNTER(stream_refused_errors)                         \
  COUNTER(trailers)                                      \
  COUNTER(tx_reset)                                      \
  GAUGE(outbound_control_frames_active)                  \
  GAUGE(outbound_frames_active)                          \
  GAUGE(pending_send_bytes)                              \
  GAUGE(streams_active)

enum class H2Stat : std::uint16_t {
#define X(name) name,
  OUTRIDER_H2_STATS(X, X)
#undef X
      count
};

const StatTable& h2_stat_table();
const StatTable& http_stat_table();
const StatTable& listener_http_stat_table();
const StatTable& h1_stat_table();
const StatTable& listener_stat_table();

}  // namespace outrider
