#pragma once

#include <vector>

#include "config/bind.h"
#include "config/schema.h"
#include "config/tree.h"

namespace outrider::config {

// A bound tree once more, in `tree`, with every value as proto3 JSON writes it: enum values by name, durations as
// "0.25s", numbers and truth values plain, everything else a text. The order is that of the file, but "@type", `name`
// and `match` come first. What the API does not have stays as it stands. `messages` is what Binder::bind returned.
Node* canonical(Tree& tree, const Schema& schema, const std::vector<Binder::Bound>& messages);

}  // namespace outrider::config
