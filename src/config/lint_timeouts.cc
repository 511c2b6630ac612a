// Time-outs that another one always comes before.
#include <fmt/format.h>

#include <map>

#include "config/lint_parts.h"

namespace outrider::config {
namespace {

constexpr Seconds kRouteTimeout{15};  // Envoy's defaults
constexpr Seconds kStreamIdleTimeout{300};

using Clusters = std::map<std::string_view, const Node*>;

// A time-out that is 0 or missing and has no default never comes.
std::optional<Seconds> if_any(std::optional<Seconds> duration) {
  return duration && duration->count() > 0 ? duration : std::nullopt;
}

void connecting(Lint& lint, const Node& action, const std::string& path, Seconds timeout, const Clusters& clusters) {
  const Node* name = action.find("cluster");
  const auto found = name == nullptr ? clusters.end() : clusters.find(name->text);
  if (found == clusters.end()) return;
  const Node* node = found->second->find("connect_timeout");
  const auto connect = if_any(duration_at(found->second, {"connect_timeout"}));
  if (!connect || *connect <= timeout) return;
  const Node* where = action.find("timeout");
  lint.tell(where != nullptr ? *where : *name, path + ".timeout",
            fmt::format("a request ends after {}, before `connect_timeout` of the cluster `{}` does ({}, line {})",
                        shown(timeout), name->text, shown(*connect), node->line));
}

void retrying(Lint& lint, const Node& action, const std::string& path, Seconds timeout) {
  const Node* policy = action.find("retry_policy");
  for (const std::string_view key : {"per_try_timeout", "per_try_idle_timeout"}) {
    const auto each = if_any(duration_at(policy, {key}));
    if (!each || *each < timeout) continue;
    lint.tell(*policy->find(key), fmt::format("{}.retry_policy.{}", path, key),
              fmt::format("never comes: the route's `timeout` ends the request after {}, with all its tries",
                          shown(timeout)));
  }
}

void route(Lint& lint, const Node& action, const std::string& path, Seconds stream_idle, const Clusters& clusters) {
  const auto given = duration_at(&action, {"timeout"});
  const Seconds timeout = given.value_or(kRouteTimeout);
  if (timeout.count() == 0) return;
  connecting(lint, action, path, timeout, clusters);
  retrying(lint, action, path, timeout);
  const Seconds idle = duration_at(&action, {"idle_timeout"}).value_or(stream_idle);
  if (given && idle.count() > 0 && timeout > idle) {
    lint.tell(
        *action.find("timeout"), path + ".timeout",
        fmt::format("a request that waits for its response ends after {} without bytes, which is {}", shown(idle),
                    action.find("idle_timeout") != nullptr ? "the route's `idle_timeout`" : "`stream_idle_timeout`"));
  }
  const auto longest = if_any(duration_at(&action, {"max_stream_duration", "max_stream_duration"}));
  if (given && longest && timeout > *longest) {
    lint.tell(*action.find("timeout"), path + ".timeout",
              fmt::format("never comes: `max_stream_duration` ends the request after {}", shown(*longest)));
  }
}

void manager_itself(Lint& lint, const Hcm& manager) {
  const auto head = if_any(duration_at(&manager.config, {"request_headers_timeout"}));
  const auto whole = if_any(duration_at(&manager.config, {"request_timeout"}));
  if (!head || !whole || *head <= *whole) return;
  lint.tell(*manager.config.find("request_headers_timeout"), manager.path + ".request_headers_timeout",
            fmt::format("never comes: `request_timeout` ends the request after {}", shown(*whole)));
}

}  // namespace

void look_for_timeouts(Lint& lint) {
  Clusters clusters;
  if (const Node* list = below(&lint.root, {"static_resources", "clusters"})) {
    for (const Node& cluster : *list) clusters.emplace(text_at(&cluster, {"name"}), &cluster);
  }
  each_manager(lint, [&](const Hcm& manager) {
    manager_itself(lint, manager);
    const Seconds idle = duration_at(&manager.config, {"stream_idle_timeout"}).value_or(kStreamIdleTimeout);
    each_virtual_host(manager, [&](const Node& host, const std::string& path) {
      each_of(host.find("routes"), path + ".routes", [&](const Node& one, const std::string& path) {
        if (const Node* action = one.find("route")) route(lint, *action, path + ".route", idle, clusters);
      });
    });
  });
}

}  // namespace outrider::config
