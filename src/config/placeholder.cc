#include "config/placeholder.h"

#include <algorithm>

namespace outrider::config {
namespace {

bool is_upper(char c) { return c >= 'A' && c <= 'Z'; }
bool is_word(char c) { return is_upper(c) || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_'; }

bool is_within(std::string_view text, std::string_view open, std::string_view close) {
  return text.size() >= open.size() + close.size() && text.starts_with(open) && text.ends_with(close);
}

bool is_name(std::string_view text) { return !text.empty() && std::ranges::all_of(text, is_word); }

}  // namespace

bool is_placeholder(std::string_view text) {
  if (is_within(text, "{", "}") || is_within(text, "${", "}") || is_within(text, "$(", ")")) return true;
  if (is_within(text, "<", ">") || (text.size() > 2 && is_within(text, "@", "@"))) return true;
  if (text.starts_with('$')) return is_name(text.substr(1));
  // A constant's name: capitals in several words.
  return text.find('_') != std::string_view::npos && std::ranges::any_of(text, is_upper) &&
         std::ranges::all_of(text, [](char c) { return is_word(c) && !(c >= 'a' && c <= 'z'); });
}

}  // namespace outrider::config
