// What several pages say of the process, in Envoy's words.
#pragma once
#include <string>
#include <string_view>

#include "admin/admin.h"

namespace outrider {

// As envoy.admin.v3.ServerInfo.State.
std::string_view name_of(ServerState state);

// "0.1.0/RELEASE/..." out of what --version prints: "name  version: 0.1.0/RELEASE/...".
std::string version_line(std::string_view version_text);

// No process takes over from another one: what Envoy says with --disable-hot-restart.
inline constexpr std::string_view kHotRestartVersion = "disabled";

}  // namespace outrider
