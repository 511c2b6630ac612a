#include "server/signals.h"

#include <sys/signalfd.h>
#include <unistd.h>

#include <csignal>

namespace outrider {
namespace {

sigset_t handled_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (int s : {SIGTERM, SIGINT, SIGHUP, SIGUSR1}) sigaddset(&set, s);
  return set;
}

}  // namespace

void block_signals() {
  sigset_t set = handled_signals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);
}

void allow_signals_to_end() {
  sigset_t set;
  sigemptyset(&set);
  for (int s : {SIGTERM, SIGINT}) sigaddset(&set, s);
  pthread_sigmask(SIG_UNBLOCK, &set, nullptr);
}

Signals::Signals(EpollPoller& poller, std::function<void(int)> heed) : heed_(std::move(heed)) {
  sigset_t set = handled_signals();
  fd_ = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
  poller.watch(fd_, *this, EPOLLIN);
}

Signals::~Signals() { close(fd_); }

void Signals::on_events(std::uint32_t) {
  signalfd_siginfo info;
  while (read(fd_, &info, sizeof info) == sizeof info) heed_(static_cast<int>(info.ssi_signo));
}

}  // namespace outrider
