// An answer of grpc.health.v1.Health/Check, as any host may send it. What asks for a service is a frame that says
// nothing of a status.
#include <cstdint>
#include <cstdlib>

#include "upstream/grpc_health.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view input(reinterpret_cast<const char*>(data), size);
  (void)outrider::says_serving(input);
  if (outrider::says_serving(outrider::grpc_health_request(input))) std::abort();
  return 0;
}
