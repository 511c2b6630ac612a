#include "config/route_scope.h"
#include "core/ascii.h"
#include "core/log.h"
#include "envoy/extensions/retry/host/omit_host_metadata/v3/omit_host_metadata_config.pb.h"
#include "envoy/extensions/retry/priority/previous_priorities/v3/previous_priorities_config.pb.h"

namespace outrider::config {
namespace {

namespace v3 = envoy::config::route::v3;

void compile_predicates(Compilation& c, const v3::RetryPolicy& proto, const std::string& path, RetryPolicy& policy) {
  for (int i = 0; i < proto.retry_host_predicate_size(); i++) {
    const auto& any = proto.retry_host_predicate(i).typed_config();
    std::string at = path + ".retry_host_predicate[" + std::to_string(i) + "].typed_config";
    std::string_view type = any.type_url();
    if (type.ends_with("PreviousHostsPredicate")) {
      policy.not_previous_hosts = true;
    } else if (type.ends_with("OmitCanaryHostsPredicate")) {
      policy.not_canaries = true;
    } else if (type.ends_with("OmitHostMetadataConfig")) {
      envoy::extensions::retry::host::omit_host_metadata::v3::OmitHostMetadataConfig config;
      if (!config.ParseFromString(any.value())) return c.fail(at, "is not a valid message of its type");
      const auto& spaces = config.metadata_match().filter_metadata();
      auto lb = spaces.find(std::string(kLbMetadata));
      if (lb != spaces.end()) policy.not_hosts.push_back(proto::to_struct(lb->second));
    } else {
      c.fail(at, "a predicate of hosts was expected");
    }
  }
  if (proto.host_selection_retry_max_attempts() > 0) {
    policy.host_choices =
        static_cast<std::uint32_t>(std::min<std::int64_t>(proto.host_selection_retry_max_attempts(), kHostChoicesMax));
  }
  if (!proto.has_retry_priority()) return;
  envoy::extensions::retry::priority::previous_priorities::v3::PreviousPrioritiesConfig config;
  if (!config.ParseFromString(proto.retry_priority().typed_config().value())) {
    return c.fail(path + ".retry_priority.typed_config", "is not a valid message of its type");
  }
  policy.priority_update_after = static_cast<std::uint32_t>(std::max(1, config.update_frequency()));
}

void compile_intervals(Compilation& c, const v3::RetryPolicy& proto, const std::string& path, RetryPolicy& policy) {
  if (proto.has_retry_back_off()) {
    const auto& backoff = proto.retry_back_off();
    constexpr std::chrono::milliseconds kLeast{1};
    policy.base_interval = std::max(kLeast, to_ms(backoff.base_interval()));
    if (backoff.has_max_interval()) policy.max_interval = std::max(kLeast, to_ms(backoff.max_interval()));
    if (backoff.has_max_interval() && policy.max_interval < policy.base_interval) {
      c.fail(path + ".retry_back_off.max_interval", "is less than base_interval");
    }
  }
  const auto& limited = proto.rate_limited_retry_back_off();
  for (const auto& each : limited.reset_headers()) {
    policy.reset_headers.push_back({ascii_lower(each.name()), each.format() == v3::RetryPolicy::UNIX_TIMESTAMP});
  }
  if (limited.has_max_interval()) policy.reset_interval_max = to_ms(limited.max_interval());
}

// As Envoy, which goes on without them.
void warn_of_unknown_words(const Compilation& c, const std::string& list, const std::string& path) {
  std::string unknown;
  each_listed(list, [&](std::string_view word) {
    if (parse_retry_on(word).any() || parse_retry_grpc_on(word).any()) return;
    unknown.append(unknown.empty() ? "" : ", ").append(word);
  });
  if (unknown.empty()) return;
  Problem note = c.loaded.at(path, "no reason to retry, and left out: " + unknown);
  note.fatal = false;
  log(Logger::config, LogLevel::warning, to_text(note));
}

}  // namespace

std::shared_ptr<const RetryPolicy> compile_retry(Compilation& c, const v3::RetryPolicy& proto,
                                                 const std::string& path) {
  auto policy = std::make_shared<RetryPolicy>();
  warn_of_unknown_words(c, proto.retry_on(), path + ".retry_on");
  policy->on = parse_retry_on(proto.retry_on());
  policy->on.add(parse_retry_grpc_on(proto.retry_on()));
  if (proto.has_num_retries()) policy->retries = proto.num_retries().value();
  if (proto.has_per_try_timeout()) policy->per_try_timeout = to_ms(proto.per_try_timeout());
  if (proto.has_per_try_idle_timeout()) policy->per_try_idle_timeout = to_ms(proto.per_try_idle_timeout());
  for (std::uint32_t code : proto.retriable_status_codes()) policy->status_codes.push_back(code);
  policy->headers = proto::compile_list<HeaderMatcher>(c, proto.retriable_headers(), path + ".retriable_headers");
  policy->request_headers =
      proto::compile_list<HeaderMatcher>(c, proto.retriable_request_headers(), path + ".retriable_request_headers");
  compile_predicates(c, proto, path, *policy);
  compile_intervals(c, proto, path, *policy);
  return policy;
}

}  // namespace outrider::config
