// Any bytes as a configuration file: refused with a place, or loaded.
#include <cstdint>
#include <cstdlib>
#include <string>

#include "config/load.h"
#include "config/schema.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace outrider::config;
  if (size == 0) return 0;
  const std::string text(reinterpret_cast<const char*>(data) + 1, size - 1);
  Source source;
  source.substitute_environment = (data[0] & 2) != 0;
  source.allow_unknown_fields = (data[0] & 4) != 0;
  static const Schema schema;
  constexpr const char* kNames[] = {"f.yaml", "f.json", "f.pb", "f.pb_text"};
  const auto loaded = load_text(schema, kNames[(data[0] & 1) + ((data[0] & 8) != 0 ? 2 : 0)], text, source);
  if (!loaded) {
    for (const Problem& problem : loaded.error()) {
      if (problem.message.empty() || problem.line < 0 || problem.column < 0) std::abort();
    }
    if (loaded.error().empty()) std::abort();
  }
  return 0;
}
