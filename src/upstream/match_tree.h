// MatchTree: routes found by a tree of conditions instead of a list. Envoy's document: "Matching API",
// VirtualHost.matcher.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "upstream/prefix_index.h"
#include "upstream/route.h"
#include "upstream/route_query.h"

namespace outrider {

struct MatchPredicate {
  enum class Kind : std::uint8_t { single, all, any, negated };
  Kind kind = Kind::single;
  std::string field;  // Of single: the one that is looked at, lower case; pseudo-headers too.
  StringMatcher value;
  std::vector<MatchPredicate> inner;  // Of the others.

  bool matches(const RequestHead& request) const;
};

class MatchTree {
 public:
  // Where a match leads: further down, or to the first of these routes that the request may take.
  struct Branch {
    std::unique_ptr<const MatchTree> tree;
    std::vector<Route> routes;
  };
  enum class Kind : std::uint8_t { list, exact, prefix };

  Kind kind = Kind::list;
  std::vector<MatchPredicate> predicates;  // Of list: one for each branch.
  std::string field;                       // Of the others: the one that is looked up.
  std::vector<std::string> keys;           // One for each branch.
  std::vector<Branch> branches;
  std::unique_ptr<const Branch> otherwise;  // on_no_match; null: none.

  // Builds the index; call it once, when all is filled in.
  void finish();
  // Null: the request has no route.
  const Route* match(RouteQuery& query) const;
  // Calls visit(route) for every route.
  template <class Visit>
  void each_route(Visit&& visit) {
    auto visit_branch = [&](Branch& branch) {
      for (Route& route : branch.routes) visit(route);
      if (branch.tree) const_cast<MatchTree&>(*branch.tree).each_route(visit);
    };
    for (Branch& branch : branches) visit_branch(branch);
    if (otherwise) visit_branch(const_cast<Branch&>(*otherwise));
  }

 private:
  struct Found {
    bool matched = false;
    const Route* route = nullptr;
  };
  Found look(RouteQuery& query) const;
  Found look_in_branches(RouteQuery& query) const;
  static Found follow(const Branch& branch, RouteQuery& query);

  TextMap<std::uint32_t> exact_;
  PrefixIndex prefixes_;  // Longer keys have lower numbers.
  std::vector<std::uint32_t> by_length_;
};

}  // namespace outrider
