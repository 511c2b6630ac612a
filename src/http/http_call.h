// HttpCall: a request of the proxy's own to a cluster, as filters and tracers make them.
#pragma once
#include <chrono>
#include <expected>
#include <optional>
#include <string>
#include <string_view>

#include "core/task.h"
#include "wire/message.h"

namespace outrider {

struct Exchange;
class StatBlock;
struct StatTable;

struct HttpCall {
  std::string_view cluster;
  RequestHead* request;  // Outlives the call. Its authority may not be empty.
  std::string_view body;
  std::chrono::milliseconds timeout{0};  // 0: none.
  std::size_t answer_bytes_max = 1024 * 1024;
  bool discard_answer = false;  // Its body is read, however long, and not kept.
  Exchange* cause = nullptr;    // The request that it is made for, whose marks against loops go along; null: none.
  // Gets which host did not answer and why, where one was tried: "127.0.0.1:80: Connection refused".
  std::string* reason = nullptr;
};

struct HttpAnswer {
  ResponseHead head;
  std::string body;
  explicit HttpAnswer(Arena& arena) : head(arena) {}
};

enum class CallFailure : std::uint8_t {
  no_cluster,
  no_host,
  timed_out,
  reset,      // No whole answer came.
  too_large,  // The answer's body is longer than allowed.
  loop,       // The same call has led to the request that it was to be made for.
};

// For a request whose filter would have made its call for ever: a reply of 508.
inline constexpr std::string_view kLoopReply = "loop detected: the request has come back to the proxy that sent it on";
inline constexpr std::string_view kLoopDetails = "loop_detected";

// How many hosts a cluster has.
struct Membership {
  std::uint64_t all = 0, healthy = 0, degraded = 0;
};

class HttpCaller {
 public:
  // One for each worker. The answer's fields lie in `arena`, which outlives it. A stopped call leaves nothing behind.
  virtual Task<std::expected<HttpAnswer, CallFailure>> call(Arena& arena, HttpCall call) = 0;
  // A call whose answer nobody waits for. It needs nothing of its caller once it is started.
  virtual void start(HttpCall call) = 0;
  virtual bool has_cluster(std::string_view name) = 0;
  // Nothing: there is no such cluster.
  virtual std::optional<Membership> membership(std::string_view cluster) const = 0;
  // A filter has answered in place of the cluster that the request was on its way to, whose codes count the status, as
  // in Envoy among the internal ones. Nothing where there is no such cluster.
  virtual void count_reply(const Exchange& x, int status) = 0;
  // This worker's counters of a filter in that cluster's statistics: "ext_authz." is "cluster.<name>.ext_authz.". Null:
  // the request is on its way to none.
  virtual StatBlock* stats_of_cluster(const Exchange& x, const std::string& below, const StatTable& table) = 0;

 protected:
  ~HttpCaller() = default;
};

}  // namespace outrider
