// Puts values of header fields and cookies into the dynamic metadata. Envoy's document: "Envoy Header-To-Metadata
// Filter".
#include <google/protobuf/struct.pb.h>
#include <re2/re2.h>

#include <charconv>
#include <cstdlib>

#include "core/ascii.h"
#include "core/base64.h"
#include "core/worker.h"
#include "envoy/extensions/filters/http/header_to_metadata/v3/header_to_metadata.pb.h"
#include "envoy/type/matcher/v3/regex.pb.h"
#include "http/cookie.h"
#include "http/exchange.h"
#include "http/matcher.h"
#include "proto/http_filter.h"
#include "proto/matcher.h"

namespace outrider::filters {
namespace {

namespace v3 = envoy::extensions::filters::http::header_to_metadata::v3;

constexpr std::string_view kOwnSpace = "envoy.filters.http.header_to_metadata";
constexpr std::size_t kValueBytesMax = 8 * 1024 - 1;

#define OUTRIDER_METADATA_STATS(X) \
  X(base64_decode_failed)          \
  X(header_value_too_long)         \
  X(regex_substitution_failed)     \
  X(request_header_not_found)      \
  X(request_metadata_added)        \
  X(request_rules_processed)       \
  X(response_header_not_found)     \
  X(response_metadata_added)       \
  X(response_rules_processed)

enum class Stat : std::uint8_t {
#define X(name) name,
  OUTRIDER_METADATA_STATS(X)
#undef X
      count
};
#define X(name) {#name, StatKind::counter},
constexpr StatDefinition kStats[] = {OUTRIDER_METADATA_STATS(X)};
#undef X
constexpr StatTable kTable{kStats, ""};

// What becomes of a value, or of its absence.
struct Entry {
  std::string space, key;
  std::string value;  // Empty: that of the field.
  proto::Regex rewrite;
  std::string substitution;
  v3::Config::ValueType type = v3::Config::STRING;
  bool base64 = false;
};

struct Rule {
  std::string name;  // Of a field, in lower case, or of a cookie.
  bool cookie = false;
  bool remove = false;
  std::optional<Entry> present, missing;
};

struct Rules final : RouteFilterConfig {
  std::vector<Rule> request, response;
  std::optional<LocalStats> stats;  // Only those that have a prefix are counted.

  void count(Exchange& x, Stat stat) const {
    if (stats) stats->of(x.worker.index())[stat].add();
  }
};

std::optional<std::string_view> field_value(const ResponseHead& head, std::string_view name, std::string& kept) {
  if (name != ":status") return outrider::field_value(head.headers, name, kept);
  kept = std::to_string(head.status);
  return kept;
}

// Nothing: there is none.
template <class Head>
std::optional<std::string> take(const Rule& rule, Head& head) {
  if (rule.cookie) {
    auto value = cookie_value(head.headers, rule.name);
    if (!value || value->empty()) return std::nullopt;
    return std::string(*value);
  }
  std::string kept;
  auto value = field_value(head, rule.name, kept);
  if (!value) return std::nullopt;
  std::string text(*value);
  if (rule.remove) head.headers.remove(rule.name);
  return text;
}

std::string_view trimmed(std::string_view text) {
  std::size_t begin = text.find_first_not_of(" \t\r\n\f\v");
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(" \t\r\n\f\v") + 1 - begin);
}

std::optional<Value> typed(v3::Config::ValueType type, std::string text) {
  if (type == v3::Config::STRING) return Value(std::move(text));
  if (type == v3::Config::PROTOBUF_VALUE) {
    google::protobuf::Value value;
    if (!value.ParseFromString(text)) return std::nullopt;
    return proto::to_value(value);
  }
  std::string digits(trimmed(text));
  char* end = nullptr;
  double number = std::strtod(digits.c_str(), &end);  // Also hexadecimal, `inf` and `nan`, as Envoy takes them.
  if (digits.empty() || end != digits.c_str() + digits.size()) return std::nullopt;
  return Value(number);
}

// The text that the entry makes of that of the field; empty: nothing is to be added.
std::string text_of(const Entry& entry, std::string found) {
  if (!entry.value.empty()) return entry.value;
  if (entry.rewrite) re2::RE2::GlobalReplace(&found, *entry.rewrite, entry.substitution);
  return found;
}

// Whether something was added.
bool add(Exchange& x, const Rules& rules, const Entry& entry, std::string found) {
  bool was_empty = found.empty();
  std::string text = text_of(entry, std::move(found));
  if (text.empty()) {
    if (entry.rewrite && !was_empty) rules.count(x, Stat::regex_substitution_failed);
    return false;
  }
  if (text.size() > kValueBytesMax) {
    rules.count(x, Stat::header_value_too_long);
    return false;
  }
  if (entry.base64) {
    auto bytes = base64_decode(text);
    if (!bytes || bytes->empty()) {
      rules.count(x, Stat::base64_decode_failed);
      return false;
    }
    text = std::move(*bytes);
  }
  std::optional<Value> value = typed(entry.type, std::move(text));
  if (!value) return false;
  x.metadata().space(entry.space)[entry.key] = std::move(*value);
  return true;
}

struct Counted {
  Stat processed, added, missing;
};
constexpr Counted kOfRequests{Stat::request_rules_processed, Stat::request_metadata_added,
                              Stat::request_header_not_found};
constexpr Counted kOfResponses{Stat::response_rules_processed, Stat::response_metadata_added,
                               Stat::response_header_not_found};

template <class Head>
void apply(Exchange& x, const Rules& rules, const std::vector<Rule>& list, Head& head, const Counted& counted) {
  for (const Rule& rule : list) {
    rules.count(x, counted.processed);
    std::optional<std::string> found = take(rule, head);
    const std::optional<Entry>& entry = found ? rule.present : rule.missing;
    if (!entry) continue;
    if (!found) rules.count(x, counted.missing);
    if (add(x, rules, *entry, found.value_or(""))) rules.count(x, counted.added);
  }
}

class HeaderToMetadata final : public HeadFilter {
 public:
  HeaderToMetadata(std::shared_ptr<const Rules> rules, int slot) : rules_(std::move(rules)), slot_(slot) {}

