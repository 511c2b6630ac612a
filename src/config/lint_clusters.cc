// Clusters that nobody asks, listeners that ask themselves.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "config/lint_parts.h"

namespace outrider::config {
namespace {

constexpr std::string_view kClusters = "static_resources.clusters";

const Node* clusters_of(const Lint& lint) { return below(&lint.root, {"static_resources", "clusters"}); }
const Node* listeners_of(const Lint& lint) { return below(&lint.root, {"static_resources", "listeners"}); }

// Every text below a node that could name a cluster.
void collect(const Node& node, std::set<std::string_view>& texts) {
  if (node.is_scalar()) texts.insert(node.text);
  for (const Node& child : node) collect(child, texts);
}

bool has_key(const Node& node, const std::set<std::string_view>& keys) {
  for (const Node& child : node) {
    if ((child.has_key && keys.contains(child.key)) || has_key(child, keys)) return true;
  }
  return false;
}

// Whether a script is in a file of its own, which may call any cluster.
bool has_script_file(const Node& node) {
  for (const Node& child : node) {
    bool script = child.has_key && (child.key == "default_source_code" || child.key == "source_codes");
    if (script ? has_key(child, {"filename"}) : has_script_file(child)) return true;
  }
  return false;
}

// What a request, a server of discovery or a script elsewhere may name is not in the file.
bool names_come_from_elsewhere(const Lint& lint) {
  if (below(&lint.root, {"dynamic_resources", "lds_config"}) != nullptr || has_script_file(lint.root)) return true;
  return has_key(lint.root, {"rds", "scoped_routes", "cluster_header", "vhds", "inline_cluster_specifier_plugin",
                             "cluster_specifier_plugin"});
}

// Whether a script calls the cluster: its name stands in quotes in some longer text.
bool is_called(std::string_view name, const std::set<std::string_view>& texts) {
  const std::string quoted[] = {fmt::format("\"{}\"", name), fmt::format("'{}'", name)};
  return std::ranges::any_of(texts, [&](std::string_view text) {
    return text.contains("httpCall") && (text.contains(quoted[0]) || text.contains(quoted[1]));
  });
}

// --- Addresses

struct Place {
  std::string_view host;
  std::string_view port;
  std::string_view pipe;
};

Place place_of(const Node* address) {
  return {text_at(address, {"socket_address", "address"}), text_at(address, {"socket_address", "port_value"}),
          text_at(address, {"pipe", "path"})};
}

bool is_any(std::string_view host) { return host == "0.0.0.0" || host == "::"; }
bool is_this_machine(std::string_view host) {
  return is_any(host) || host.starts_with("127.") || host == "::1" || host == "localhost";
}

// Whether a connection to this endpoint ends at that listener.
bool reaches(const Place& endpoint, const Place& listener) {
  if (!endpoint.pipe.empty()) return endpoint.pipe == listener.pipe;
  if (endpoint.port.empty() || endpoint.port == "0" || endpoint.port != listener.port) return false;
  return endpoint.host == listener.host || (is_this_machine(endpoint.host) && is_any(listener.host)) ||
         (is_any(endpoint.host) && is_this_machine(listener.host)) ||
         (endpoint.host == "localhost" && is_this_machine(listener.host));
}

// Behind one of these a request may well take another route.
bool rewrites(const Node& action) {
  for (const Node& field : action) {
    if (field.has_key && field.key.contains("_rewrite")) return true;
  }
  return false;
}

// The clusters that requests of a listener go to as they came, with the node that says so.
void targets(const Node& node, bool weighted, std::map<std::string_view, const Node*>& out) {
  if (rewrites(node)) return;
  for (const Node& child : node) {
    const bool names = child.is_scalar() && (child.key == "cluster" || (weighted && child.key == "name"));
    if (names) out.emplace(child.text, &child);
    targets(child, weighted || child.key == "weighted_clusters", out);
  }
}

// Indices of the file's listeners to which a cluster leads.
std::set<size_t> listeners_behind(const Node& cluster, const std::vector<Place>& listeners) {
  std::set<size_t> out;
  each_of(below(&cluster, {"load_assignment", "endpoints"}), "", [&](const Node& locality, const std::string&) {
    each_of(locality.find("lb_endpoints"), "", [&](const Node& endpoint, const std::string&) {
      const Place place = place_of(below(&endpoint, {"endpoint", "address"}));
      for (size_t i = 0; i < listeners.size(); ++i) {
        if (reaches(place, listeners[i])) out.insert(i);
      }
    });
  });
  return out;
}

struct Step {
  size_t to;
  std::string_view cluster;
  const Node* says_so;
};

// Whether one gets from `at` to `goal`, not through what was seen.
bool leads(const std::vector<std::vector<Step>>& steps, size_t at, size_t goal, std::set<size_t>& seen) {
  if (at == goal) return true;
  if (!seen.insert(at).second) return false;
  for (const Step& step : steps[at]) {
    if (leads(steps, step.to, goal, seen)) return true;
  }
  return false;
}

}  // namespace

void look_for_unused_clusters(Lint& lint) {
  if (clusters_of(lint) == nullptr || names_come_from_elsewhere(lint)) return;
  std::set<std::string_view> texts;
  for (const Node& part : lint.root) {
    if (part.key != "static_resources") collect(part, texts);
  }
  for (const Node& part : *lint.root.find("static_resources")) {
    if (part.key != "clusters") collect(part, texts);
  }
  for (const Node& cluster : *clusters_of(lint)) {
    for (const Node& field : cluster) {
      if (field.key != "name" && field.key != "load_assignment") collect(field, texts);
    }
  }
  each_of(clusters_of(lint), std::string(kClusters), [&](const Node& cluster, const std::string& path) {
    const Node* name = cluster.find("name");
    if (name == nullptr || texts.contains(name->text) || is_called(name->text, texts)) return;
    lint.tell(*name, path + ".name", fmt::format("nothing uses the cluster `{}`", name->text));
  });
}

void look_for_loops(Lint& lint) {
  if (clusters_of(lint) == nullptr || listeners_of(lint) == nullptr) return;
  std::vector<Place> places;
  for (const Node& listener : *listeners_of(lint)) places.push_back(place_of(listener.find("address")));
  std::map<std::string_view, std::set<size_t>> behind;
  for (const Node& cluster : *clusters_of(lint)) {
    behind[text_at(&cluster, {"name"})] = listeners_behind(cluster, places);
  }
  std::vector<std::vector<Step>> steps;
  for (const Node& listener : *listeners_of(lint)) {
    std::map<std::string_view, const Node*> named;
    targets(listener, false, named);
    std::vector<Step>& out = steps.emplace_back();
    for (const auto& [cluster, says_so] : named) {
      for (const size_t to : behind[cluster]) out.push_back({to, cluster, says_so});
    }
  }
  for (size_t i = 0; i < steps.size(); ++i) {
    for (const Step& step : steps[i]) {
      std::set<size_t> seen;
      if (!leads(steps, step.to, i, seen)) continue;
      lint.tell(*step.says_so, fmt::format("static_resources.listeners[{}]", i),
                fmt::format("the cluster `{}` leads back to this listener: each request makes requests without end",
                            step.cluster));
    }
  }
}

void look_for_duplicate_addresses(Lint& lint) {
  std::map<std::vector<std::string_view>, const Node*> seen;
  each_of(listeners_of(lint), "static_resources.listeners", [&](const Node& listener, const std::string& path) {
    const Node* address = listener.find("address");
    const Place place = place_of(address);
    if (address == nullptr || place.port == "0" || text_at(&listener, {"bind_to_port"}) == "false") return;
    const std::string_view protocol = text_at(address, {"socket_address", "protocol"});
    const std::string_view network = text_at(address, {"socket_address", "network_namespace_filepath"});
    const auto [other, is_new] =
        seen.emplace(std::vector{place.host, place.port, place.pipe, protocol, network}, address);
    if (is_new) return;
    lint.tell(*address, path + ".address",
              fmt::format("a listener has this address already, in line {}", other->second->line));
  });
}

void look_for_open_admin(Lint& lint) {
  const Node* host = below(&lint.root, {"admin", "address", "socket_address", "address"});
  if (host == nullptr || !host->is_scalar() || (is_this_machine(host->text) && !is_any(host->text))) return;
  lint.tell(*host, "admin.address.socket_address.address",
            "whoever reaches this port may read all of the configuration and end the process: the admin page asks "
            "nobody who they are; 127.0.0.1 keeps it to this machine");
}

}  // namespace outrider::config
