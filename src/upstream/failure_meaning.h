// How Envoy names each failure of a host, and answers it.
#pragma once
#include <string_view>

#include "http/body.h"
#include "http/response_flags.h"

namespace outrider {

struct FailureMeaning {
  int status;
  std::string_view reset_reason;  // In the body.
  std::string_view details;
  ResponseFlag flag;
  std::string_view after_start;  // The details, where the response had begun.
};

FailureMeaning meaning_of(Failure failure);

}  // namespace outrider
