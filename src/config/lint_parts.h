// What the checks of lint() share: the file as a canonical tree, and a way to tell.
#pragma once

#include <chrono>
#include <functional>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/lint.h"
#include "config/tree.h"

namespace outrider::config {

class Lint {
 public:
  Lint(const Tree& tree, const Node& root, std::vector<Finding>& findings)
      : root(root), tree_(tree), findings_(findings) {}

  const Node& root;
  std::string_view check;  // the one that looks now

  void tell(const Node& node, std::string path, std::string message) {
    findings_.push_back({check, tree_.problem(node.mark(), std::move(path), std::move(message))});
  }

 private:
  const Tree& tree_;
  std::vector<Finding>& findings_;
};

struct Check {
  std::string_view name, about;
  void (*look)(Lint&);
};

void look_for_unused_clusters(Lint& lint);
void look_for_loops(Lint& lint);
void look_for_duplicate_addresses(Lint& lint);
void look_for_shadowed_routes(Lint& lint);
void look_for_duplicate_domains(Lint& lint);
void look_for_timeouts(Lint& lint);
void look_for_open_admin(Lint& lint);

// The node at these keys below another one; nullptr if there is none.
const Node* below(const Node* node, std::initializer_list<std::string_view> keys);
std::string_view text_at(const Node* node, std::initializer_list<std::string_view> keys);  // empty if there is none

// Every item of a list, with its path.
void each_of(const Node* list, const std::string& path,
             const std::function<void(const Node& item, const std::string& path)>& function);

// Every HTTP connection manager, of every listener, with its path.
struct Hcm {
  const Node& listener;
  const Node& config;
  std::string path;
};
void each_manager(Lint& lint, const std::function<void(const Hcm& manager)>& function);

// Every virtual host of the manager's own route_config.
void each_virtual_host(const Hcm& manager,
                       const std::function<void(const Node& host, const std::string& path)>& function);

// A duration of the canonical form; nothing if there is none.
using Seconds = std::chrono::duration<double>;
std::optional<Seconds> duration_at(const Node* node, std::initializer_list<std::string_view> keys);
std::string shown(Seconds duration);  // "2.5 s"

}  // namespace outrider::config
