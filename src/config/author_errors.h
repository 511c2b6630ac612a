// What Envoy refuses when it makes something of a file, whatever outrider has built: for files that are converted only.
#pragma once

#include "config/problem.h"
#include "config/tree.h"

namespace outrider::config {

// Tells them of a canonical tree: routes to clusters that are not there, listeners without filter chains, names and
// domains that stand twice, certificates that are checked by their names alone.
void look_for_author_errors(const Tree& tree, const Node& root, Problems& problems);

}  // namespace outrider::config
