// Routes that never match, domains that two virtual hosts have.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "config/lint_parts.h"

namespace outrider::config {
namespace {

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

bool same(const Node& a, const Node& b) {
  if (a.kind != b.kind || a.text != b.text || a.key != b.key || a.size() != b.size()) return false;
  const Node* other = b.first;
  for (const Node& child : a) {
    if (!same(child, *other)) return false;
    other = other->next;
  }
  return true;
}

// The part of a match that is about the path.
struct PathMatch {
  std::string_view kind;  // prefix, path, ...
  std::string text;       // lower case, if its case does not matter
  bool any_case = false;
};

PathMatch path_of(const Node& match) {
  PathMatch out;
  out.any_case = text_at(&match, {"case_sensitive"}) == "false";
  for (const std::string_view kind : {"prefix", "path", "path_separated_prefix"}) {
    const Node* node = match.find(kind);
    if (node == nullptr || !node->is_scalar()) continue;
    out.kind = kind;
    out.text = out.any_case ? lower(node->text) : std::string(node->text);
    return out;
  }
  if (match.find("safe_regex") != nullptr) {
    out.kind = "safe_regex";
    out.text = text_at(&match, {"safe_regex", "regex"});
  }
  return out;
}

bool is_below(std::string_view path, std::string_view prefix) {
  return path == prefix || (path.starts_with(prefix) && path[prefix.size()] == '/');
}

// Whether every path that `second` takes is one that `first` takes.
bool covers(const PathMatch& first, const PathMatch& second) {
  if (first.kind.empty() || second.kind.empty()) return false;  // CONNECT, templates
  if (first.kind == "prefix" && first.text == "/") return true;
  if (!first.any_case && second.any_case && second.kind != "safe_regex") return false;
  const std::string other = first.any_case ? lower(second.text) : second.text;
  if (second.kind == "safe_regex" || first.kind == "safe_regex") {
    return first.kind == second.kind && first.text == second.text;
  }
  if (first.kind == "path") return second.kind == "path" && first.text == other;
  if (first.kind == "prefix") return other.starts_with(first.text);
  // Prefixes of whole segments.
  return second.kind == "prefix" ? other.starts_with(first.text + "/") : is_below(other, first.text);
}

// Whether `second` asks for all that `first` asks for besides the path.
bool asks_no_more(const Node& first, const Node& second) {
  const std::set<std::string_view> kOfPath = {"prefix",     "path",           "path_separated_prefix",
                                              "safe_regex", "case_sensitive", "match_hash"};
  for (const Node& condition : first) {
    if (kOfPath.contains(condition.key)) continue;
    const Node* other = second.find(condition.key);
    if (condition.key == "runtime_fraction" || other == nullptr) return false;
    if (!condition.is_sequence()) {
      if (!same(condition, *other)) return false;
      continue;
    }
    for (const Node& one : condition) {
      const auto is_it = [&](const Node* each) { return same(*each, one); };
      bool found = false;
      for (const Node& each : *other) found = found || is_it(&each);
      if (!found) return false;
    }
  }
  return true;
}

void look_at_host(Lint& lint, const Node& host, const std::string& path) {
  struct Before {
    const Node* match;
    PathMatch path;
  };
  std::vector<Before> before;
  each_of(host.find("routes"), path + ".routes", [&](const Node& route, const std::string& path) {
    const Node* match = route.find("match");
    if (match == nullptr || !match->is_mapping()) return;
    const PathMatch here = path_of(*match);
    for (const Before& each : before) {
      if (!covers(each.path, here) || !asks_no_more(*each.match, *match)) continue;
      lint.tell(*match, path + ".match",
                fmt::format("never matches: the route in line {} takes every request that it would", each.match->line));
      break;
    }
    before.push_back({match, here});
  });
}

}  // namespace

void look_for_shadowed_routes(Lint& lint) {
  each_manager(lint, [&](const Hcm& manager) {
    each_virtual_host(manager, [&](const Node& host, const std::string& path) { look_at_host(lint, host, path); });
  });
}

void look_for_duplicate_domains(Lint& lint) {
  each_manager(lint, [&](const Hcm& manager) {
    std::map<std::string, const Node*> seen;
    each_virtual_host(manager, [&](const Node& host, const std::string& path) {
      each_of(host.find("domains"), path + ".domains", [&](const Node& domain, const std::string& path) {
        const auto [other, is_new] = seen.emplace(lower(domain.text), &domain);
        if (is_new) return;
        lint.tell(domain, path, fmt::format("`{}` stands in line {} already", domain.text, other->second->line));
      });
    });
  });
}

}  // namespace outrider::config
