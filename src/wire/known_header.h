#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace outrider {

// The field names that the proxy itself reads or writes, with their spelling on the wire. A name that only one filter
// reads (x-envoy-fault-*, x-b3-*, a configured header) is found by name instead: Headers::find(std::string_view).
// At most 63, so that one word can say which of them a message has.
#define OUTRIDER_KNOWN_HEADERS(X)                                                         \
  X(host, "host")                                                                         \
  X(connection, "connection")                                                             \
  X(content_length, "content-length")                                                     \
  X(transfer_encoding, "transfer-encoding")                                               \
  X(expect, "expect")                                                                     \
  X(upgrade, "upgrade")                                                                   \
  X(keep_alive, "keep-alive")                                                             \
  X(te, "te")                                                                             \
  X(trailer, "trailer")                                                                   \
  X(proxy_connection, "proxy-connection")                                                 \
  X(http2_settings, "http2-settings")                                                     \
  X(date, "date")                                                                         \
  X(server, "server")                                                                     \
  X(via, "via")                                                                           \
  X(location, "location")                                                                 \
  X(content_type, "content-type")                                                         \
  X(content_encoding, "content-encoding")                                                 \
  X(accept, "accept")                                                                     \
  X(accept_encoding, "accept-encoding")                                                   \
  X(user_agent, "user-agent")                                                             \
  X(referer, "referer")                                                                   \
  X(origin, "origin")                                                                     \
  X(authorization, "authorization")                                                       \
  X(cookie, "cookie")                                                                     \
  X(set_cookie, "set-cookie")                                                             \
  X(grpc_status, "grpc-status")                                                           \
  X(grpc_message, "grpc-message")                                                         \
  X(grpc_timeout, "grpc-timeout")                                                         \
  X(traceparent, "traceparent")                                                           \
  X(x_request_id, "x-request-id")                                                         \
  X(x_client_trace_id, "x-client-trace-id")                                               \
  X(x_forwarded_for, "x-forwarded-for")                                                   \
  X(x_forwarded_proto, "x-forwarded-proto")                                               \
  X(x_forwarded_host, "x-forwarded-host")                                                 \
  X(x_forwarded_port, "x-forwarded-port")                                                 \
  X(x_forwarded_client_cert, "x-forwarded-client-cert")                                   \
  X(x_envoy_external_address, "x-envoy-external-address")                                 \
  X(x_envoy_internal, "x-envoy-internal")                                                 \
  X(x_envoy_original_path, "x-envoy-original-path")                                       \
  X(x_envoy_original_host, "x-envoy-original-host")                                       \
  X(x_envoy_expected_rq_timeout_ms, "x-envoy-expected-rq-timeout-ms")                     \
  X(x_envoy_upstream_service_time, "x-envoy-upstream-service-time")                       \
  X(x_envoy_upstream_rq_timeout_ms, "x-envoy-upstream-rq-timeout-ms")                     \
  X(x_envoy_upstream_rq_per_try_timeout_ms, "x-envoy-upstream-rq-per-try-timeout-ms")     \
  X(x_envoy_upstream_rq_timeout_alt_response, "x-envoy-upstream-rq-timeout-alt-response") \
  X(x_envoy_max_retries, "x-envoy-max-retries")                                           \
  X(x_envoy_retry_on, "x-envoy-retry-on")                                                 \
  X(x_envoy_retry_grpc_on, "x-envoy-retry-grpc-on")                                       \
  X(x_envoy_retriable_status_codes, "x-envoy-retriable-status-codes")                     \
  X(x_envoy_retriable_header_names, "x-envoy-retriable-header-names")                     \
  X(x_envoy_hedge_on_per_try_timeout, "x-envoy-hedge-on-per-try-timeout")                 \
  X(x_envoy_attempt_count, "x-envoy-attempt-count")                                       \
  X(x_envoy_overloaded, "x-envoy-overloaded")                                             \
  X(x_envoy_ratelimited, "x-envoy-ratelimited")                                           \
  X(x_envoy_immediate_health_check_fail, "x-envoy-immediate-health-check-fail")           \
  X(x_envoy_degraded, "x-envoy-degraded")                                                 \
  X(x_envoy_decorator_operation, "x-envoy-decorator-operation")                           \
  X(x_envoy_downstream_service_cluster, "x-envoy-downstream-service-cluster")             \
  X(x_envoy_downstream_service_node, "x-envoy-downstream-service-node")                   \
  X(x_envoy_is_timeout_retry, "x-envoy-is-timeout-retry")                                 \
  X(cdn_loop, "cdn-loop")                                                                 \
  X(x_envoy_ip_tags, "x-envoy-ip-tags")

enum class Known : uint8_t {
  none,  // a name outside the table
#define X(id, text) id,
  OUTRIDER_KNOWN_HEADERS(X)
#undef X
      count
};
static_assert(static_cast<size_t>(Known::count) <= 64, "the presence mask is one word");

// The Known of a lower-case name; Known::none when the name is not in the table. A few nanoseconds.
Known known_of(std::string_view lower_case_name);

// The lower-case name; empty for Known::none. Static storage.
std::string_view name_of(Known known);

}  // namespace outrider
