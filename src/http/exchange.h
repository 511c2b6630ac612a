// Exchange: one request and its response, with everything that lives as long as they do.
#pragma once
#include <optional>
#include <string_view>

#include "core/arena.h"
#include "core/scope.h"
#include "http/filter.h"
#include "http/http_options.h"
#include "http/metadata.h"
#include "http/response_flags.h"
#include "http/route_entry.h"
#include "net/address.h"
#include "net/transport.h"

namespace outrider {

class Network;
struct Route;
class Endpoint;
class Cluster;
class WorkerClusters;
class HttpCaller;
class RequestTrace;
class ReceivedBody;
struct NamedFilterState;

// What of a connection its exchanges may know; outlives them.
struct DownstreamConnection {
  Worker& worker;
  Network& network;          // For upstream connections.
  WorkerClusters* clusters;  // This worker's view of the clusters; null in services that have none.
  HttpCaller* caller;        // For requests of the proxy's own; null likewise.
  std::uint64_t id;
  const Address* peer;
  Transport* socket;  // For its addresses; null where the proxy itself is the client.
  const Address& local() const {
    static const Address none{};
    return socket ? socket->local() : none;
  }
};

// What an exchange may ask of its client's side before there is a response.
class ClientStream {
 public:
  // Sends an informational response (1xx other than 100 and 101).
  virtual Task<> inform(const ResponseHead& head) = 0;
  // The exchange's time-outs are others than before.
  virtual void deadlines_changed() = 0;
  // The response is the last one of its connection: the rest of the request is not waited for.
  virtual void leave_request(Exchange& x) = 0;

 protected:
  ~ClientStream() = default;
};

// Bytes of one side of an exchange, as they were on the wire. Of heads: the fields without the first line, by Envoy's
// count.
struct WireBytes {
  std::uint64_t received = 0, sent = 0, head_received = 0, head_sent = 0;
};

// Envoy's count of a head's fields that took so many bytes, each with its line's end: four bytes of each line are
// three, and a head without fields counts three.
inline std::uint64_t counted_head_bytes(std::size_t lines_bytes, std::size_t fields) {
  return fields == 0 ? 3 : lines_bytes - fields;
}

// One try to reach a host on a connection; lives as long as the exchange.
struct AttemptRecord {
  const Address* peer;
  std::string_view hostname;
  std::uint64_t connection_id;
  const AttemptRecord* previous;  // Null: this was the first.
};

// When a line is written for an exchange.
enum class AccessLogType : std::uint8_t { not_set, downstream_start, downstream_end, downstream_periodic, tunnel };
std::string_view name_of(AccessLogType type);  // "DownstreamEnd"

// The record for logs: what happened. Views live as long as the exchange.
struct ExchangeRecord {
  WallTime start_wall;
  TimePoint start;
  std::optional<TimePoint> request_end;     // The last byte of the request came.
  std::optional<TimePoint> upstream_start;  // The first byte went upstream.
  std::optional<TimePoint> response_start;  // The response's head came.
  std::optional<TimePoint> end;
  ResponseFlags flags;
  std::string_view details;          // %RESPONSE_CODE_DETAILS%
  int status = 0;                    // 0: none was sent.
  std::uint64_t bytes_received = 0;  // Body bytes.
  std::uint64_t bytes_sent = 0;
  std::string_view original_path;  // Before a rewrite; empty: not rewritten.
  const Address* upstream_peer = nullptr;
  const Address* upstream_local = nullptr;  // Of the connection that carried the request; null: there was none.
  std::optional<Version> upstream_version;  // What is spoken on it; none: no HTTP.
  Cluster* cluster = nullptr;  // Where the route leads, and the attempts; null: nowhere, or nobody knows it.
  std::string_view cluster_name;
  std::string_view route_name;
  std::string_view upstream_failure;  // %UPSTREAM_TRANSPORT_FAILURE_REASON%
  std::uint32_t attempts = 0;
  std::uint32_t route_resolutions = 0;  // How often its way was looked up.
  AccessLogType log_type = AccessLogType::not_set;
  bool health_check = false;      // The health check filter has taken it for one.
  bool uncounted = false;         // Clusters do not count its response by code and time.
  bool without_protocol = false;  // The line is of a connection that has brought no request.
  bool traced = false;            // The request belongs to a trace that is reported.
  std::optional<TimePoint> upstream_connect_begin, upstream_connect_end;  // Of the connection that carried it.
  std::optional<TimePoint> upstream_end;                                  // The last byte went upstream.
  std::optional<TimePoint> response_end;                                  // The last byte of the response came.
  std::optional<TimePoint> downstream_start;                              // The first byte of the response went out.
  WireBytes downstream_bytes, upstream_bytes;
  std::string_view upstream_hostname;  // Of the host; empty: it has none.
  std::string_view cluster_alt_name;   // alt_stat_name; empty: none.
  std::string_view virtual_cluster_name;
  std::string_view local_reply_body;  // %LOCAL_REPLY_BODY%
  std::string_view trace_id, span_id;
  const AttemptRecord* last_attempt = nullptr;
  const Metadata* route_metadata = nullptr;
  const Metadata* virtual_host_metadata = nullptr;
  const Metadata* cluster_metadata = nullptr;
  const Metadata* host_metadata = nullptr;
};

// What a filter keeps for itself until the response comes, or the end. A filter's own type derives from it.
struct FilterNote {
  const Filter* of = nullptr;
  FilterNote* next = nullptr;
};

// Outlives every frame that serves it. Its members are destroyed in reverse order, so the arena goes last.
struct Exchange {
  Exchange(const DownstreamConnection& c, const HttpOptions& o, StatBlock& s)
      : connection(c),
        worker(c.worker),
        options(o),
        stats(s),
        request(arena),
        stream_idle_timeout(o.stream_idle_timeout),
        max_duration(o.max_stream_duration) {}

