// The counters that come of status codes: each code, its class, and all.
#pragma once
#include <array>
#include <string>
#include <string_view>
#include <vector>

#include "observe/counters.h"

namespace outrider {

// What comes with codes is shown as they are, from its first value on: the histogram "upstream_rq_time".
inline bool appears_when_used(const StatTable& table, std::string_view histogram) {
  std::string_view prefix = table.code_prefix;
  return table.sparse ||
         (!prefix.empty() && histogram.starts_with(prefix) && histogram.substr(prefix.size()) == "time");
}

struct NamedCount {
  std::string name;
  std::uint64_t value;
};

// Appends "upstream_rq_200", "upstream_rq_2xx", "upstream_rq_completed", as far as there are any.
inline void append_code_counters(std::string_view prefix, const std::vector<CodeCount>& codes,
                                 std::vector<NamedCount>& out) {
  std::uint64_t all = 0;
  std::array<std::uint64_t, 10> classes{};
  std::array<bool, 10> seen{};
  for (const CodeCount& c : codes) {
    out.push_back({std::string(prefix) + std::to_string(c.status), c.count});
    auto digit = static_cast<std::size_t>(c.status / 100);
    classes[digit] += c.count;
    seen[digit] = true;
    all += c.count;
  }
  for (std::size_t digit = 0; digit < classes.size(); digit++) {
    if (seen[digit]) out.push_back({std::string(prefix) + static_cast<char>('0' + digit) + "xx", classes[digit]});
  }
  if (!codes.empty()) out.push_back({std::string(prefix) + "completed", all});
}

}  // namespace outrider
