#include "config/compile_parts.h"
#include "envoy/config/accesslog/v3/accesslog.pb.h"
#include "http/access_log_filter.h"
#include "http/grpc_status.h"
#include "proto/matcher.h"

namespace outrider::config {
namespace {

namespace v3 = envoy::config::accesslog::v3;
using Kind = AccessLogFilter::Kind;

template <class Filters>
void add_inner(Compilation& c, const Filters& filters, const std::string& path, AccessLogFilter& f) {
  int i = 0;
  for (const auto& each : filters) {
    if (auto inner = compile_access_log_filter(c, each, path + ".filters[" + std::to_string(i++) + "]"))
      f.inner.push_back(std::move(*inner));
  }
}

void compile_comparison(const v3::ComparisonFilter& comparison, AccessLogFilter& f) {
  constexpr AccessLogFilter::Comparison kByOp[] = {
      AccessLogFilter::Comparison::equal, AccessLogFilter::Comparison::greater_or_equal,
      AccessLogFilter::Comparison::less_or_equal, AccessLogFilter::Comparison::not_equal};
  f.comparison = kByOp[comparison.op()];
  f.number = comparison.value().default_value();
  f.runtime_key = comparison.value().runtime_key();
}

void compile_flags(Compilation& c, const v3::ResponseFlagFilter& flags, const std::string& path, AccessLogFilter& f) {
  f.any_flag = flags.flags_size() == 0;
  for (int i = 0; i < flags.flags_size(); i++) {
    if (auto flag = response_flag_named(flags.flags(i))) {
      f.flags.set(*flag);
    } else {
      c.fail(path + ".flags[" + std::to_string(i) + "]", "there is no response flag '" + flags.flags(i) + "'");
    }
  }
}

template <class Numbers>
void set_bits(const Numbers& numbers, bool exclude, AccessLogFilter& f) {
  for (auto number : numbers) f.bits |= std::uint64_t{1} << number;
  f.exclude = exclude;
}

// The types of Envoy's that lines here may have.
void compile_types(const v3::LogTypeFilter& types, AccessLogFilter& f) {
  namespace data = envoy::data::accesslog::v3;
  constexpr std::pair<int, AccessLogType> kTypes[] = {
      {data::NotSet, AccessLogType::not_set},
      {data::DownstreamStart, AccessLogType::downstream_start},
      {data::DownstreamPeriodic, AccessLogType::downstream_periodic},
      {data::DownstreamEnd, AccessLogType::downstream_end},
      {data::DownstreamTunnelSuccessfullyEstablished, AccessLogType::tunnel}};
  f.exclude = types.exclude();
  for (int type : types.types()) {
    for (auto [theirs, ours] : kTypes) {
      if (type == theirs) f.bits |= std::uint64_t{1} << static_cast<unsigned>(ours);
    }
  }
}

void compile_metadata(Compilation& c, const v3::MetadataFilter& m, const std::string& path, AccessLogFilter& f) {
  if (m.has_matcher()) f.metadata = proto::compile_matcher(c, m.matcher(), path + ".matcher");
  f.without_key = !m.has_match_if_key_not_found() || m.match_if_key_not_found().value();
}

}  // namespace

std::optional<AccessLogFilter> compile_access_log_filter(Compilation& c, const v3::AccessLogFilter& filter,
                                                         const std::string& path) {
  AccessLogFilter f{};
  if (filter.has_status_code_filter()) {
    f.kind = Kind::status_code;
    compile_comparison(filter.status_code_filter().comparison(), f);
  } else if (filter.has_duration_filter()) {
    f.kind = Kind::duration;
    compile_comparison(filter.duration_filter().comparison(), f);
  } else if (filter.has_not_health_check_filter()) {
    f.kind = Kind::not_health_check;
  } else if (filter.has_traceable_filter()) {
    f.kind = Kind::traceable;
  } else if (filter.has_runtime_filter()) {
    const auto& runtime = filter.runtime_filter();
    f.kind = Kind::runtime;
    f.fraction.fallback =
        runtime.has_percent_sampled() ? proto::to_fraction(runtime.percent_sampled()) : Fraction{0, 100};
    f.fraction.key = runtime.runtime_key();
    f.independent = runtime.use_independent_randomness();
  } else if (filter.has_and_filter()) {
    f.kind = Kind::all;
    add_inner(c, filter.and_filter().filters(), path + ".and_filter", f);
  } else if (filter.has_or_filter()) {
    f.kind = Kind::any;
    add_inner(c, filter.or_filter().filters(), path + ".or_filter", f);
  } else if (filter.has_header_filter()) {
    f.kind = Kind::header;
    f.header = proto::compile_matcher(c, filter.header_filter().header(), path + ".header_filter.header");
  } else if (filter.has_response_flag_filter()) {
    f.kind = Kind::response_flag;
    compile_flags(c, filter.response_flag_filter(), path + ".response_flag_filter", f);
  } else if (filter.has_grpc_status_filter()) {
    f.kind = Kind::grpc_status;
    set_bits(filter.grpc_status_filter().statuses(), filter.grpc_status_filter().exclude(), f);
  } else if (filter.has_metadata_filter()) {
    f.kind = Kind::metadata;
    compile_metadata(c, filter.metadata_filter(), path + ".metadata_filter", f);
  } else if (filter.has_log_type_filter()) {
    f.kind = Kind::log_type;
    compile_types(filter.log_type_filter(), f);
  } else {
    return std::nullopt;  // The load has said what is wrong with it.
  }
  return f;
}

}  // namespace outrider::config
