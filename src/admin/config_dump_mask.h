// Field masks over messages that hold others packed as Any: the path goes on inside of them.
#pragma once
#include <string_view>

#include "admin/api_message.h"
#include "config/schema.h"

namespace outrider {

// Leaves of the message what the paths of the mask (by commas) name. False, and nothing is promised of the message, if
// a path names no field, or goes below a list; one that ends at an Any names no field either, as Envoy has it.
bool apply_mask(const ApiMessage& message, std::string_view mask, const config::Schema& schema);

// The same for a whole section: no path goes into an Any.
bool apply_plain_mask(const ApiMessage& message, std::string_view mask);

}  // namespace outrider
