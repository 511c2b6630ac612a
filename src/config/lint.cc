#include "config/lint.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "config/lint_parts.h"
#include "config/load_steps.h"
#include "config/scalar.h"

namespace outrider::config {
namespace {

constexpr std::string_view kManager =
    "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

constexpr Check kChecks[] = {
    {"unused-cluster", "a cluster that nothing in the file names", look_for_unused_clusters},
    {"shadowed-route", "a route that never matches, because one before it takes all its requests",
     look_for_shadowed_routes},
    {"duplicate-domain", "a domain that two virtual hosts of a listener have", look_for_duplicate_domains},
    {"duplicate-address", "an address that two listeners have", look_for_duplicate_addresses},
    {"loop", "a listener whose requests come back to it", look_for_loops},
    {"open-admin", "an admin page that others than this machine reach", look_for_open_admin},
    {"timeout", "a time-out that another one always comes before", look_for_timeouts},
};

}  // namespace

const Node* below(const Node* node, std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys) {
    if (node == nullptr || !node->is_mapping()) return nullptr;
    node = node->find(key);
  }
  return node;
}

std::string_view text_at(const Node* node, std::initializer_list<std::string_view> keys) {
  const Node* found = below(node, keys);
  return found != nullptr && found->is_scalar() ? found->text : std::string_view{};
}

void each_of(const Node* list, const std::string& path,
             const std::function<void(const Node& item, const std::string& path)>& function) {
  if (list == nullptr || !list->is_sequence()) return;
  size_t index = 0;
  for (const Node& item : *list) function(item, fmt::format("{}[{}]", path, index++));
}

void each_manager(Lint& lint, const std::function<void(const Hcm& manager)>& function) {
  each_of(below(&lint.root, {"static_resources", "listeners"}), "static_resources.listeners",
          [&](const Node& listener, const std::string& path) {
            const auto chain = [&](const Node& chain, const std::string& path) {
              each_of(chain.find("filters"), path + ".filters", [&](const Node& filter, const std::string& path) {
                if (text_at(&filter, {"typed_config", "@type"}) != kManager) return;
                function({listener, *filter.find("typed_config"), path + ".typed_config"});
              });
            };
            each_of(listener.find("filter_chains"), path + ".filter_chains", chain);
            if (const Node* last = listener.find("default_filter_chain")) chain(*last, path + ".default_filter_chain");
          });
}

void each_virtual_host(const Hcm& manager,
                       const std::function<void(const Node& host, const std::string& path)>& function) {
  each_of(below(&manager.config, {"route_config", "virtual_hosts"}), manager.path + ".route_config.virtual_hosts",
          function);
}

std::optional<Seconds> duration_at(const Node* node, std::initializer_list<std::string_view> keys) {
  Span span;
  bool is_extension = false;
  if (!to_duration(text_at(node, keys), span, is_extension)) return std::nullopt;
  return Seconds(static_cast<double>(span.seconds) + span.nanos / 1e9);
}

std::string shown(Seconds duration) { return fmt::format("{} s", duration.count()); }

std::expected<std::vector<Finding>, std::vector<Problem>> lint(const Source& source) {
  Problems problems;
  std::optional<std::string> text = read_text(source.path, problems);
  if (!text) return std::unexpected(problems.take());
  return lint_text(Schema(), source.path, std::move(*text), source);
}

std::expected<std::vector<Finding>, std::vector<Problem>> lint_text(const Schema& schema, std::string_view name,
                                                                    std::string text, const Source& source) {
  Problems problems;
  Tree tree;
  Upgrade upgrade(tree, schema, problems);
  Dialect dialect = Dialect::v3;
  const Node* root = read_canonical(schema, name, std::move(text), source, upgrade, dialect, problems);
  if (root == nullptr) return std::unexpected(problems.take());
  std::vector<Finding> findings;
  Lint lint(tree, *root, findings);
  for (const Check& check : kChecks) {
    lint.check = check.name;
    check.look(lint);
  }
  std::ranges::sort(findings, {}, [](const Finding& one) {
    return std::tie(one.problem.file, one.problem.line, one.problem.column, one.check, one.problem.message);
  });
  return findings;
}

std::vector<CheckName> lint_checks() {
  std::vector<CheckName> out;
  for (const Check& check : kChecks) out.push_back({check.name, check.about});
  return out;
}

}  // namespace outrider::config
