#pragma once

#include "config/problem.h"
#include "config/schema.h"
#include "config/tree.h"

namespace outrider::config {

// Merges a tree of v3 shape over another one of the same message, as protobuf's MergeFrom does with what they say:
// messages field by field, lists appended, entries of maps replaced, the member of a oneof that comes last wins, and an
// empty value (0, false, "") wins over nothing: that is noted.
void merge(Tree& tree, const Schema& schema, Node& base, Node& over, std::string_view message_full_name,
           Problems& problems);

}  // namespace outrider::config
