#include "upstream/match_tree.h"

#include <algorithm>
#include <numeric>

#include "http/matcher.h"

namespace outrider {

bool MatchPredicate::matches(const RequestHead& request) const {
  auto holds = [&](const MatchPredicate& p) { return p.matches(request); };
  switch (kind) {
    case Kind::all:
      return std::all_of(inner.begin(), inner.end(), holds);
    case Kind::any:
      return std::any_of(inner.begin(), inner.end(), holds);
    case Kind::negated:
      return !inner[0].matches(request);
    default:
      break;
  }
  std::string joined;
  auto text = field_value(request, field, joined);
  return text && value.matches(*text);
}

void MatchTree::finish() {
  by_length_.resize(keys.size());
  std::iota(by_length_.begin(), by_length_.end(), 0u);
  std::sort(by_length_.begin(), by_length_.end(),
            [&](std::uint32_t a, std::uint32_t b) { return keys[a].size() > keys[b].size(); });
  for (std::uint32_t rank = 0; rank < by_length_.size(); rank++) {
    const std::string& key = keys[by_length_[rank]];
    if (kind == Kind::exact) exact_.emplace(key, by_length_[rank]);
    if (kind == Kind::prefix) prefixes_.add(key, rank, true);
  }
}

// What a branch does not decide goes to the next one: the next of the list, the next shorter prefix.
MatchTree::Found MatchTree::look_in_branches(RouteQuery& query) const {
  if (kind == Kind::list) {
    for (std::size_t i = 0; i < predicates.size(); i++) {
      if (!predicates[i].matches(query.request)) continue;
      if (Found found = follow(branches[i], query); found.matched) return found;
    }
    return {};
  }
  std::string joined;
  auto text = field_value(query.request, field, joined);
  if (!text) return {};
  if (kind == Kind::exact) {
    auto at = exact_.find(*text);
    return at == exact_.end() ? Found{} : follow(branches[at->second], query);
  }
  std::vector<std::uint32_t> ranks;
  prefixes_.conditional(*text, PrefixIndex::kNone, ranks);
  std::sort(ranks.begin(), ranks.end());
  for (std::uint32_t rank : ranks) {
    if (Found found = follow(branches[by_length_[rank]], query); found.matched) return found;
  }
  return {};
}

MatchTree::Found MatchTree::follow(const Branch& branch, RouteQuery& query) {
  if (branch.tree) return branch.tree->look(query);
  std::string_view path = without_query(query.request.path);
  for (const Route& route : branch.routes) {
    if (path_matches(route, path) && (!route.conditions || conditions_match(*route.conditions, query))) {
      return {true, &route};
    }
  }
  return {true, nullptr};
}

MatchTree::Found MatchTree::look(RouteQuery& query) const {
  Found found = look_in_branches(query);
  return found.matched || !otherwise ? found : follow(*otherwise, query);
}

const Route* MatchTree::match(RouteQuery& query) const { return look(query).route; }

}  // namespace outrider
