#include "upstream/subset.h"

#include <algorithm>
#include <map>

#include "upstream/attempt.h"
#include "upstream/host_set.h"

namespace outrider {
namespace {

// Each value with a letter for its type and its length, so that no two lists of values look alike.
void append_value(std::string& out, const Value& value) {
  if (const std::string* text = value.text()) {
    out.append("s").append(std::to_string(text->size())).append(":").append(*text);
  } else if (const double* number = value.number()) {
    out.append("n").append(std::to_string(*number)).append(";");
  } else if (const bool* flag = value.boolean()) {
    out += *flag ? 't' : 'f';
  } else if (const Value::List* list = value.list()) {
    out.append("l").append(std::to_string(list->size())).append(":");
    for (const Value& each : *list) append_value(out, each);
  } else if (const Value::Struct* fields = value.fields()) {
    out.append("o").append(std::to_string(fields->size())).append(":");
    for (const auto& [name, inner] : *fields) {
      append_value(out, name);
      append_value(out, inner);
    }
  } else {
    out += '0';
  }
}

void append_pair(std::string& key, std::string_view name, const Value& value) {
  append_value(key, Value(std::string(name)));
  append_value(key, value);
}

// The keys that a host has for a selector: with lists of values, one for each combination.
std::vector<std::string> keys_of(const Endpoint& host, const SubsetOptions::Selector& selector, bool list_as_any) {
  // A host may belong to this many subsets of one selector.
  constexpr std::size_t kKeysMax = 1024;
  const Value* lb = host.metadata ? host.metadata->find(kLbMetadata) : nullptr;
  std::vector<std::string> keys{""};
  for (const std::string& name : selector.keys) {
    const Value* value = lb ? lb->find(name) : nullptr;
    if (!value) return {};
    const Value::List* list = list_as_any ? value->list() : nullptr;
    std::vector<std::string> longer;
    for (const std::string& key : keys) {
      auto add = [&](const Value& v) {
        if (longer.size() < kKeysMax) append_pair(longer.emplace_back(key), name, v);
      };
      if (!list) {
        add(*value);
      } else {
        for (const Value& each : *list) add(each);
      }
    }
    keys = std::move(longer);
  }
  return keys;
}

bool same_names(const Value::Struct& wanted, const std::vector<std::string>& keys) {
  return std::ranges::equal(wanted, keys, {}, [](const auto& pair) -> const std::string& { return pair.first; });
}

struct Choice {
  const Forwarding& f;
  const HashChoice& by_hash;
  const SubsetOptions& options;
  const HostSet& all;
  StatBlock& stats;

  Endpoint* any(const HostSet* hosts) const {
    return hosts && !hosts->all.empty() ? f.cluster.pick(*hosts, by_hash) : nullptr;
  }

  const HostSet* hosts_of(SubsetOptions::Fallback fallback) const {
    if (fallback == SubsetOptions::Fallback::any_endpoint) return &all;
    return fallback == SubsetOptions::Fallback::default_subset ? all.subsets->default_subset.get() : nullptr;
  }

  // Nothing: what the cluster falls back to decides.
  std::optional<Endpoint*> by(const SubsetCriteria& criteria) const {
    auto found = all.subsets->by_key.find(criteria.key);
    if (found != all.subsets->by_key.end()) {
      stats[ClusterStat::lb_subsets_selected].add();
      return f.cluster.pick(*found->second, by_hash);
    }
    for (const SubsetOptions::Selector& each : options.selectors) {
      if (each.fallback == SubsetOptions::Fallback::not_defined || !same_names(criteria.wanted, each.keys)) continue;
      if (each.fallback == SubsetOptions::Fallback::keys_subset) return by_fewer(criteria, each.fallback_keys);
      Endpoint* host = any(hosts_of(each.fallback));
      if (host) stats[ClusterStat::lb_subsets_fallback].add();
      return host;
    }
    return std::nullopt;
  }

  std::optional<Endpoint*> by_fewer(const SubsetCriteria& criteria, const std::vector<std::string>& keys) const {
    Value::Struct fewer;
    for (const std::string& name : keys) {
      auto at = criteria.wanted.find(name);
      if (at != criteria.wanted.end()) fewer.insert(*at);
    }
    return by(SubsetCriteria(std::move(fewer)));
  }

  Endpoint* otherwise() const {
    if (options.fallback == SubsetOptions::Fallback::none) return nullptr;
    if (Endpoint* host = any(hosts_of(options.fallback))) {
      stats[ClusterStat::lb_subsets_fallback].add();
      return host;
    }
    Endpoint* host = options.panic_mode_any ? any(&all) : nullptr;
    if (host) stats[ClusterStat::lb_subsets_fallback_panic].add();
    return host;
  }
};

}  // namespace

SubsetCriteria::SubsetCriteria(Value::Struct w) : wanted(std::move(w)) {
  for (const auto& [name, value] : wanted) append_pair(key, name, value);
}

std::shared_ptr<const Subsets> make_subsets(const SubsetOptions& options, const std::vector<EndpointPtr>& all,
                                            double panic_percent, const HashOptions* hash) {
  auto subsets = std::make_shared<Subsets>();
  std::map<std::string, std::vector<EndpointPtr>> hosts;
  for (const SubsetOptions::Selector& selector : options.selectors) {
    for (const EndpointPtr& host : all) {
      for (const std::string& key : keys_of(*host, selector, options.list_as_any)) {
        std::vector<EndpointPtr>& into = hosts[key];
        if (into.empty() || into.back() != host) into.push_back(host);
      }
    }
  }
  for (auto& [key, list] : hosts) subsets->by_key[key] = make_host_set(std::move(list), panic_percent, hash);
  std::vector<EndpointPtr> by_default;
  for (const EndpointPtr& host : all) {
    if (has_labels(host->metadata.get(), options.default_subset, options.list_as_any)) by_default.push_back(host);
  }
  subsets->default_subset = make_host_set(std::move(by_default), panic_percent, hash);
  return subsets;
}

Endpoint* pick_from_subset(const Forwarding& f, const HashChoice& by) {
  const HostSet& all = f.cluster.hosts();
  Choice choice{f, by, *f.cluster.cluster->options.subset, all, f.cluster.stats};
  const Value* said = f.x.dynamic_metadata ? f.x.dynamic_metadata->find(kLbMetadata) : nullptr;
  std::optional<Endpoint*> chosen;
  if (said && said->fields()) {
    Value::Struct wanted = *said->fields();
    if (f.route.subset) wanted.insert(f.route.subset->wanted.begin(), f.route.subset->wanted.end());
    chosen = choice.by(SubsetCriteria(std::move(wanted)));
  } else if (f.route.subset) {
    chosen = choice.by(*f.route.subset);
  }
  return chosen ? *chosen : choice.otherwise();
}

}  // namespace outrider
