// Messages of gRPC and of Connect are the same however the bytes are cut.
#include <cstdint>
#include <cstdlib>

#include "filters/connect_end.h"
#include "filters/grpc_call.h"

using namespace outrider::filters;

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::size_t step = 1 + data[0] % 16;
  ConnectMessages whole, cut;
  GrpcMessages of_grpc, of_grpc_cut;
  whole.read(bytes);
  std::uint64_t found = of_grpc.read(bytes), sum = 0;
  for (std::size_t at = 0; at < bytes.size(); at += step) {
    std::string_view piece = bytes.substr(at, step);
    cut.read(piece);
    sum += of_grpc_cut.read(piece);
  }
  bool same = whole.messages() == cut.messages() && whole.succeeded() == cut.succeeded();
  if (!same || found != sum || of_grpc.count() != found) std::abort();
  if (auto method = grpc_method_of(bytes); method && (method->service.empty() || method->method.empty())) std::abort();
  return 0;
}
