// A program's HTTP service without clusters, such as `outrider echo`: its flags, its sockets, its threads, its end.
#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "http/http_options.h"

namespace outrider {

struct SmallService {
  std::string program;  // "outrider echo"
  std::string_view usage;
  std::string address = "0.0.0.0";
  std::uint16_t port = 0;
  unsigned threads = 0;  // 0: as many as the hardware has.
  bool has_port = false;
};

// A flag as `--name value` or `--name=value`; false: there is no such flag, or the value is wrong.
using SetFlag = std::function<bool(std::string_view flag, std::string_view value)>;

// Reads --port, --address and what `set` knows besides; argv[0] is the verb. The exit code where the program is to end:
// what was wrong is said on stderr, what was asked for (--help) on stdout.
std::optional<int> read_flags(SmallService& service, int argc, const char* const* argv, const SetFlag& set);

// What answers; called once, before the first connection.
using MakeOptions = std::function<std::shared_ptr<const HttpOptions>(StatRegistry& stats)>;

// Serves until SIGTERM or SIGINT; a second one ends it at once. The process' exit code.
int run_small_service(const SmallService& service, const MakeOptions& make);

}  // namespace outrider
