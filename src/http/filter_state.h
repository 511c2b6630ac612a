// What filters tell logs of a request, besides what they make of it.
#pragma once
#include <string>
#include <string_view>

namespace outrider {

struct Exchange;

// An object that logs see by its name: %FILTER_STATE(name)%.
class FilterState {
 public:
  virtual ~FilterState() = default;
  virtual void append_plain(std::string& out) const = 0;
  virtual void append_json(std::string& out) const = 0;
};

struct NamedFilterState {
  std::string_view name;
  const FilterState* state;
  const NamedFilterState* previous;
};

// `state` lives as long as the exchange, `name` is static text.
void set_filter_state(Exchange& x, std::string_view name, const FilterState& state);
// Null: there is none of that name.
const FilterState* find_filter_state(const Exchange& x, std::string_view name);

}  // namespace outrider
