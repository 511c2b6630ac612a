#include "config/route_scope.h"
#include "core/ascii.h"
#include "envoy/config/route/v3/route_components.pb.h"
#include "envoy/type/matcher/v3/http_inputs.pb.h"
#include "xds/type/matcher/v3/matcher.pb.h"

namespace outrider::config {
namespace {

using Proto = xds::type::matcher::v3::Matcher;
using ListPredicate = Proto::MatcherList::Predicate;
namespace type_matcher = envoy::type::matcher::v3;
namespace route_v3 = envoy::config::route::v3;

struct Builder {
  Compilation& c;
  const RouteScope& scope;

  template <class M>
  bool read(const google::protobuf::Any& any, std::string_view type, M& into) {
    return any.type_url().ends_with(type) && into.ParseFromString(any.value());
  }

  std::string field(const xds::core::v3::TypedExtensionConfig& proto, const std::string& path) {
    type_matcher::HttpRequestHeaderMatchInput input;
    if (read(proto.typed_config(), ".HttpRequestHeaderMatchInput", input)) return ascii_lower(input.header_name());
    c.fail(path + ".typed_config", "routes can be found by header fields only: HttpRequestHeaderMatchInput");
    return {};
  }

  StringMatcher text(const xds::type::matcher::v3::StringMatcher& m, const std::string& path) {
    using Kind = StringMatcher::Kind;
    StringMatcher result{Kind::exact, m.ignore_case(), m.exact(), nullptr};
    if (m.has_safe_regex()) {
      result = {Kind::regex, false, {}, proto::compile_regex(c, m.safe_regex().regex(), path + ".safe_regex.regex")};
    } else if (m.match_pattern_case() == m.kPrefix) {
      result = {Kind::prefix, m.ignore_case(), m.prefix(), nullptr};
    } else if (m.match_pattern_case() == m.kSuffix) {
      result = {Kind::suffix, m.ignore_case(), m.suffix(), nullptr};
    } else if (m.match_pattern_case() == m.kContains) {
      result = {Kind::contains, m.ignore_case(), m.contains(), nullptr};
    }
    return result;
  }

  template <class List>
  std::vector<MatchPredicate> predicates(const List& list, const std::string& path) {
    std::vector<MatchPredicate> result;
    for (int i = 0; i < list.size(); i++) result.push_back(predicate(list[i], path + "[" + std::to_string(i) + "]"));
    return result;
  }

  MatchPredicate predicate(const ListPredicate& proto, const std::string& path) {
    MatchPredicate p;
    if (proto.has_or_matcher()) {
      p.kind = MatchPredicate::Kind::any;
      p.inner = predicates(proto.or_matcher().predicate(), path + ".or_matcher.predicate");
    } else if (proto.has_and_matcher()) {
      p.kind = MatchPredicate::Kind::all;
      p.inner = predicates(proto.and_matcher().predicate(), path + ".and_matcher.predicate");
    } else if (proto.has_not_matcher()) {
      p.kind = MatchPredicate::Kind::negated;
      p.inner.push_back(predicate(proto.not_matcher(), path + ".not_matcher"));
    } else {
      const auto& single = proto.single_predicate();
      p.field = field(single.input(), path + ".single_predicate.input");
      p.value = text(single.value_match(), path + ".single_predicate.value_match");
    }
    return p;
  }

  MatchTree::Branch branch(const Proto::OnMatch& proto, const std::string& path) {
    MatchTree::Branch result;
    if (proto.has_matcher()) {
      result.tree = tree(proto.matcher(), path + ".matcher");
      return result;
    }
    const std::string at = path + ".action.typed_config";
    route_v3::Route route;
    route_v3::RouteList list;
    if (read(proto.action().typed_config(), ".v3.RouteList", list)) {
      for (int i = 0; i < list.routes_size(); i++) {
        result.routes.push_back(compile_route(c, list.routes(i), at + ".routes[" + std::to_string(i) + "]", scope));
      }
    } else if (read(proto.action().typed_config(), ".v3.Route", route)) {
      result.routes.push_back(compile_route(c, route, at, scope));
    } else {
      c.fail(at, "a route was expected: envoy.config.route.v3.Route or RouteList");
    }
    return result;
  }

  void fill(const Proto::MatcherTree& proto, const std::string& path, MatchTree& to) {
    to.field = field(proto.input(), path + ".input");
    bool exact = proto.has_exact_match_map();
    to.kind = exact ? MatchTree::Kind::exact : MatchTree::Kind::prefix;
    const auto& map = exact ? proto.exact_match_map().map() : proto.prefix_match_map().map();
    const std::string at = path + (exact ? ".exact_match_map.map" : ".prefix_match_map.map");
    for (const auto& [key, value] : map) {
      to.keys.push_back(key);
      to.branches.push_back(branch(value, at + "[\"" + key + "\"]"));
    }
  }

  std::unique_ptr<MatchTree> tree(const Proto& proto, const std::string& path) {
    auto made = std::make_unique<MatchTree>();
    if (proto.has_matcher_tree()) {
      fill(proto.matcher_tree(), path + ".matcher_tree", *made);
    } else {
      for (int i = 0; i < proto.matcher_list().matchers_size(); i++) {
        const auto& each = proto.matcher_list().matchers(i);
        std::string at = path + ".matcher_list.matchers[" + std::to_string(i) + "]";
        made->predicates.push_back(predicate(each.predicate(), at + ".predicate"));
        made->branches.push_back(branch(each.on_match(), at + ".on_match"));
      }
    }
    if (proto.has_on_no_match()) {
      made->otherwise = std::make_unique<MatchTree::Branch>(branch(proto.on_no_match(), path + ".on_no_match"));
    }
    made->finish();
    return made;
  }
};

}  // namespace

std::unique_ptr<MatchTree> compile_match_tree(Compilation& c, const xds::type::matcher::v3::Matcher& proto,
                                              const std::string& path, const RouteScope& scope) {
  return Builder{c, scope}.tree(proto, path);
}

}  // namespace outrider::config
