#include "upstream/strict_headers.h"

#include <algorithm>
#include <charconv>

namespace outrider {
namespace {

constexpr std::string_view kRetryOn[] = {"5xx",
                                         "gateway-error",
                                         "connect-failure",
                                         "envoy-ratelimited",
                                         "retriable-4xx",
                                         "reset",
                                         "refused-stream",
                                         "retriable-status-codes",
                                         "retriable-headers",
                                         "reset-before-request",
                                         "http3-post-connect-failure"};
constexpr std::string_view kRetryGrpcOn[] = {"cancelled", "deadline-exceeded", "internal", "resource-exhausted",
                                             "unavailable"};

bool is_number(std::string_view text) {
  std::uint64_t number = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

template <std::size_t n>
bool all_known(std::string_view list, const std::string_view (&names)[n]) {
  constexpr std::string_view kBlank = " \t";
  while (!list.empty()) {
    std::string_view word = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), word.size() + 1));
    std::size_t begin = word.find_first_not_of(kBlank);
    if (begin == std::string_view::npos) continue;
    word = word.substr(begin, word.find_last_not_of(kBlank) - begin + 1);
    if (std::ranges::find(names, word) == std::end(names)) return false;
  }
  return true;
}

bool is_valid(Known name, std::string_view value) {
  if (name == Known::x_envoy_retry_on) return all_known(value, kRetryOn);
  if (name == Known::x_envoy_retry_grpc_on) return all_known(value, kRetryGrpcOn);
  return is_number(value);
}

}  // namespace

std::optional<Response> check_strictly(Exchange& x, const std::vector<Known>& names) {
  for (Known name : names) {
    const Field* field = x.request.headers.find(name);
    if (!field || is_valid(name, field->value)) continue;
    std::string body =
        "invalid header '" + std::string(name_of(name)) + "' with value '" + std::string(field->value) + "'";
    return x.reply(400, body, "request_headers_failed_strict_check", ResponseFlag::invalid_envoy_request_headers);
  }
  return std::nullopt;
}

}  // namespace outrider
