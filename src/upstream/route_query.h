// RouteQuery: what a route is chosen by, and how.
#pragma once
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/random.h"
#include "upstream/route.h"
#include "wire/message.h"

namespace outrider {

// For look-ups by view, without a copy.
struct TextHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const { return XXH3_64bits(text.data(), text.size()); }
};
template <class V>
using TextMap = std::unordered_map<std::string, V, TextHash, std::equal_to<>>;

// What a route is chosen by.
struct RouteQuery {
  const RequestHead& request;
  const Runtime& runtime;
  Random& random;
  const Metadata* metadata = nullptr;       // What filters said of the request; null: nothing.
  std::optional<std::uint64_t> drawn = {};  // See number().

  // One number for all choices of a request.
  std::uint64_t number() {
    if (!drawn) drawn = random.next();
    return *drawn;
  }
};

// The path without query and fragment.
inline std::string_view without_query(std::string_view path) { return path.substr(0, path.find_first_of("?#")); }

// Whether the request may take the route, by its path and by its conditions.
bool path_matches(const Route& route, std::string_view path_without_query);
bool conditions_match(const RouteConditions& conditions, RouteQuery& query);
// The route itself, or the one that chance or a field picks among its clusters.
const Route* pick_cluster(const Route& route, RouteQuery& query);

}  // namespace outrider
