// What filters tell logs and the proxy's own replies of a request, besides what they make of it.
#pragma once
#include <string>
#include <string_view>

#include "http/exchange.h"

namespace outrider {

// An object that logs see by its name: %FILTER_STATE(name)%.
class FilterState {
 public:
  virtual ~FilterState() = default;
  virtual void append_plain(std::string& out) const = 0;
  virtual void append_json(std::string& out) const = 0;
};

// `state` lives as long as the exchange, `name` is static text.
void tell(Exchange& x, std::string_view name, const FilterState& state);
// Null: there is none of that name.
const FilterState* find_state(const Exchange& x, std::string_view name);

// The client speaks no gRPC, whatever a filter makes of its request: so do replies of the proxy's own.
void reply_plainly(Exchange& x);
bool replies_in_grpc(const Exchange& x);

}  // namespace outrider
