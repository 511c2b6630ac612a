#pragma once

#include <cstdint>
#include <string_view>

namespace outrider {

// Why bytes of a peer were refused. All text is static.
struct ProtocolError {
  uint16_t status = 0;      // what a server answers: 400, 431, 501, 505 … (a client takes it as a broken upstream)
  std::string_view detail;  // Envoy's response code detail: "http1.codec_error", "http1.headers_too_large" …
  std::string_view reason;  // one phrase for the log: what is wrong
};

}  // namespace outrider
