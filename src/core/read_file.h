// A small file that a configuration names, whole.
#pragma once
#include <sys/stat.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <expected>
#include <string>

namespace outrider {

inline constexpr std::size_t kNamedFileBytesMax = std::size_t{64} << 20;

// The error names the path and the reason. Regular files only: a pipe could make the process wait for ever, a device
// may have no end.
inline std::expected<std::string, std::string> read_file(const std::string& path) {
  struct stat status;
  const auto cannot = [&](const char* why) { return std::unexpected("cannot read '" + path + "': " + why); };
  if (::stat(path.c_str(), &status) != 0) return cannot(std::strerror(errno));
  if (!S_ISREG(status.st_mode)) return cannot("not a regular file");
  std::FILE* file = std::fopen(path.c_str(), "rb");
  if (!file) return cannot(std::strerror(errno));
  std::string text;
  char buffer[64 * 1024];
  for (std::size_t n; (n = std::fread(buffer, 1, sizeof buffer, file)) > 0 && text.size() <= kNamedFileBytesMax;) {
    text.append(buffer, n);
  }
  bool failed = std::ferror(file);
  std::fclose(file);
  if (failed) return cannot("an error of the device");
  if (text.size() > kNamedFileBytesMax) return cannot("it is larger than 64 MiB");
  return text;
}

}  // namespace outrider
