// What a service of discovery may answer. What is taken can be printed and read again.
#include <cstdlib>

#include "discovery/registration.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  (void)outrider::read_registry("fuzz", text);
  auto hosts = outrider::read_registration("fuzz", text);
  if (!hosts) return 0;
  std::string printed;
  outrider::append_registration("fuzz", *hosts, printed);
  auto again = outrider::read_registration("fuzz", printed);
  if (!again || again->size() != hosts->size()) std::abort();
  return 0;
}
