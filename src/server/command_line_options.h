// The command line as /server_info shows it.
#pragma once
#include <string>
#include <utility>
#include <vector>

#include "server/flags.h"

namespace outrider {

// The fields of envoy.admin.v3.CommandLineOptions that Envoy 1.40 shows, in its order; lists are joined by commas.
std::vector<std::pair<std::string, std::string>> command_line_options(const Flags& flags);

}  // namespace outrider
