#include "http/filter_state.h"

#include "http/exchange.h"

namespace outrider {

void set_filter_state(Exchange& x, std::string_view name, const FilterState& state) {
  x.filter_states = &x.arena.make_owned<NamedFilterState>(name, &state, x.filter_states);
}

const FilterState* find_filter_state(const Exchange& x, std::string_view name) {
  for (const NamedFilterState* each = x.filter_states; each; each = each->previous) {
    if (each->name == name) return each->state;
  }
  return nullptr;
}

}  // namespace outrider
