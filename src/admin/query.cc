#include "admin/query.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/hex.h"

namespace outrider {
namespace {

// RFC 3986 section 2.1. A per cent sign without two digits behind it stays as it is.
std::string_view decode(std::string_view text, Arena& arena) {
  if (!text.contains('%')) return text;
  char* const begin = static_cast<char*>(arena.allocate(text.size(), 1));
  char* to = begin;
  for (std::size_t i = 0; i < text.size(); i++) {
    const int byte = escaped_byte(text, i);
    *to++ = byte < 0 ? text[i] : static_cast<char>(byte);
    if (byte >= 0) i += 2;
  }
  return {begin, static_cast<std::size_t>(to - begin)};
}

}  // namespace

Target split_target(std::string_view target) {
  target = target.substr(0, target.find('#'));
  std::size_t mark = std::min(target.find('?'), target.size());
  std::string_view query = target.substr(mark);
  if (!query.empty()) query.remove_prefix(1);
  return {target.substr(0, mark), query};
}

std::expected<std::vector<QueryParameter>, std::string> parse_query(std::string_view text, Arena& arena) {
  std::vector<QueryParameter> parameters;
  std::size_t found = 0;
  while (!text.empty()) {
    std::size_t end = std::min(text.find('&'), text.size());
    std::string_view one = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (one.empty()) continue;
    if (++found > kQueryParametersMax) {
      return std::unexpected(fmt::format("more than {} parameters", kQueryParametersMax));
    }
    std::size_t equals = std::min(one.find('='), one.size());
    std::string_view name = decode(one.substr(0, equals), arena);
    if (std::ranges::find(parameters, name, &QueryParameter::name) != parameters.end()) continue;
    std::string_view value = equals < one.size() ? decode(one.substr(equals + 1), arena) : std::string_view();
    parameters.push_back({name, value});
  }
  return parameters;
}

}  // namespace outrider
