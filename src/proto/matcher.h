// From the API's matchers, fractions and metadata to those that requests meet. Mistakes are reported under `path`.
#pragma once
#include "core/runtime.h"
#include "http/matcher.h"
#include "http/metadata.h"
#include "proto/report.h"

namespace google::protobuf {
class Struct;
class Value;
}  // namespace google::protobuf
namespace envoy {
namespace config::core::v3 {
class Metadata;
class RuntimeFeatureFlag;
class RuntimeFractionalPercent;
}  // namespace config::core::v3
namespace config::route::v3 {
class HeaderMatcher;
class QueryParameterMatcher;
}  // namespace config::route::v3
namespace type::v3 {
class FractionalPercent;
}
namespace type::matcher::v3 {
class ListStringMatcher;
class MetadataMatcher;
class RegexMatcher;
class StringMatcher;
class ValueMatcher;
}  // namespace type::matcher::v3
}  // namespace envoy

namespace outrider::proto {

using Regex = std::shared_ptr<const re2::RE2>;

Regex compile_regex(Report& report, const std::string& pattern, const std::string& path);
// The same of a message, within its own limit (google_re2.max_program_size) or else within the report's.
Regex compile_regex(Report& report, const envoy::type::matcher::v3::RegexMatcher& m, const std::string& path);
StringMatcher compile_matcher(Report& report, const envoy::type::matcher::v3::StringMatcher& m,
                              const std::string& path);
StringMatchers compile_matchers(Report& report, const envoy::type::matcher::v3::ListStringMatcher& list,
                                const std::string& path);
HeaderMatcher compile_matcher(Report& report, const envoy::config::route::v3::HeaderMatcher& m,
                              const std::string& path);
QueryMatcher compile_matcher(Report& report, const envoy::config::route::v3::QueryParameterMatcher& m,
                             const std::string& path);
ValueMatcher compile_matcher(Report& report, const envoy::type::matcher::v3::ValueMatcher& m, const std::string& path);
MetadataMatcher compile_matcher(Report& report, const envoy::type::matcher::v3::MetadataMatcher& m,
                                const std::string& path);

template <class Matcher, class Protos>
std::vector<Matcher> compile_list(Report& report, const Protos& protos, const std::string& path) {
  std::vector<Matcher> list;
  int i = 0;
  for (const auto& each : protos) list.push_back(compile_matcher(report, each, path + "[" + std::to_string(i++) + "]"));
  return list;
}

Value to_value(const google::protobuf::Value& value);
Value::Struct to_struct(const google::protobuf::Struct& fields);
Metadata to_metadata(const envoy::config::core::v3::Metadata& metadata);
Fraction to_fraction(const envoy::type::v3::FractionalPercent& percent);
RuntimeFraction to_runtime(const envoy::config::core::v3::RuntimeFractionalPercent& fraction);
RuntimeFlag to_runtime(const envoy::config::core::v3::RuntimeFeatureFlag& flag);

}  // namespace outrider::proto
