// The keys of v2 of routes that v3 does not have, and those that v3 has only as deprecated ones.
#include <fmt/format.h>
#include <re2/re2.h>

#include "config/rules.h"

namespace outrider::config {

void allow_websocket(Upgrade& upgrade, Node& route_action, Node& flag, const Path& path) {
  if (!flag.is_scalar() || (flag.text != "true" && flag.text != "false")) {
    upgrade.error(flag.mark(), path.field("use_websocket"), "true or false was expected");
    return;
  }
  if (flag.text == "false") return;
  Node* list = upgrade.tree.set_sequence(route_action, "upgrade_configs", flag.key_mark());
  Node* one = upgrade.tree.make(Kind::mapping, flag.value_mark());
  upgrade.tree.append(*list, *one);
  upgrade.tree.set_scalar(*one, "upgrade_type", "websocket", false, flag.value_mark());
}

namespace {

// `host_rewrite` was literal in v2; what v3 means by the word today has operators in it.
void host_rewrite(Upgrade& upgrade, Node& action, Node& value, const Path&) {
  const bool has_operators = value.is_scalar() && value.text.find('%') != std::string_view::npos;
  upgrade.tree.set(action, has_operators ? "host_rewrite" : "host_rewrite_literal", value);
}

void mirror_policy(Upgrade& upgrade, Node& action, Node& value, const Path&) {
  Node* list = upgrade.tree.set_sequence(action, "request_mirror_policies", value.key_mark());
  upgrade.tree.append(*list, value);
}

// Early v2 changed fields in the action, not in the route.
void fields_of_action(Upgrade& upgrade, Node& route, Node&, const Path&) {
  Node* action = route.find("route");
  if (action == nullptr || !action->is_mapping()) return;
  for (std::string_view key : {"request_headers_to_add", "response_headers_to_add", "response_headers_to_remove"}) {
    Node* changes = upgrade.tree.take(*action, key);
    if (changes == nullptr) continue;
    Node* list = route.find(key);
    if (list == nullptr || !list->is_sequence()) {
      upgrade.tree.set(route, key, *changes);
    } else {
      for_each(upgrade, *changes, [&](Node& one) { upgrade.tree.append(*list, one); });
    }
  }
}

constexpr int kRegexSizeMax = 100;  // Beyond it today's Envoy wants to be told.

// matcher.safe_regex.regex. The expressions of other times had no limit.
void put_regex(Upgrade& upgrade, Node& matcher, Node& value) {
  if (value.is_scalar()) {
    const re2::RE2 compiled(re2::StringPiece(value.text.data(), value.text.size()), re2::RE2::Quiet);
    const int size = compiled.ok() ? compiled.ProgramSize() : 0;
    if (size > kRegexSizeMax) {
      put_text(upgrade, matcher, {"safe_regex", "google_re2", "max_program_size"}, std::to_string(size), true,
               value.value_mark());
    }
  }
  put(upgrade, matcher, {"safe_regex", "regex"}, value);
}

void regex(Upgrade& upgrade, Node& match, Node& value, const Path&) { put_regex(upgrade, match, value); }

void put_text_regex(Upgrade& upgrade, Node& matcher, Node& value) {
  put_regex(upgrade, *upgrade.tree.set_mapping(matcher, "string_match", value.key_mark()), value);
}

// An HTTP/1 upgrade was joined to a TCP proxy with settings of its own.
void websocket_config(Upgrade& upgrade, Node&, Node& value, const Path& path) {
  if (value.is_mapping() && value.first != nullptr) left_out(upgrade, value, value, path);
}

// {default_value, runtime_key} of an early v2, percents.
void runtime_of_match(Upgrade& upgrade, Node& match, Node& value, const Path& path) {
  Node* number = upgrade.tree.take(value, "default_value");
  Node* key = upgrade.tree.take(value, "runtime_key");
  if (key == nullptr) return upgrade.error(value.mark(), path.field("runtime"), "`runtime_key` is missing");
  if (number == nullptr) number = upgrade.tree.make_scalar("0", true, value.value_mark());
  put(upgrade, match, {"runtime_fraction", "default_value", "numerator"}, *number);
  put(upgrade, match, {"runtime_fraction", "runtime_key"}, *key);
}

// The key alone: nothing is mirrored until somebody sets it.
void mirror_runtime(Upgrade& upgrade, Node& policy, Node& value, const Path&) {
  if (value.is_scalar() && value.text.empty()) return;
  const Mark mark = value.value_mark();
  put_text(upgrade, policy, {"runtime_fraction", "default_value", "numerator"}, "0", true, mark);
  put_text(upgrade, policy, {"runtime_fraction", "default_value", "denominator"}, "TEN_THOUSAND", false, mark);
  put(upgrade, policy, {"runtime_fraction", "runtime_key"}, value);
}

// --- Matchers

// {value, regex: true} → string_match; without a value the name is enough.
void string_match(Upgrade& upgrade, Node& matcher, Node&, const Path& path) {
  Node* value = upgrade.tree.take(matcher, "value");
  Node* regex = upgrade.tree.take(matcher, "regex");
  Node* whole = upgrade.tree.take(matcher, "regex_match");
  if (whole != nullptr) return put_text_regex(upgrade, matcher, *whole);
  if (regex != nullptr && regex->is_scalar() && regex->text != "true" && regex->text != "false") {
    return upgrade.error(regex->mark(), path.field("regex"), "true or false was expected");
  }
  if (value == nullptr || (value->is_scalar() && value->text.empty())) {
    if (value != nullptr || regex != nullptr) {
      upgrade.tree.set_scalar(matcher, "present_match", "true", true, matcher.value_mark());
    }
  } else if (is_true(regex)) {
    put_text_regex(upgrade, matcher, *value);
  } else {
    put(upgrade, matcher, {"string_match", "exact"}, *value);
  }
}

void text_regex(Upgrade& upgrade, Node& matcher, Node& value, const Path&) { put_regex(upgrade, matcher, value); }

// {pattern, method} → headers.
void pattern(Upgrade& upgrade, Node& cluster, Node& value, const Path&) {
  Node& matcher = append_mapping(upgrade, cluster, "headers", value.key_mark());
  upgrade.tree.set_scalar(matcher, "name", ":path", false, value.key_mark());
  put_text_regex(upgrade, matcher, value);
}

void method(Upgrade& upgrade, Node& cluster, Node& value, const Path&) {
  if (value.is_scalar() && value.text == "METHOD_UNSPECIFIED") return;
  Node& matcher = append_mapping(upgrade, cluster, "headers", value.key_mark());
  upgrade.tree.set_scalar(matcher, "name", ":method", false, value.key_mark());
  put(upgrade, matcher, {"string_match", "exact"}, value);
}

// --- CORS

void origins(Upgrade& upgrade, Node& policy, Node& value, const Path&) {
  const bool is_regex = value.key == "allow_origin_regex";
  for_each(upgrade, value, [&](Node& one) {
    Node& matcher = append_mapping(upgrade, policy, "allow_origin_string_match", one.value_mark());
    Node* text = upgrade.tree.make_scalar(one.text, false, one.value_mark());
    if (is_regex) return put_regex(upgrade, matcher, *text);
    upgrade.tree.set(matcher, "exact", *text);
  });
}

void cors_enabled(Upgrade& upgrade, Node& policy, Node& value, const Path&) {
  if (value.kind == Kind::null) return;
  const std::string_view percent = is_true(&value) ? "100" : "0";
  put_text(upgrade, policy, {"filter_enabled", "default_value", "numerator"}, percent, true, value.value_mark());
}

// `append: false` is one of several answers today.
void append(Upgrade& upgrade, Node& option, Node& value, const Path&) {
  if (option.find("append_action") != nullptr) return upgrade.tree.set(option, "append", value);
  if (value.kind == Kind::null || is_true(&value)) return;
  put_text(upgrade, option, {"append_action"}, "OVERWRITE_IF_EXISTS_OR_ADD", false, value.value_mark());
}

constexpr std::string_view kCorsMessage = "envoy.config.route.v3.CorsPolicy";
constexpr std::string_view kCorsFilterMessage = "envoy.extensions.filters.http.cors.v3.CorsPolicy";

constexpr Rule kRules[] = {
    {kVirtualHostMessage, "per_filter_config", nullptr, "typed_per_filter_config"},
    {kRouteMessage, "per_filter_config", nullptr, "typed_per_filter_config"},
    {kClusterWeightMessage, "per_filter_config", nullptr, "typed_per_filter_config"},
    {kRouteMessage, kWhole, fields_of_action},
    {kRouteMatchMessage, "regex", regex},
    {kRouteMatchMessage, "runtime", runtime_of_match},
    {kRouteActionMessage, "host_rewrite", host_rewrite},
    {kRouteActionMessage, "auto_host_rewrite_header", nullptr, "host_rewrite_header"},
    {kRouteActionMessage, "request_mirror_policy", mirror_policy},
    {kRouteActionMessage, "use_websocket", allow_websocket},
    {kRouteActionMessage, "websocket_config", websocket_config},
    {"envoy.config.route.v3.RouteAction.RequestMirrorPolicy", "runtime_key", mirror_runtime},
    {kHeaderMatcherMessage, kWhole, string_match},
    {"envoy.config.route.v3.QueryParameterMatcher", kWhole, string_match},
    {"envoy.type.matcher.v3.StringMatcher", "regex", text_regex},
    {kVirtualClusterMessage, "pattern", pattern},
    {kVirtualClusterMessage, "method", method},
    {kCorsMessage, "allow_origin", origins},
    {kCorsMessage, "allow_origin_regex", origins},
    {kCorsMessage, "enabled", cors_enabled},
    {kCorsFilterMessage, "allow_origin", origins},
    {kCorsFilterMessage, "allow_origin_regex", origins},
    {kCorsFilterMessage, "enabled", cors_enabled},
    {"envoy.config.core.v3.HeaderValueOption", "append", append},
};

}  // namespace

std::span<const Rule> v2_route_rules() { return kRules; }

}  // namespace outrider::config
