#include "http/query.h"

#include <algorithm>

#include "core/hex.h"

namespace outrider {
namespace {

constexpr bool letter_or_digit(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

template <class Plain>
std::string encode(std::string_view text, Plain plain) {
  constexpr char kHex[] = "0123456789ABCDEF";
  std::string out;
  out.reserve(text.size());
  for (char c : text) {
    if (plain(c)) {
      out += c;
    } else {
      auto byte = static_cast<unsigned char>(c);
      out.append({'%', kHex[byte >> 4], kHex[byte & 15]});
    }
  }
  return out;
}

// Of a configured name, only what would end the name or the request line.
std::string encode_name(std::string_view name) {
  return encode(
      name, [](char c) { return c > ' ' && c < '\x7f' && std::string_view("#%&=").find(c) == std::string_view::npos; });
}

}  // namespace

std::string percent_decode(std::string_view text) {
  std::string out;
  out.reserve(text.size());
  for (std::size_t i = 0; i < text.size(); i++) {
    int byte = escaped_byte(text, i);
    out += byte < 0 ? text[i] : static_cast<char>(byte);
    if (byte >= 0) i += 2;
  }
  return out;
}

std::optional<std::string_view> raw_parameter(std::string_view query, std::string_view name) {
  while (!query.empty()) {
    std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(pair.size() + 1, query.size()));
    std::size_t equals = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equals) == name) return pair.substr(std::min(equals + 1, pair.size()));
  }
  return std::nullopt;
}

std::string percent_encode(std::string_view text) {
  return encode(text, [](char c) { return letter_or_digit(c) || c == '-' || c == '_' || c == '.' || c == '*'; });
}

QueryParameters::QueryParameters(std::string_view path) {
  std::size_t at = path.find('?');
  if (at == std::string_view::npos) return;
  std::string_view query = path.substr(at + 1);
  while (!query.empty()) {
    std::string_view pair = query.substr(0, query.find('&'));
    query.remove_prefix(std::min(query.size(), pair.size() + 1));
    std::string_view name = pair.substr(0, pair.find('='));
    std::string_view value = pair.substr(std::min(pair.size(), name.size() + 1));
    list_.push_back({percent_decode(name), std::string(name), std::string(value)});
  }
}

bool QueryParameters::has(std::string_view name) const {
  return std::any_of(list_.begin(), list_.end(), [&](const Parameter& p) { return p.name == name; });
}

std::optional<std::string> QueryParameters::first(std::string_view name) const {
  auto at = std::find_if(list_.begin(), list_.end(), [&](const Parameter& p) { return p.name == name; });
  if (at == list_.end()) return std::nullopt;
  return percent_decode(at->raw_value);
}

void QueryParameters::add(std::string_view name, std::string_view value) {
  list_.push_back({std::string(name), encode_name(name), percent_encode(value)});
}

void QueryParameters::overwrite(std::string_view name, std::string_view value) {
  remove(name);
  add(name, value);
}

void QueryParameters::remove(std::string_view name) {
  std::erase_if(list_, [&](const Parameter& p) { return p.name == name; });
}

std::string QueryParameters::path_with(std::string_view path) const {
  std::vector<const Parameter*> sorted;
  for (const Parameter& each : list_) sorted.push_back(&each);
  std::sort(sorted.begin(), sorted.end(),
            [](const Parameter* a, const Parameter* b) { return a->name == b->name ? a < b : a->name < b->name; });
  std::string out(path.substr(0, path.find('?')));
  char before = '?';
  for (const Parameter* each : sorted) {
    out.append(1, before).append(each->raw_name).append("=").append(each->raw_value);
    before = '&';
  }
  return out;
}

}  // namespace outrider
