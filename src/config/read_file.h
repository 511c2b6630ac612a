// A small file, whole.
#pragma once
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <expected>
#include <string>

namespace outrider::config {

// The error names the path and the reason.
inline std::expected<std::string, std::string> read_file(const std::string& path) {
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (!file) return std::unexpected("cannot open '" + path + "': " + std::strerror(errno));
  std::string text;
  char buffer[64 * 1024];
  for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, file)) > 0;) text.append(buffer, n);
  bool failed = std::ferror(file);
  std::fclose(file);
  if (failed) return std::unexpected("cannot read '" + path + "'");
  return text;
}

}  // namespace outrider::config
