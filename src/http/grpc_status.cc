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

int http_status_of_grpc(std::int64_t code) {
  constexpr std::array<int, 17> kStatuses{200, 499, 500, 400, 504, 404, 409, 403, 429,
                                          400, 409, 400, 501, 500, 503, 500, 401};
  bool known = code >= 0 && code < static_cast<std::int64_t>(kStatuses.size());
  return known ? kStatuses[static_cast<std::size_t>(code)] : 500;
}

std::optional<std::int64_t> grpc_status_of(const Headers& from) {
  std::string_view text = from.value(Known::grpc_status);
  if (text.empty()) return std::nullopt;
  std::int64_t code = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), code);
  bool known = error == std::errc() && end == text.data() + text.size() && code >= 0;
  return known ? code : kNoGrpcStatus;
}

std::optional<std::int64_t> grpc_status_of(const Exchange& x) {
  for (const Headers* from : {x.response_trailers, x.response_headers}) {
    if (!from) continue;
    if (auto said = grpc_status_of(*from)) return said;
  }
  return x.record.status != 0 ? std::optional<std::int64_t>(grpc_status_of(x.record.status)) : std::nullopt;
}

bool is_grpc_type(std::string_view type) {
  constexpr std::string_view kType = "application/grpc";
  return type.starts_with(kType) && (type.size() == kType.size() || type[kType.size()] == '+');
}

bool is_grpc_request(const RequestHead& request) { return is_grpc_type(request.headers.value(Known::content_type)); }

bool replies_in_grpc(const Exchange& x) { return !x.translated && is_grpc_request(x.request); }

std::string grpc_message_of(std::string_view text) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string result;
  for (char c : text) {
    auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < '~' && c != '%') {
      result += c;
    } else {
      result.append({'%', kHex[byte >> 4], kHex[byte & 15]});
    }
  }
  return result;
}

}  // namespace outrider
