// The steps that load(), convert() and lint() share.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/bind.h"
#include "config/dialect.h"
#include "config/load.h"
#include "config/rules.h"
#include "config/upgrade.h"

namespace outrider::config {

// A whole file; nothing, with a problem, if it cannot be read or is larger than kTextBytesMax.
std::optional<std::string> read_text(const std::string& path, Problems& problems);

// The text of the file `name`, merged with the overlay, upgraded: the root of the upgrade's tree, in v3 shape. Without
// a root there are problems that say why.
Dialect read_source(const Schema& schema, std::string_view name, std::string text, const Source& source,
                    Upgrade& upgrade, Problems& problems);

// Binds the whole tree and checks it. The messages are those of Binder::bind.
std::vector<Binder::Bound> bind_and_validate(Binder& binder, const Schema& schema, const Tree& tree, const Built& built,
                                             Problems& problems,
                                             std::string_view message_full_name = kBootstrapMessage);

// The same as a canonical tree, whatever outrider has built of it; nullptr after a fatal problem.
const Node* read_canonical(const Schema& schema, std::string_view name, std::string text, const Source& source,
                           Upgrade& upgrade, Dialect& dialect, Problems& problems);

}  // namespace outrider::config
