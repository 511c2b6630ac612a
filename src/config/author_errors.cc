#include "config/author_errors.h"

#include <fmt/format.h>

#include <set>

#include "config/lint_parts.h"
#include "config/nearest.h"

namespace outrider::config {
namespace {

using Names = std::set<std::string_view>;

Names names_of(const Node* list) {
  Names names;
  each_of(list, "", [&](const Node& item, const std::string&) { names.insert(text_at(&item, {"name"})); });
  return names;
}

void refuse_cluster(Lint& lint, const Names& known, const Node* name, const std::string& path) {
  if (name == nullptr || !name->is_scalar() || known.contains(name->text)) return;
  const std::vector<std::string_view> list(known.begin(), known.end());
  const std::string_view near = nearest(name->text, list);
  lint.tell(
      *name, path,
      fmt::format("unknown cluster '{}'{}", name->text, near.empty() ? "" : fmt::format("; did you mean '{}'?", near)));
}

void refuse_unknown_clusters(Lint& lint) {
  const Names known = names_of(below(&lint.root, {"static_resources", "clusters"}));
  each_manager(lint, [&](const Hcm& manager) {
    if (text_at(&manager.config, {"route_config", "validate_clusters"}) == "false") return;
    each_virtual_host(manager, [&](const Node& host, const std::string& path) {
      each_of(host.find("routes"), path + ".routes", [&](const Node& route, const std::string& path) {
        const Node* action = route.find("route");
        if (action == nullptr) return;
        refuse_cluster(lint, known, below(action, {"cluster"}), path + ".route.cluster");
        each_of(below(action, {"weighted_clusters", "clusters"}), path + ".route.weighted_clusters.clusters",
                [&](const Node& choice, const std::string& path) {
                  refuse_cluster(lint, known, choice.find("name"), path + ".name");
                });
      });
    });
  });
}

void refuse_listeners_without_chains(Lint& lint) {
  each_of(
      below(&lint.root, {"static_resources", "listeners"}), "static_resources.listeners",
      [&](const Node& listener, const std::string& path) {
        for (const char* key : {"default_filter_chain", "udp_listener_config", "api_listener", "internal_listener"}) {
          if (listener.find(key) != nullptr) return;
        }
        const Node* chains = listener.find("filter_chains");
        if (chains != nullptr && chains->begin() != chains->end()) return;
        if (text_at(&listener, {"address", "socket_address", "protocol"}) == "UDP") return;
        lint.tell(listener, path, "a listener needs a filter chain");
      });
}

void refuse_duplicate_clusters(Lint& lint) {
  Names seen;
  each_of(below(&lint.root, {"static_resources", "clusters"}), "static_resources.clusters",
          [&](const Node& cluster, const std::string& path) {
            const Node* name = cluster.find("name");
            if (name == nullptr || seen.insert(name->text).second) return;
            lint.tell(*name, path + ".name", fmt::format("a cluster named '{}' exists already", name->text));
          });
}

bool knows_an_authority(const Node& validation) {
  for (const char* key : {"trusted_ca", "ca_certificate_provider_instance", "system_root_certs",
                          "custom_validator_config", "watched_directory"}) {
    if (validation.find(key) != nullptr) return true;
  }
  return false;
}

// Whoever may sign a certificate may write any name into it.
void refuse_names_without_authority(Lint& lint, const Node& node, const std::string& path) {
  for (const Node& child : node) {
    const std::string at = child.has_key ? fmt::format("{}{}{}", path, path.empty() ? "" : ".", child.key) : path;
    if (child.has_key && child.key == "validation_context" && !knows_an_authority(child)) {
      for (const char* key : {"match_typed_subject_alt_names", "match_subject_alt_names"}) {
        const Node* names = child.find(key);
        if (names == nullptr || names->begin() == names->end()) continue;
        lint.tell(*names, at + "." + key,
                  "needs a trusted_ca beside it: who signs a certificate himself writes what he likes");
      }
    }
    if (!child.is_scalar()) refuse_names_without_authority(lint, child, at);
  }
}

}  // namespace

void look_for_author_errors(const Tree& tree, const Node& root, Problems& problems) {
  std::vector<Finding> findings;
  Lint lint(tree, root, findings);
  refuse_unknown_clusters(lint);
  refuse_listeners_without_chains(lint);
  refuse_duplicate_clusters(lint);
  look_for_duplicate_domains(lint);
  refuse_names_without_authority(lint, root, "");
  for (Finding& each : findings) problems.add(std::move(each.problem));
}

}  // namespace outrider::config
