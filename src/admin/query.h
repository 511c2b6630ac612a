// The target of a request to the admin page, taken apart, its parameters decoded.
#pragma once
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "core/arena.h"
#include "observe/stat_query.h"

namespace outrider {

// More parameters than this are refused.
inline constexpr std::size_t kQueryParametersMax = 100;

struct Target {
  std::string_view path;
  std::string_view query;  // As it came, without the question mark.
};

// Views live as long as the target, whose path is normalized already. A fragment is dropped.
Target split_target(std::string_view target);

// name=value, with ampersands between; also of an application/x-www-form-urlencoded body. As Envoy reads them: `%41` is
// decoded, `+` stays, a name without a value has an empty one, and of a name that stands twice the first counts.
// Views live as long as the arena and the text. An error says what is wrong.
std::expected<std::vector<QueryParameter>, std::string> parse_query(std::string_view text, Arena& arena);

}  // namespace outrider
