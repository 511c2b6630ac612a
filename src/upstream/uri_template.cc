#include "upstream/uri_template.h"

#include <algorithm>

namespace outrider {
namespace {

using Error = std::unexpected<std::string>;

constexpr std::string_view kSegmentClass = R"([a-zA-Z0-9\-._~%!$&'()+,;:@=]+)";
constexpr std::string_view kPathClass = R"([a-zA-Z0-9\-._~%!$&'()+,;:@=/]*)";
constexpr std::size_t kVariablesMax = 5;
constexpr std::size_t kNameBytesMax = 16;

bool is_name(std::string_view name) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); };
  auto other = [&](char c) { return letter(c) || (c >= '0' && c <= '9') || c == '_'; };
  return !name.empty() && name.size() <= kNameBytesMax && letter(name[0]) &&
         std::all_of(name.begin(), name.end(), other);
}

void append_literal(std::string_view text, std::string& regex) {
  for (char c : text) {
    if (std::string_view(R"(\.+*?()|[]{}^$)").find(c) != std::string_view::npos) regex += '\\';
    regex += c;
  }
}

class Parser {
 public:
  explicit Parser(std::string_view pattern) : rest_(pattern) {}

  std::expected<UriTemplate, std::string> parse() {
    if (!rest_.starts_with('/')) return Error("a path pattern begins with '/'");
    bool printable = std::all_of(rest_.begin(), rest_.end(), [](char c) { return c > 0x20 && c < 0x7f; });
    if (!printable) return Error("a path pattern is printable ASCII without blanks");
    while (!rest_.empty()) {
      if (std::string error = step(); !error.empty()) return Error(error);
    }
    return std::move(result_);
  }

 private:
  std::string step() {
    if (behind_all_) return "nothing but one segment text may follow '**'";
    if (rest_.front() == '{') return variable();
    if (rest_.front() == '*') return wildcard();
    std::size_t end = std::min(rest_.find_first_of("{*"), rest_.size());
    std::string_view text = rest_.substr(0, end);
    if (text.find('}') != std::string_view::npos) return "'}' without '{'";
    append_literal(text, result_.regex);
    if (literal_) result_.literal_prefix += text;
    rest_.remove_prefix(end);
    return {};
  }

  std::string wildcard() {
    literal_ = false;
    bool all = rest_.starts_with("**");
    result_.regex += all ? kPathClass : kSegmentClass;
    rest_.remove_prefix(all ? 2 : 1);
    if (all) behind_all_ = !rest_.empty() && rest_.find_first_of("{*") != std::string_view::npos;
    return rest_.starts_with('*') ? "'***' means nothing" : std::string();
  }

  std::string variable() {
    literal_ = false;
    std::size_t end = rest_.find('}');
    if (end == std::string_view::npos) return "'{' without '}'";
    std::string_view inside = rest_.substr(1, end - 1);
    rest_.remove_prefix(end + 1);
    std::size_t equals = inside.find('=');
    std::string name(inside.substr(0, equals));
    if (!is_name(name)) return "'" + name + "' is no name of a variable";
    if (std::find(result_.variables.begin(), result_.variables.end(), name) != result_.variables.end()) {
      return "the variable '" + name + "' is there twice";
    }
    result_.variables.push_back(name);
    if (result_.variables.size() > kVariablesMax) return "more than 5 variables";
    std::string_view pattern = equals == std::string_view::npos ? std::string_view("*") : inside.substr(equals + 1);
    return group(pattern);
  }

  std::string group(std::string_view pattern) {
    result_.regex += '(';
    while (!pattern.empty()) {
      if (pattern.front() == '*') {
        bool all = pattern.starts_with("**");
        result_.regex += all ? kPathClass : kSegmentClass;
        pattern.remove_prefix(all ? 2 : 1);
        continue;
      }
      std::size_t end = std::min(pattern.find('*'), pattern.size());
      append_literal(pattern.substr(0, end), result_.regex);
      pattern.remove_prefix(end);
    }
    result_.regex += ')';
    return {};
  }

  std::string_view rest_;
  UriTemplate result_;
  bool literal_ = true;
  bool behind_all_ = false;
};

}  // namespace

std::expected<UriTemplate, std::string> parse_uri_template(std::string_view pattern) { return Parser(pattern).parse(); }

std::expected<std::string, std::string> parse_uri_rewrite(std::string_view rewrite, const UriTemplate& of) {
  if (!rewrite.starts_with('/')) return Error("a path begins with '/'");
  std::string result;
  while (!rewrite.empty()) {
    char c = rewrite.front();
    if (c == '}') return Error("'}' without '{'");
    if (c != '{') {
      if (c == '\\') result += '\\';
      result += c;
      rewrite.remove_prefix(1);
      continue;
    }
    std::size_t end = rewrite.find('}');
    if (end == std::string_view::npos) return Error("'{' without '}'");
    std::string name(rewrite.substr(1, end - 1));
    auto at = std::find(of.variables.begin(), of.variables.end(), name);
    if (at == of.variables.end()) return Error("the match has no variable '" + name + "'");
    result += "\\" + std::to_string(at - of.variables.begin() + 1);
    rewrite.remove_prefix(end + 1);
  }
  return result;
}

}  // namespace outrider
