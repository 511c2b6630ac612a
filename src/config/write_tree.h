#pragma once

#include <string>

#include "config/tree.h"

namespace outrider::config {

// A tree as text, ending in a newline. A scalar that is `plain` is written as it is: it must be a number, true or
// false. Every other one is a text, in quotes where a reader could take it for something else.
std::string to_yaml(const Node& root);
std::string to_json(const Node& root);

}  // namespace outrider::config
