#include "http/grpc_status.h"

#include <charconv>

#include "http/exchange.h"

namespace outrider {
namespace {

constexpr std::uint32_t kUnknown = 2, kPermissionDenied = 7, kUnimplemented = 12, kInternal = 13, kUnavailable = 14,
                        kUnauthenticated = 16;

}  // namespace

const std::array<GrpcStatusName, 17> kGrpcStatusNames{{{"OK", "OK"},
                                                       {"Canceled", "CANCELLED"},
                                                       {"Unknown", "UNKNOWN"},
                                                       {"InvalidArgument", "INVALID_ARGUMENT"},
                                                       {"DeadlineExceeded", "DEADLINE_EXCEEDED"},
                                                       {"NotFound", "NOT_FOUND"},
                                                       {"AlreadyExists", "ALREADY_EXISTS"},
                                                       {"PermissionDenied", "PERMISSION_DENIED"},
                                                       {"ResourceExhausted", "RESOURCE_EXHAUSTED"},
                                                       {"FailedPrecondition", "FAILED_PRECONDITION"},
                                                       {"Aborted", "ABORTED"},
                                                       {"OutOfRange", "OUT_OF_RANGE"},
                                                       {"Unimplemented", "UNIMPLEMENTED"},
                                                       {"Internal", "INTERNAL"},
                                                       {"Unavailable", "UNAVAILABLE"},
                                                       {"DataLoss", "DATA_LOSS"},
                                                       {"Unauthenticated", "UNAUTHENTICATED"}}};

std::uint32_t grpc_status_of(int http_status) {
  switch (http_status) {
    case 400:
      return kInternal;
    case 401:
      return kUnauthenticated;
    case 403:
      return kPermissionDenied;
    case 404:
      return kUnimplemented;
    case 429:
    case 502:
    case 503:
    case 504:
      return kUnavailable;
    default:
      return kUnknown;
  }
}

std::optional<std::uint32_t> grpc_status_of(const Exchange& x) {
  const Field* field = x.response_trailers ? x.response_trailers->find(Known::grpc_status) : nullptr;
  if (!field && x.response_headers) field = x.response_headers->find(Known::grpc_status);
  if (!field) return x.record.status != 0 ? std::optional(grpc_status_of(x.record.status)) : std::nullopt;
  std::uint32_t code = 0;
  std::string_view text = field->value;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), code);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return code;
}

bool is_grpc_request(const RequestHead& request) {
  constexpr std::string_view kType = "application/grpc";
  std::string_view type = request.headers.value(Known::content_type);
  return type.starts_with(kType) && (type.size() == kType.size() || type[kType.size()] == '+');
}

}  // namespace outrider
