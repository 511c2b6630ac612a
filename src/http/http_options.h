// What an HTTP connection manager was configured to do; immutable, one for each filter chain.
#pragma once
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "core/block_pool.h"
#include "core/clock.h"
#include "http/client_address.h"
#include "http/filter.h"
#include "http/matcher.h"
#include "http/path_normalization.h"
#include "http/route_entry.h"
#include "http/server_health.h"
#include "observe/counters.h"
#include "wire/h1.h"

namespace outrider {

class AccessLog;
struct H2Options;
struct LocalReplies;
struct Metadata;

enum class CodecType : std::uint8_t { automatic, http1, http2 };
enum class Underscores : std::uint8_t { allow, drop, reject };  // Fields with one in their name.
enum class StripPort : std::uint8_t { none, matching, any };    // From the host; matching: the listener's.
enum class ServerHeader : std::uint8_t { overwrite, append_if_absent, pass_through };

// What the connection manager's access_log_options ask for besides the line at the end.
struct AccessLogOptions {
  bool on_new_request = false;
  bool on_tunnel_established = false;
  std::chrono::milliseconds interval{0};  // Between lines of a request that goes on; 0: none.
};

// Zero turns a time-out off, unless it says otherwise.
struct HttpOptions {
  std::string stat_prefix;
  std::shared_ptr<StatScope> stats;  // http.<stat_prefix>.
  // listener.<address>.http.<stat_prefix>. and http1. Null in services of the program itself.
  std::shared_ptr<StatScope> listener_stats, h1_stats;
  CodecType codec = CodecType::automatic;
  h1::Limits limits;
  std::shared_ptr<const H2Options> h2;                                      // Null: HTTP/2 is not spoken.
  std::chrono::milliseconds idle_timeout = std::chrono::hours(1);           // Of a connection without a request.
  std::chrono::milliseconds stream_idle_timeout = std::chrono::minutes(5);  // Of a request without progress.
  std::chrono::milliseconds request_timeout{0};                             // To receive a whole request.
  std::chrono::milliseconds request_headers_timeout{0};                     // To receive a head, from its first byte.
  std::chrono::milliseconds max_connection_duration{0};
  // A connection that is idle for too long, or lives too long, still serves a request that is on its way.
  std::chrono::milliseconds drain_timeout{5000};
  std::chrono::milliseconds max_stream_duration{0};  // From a request's first byte to its response's last.
  std::chrono::milliseconds delayed_close_timeout = std::chrono::seconds(1);  // For the peer to read our last words.
  std::uint32_t max_requests_per_connection = 0;                              // 0: no limit.
  std::string server_name = "envoy";
  ServerHeader server_header = ServerHeader::overwrite;
  bool generate_request_id = true;
  bool preserve_external_request_id = false;
  bool request_id_in_response = false;  // x-request-id goes back to the client.
  ClientIdentity client;
  std::vector<std::string> internal_only_headers;  // Removed unless the client is internal; lower case.
  PathNormalization path_normalization;
  Underscores underscores = Underscores::allow;
  StripPort strip_port = StripPort::none;
  bool strip_trailing_host_dot = false;
  std::string scheme_to_overwrite;  // Empty: that of the request.
  std::string via;                  // Empty: none is added.
  std::string user_agent;           // add_user_agent: the name of our own service cluster; empty: not asked for.
  std::string node_id;
  std::string machine_address;  // IP that stands in x-forwarded-for for a client on this machine.
  bool accept_http_10 = false;
  std::string default_host_for_http_10;
  bool allow_chunked_length = false;  // Of a chunked request, content-length is dropped instead of refused.
  bool go_on_after_invalid = false;   // stream_error_on_invalid_http_message: some refusals leave the connection open.
  StringMatchers upgrades_passed_over;  // Upgrades that HTTP/1 requests ask for in vain; the request goes on without.
  bool proxy_100_continue = false;      // `expect: 100-continue` is the backend's to answer.
  // No read from a client takes more (per_connection_buffer_limit_bytes).
  std::size_t read_bytes_max = BlockPool::kBodyBytes;
  // What a filter may hold of a body that it wants to see whole (per_connection_buffer_limit_bytes).
  std::size_t buffer_bytes_max = 1024 * 1024;
  // False for services of the program itself (admin, echo): their requests get no x-forwarded-proto or x-request-id.
  bool edge = true;
  const ServerHealth* health = &kHealthyServer;  // Of the process; outlives all options.
  bool proper_case_names = false;                // Field names of responses are Written-So (header_key_format).
  std::vector<std::string> upgrades;             // Protocols that may be upgraded to on every route, lower case.
  std::shared_ptr<const RouteSource> routes;     // Null for services that have none.
  FilterChain filters;
  std::shared_ptr<const LocalReplies> local_replies;  // Null: they stay as they are.
  std::vector<std::shared_ptr<AccessLog>> access_logs;
  std::vector<std::shared_ptr<AccessLog>> connection_logs;  // The listener's: a line when a connection has ended.
  AccessLogOptions access_log_options;
  std::string listener_name, filter_chain_name;                              // For logs.
  std::shared_ptr<const Metadata> listener_metadata, filter_chain_metadata;  // Null: none.

  // Of the time-outs that a connection may run into; the longest time there is, when all are off.
  std::chrono::milliseconds shortest_timeout() const {
    auto shortest = std::chrono::milliseconds::max();
    for (std::chrono::milliseconds t : {idle_timeout, stream_idle_timeout, request_timeout, request_headers_timeout,
                                        max_connection_duration, max_stream_duration}) {
      if (t.count() > 0 && t < shortest) shortest = t;
    }
    return shortest;
  }
};

}  // namespace outrider
