#include "server/small_service.h"

#include <pthread.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <thread>

#include "server/service_loop.h"

namespace outrider {
namespace {

bool set_port(SmallService& service, std::string_view text) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), service.port);
  return service.has_port = error == std::errc() && end == text.data() + text.size();
}

bool set_common(SmallService& service, std::string_view flag, std::string_view value) {
  if (flag == "--port") return set_port(service, value);
  if (flag != "--address") return false;
  service.address = value;
  return true;
}

// One listening socket for each thread, all at the same address.
std::expected<std::vector<int>, std::string> listen_for(const SmallService& service, unsigned threads, Address& at) {
  auto address = Address::parse(service.address, service.port);
  if (!address) return std::unexpected(address.error());
  // SO_REUSEPORT would let two processes share the port unseen: so the first bind is without.
  auto probe = listen_on(*address, {.reuse_port = false});
  if (!probe) return std::unexpected(probe.error());
  at = bound_address(*probe);
  close(*probe);
  std::vector<int> sockets;
  for (unsigned i = 0; i < threads; i++) {
    auto fd = listen_on(at, {});
    if (!fd) return std::unexpected(fd.error());
    sockets.push_back(*fd);
  }
  return sockets;
}

}  // namespace

std::optional<int> read_flags(SmallService& service, int argc, const char* const* argv, const SetFlag& set) {
  const std::string usage(service.usage);
  for (int i = 1; i < argc; i++) {
    std::string_view flag = argv[i], value;
    if (flag == "--help" || flag == "-h") return std::fputs(usage.c_str(), stdout), 0;
    std::size_t equals = flag.find('=');
    if (equals != flag.npos) {
      value = flag.substr(equals + 1);
      flag = flag.substr(0, equals);
    } else if (i + 1 < argc) {
      value = argv[++i];
    }
    if (set_common(service, flag, value) || set(flag, value)) continue;
    std::fprintf(stderr, "%s: bad flag or value: %s\n%s", service.program.c_str(), argv[i], usage.c_str());
    return 1;
  }
  if (service.has_port) return std::nullopt;
  std::fprintf(stderr, "%s: --port is missing\n%s", service.program.c_str(), usage.c_str());
  return 1;
}

int run_small_service(const SmallService& service, const MakeOptions& make) {
  raise_descriptor_limit();
  unsigned threads = service.threads ? service.threads : std::max(1u, std::thread::hardware_concurrency());
  Address at;
  auto sockets = listen_for(service, threads, at);
  if (!sockets) {
    std::fprintf(stderr, "%s: %s\n", service.program.c_str(), sockets.error().c_str());
    return 1;
  }
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);  // Inherited by the threads: sigwait() gets them.

  StatRegistry stats;
  auto http = make(stats);
  auto listener_stats = stats.scope("listener." + at.text() + ".", listener_stat_table());
  std::vector<std::unique_ptr<ServiceThread>> running;
  for (unsigned i = 0; i < threads; i++) {
    running.push_back(std::make_unique<ServiceThread>(ServiceThread::Options{
        .index = static_cast<int>(i), .listening_fd = (*sockets)[i], .http = http, .listener_stats = listener_stats}));
  }
  std::printf("%s listens on %s\n", service.program.c_str(), at.text().c_str());
  std::fflush(stdout);

  int signal = 0;
  sigwait(&ends, &signal);
  for (auto& each : running) each->drain();
  pthread_sigmask(SIG_UNBLOCK, &ends, nullptr);  // A second one ends the process.
  for (auto& each : running) each->join();
  return 0;
}

}  // namespace outrider
