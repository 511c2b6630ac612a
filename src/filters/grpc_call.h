// What the filters of gRPC share: messages in a body, and where calls are counted.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "http/exchange.h"
#include "http/grpc_prefix.h"
#include "observe/counters.h"

namespace outrider::filters {

// Finds messages in a body that comes in pieces.
class GrpcMessages {
 public:
  virtual ~GrpcMessages() = default;
  // How many messages begin in this piece.
  std::uint64_t read(std::string_view piece);
  std::uint64_t count() const { return count_; }

 protected:
  // Flags of one that begins; false: nothing behind it is a message.
  virtual bool begins(std::uint8_t flags) { return true; }
  virtual void has_length(std::uint32_t bytes) {}
  virtual void bytes(std::string_view piece) {}
  virtual void ends() {}
  std::uint64_t count_ = 0;

 private:
  std::size_t of_prefix_ = 0;  // Bytes of the prefix that have been read.
  std::uint32_t left_ = 0;     // Bytes of the message.
  bool over_ = false;
};

struct GrpcMethod {
  std::string_view service, method;
};
// "/service/method"; nothing if the path has another form.
std::optional<GrpcMethod> grpc_method_of(std::string_view path);

// Whether the response is one of gRPC: trailers alone, or a body of that type.
bool is_grpc_response(const ResponseHead& head, bool ends_with_head);
// Whether the proxy has answered itself.
inline bool is_own_reply(const Exchange& x) { return !x.record.details.empty() && x.record.details != "via_upstream"; }
// Whether nothing follows the head.
bool ends_with_head(const Exchange& x, const Response& response);

// The counters of calls in the statistics of the cluster that the request goes to: cluster.<name>.grpc.*, or those of
// one method below it.
class GrpcCounters {
 public:
  enum class Stat : std::uint8_t {
    failure = 17,  // Behind those of the statuses.
    request_message_count,
    response_message_count,
    success,
    total,
    names_overflow,
    upstream_rq_time,
    count
  };
  // `protocol`: "grpc" or "grpc-web". `method`: whose counters; null: those of no method. Counters by method of which
  // there are too many already count in those of no method, and names_overflow there.
  GrpcCounters(Exchange& x, std::string_view protocol, const GrpcMethod* method);

  // The request is on its way to some cluster.
  explicit operator bool() const { return block_; }
  // The status that a response says; null: it says none.
  void count(Exchange& x, const Field* status);
  void count(bool success);
  void add(Stat stat, std::uint64_t n) { (*block_)[stat].add(n); }
  void record(Stat stat, std::uint64_t value) { block_->record(stat, value); }

 private:
  std::string below_;
  StatBlock* block_ = nullptr;
};

}  // namespace outrider::filters
