// Header fields to add, replace or remove, with values made from the request. Envoy's document: "Custom
// request/response headers".
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "http/format.h"
#include "http/matcher.h"

namespace outrider {

struct HeaderMutation {
  enum class Action : std::uint8_t {
    append,              // Beside those that are there.
    add_if_absent,       // Nothing, if the name is there.
    overwrite,           // Instead of those that are there.
    overwrite_if_there,  // Nothing, if the name is not there.
    remove,
    remove_matching,  // Every field whose name matches.
  };

  Action action = Action::append;
  std::string name;  // Lower case; may be a pseudo-header of a request, ":path", which has one value.
  Known known = Known::none;
  std::string constant;  // The value, unless `format` is set.
  std::optional<Format> format;
  bool keep_empty = false;  // Add it even if its value is empty.
  StringMatcher names;      // Of remove_matching.

  // A value may hold what no field may: a decoded parameter of the query, metadata. A request is then unsendable;
  // elsewhere such bytes become spaces (RFC 9110 section 5.5).
  void apply(Exchange& x, RequestHead& request) const;
  void apply(Exchange& x, ResponseHead& response) const { change(x, response.headers); }
  void apply(Exchange& x, Headers& headers) const { change(x, headers); }

  // The three steps of change(). wanted(): whether there is something to put in.
  bool removes() const { return action == Action::remove || action == Action::remove_matching; }
  bool overwrites() const { return action == Action::overwrite || action == Action::overwrite_if_there; }
  void remove_from(Headers& headers) const;
  bool wanted(const Headers& headers) const;
  // Nothing: it is empty, and nobody wants it then.
  std::optional<std::string_view> value(Exchange& x, bool& spoiled) const;
  void put(Headers& headers, std::string_view text) const;

 private:
  bool change(Exchange& x, Headers& headers) const;  // False: the value held what no field may.
};

using HeaderMutations = std::vector<HeaderMutation>;

// One after the other: each sees what those before it have done.
template <class Head>
void apply_all(const HeaderMutations& mutations, Exchange& x, Head& head) {
  for (const HeaderMutation& each : mutations) each.apply(x, head);
}

// What one level of the configuration (a route, a virtual host …) says, as one change: fields are removed, then the
// values of all are made, then they take the place of others, then they are added.
void apply_together(const HeaderMutations& mutations, Exchange& x, RequestHead& request);
// %RESP()% is the response as it is before.
void apply_together(const HeaderMutations& mutations, Exchange& x, ResponseHead& response);

}  // namespace outrider
