#include "http/path_normalization.h"

#include <array>
#include <optional>

#include "core/hex.h"

namespace outrider {
namespace {

constexpr bool is_unreserved(unsigned char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
         c == '_' || c == '~';
}

// What has to be escaped wherever it stands in a path.
constexpr bool must_escape(unsigned char c) {
  return c <= 0x20 || c >= 0x7f || c == '"' || c == '<' || c == '>' || c == '`' || c == '{' || c == '}' || c == '|' ||
         c == '^';
}

constexpr auto kSuspicious = [] {
  std::array<bool, 256> table{};
  for (unsigned c = 0; c < 256; c++) table[c] = must_escape(static_cast<unsigned char>(c)) || c == '%' || c == '\\';
  return table;
}();

// Whether the path is surely normal already: no escapes, no dots behind a slash, no double slash.
bool is_plain(std::string_view path) {
  for (std::size_t i = 0; i < path.size(); i++) {
    if (kSuspicious[static_cast<unsigned char>(path[i])]) return false;
    if (path[i] == '/' && i + 1 < path.size() && (path[i + 1] == '.' || path[i + 1] == '/')) return false;
  }
  return true;
}

std::string with_slashes_unescaped(std::string_view path) {
  std::string result;
  for (std::size_t i = 0; i < path.size(); i++) {
    int byte = escaped_byte(path, i);
    if (byte == '/' || byte == '\\') {
      result += static_cast<char>(byte);
      i += 2;
    } else {
      result += path[i];
    }
  }
  return result;
}

void append_escaped(unsigned char c, std::string& to) {
  constexpr char kHex[] = "0123456789ABCDEF";
  to += '%';
  to += kHex[c >> 4];
  to += kHex[c & 15];
}

// Escapes of letters that need none are undone, bytes that need one get it, and a backslash is a slash.
std::optional<std::string> with_escapes_normalized(std::string_view path) {
  std::string result;
  for (std::size_t i = 0; i < path.size(); i++) {
    auto c = static_cast<unsigned char>(path[i]);
    int byte = escaped_byte(path, i);
    if (byte == 0 || c == 0) return std::nullopt;
    if (byte > 0 && is_unreserved(static_cast<unsigned char>(byte))) {
      result += static_cast<char>(byte);
      i += 2;
    } else if (byte > 0) {
      result.append(path.substr(i, 3));
      i += 2;
    } else if (c == '\\') {
      result += '/';
    } else if (must_escape(c)) {
      append_escaped(c, result);
    } else {
      result += path[i];
    }
  }
  return result;
}

// RFC 3986 section 5.2.4.
std::string without_dot_segments(std::string_view path) {
  std::string result;
  std::size_t at = 0;
  while (at < path.size()) {
    std::size_t end = path.find('/', at + 1);
    std::string_view segment = path.substr(at, end == std::string_view::npos ? path.size() - at : end - at);  // "/a"
    bool last = end == std::string_view::npos;
    at = last ? path.size() : end;
    if (segment == "/.") {
      if (last) result += '/';
    } else if (segment == "/..") {
      std::size_t cut = result.rfind('/');
      result.resize(cut == std::string::npos ? 0 : cut);
      if (last) result += '/';
    } else {
      result.append(segment);
    }
  }
  return result;
}

std::string with_slashes_merged(std::string_view path) {
  std::string result;
  if (path.size() > 1 && path.find_first_not_of('/') == path.npos) return "//";  // As Envoy.
  for (char c : path) {
    if (c != '/' || result.empty() || result.back() != '/') result += c;
  }
  return result;
}

}  // namespace

PathVerdict normalize_path(const PathNormalization& options, std::string_view given, std::string& result) {
  std::string_view bare = given.substr(0, given.find('?'));
  if (!bare.starts_with('/') || is_plain(bare)) return PathVerdict::same;
  std::string path(bare);
  bool redirect = false;
  if (options.escaped_slashes != EscapedSlashes::keep) {
    std::string unescaped = with_slashes_unescaped(path);
    if (unescaped != path) {
      if (options.escaped_slashes == EscapedSlashes::reject) {
        result = unescaped.append(given.substr(bare.size()));
        return PathVerdict::refused;
      }
      redirect = options.escaped_slashes == EscapedSlashes::redirect;
      path = std::move(unescaped);
    }
  }
  if (options.normalize) {
    auto normal = with_escapes_normalized(path);
    if (!normal) {
      result = given;
      return PathVerdict::refused;
    }
    path = without_dot_segments(*normal);
  }
  if (options.merge_slashes) path = with_slashes_merged(path);
  if (path == bare) return PathVerdict::same;
  result = path.append(given.substr(bare.size()));
  return redirect ? PathVerdict::redirect : PathVerdict::changed;
}

}  // namespace outrider
