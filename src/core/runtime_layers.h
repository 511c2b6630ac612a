// The layers that a Runtime is made of: from the configuration, from files, and from the admin page.
#pragma once
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/runtime.h"

namespace outrider {

// Where the values of one layer come from.
struct RuntimeSource {
  enum class Kind : std::uint8_t { fixed, disk, admin };

  std::string name;
  Kind kind = Kind::fixed;
  std::vector<std::pair<std::string, std::string>> values;  // Of a fixed one.
  std::string symlink;    // Of disk: when something else is moved over it, the files are read again.
  std::string directory;  // Of disk: each file below it is a value, its path with dots the key.
};

using RuntimeValues = std::vector<std::pair<std::string, std::string>>;

// The files below a directory, as Envoy reads them: lines that begin with # and blanks at the end do not count. Empty
// if there is no such directory. False: something could not be read, or is beyond a limit, and is left out.
bool read_runtime_files(const std::string& directory, RuntimeValues& values);

// Files larger than this, more of them, and directories deeper than this are left out.
inline constexpr std::size_t kRuntimeFileBytesMax = 64 * 1024;
inline constexpr std::size_t kRuntimeFilesMax = 10'000;
inline constexpr int kRuntimeDepthMax = 16;

// Belongs to the main thread.
class RuntimeLayers {
 public:
  void set(std::vector<RuntimeSource> sources) { sources_ = std::move(sources); }
  const std::vector<RuntimeSource>& sources() const { return sources_; }

  // Writes the admin's layer; an empty value takes the key away. False if there is no such layer.
  bool modify(const RuntimeValues& changes);
  std::size_t overrides() const { return overrides_.size(); }

  // Reads the files again. `whole` (if given): no file was left out.
  RuntimePtr load(bool* whole = nullptr) const;

 private:
  std::vector<RuntimeSource> sources_;
  RuntimeValues overrides_;  // They outlive a reload of the configuration.
};

}  // namespace outrider
