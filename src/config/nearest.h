#pragma once

#include <span>
#include <string>
#include <string_view>

namespace outrider::config {

// Insertions, deletions, replacements and swaps of neighbours that turn one text into the other; case does not count.
size_t edit_distance(std::string_view a, std::string_view b);

// The name nearest to `wanted`, if it is near enough to be what was meant (a third of its letters); else empty.
std::string_view nearest(std::string_view wanted, std::span<const std::string_view> names);

}  // namespace outrider::config
