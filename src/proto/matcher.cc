#include "proto/matcher.h"

#include <fmt/format.h>
#include <google/protobuf/struct.pb.h>
#include <re2/re2.h>

#include "core/ascii.h"
#include "core/log.h"
#include "envoy/config/core/v3/base.pb.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "envoy/type/matcher/v3/metadata.pb.h"
#include "envoy/type/matcher/v3/regex.pb.h"
#include "envoy/type/matcher/v3/string.pb.h"
#include "envoy/type/matcher/v3/value.pb.h"
#include "envoy/type/v3/percent.pb.h"

namespace outrider::proto {
namespace {

namespace matcher = envoy::type::matcher::v3;
using RouteHeaderMatcher = envoy::config::route::v3::HeaderMatcher;

StringMatcher literal(StringMatcher::Kind kind, std::string text) { return {kind, false, std::move(text), nullptr}; }

StringMatcher regex_matcher(Report& report, const matcher::RegexMatcher& m, const std::string& path) {
  return {StringMatcher::Kind::regex, false, {}, compile_regex(report, m, path)};
}

// The text that a field has to match, in one of the forms that the API has had.
StringMatcher field_text(Report& report, const RouteHeaderMatcher& m, const std::string& path) {
  using Kind = StringMatcher::Kind;
  switch (m.header_match_specifier_case()) {
    case RouteHeaderMatcher::kExactMatch:
      return literal(Kind::exact, m.exact_match());
    case RouteHeaderMatcher::kPrefixMatch:
      return literal(Kind::prefix, m.prefix_match());
    case RouteHeaderMatcher::kSuffixMatch:
      return literal(Kind::suffix, m.suffix_match());
    case RouteHeaderMatcher::kContainsMatch:
      return literal(Kind::contains, m.contains_match());
    case RouteHeaderMatcher::kSafeRegexMatch:
      return regex_matcher(report, m.safe_regex_match(), path + ".safe_regex_match");
    default:
      return compile_matcher(report, m.string_match(), path + ".string_match");
  }
}

}  // namespace

Regex compile_regex(Report& report, const std::string& pattern, const std::string& path) {
  re2::RE2::Options options;
  options.set_log_errors(false);
  auto regex = std::make_shared<re2::RE2>(pattern, options);
  if (!regex->ok()) {
    report.fail(path, "not a regular expression in RE2's syntax: " + regex->error());
    return nullptr;
  }
  return regex;
}

Regex compile_regex(Report& report, const matcher::RegexMatcher& m, const std::string& path) {
  Regex regex = compile_regex(report, m.regex(), path + ".regex");
  if (!regex) return nullptr;
  const auto size = static_cast<std::uint64_t>(regex->ProgramSize());
  const bool has_own = m.google_re2().has_max_program_size();
  const std::uint64_t limit = has_own ? m.google_re2().max_program_size().value() : report.regex_sizes.error;
  if (size > limit) {
    report.fail(path + ".regex",
                fmt::format("RE2 program size of {} > max program size of {}{}", size, limit,
                            has_own ? "" : "; runtime `re2.max_program_size.error_level` allows more"));
    return nullptr;
  }
  if (!has_own && size > report.regex_sizes.warn) {
    log(Logger::config, LogLevel::warning,
        fmt::format("{}: regex '{}': RE2 program size of {} > max program size of {} of the warn level", path,
                    m.regex(), size, report.regex_sizes.warn));
  }
  return regex;
}

StringMatcher compile_matcher(Report& report, const matcher::StringMatcher& m, const std::string& path) {
  using Kind = StringMatcher::Kind;
  StringMatcher result;
  switch (m.match_pattern_case()) {
    case matcher::StringMatcher::kPrefix:
      result = literal(Kind::prefix, m.prefix());
      break;
    case matcher::StringMatcher::kSuffix:
      result = literal(Kind::suffix, m.suffix());
      break;
    case matcher::StringMatcher::kContains:
      result = literal(Kind::contains, m.contains());
      break;
    case matcher::StringMatcher::kSafeRegex:
      return regex_matcher(report, m.safe_regex(), path + ".safe_regex");
    default:
      result = literal(Kind::exact, m.exact());
  }
  result.ignore_case = m.ignore_case();
  return result;
}

StringMatchers compile_matchers(Report& report, const matcher::ListStringMatcher& list, const std::string& path) {
  return compile_list<StringMatcher>(report, list.patterns(), path + ".patterns");
}

HeaderMatcher compile_matcher(Report& report, const RouteHeaderMatcher& m, const std::string& path) {
  HeaderMatcher result;
  result.name = ascii_lower(m.name());
  result.known = known_of(result.name);
  result.invert = m.invert_match();
  result.missing_is_empty = m.treat_missing_header_as_empty();
  switch (m.header_match_specifier_case()) {
    case RouteHeaderMatcher::HEADER_MATCH_SPECIFIER_NOT_SET:
      break;
    case RouteHeaderMatcher::kPresentMatch:
      result.present = m.present_match();
      break;
    case RouteHeaderMatcher::kRangeMatch:
      result.kind = HeaderMatcher::Kind::range;
      result.begin = m.range_match().start();
      result.end = m.range_match().end();
      break;
    default:
      result.kind = HeaderMatcher::Kind::text;
      result.text = field_text(report, m, path);
  }
  return result;
}

QueryMatcher compile_matcher(Report& report, const envoy::config::route::v3::QueryParameterMatcher& m,
                             const std::string& path) {
  QueryMatcher result;
  result.name = m.name();
  result.present_only = !m.has_string_match();
  result.present = !m.has_present_match() || m.present_match();
  if (m.has_string_match()) result.text = compile_matcher(report, m.string_match(), path + ".string_match");
  return result;
}

ValueMatcher compile_matcher(Report& report, const matcher::ValueMatcher& m, const std::string& path) {
  using Kind = ValueMatcher::Kind;
  ValueMatcher result;
  switch (m.match_pattern_case()) {
    case matcher::ValueMatcher::kNullMatch:
      result.kind = Kind::null;
      break;
    case matcher::ValueMatcher::kDoubleMatch:
      result.kind = m.double_match().has_range() ? Kind::range : Kind::number;
      result.begin = m.double_match().has_range() ? m.double_match().range().start() : m.double_match().exact();
      result.end = m.double_match().range().end();
      break;
    case matcher::ValueMatcher::kStringMatch:
      result.kind = Kind::text;
      result.text = compile_matcher(report, m.string_match(), path + ".string_match");
      break;
    case matcher::ValueMatcher::kBoolMatch:
      result.kind = Kind::boolean;
      result.flag = m.bool_match();
      break;
    case matcher::ValueMatcher::kListMatch:
      result.kind = Kind::list;
      result.inner.push_back(compile_matcher(report, m.list_match().one_of(), path + ".list_match.one_of"));
      break;
    case matcher::ValueMatcher::kOrMatch:
      result.kind = Kind::any;
      result.inner =
          compile_list<ValueMatcher>(report, m.or_match().value_matchers(), path + ".or_match.value_matchers");
      break;
    default:
      result.flag = m.present_match();
  }
  return result;
}

MetadataMatcher compile_matcher(Report& report, const matcher::MetadataMatcher& m, const std::string& path) {
  MetadataMatcher result;
  result.space = m.filter();
  for (const auto& segment : m.path()) result.path.push_back(segment.key());
  result.value = compile_matcher(report, m.value(), path + ".value");
  result.invert = m.invert();
  return result;
}

Value to_value(const google::protobuf::Value& value) {
  switch (value.kind_case()) {
    case google::protobuf::Value::kBoolValue:
      return value.bool_value();
    case google::protobuf::Value::kNumberValue:
      return value.number_value();
    case google::protobuf::Value::kStringValue:
      return value.string_value();
    case google::protobuf::Value::kStructValue:
      return to_struct(value.struct_value());
    case google::protobuf::Value::kListValue: {
      Value::List list;
      for (const auto& each : value.list_value().values()) list.push_back(to_value(each));
      return list;
    }
    default:
      return {};
  }
}

Value::Struct to_struct(const google::protobuf::Struct& fields) {
  Value::Struct result;
  for (const auto& [name, value] : fields.fields()) result.emplace(name, to_value(value));
  return result;
}

Metadata to_metadata(const envoy::config::core::v3::Metadata& metadata) {
  Metadata result;
  for (const auto& [space, fields] : metadata.filter_metadata()) result.spaces.emplace(space, to_struct(fields));
  return result;
}

Fraction to_fraction(const envoy::type::v3::FractionalPercent& percent) {
  constexpr std::uint32_t kDenominators[] = {100, 10'000, 1'000'000};
  return {percent.numerator(), kDenominators[std::min<unsigned>(percent.denominator(), 2)]};
}

RuntimeFraction to_runtime(const envoy::config::core::v3::RuntimeFractionalPercent& fraction) {
  return {to_fraction(fraction.default_value()), fraction.runtime_key()};
}

RuntimeFlag to_runtime(const envoy::config::core::v3::RuntimeFeatureFlag& flag) {
  return {flag.default_value().value(), flag.runtime_key()};
}

}  // namespace outrider::proto