  const DownstreamConnection& connection;
  Worker& worker;
  const HttpOptions& options;
  StatBlock& stats;
  Arena arena;
  Scope scope;  // Work that outlives handle(): pumps.
  RequestHead request;
  Body* request_body = &NoBody::shared();
  const ReceivedBody* received_body = nullptr;  // As it comes from the client; null: there is none.
  std::string_view upgrade;                     // Protocol asked for by an Upgrade request; empty: none.
  const Headers* response_headers = nullptr;    // For logs, once there are any.
  const Headers* response_trailers = nullptr;
  ClientStream* client = nullptr;                 // Null in tests only.
  std::chrono::milliseconds stream_idle_timeout;  // The connection manager's, until a route says otherwise.
  std::chrono::milliseconds max_duration;         // Likewise of max_stream_duration.
  bool internal = false;                          // The client belongs to our own network.
  // What of the request was made here and can stand in no message, by name: the router refuses it. Empty: nothing.
  std::string_view unsendable;
  ExchangeRecord record;
  std::uint32_t deepest_filter = 0;      // Of the chain: the last one that was entered.
  bool unseen_reply = false;             // reply() was called; the filters that were not entered are to see it.
  Metadata* dynamic_metadata = nullptr;  // What filters say of the request; null: nothing.
  FilterNote* notes = nullptr;
  const NamedFilterState* filter_states = nullptr;  // What filters tell logs, the newest first; null: nothing.
  bool translated = false;  // The client speaks no gRPC, though its request does by now: nor do replies of our own.
  RequestTrace* trace = nullptr;  // Null: the connection manager has no tracing.

  Metadata& metadata() {
    if (!dynamic_metadata) dynamic_metadata = &arena.make_owned<Metadata>();
    return *dynamic_metadata;
  }

  template <class T>
  T& leave_note(const Filter& of, T note) {
    note.of = &of;
    note.next = notes;
    T& kept = arena.make_owned<T>(std::move(note));
    notes = &kept;
    return kept;
  }
  // Null: the filter has left none.
  template <class T>
  T* note(const Filter& of) const {
    for (FilterNote* each = notes; each; each = each->next) {
      if (each->of == &of) return static_cast<T*>(each);
    }
    return nullptr;
  }
  // Where the client is: the peer, unless a trusted proxy is asked. Before the log this is only certain behind
  // identify_client().
  const Address& client_address() const;
  void set_client(const Address& address);

  // The route of the request as it is now; null: there is none. Looked up once; the answer stays until it is cleared.
  const RouteEntry* route() {
    if (!routed_) find_route();
    return route_;
  }
  // After a change that may lead elsewhere: the next route() looks again.
  void clear_route_cache() { routed_ = false; }
  // What the route says on the filter of that slot; null: nothing.
  const RouteFilter* route_filter(int slot) {
    const RouteEntry* r = slot < 0 ? nullptr : route();
    auto i = static_cast<std::size_t>(slot);
    return r && i < r->filters.size() && r->filters[i].said ? &r->filters[i] : nullptr;
  }
  // The most specific configuration that it has for the filter, of the filter's own type; null: none.
  const RouteFilterConfig* route_config(int slot) {
    const RouteFilter* said = route_filter(slot);
    while (said && !said->config) said = said->wider.get();
    return said ? said->config.get() : nullptr;
  }

  // A response of our own that is as it stands: neither local_reply_config nor the route has a word on it.
  Response answer(int status, std::string_view details);
  // A response of our own. `details` says why, in Envoy's words (static text). The body is text/plain, unless empty.
  // `fields` stand behind those of the route, or before them where the route answers itself; local_reply_config changes
  // them all.
  Response reply(int status, std::string_view body, std::string_view details, const Headers* fields = nullptr);
  // 413: more than a filter that needs the whole request may hold. What is still to come of it is not waited for.
  Response request_too_large();
  Response reply(int status, std::string_view body, std::string_view details, ResponseFlag flag) {
    record.flags.set(flag);
    return reply(status, body, details);
  }

 private:
  void find_route() {
    route_ = options.routes ? options.routes->match(*this) : nullptr;
    routed_ = sought_ = true;
  }
  mutable const Address* client_ = nullptr;
  const RouteEntry* route_ = nullptr;
  bool routed_ = false;  // `route_` is true of the request as it is.
  bool sought_ = false;  // It was true of it once.
};

}  // namespace outrider
