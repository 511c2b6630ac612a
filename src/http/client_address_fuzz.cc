// Any x-forwarded-for: an address that is found stands in the list, behind as many commas as were to be skipped.
#include <algorithm>
#include <cstdint>
#include <cstdlib>

#include "http/client_address.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view list(reinterpret_cast<const char*>(data) + 1, size - 1);
  outrider::ForwardedAddress found;
  std::uint32_t skip = data[0] % 8;
  if (!forwarded_address(list, skip, found)) return 0;
  auto commas = static_cast<std::uint32_t>(std::count(list.begin(), list.end(), ','));
  if (commas < skip || (found.only && commas > 0) || found.address.ip_bytes().empty()) std::abort();
  return 0;
}
