#include "net/network_namespace.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

namespace outrider {

std::expected<int, std::string> in_network_namespace(const std::string& path,
                                                     const std::function<std::expected<int, std::string>()>& open) {
  if (path.empty()) return open();
  auto cannot = [&](const char* what) {
    return std::unexpected("cannot " + std::string(what) + " the network namespace '" + path +
                           "': " + std::strerror(errno));
  };
  const int there = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (there < 0) return cannot("open");
  const int here = ::open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
  if (here < 0 || setns(there, CLONE_NEWNET) != 0) {
    auto error = cannot("enter");
    close(there);
    if (here >= 0) close(here);
    return error;
  }
  auto opened = open();
  if (setns(here, CLONE_NEWNET) != 0) std::abort();  // All that this thread does from now on would be elsewhere.
  close(there);
  close(here);
  return opened;
}

}  // namespace outrider
