#include <algorithm>

#include "config/compile_health.h"
#include "envoy/config/cluster/v3/cluster.pb.h"
#include "proto/matcher.h"

namespace outrider::config {
namespace {

using Proto = envoy::config::cluster::v3::Cluster::LbSubsetConfig;
using Fallback = SubsetOptions::Fallback;

Fallback fallback_of(Proto::LbSubsetSelector::LbSubsetSelectorFallbackPolicy policy) {
  switch (policy) {
    case Proto::LbSubsetSelector::NO_FALLBACK:
      return Fallback::none;
    case Proto::LbSubsetSelector::ANY_ENDPOINT:
      return Fallback::any_endpoint;
    case Proto::LbSubsetSelector::DEFAULT_SUBSET:
      return Fallback::default_subset;
    case Proto::LbSubsetSelector::KEYS_SUBSET:
      return Fallback::keys_subset;
    default:
      return Fallback::not_defined;
  }
}

template <class Names>
std::vector<std::string> sorted(const Names& names) {
  std::vector<std::string> list(names.begin(), names.end());
  std::ranges::sort(list);
  list.erase(std::ranges::unique(list).begin(), list.end());
  return list;
}

SubsetOptions::Selector compile_selector(Compilation& c, const Proto::LbSubsetSelector& proto,
                                         const std::string& path) {
  SubsetOptions::Selector selector;
  selector.keys = sorted(proto.keys());
  selector.fallback = fallback_of(proto.fallback_policy());
  selector.fallback_keys = sorted(proto.fallback_keys_subset());
  if (selector.keys.empty()) c.fail(path + ".keys", "at least one key is needed");
  bool fewer = selector.fallback == Fallback::keys_subset;
  if (fewer && selector.fallback_keys.empty()) c.fail(path + ".fallback_keys_subset", "KEYS_SUBSET needs some keys");
  if (!fewer && !selector.fallback_keys.empty()) {
    c.fail(path + ".fallback_keys_subset", "is for fallback_policy KEYS_SUBSET only");
  }
  if (fewer && (!std::ranges::includes(selector.keys, selector.fallback_keys) ||
                selector.fallback_keys.size() >= selector.keys.size())) {
    c.fail(path + ".fallback_keys_subset", "some of the keys were expected, and not all of them");
  }
  return selector;
}

}  // namespace

std::shared_ptr<const SubsetOptions> compile_subsets(Compilation& c, const envoy::config::cluster::v3::Cluster& cluster,
                                                     const std::string& path) {
  if (cluster.lb_subset_config().subset_selectors().empty()) return nullptr;
  const Proto& proto = cluster.lb_subset_config();
  auto o = std::make_shared<SubsetOptions>();
  o->fallback = proto.fallback_policy() == Proto::ANY_ENDPOINT     ? Fallback::any_endpoint
                : proto.fallback_policy() == Proto::DEFAULT_SUBSET ? Fallback::default_subset
                                                                   : Fallback::none;
  o->default_subset = proto::to_struct(proto.default_subset());
  o->panic_mode_any = proto.panic_mode_any();
  o->list_as_any = proto.list_as_any();
  for (int i = 0; i < proto.subset_selectors_size(); i++) {
    o->selectors.push_back(compile_selector(c, proto.subset_selectors(i),
                                            path + ".lb_subset_config.subset_selectors[" + std::to_string(i) + "]"));
  }
  return o;
}

}  // namespace outrider::config
