#include "filters/grpc_call.h"

#include <mutex>
#include <unordered_set>

#include "http/grpc_status.h"
#include "http/http_call.h"

namespace outrider::filters {
namespace {

using Stat = GrpcCounters::Stat;

constexpr StatDefinition kStats[] = {
    {"0", StatKind::counter},
    {"1", StatKind::counter},
    {"2", StatKind::counter},
    {"3", StatKind::counter},
    {"4", StatKind::counter},
    {"5", StatKind::counter},
    {"6", StatKind::counter},
    {"7", StatKind::counter},
    {"8", StatKind::counter},
    {"9", StatKind::counter},
    {"10", StatKind::counter},
    {"11", StatKind::counter},
    {"12", StatKind::counter},
    {"13", StatKind::counter},
    {"14", StatKind::counter},
    {"15", StatKind::counter},
    {"16", StatKind::counter},
    {"failure", StatKind::counter},
    {"request_message_count", StatKind::counter},
    {"response_message_count", StatKind::counter},
    {"success", StatKind::counter},
    {"total", StatKind::counter},
    {"names_overflow", StatKind::counter},
    {"upstream_rq_time", StatKind::histogram},
};
static_assert(std::size(kStats) == static_cast<std::size_t>(Stat::count));
constexpr StatTable kTable{.definitions = kStats, .code_prefix = "", .sparse = true};
constexpr std::size_t kStatuses = static_cast<std::size_t>(Stat::failure);
// Of a status that gRPC does not know; its name is that of its scope.
constexpr StatDefinition kOther[] = {{"", StatKind::counter}};
constexpr StatTable kOtherTable{.definitions = kOther, .code_prefix = "", .sparse = true};

// Names that others have thought of, for statistics. They live as long as the process.
class Names {
 public:
  Names(std::size_t max, std::size_t bytes_max) : max_(max), bytes_max_(bytes_max) {}
  // False: it is too long, or there are too many others already.
  bool take(const std::string& name) {
    if (name.size() > bytes_max_) return false;
    std::lock_guard lock(mutex_);
    if (names_.contains(name)) return true;
    if (names_.size() == max_) return false;
    names_.insert(name);
    return true;
  }

 private:
  const std::size_t max_, bytes_max_;
  std::mutex mutex_;
  std::unordered_set<std::string> names_;
};

Names& methods() {
  constexpr std::size_t kMethodsMax = 10'000, kMethodBytesMax = 1024;
  static Names names(kMethodsMax, kMethodBytesMax);
  return names;
}

Names& statuses() {
  constexpr std::size_t kStatusesMax = 64, kStatusBytesMax = 32;
  static Names names(kStatusesMax, kStatusBytesMax);
  return names;
}

}  // namespace

std::uint64_t GrpcMessages::read(std::string_view piece) {
  std::uint64_t before = count_;
  while (!piece.empty() && !over_) {
    if (of_prefix_ < kGrpcPrefixBytes) {
      auto byte = static_cast<unsigned char>(piece.front());
      piece.remove_prefix(1);
      if (of_prefix_ == 0) {
        over_ = !begins(byte);
        if (over_) break;
        count_++;
      } else {
        left_ = left_ << 8 | byte;
      }
      of_prefix_++;
      if (of_prefix_ < kGrpcPrefixBytes) continue;
      has_length(left_);
      if (left_ > 0) continue;
    } else {
      std::size_t size = std::min<std::size_t>(piece.size(), left_);
      bytes(piece.substr(0, size));
      piece.remove_prefix(size);
      left_ -= static_cast<std::uint32_t>(size);
      if (left_ > 0) continue;
    }
    ends();
    of_prefix_ = 0;
  }
  return count_ - before;
}

std::optional<GrpcMethod> grpc_method_of(std::string_view path) {
  path = path.substr(0, path.find('?'));
  std::array<std::string_view, 2> parts;
  std::size_t count = 0;
  while (!path.empty()) {
    std::size_t size = std::min(path.find('/'), path.size());
    if (size > 0) {
      if (count == parts.size()) return std::nullopt;
      parts[count++] = path.substr(0, size);
    }
    path.remove_prefix(std::min(size + 1, path.size()));
  }
  if (count != parts.size()) return std::nullopt;
  return GrpcMethod{parts[0], parts[1]};
}

bool is_grpc_response(const ResponseHead& head, bool ends_with_head) {
  if (ends_with_head) return head.headers.has(Known::grpc_status);
  return head.status == 200 && is_grpc_type(head.headers.value(Known::content_type));
}

bool ends_with_head(const Exchange& x, const Response& response) {
  int status = response.head->status;
  return response.body->length() == 0 || x.request.method == Method::head || status == 204 || status == 304;
}

GrpcCounters::GrpcCounters(Exchange& x, std::string_view protocol, const GrpcMethod* method) {
  if (!x.connection.caller || !x.record.cluster) return;
  std::string of_method;
  if (method) of_method.append(method->service).append(".").append(method->method).append(".");
  bool overflow = method && !methods().take(of_method);
  below_.append(protocol).append(".").append(overflow ? "" : of_method);
  block_ = x.connection.caller->stats_of_cluster(x, below_, kTable);
  if (block_ && overflow) add(Stat::names_overflow, 1);
}

void GrpcCounters::count(bool success) {
  add(success ? Stat::success : Stat::failure, 1);
  add(Stat::total, 1);
}

void GrpcCounters::count(Exchange& x, const Field* status) {
  if (!status) return;
  for (std::size_t i = 0; i < kStatuses; i++) {
    if (kStats[i].name != status->value) continue;
    block_->cell(i).add();
    return count(i == 0);
  }
  count(false);
  std::string other(status->value);
  if (!statuses().take(other)) return;
  StatBlock* block = x.connection.caller->stats_of_cluster(x, below_ + other, kOtherTable);
  if (block) block->cell(std::size_t{0}).add();
}

}  // namespace outrider::filters
