#include "core/runtime_layers.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <system_error>

namespace outrider {
namespace {

namespace fs = std::filesystem;

constexpr int kDirectoriesMax = 10'000;  // More are left out: symbolic links may lead round.

// Without comments and without blanks at the end.
std::string value_of(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(line.size() + 1, text.size()));
    if (line.starts_with('#')) continue;
    if (!out.empty()) out += '\n';
    out += line;
  }
  out.resize(out.find_last_not_of(" \t\r\n\v\f") + 1);
  return out;
}

bool read_file(const fs::path& path, std::string& text) {
  std::ifstream file(path, std::ios::binary);
  text.resize(kRuntimeFileBytesMax + 1);
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<std::size_t>(std::max<std::streamsize>(file.gcount(), 0)));
  return !file.bad() && (file.eof() || file) && text.size() <= kRuntimeFileBytesMax;
}

bool read_directory(const fs::path& directory, const std::string& prefix, int depth, int& directories,
                    RuntimeValues& values) {
  if (depth > kRuntimeDepthMax || ++directories > kDirectoriesMax) return false;
  std::error_code error;
  bool whole = true;
  for (fs::directory_iterator at(directory, error), end; !error && at != end; at.increment(error)) {
    const std::string key = prefix + at->path().filename().string();
    if (at->is_directory(error)) {
      whole &= read_directory(at->path(), key + ".", depth + 1, directories, values);
    } else if (!at->is_regular_file(error) || values.size() >= kRuntimeFilesMax) {
      whole = false;
    } else if (std::string text; read_file(at->path(), text)) {
      values.emplace_back(key, value_of(text));
    } else {
      whole = false;
    }
  }
  return whole && !error;
}

}  // namespace

bool read_runtime_files(const std::string& directory, RuntimeValues& values) {
  std::error_code error;
  if (!fs::is_directory(directory, error)) return true;
  int directories = 0;
  bool whole = read_directory(directory, "", 1, directories, values);
  std::ranges::sort(values);
  return whole;
}

bool RuntimeLayers::modify(const RuntimeValues& changes) {
  bool has_layer = std::ranges::count(sources_, RuntimeSource::Kind::admin, &RuntimeSource::kind) > 0;
  if (!has_layer) return false;
  for (const auto& [key, value] : changes) {
    std::erase_if(overrides_, [&](const auto& each) { return each.first == key; });
    if (!value.empty()) overrides_.emplace_back(key, value);
  }
  return true;
}

RuntimePtr RuntimeLayers::load(bool* whole) const {
  std::vector<Runtime::Layer> layers;
  if (whole) *whole = true;
  for (const RuntimeSource& source : sources_) {
    Runtime::Layer& layer = layers.emplace_back(source.name, source.values);
    if (source.kind == RuntimeSource::Kind::admin) layer.values = overrides_;
    if (source.kind == RuntimeSource::Kind::disk && !read_runtime_files(source.directory, layer.values) && whole) {
      *whole = false;
    }
  }
  return std::make_shared<const Runtime>(std::move(layers));
}

}  // namespace outrider