 protected:
  std::optional<Response> on_request(Exchange& x) const override {
    const Rules& rules = of(x);
    apply(x, rules, rules.request, x.request, kOfRequests);
    return std::nullopt;
  }
  void on_response(Exchange& x, Response& response) const override {
    const Rules& rules = of(x);
    apply(x, rules, rules.response, *response.head, kOfResponses);
  }

 private:
  const Rules& of(Exchange& x) const {
    const auto* said = static_cast<const Rules*>(x.route_config(slot_));
    return said ? *said : *rules_;
  }
  std::shared_ptr<const Rules> rules_;
  int slot_;
};

Entry to_entry(const proto::FilterSource& source, const v3::Config::KeyValuePair& from, const std::string& path) {
  Entry to;
  to.space = from.metadata_namespace().empty() ? std::string(kOwnSpace) : from.metadata_namespace();
  to.key = from.key();
  to.value = from.value();
  to.type = from.type();
  to.base64 = from.encode() == v3::Config::BASE64;
  if (from.has_regex_value_rewrite()) {
    const auto& rewrite = from.regex_value_rewrite();
    to.rewrite = proto::compile_regex(source.report, rewrite.pattern(), path + ".regex_value_rewrite.pattern");
    to.substitution = rewrite.substitution();
  }
  return to;
}

Rule to_rule(const proto::FilterSource& source, const v3::Config::Rule& from, const std::string& path) {
  proto::Report& report = source.report;
  Rule to;
  to.cookie = from.header().empty();
  to.name = to.cookie ? from.cookie() : ascii_lower(from.header());
  to.remove = from.remove();
  if (!from.cookie().empty() && !from.header().empty()) report.fail(path + ".cookie", "`header` is set already");
  if (to.name.empty()) report.fail(path, "needs `header` or `cookie`");
  if (to.cookie && to.remove) report.fail(path + ".remove", "a cookie cannot be removed");
  if (!from.has_on_header_present() && !from.has_on_header_missing()) {
    report.fail(path, "needs `on_header_present` or `on_header_missing`");
  }
  if (from.has_on_header_present()) {
    to.present = to_entry(source, from.on_header_present(), path + ".on_header_present");
    if (to.present->rewrite && !to.present->value.empty()) {
      report.fail(path + ".on_header_present.value", "`regex_value_rewrite` is set already");
    }
  }
  if (from.has_on_header_missing()) {
    to.missing = to_entry(source, from.on_header_missing(), path + ".on_header_missing");
    if (to.missing->value.empty()) report.fail(path + ".on_header_missing", "needs a `value`");
  }
  return to;
}

std::shared_ptr<Rules> to_rules(const proto::FilterSource& source) {
  v3::Config config;
  if (!proto::parse(source, config)) return nullptr;
  auto to = std::make_shared<Rules>();
  for (int i = 0; i < config.request_rules_size(); i++) {
    std::string path = source.path + ".request_rules[" + std::to_string(i) + "]";
    to->request.push_back(to_rule(source, config.request_rules(i), path));
  }
  for (int i = 0; i < config.response_rules_size(); i++) {
    std::string path = source.path + ".response_rules[" + std::to_string(i) + "]";
    to->response.push_back(to_rule(source, config.response_rules(i), path));
  }
  if (!config.stat_prefix().empty()) {
    to->stats.emplace(source.host.stats().scope("http_filter_name." + config.stat_prefix() + ".", kTable),
                      source.host.workers());
  }
  return to;
}

std::unique_ptr<Filter> make(const proto::FilterSource& source) {
  auto rules = to_rules(source);
  if (!rules) return nullptr;
  return std::make_unique<HeaderToMetadata>(std::move(rules), source.slot);
}

std::shared_ptr<RouteFilterConfig> make_route(const proto::FilterSource& source) {
  auto rules = to_rules(source);
  if (rules && rules->request.empty() && rules->response.empty()) {
    source.report.fail(source.path, "needs `request_rules` or `response_rules`");
  }
  return rules;
}

}  // namespace

extern const proto::HttpFilterType header_to_metadata{
    "envoy.filters.http.header_to_metadata",
    "envoy.extensions.filters.http.header_to_metadata.v3.Config",
    make,
    "envoy.extensions.filters.http.header_to_metadata.v3.Config",
    make_route,
};

}  // namespace outrider::filters
