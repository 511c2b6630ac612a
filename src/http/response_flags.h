// Response flags: what happened to a request besides its status, in Envoy's letters.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace outrider {

#define OUTRIDER_RESPONSE_FLAGS(X)                 \
  X(failed_local_health_check, "LH")               \
  X(no_healthy_upstream, "UH")                     \
  X(upstream_request_timeout, "UT")                \
  X(local_reset, "LR")                             \
  X(upstream_remote_reset, "UR")                   \
  X(upstream_connection_failure, "UF")             \
  X(upstream_connection_termination, "UC")         \
  X(upstream_overflow, "UO")                       \
  X(no_route_found, "NR")                          \
  X(delay_injected, "DI")                          \
  X(fault_injected, "FI")                          \
  X(rate_limited, "RL")                            \
  X(unauthorized_external_service, "UAEX")         \
  X(rate_limit_service_error, "RLSE")              \
  X(downstream_connection_termination, "DC")       \
  X(upstream_retry_limit_exceeded, "URX")          \
  X(stream_idle_timeout, "SI")                     \
  X(invalid_envoy_request_headers, "IH")           \
  X(downstream_protocol_error, "DPE")              \
  X(upstream_max_stream_duration_reached, "UMSDR") \
  X(response_from_cache_filter, "RFCF")            \
  X(no_filter_config_found, "NFCF")                \
  X(duration_timeout, "DT")                        \
  X(upstream_protocol_error, "UPE")                \
  X(no_cluster_found, "NC")                        \
  X(overload_manager_terminated, "OM")             \
  X(dns_resolution_failed, "DF")                   \
  X(drop_overload, "DO")                           \
  X(downstream_remote_reset, "DR")                 \
  X(unconditional_drop_overload, "UDO")

enum class ResponseFlag : std::uint8_t {
#define X(name, letters) name,
  OUTRIDER_RESPONSE_FLAGS(X)
#undef X
      count
};

// The flag of these letters.
std::optional<ResponseFlag> response_flag_named(std::string_view letters);

class ResponseFlags {
 public:
  void set(ResponseFlag flag) {
    if (has(flag)) return;
    bits_ |= bit(flag);
    order_ = order_ << kOrderBits | (static_cast<std::uint64_t>(flag) + 1);
  }
  bool has(ResponseFlag flag) const { return bits_ & bit(flag); }
  bool any() const { return bits_ != 0; }
  bool any_of(ResponseFlags others) const { return bits_ & others.bits_; }
  // "URX,UF", in the order in which they were set, as Envoy; or "-" when there is none.
  void append_letters(std::string& out) const;
  std::string text() const;
  // "UpstreamRetryLimitExceeded,UpstreamConnectionFailure", or "-".
  void append_names(std::string& out) const;

 private:
  static std::uint64_t bit(ResponseFlag flag) { return std::uint64_t{1} << static_cast<unsigned>(flag); }
  template <class Append>
  void append_each(std::string& out, const Append& append) const {
    if (!any()) {
      out += '-';
      return;
    }
    std::string_view comma;
    for (int shift = kOrderBits * (kOrdered - 1); shift >= 0; shift -= kOrderBits) {
      std::uint64_t one = (order_ >> shift) & ((1U << kOrderBits) - 1);
      if (one == 0) continue;
      out += comma;
      append(static_cast<std::size_t>(one - 1));
      comma = ",";
    }
  }
  // More of them never come together.
  static constexpr int kOrderBits = 6, kOrdered = 10;
  std::uint64_t order_ = 0;  // The last one lowest, each as its number and one.
  std::uint64_t bits_ = 0;
};

}  // namespace outrider
