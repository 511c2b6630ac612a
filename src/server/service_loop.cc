#include "server/service_loop.h"

#include <sys/prctl.h>
#include <sys/resource.h>

#include <cerrno>
#include <cstring>

#include "core/log.h"

namespace outrider {
namespace {

bool out_of_resources(int error) { return error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM; }

Task<> until_idle(Scope& connections) {
  while (connections.live() > 0) co_await connections.idle().wait();
}

}  // namespace

void raise_descriptor_limit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

std::expected<void, std::string> allow_core_dumps() {
  rlimit limit;
  if (prctl(PR_SET_DUMPABLE, 1) == 0 && getrlimit(RLIMIT_CORE, &limit) == 0) {
    limit.rlim_cur = limit.rlim_max;
    if (setrlimit(RLIMIT_CORE, &limit) == 0) return {};
  }
  return std::unexpected(std::string("core dumps cannot be enabled: ") + std::strerror(errno));
}

Task<> accept_and_serve(Acceptor& acceptor, ServiceWorker& service, std::shared_ptr<HttpSlot> slot,
                        std::shared_ptr<StatBlock> listener_stats, Scope& connections) {
  struct Taker final : ConnectionTaker {
    ServiceWorker& service;
    std::shared_ptr<HttpSlot> slot;
    std::shared_ptr<StatBlock> stats;
    Scope& connections;
    Taker(ServiceWorker& w, std::shared_ptr<HttpSlot> s, std::shared_ptr<StatBlock> b, Scope& c)
        : service(w), slot(std::move(s)), stats(std::move(b)), connections(c) {}
    void take(std::unique_ptr<Transport> transport) override {
      connections.spawn(serve, service, std::move(transport), slot, stats);
    }
  } taker(service, std::move(slot), listener_stats, connections);
  co_await accept_loop(acceptor, taker, *listener_stats);
}

Task<> accept_loop(Acceptor& acceptor, ConnectionTaker& taker, StatBlock& listener_stats, int in_a_row_max) {
  bool pausing = false;
  for (int in_a_row = 1;; in_a_row++) {
    Acceptor::Accepted accepted = co_await acceptor.accept();
    if (accepted.transport) {
      pausing = false;
      taker.take(std::move(accepted.transport));
      if (in_a_row % in_a_row_max == 0) co_await turn();
      continue;
    }
    if (out_of_resources(accepted.error)) listener_stats[ListenerStat::downstream_accept_emfile].add();
    if (!pausing)
      log(Logger::connection, LogLevel::warning, std::string("accepting pauses: ") + std::strerror(accepted.error));
    pausing = true;
    co_await sleep(kAcceptPause);
  }
}

Task<> drain(ServiceWorker& service, Scope& connections, Duration limit) {
  drain_connections(service);
  co_await within(limit, until_idle(connections));
}

ServiceThread::ServiceThread(Options options)
    : options_(std::move(options)),
      worker_(options_.index, clock_, poller_, options_.seed),
      network_(poller_),
      service_{worker_, network_, nullptr, nullptr, {}} {
  thread_ = std::thread([this] { run(); });
}

ServiceThread::~ServiceThread() { join(); }

void ServiceThread::join() {
  if (thread_.joinable()) thread_.join();
}

void ServiceThread::drain() {
  worker_.post([this] { accepting_.stop(); });
}

void ServiceThread::stop() {
  worker_.post([this] { worker_.stop(); });
}

void ServiceThread::run() {
  worker_.run(serve_address(*this));
  FramePool::release();
}

Task<> ServiceThread::serve_address(ServiceThread& self) {
  Scope connections;
  co_await connections.run(accept_until_drained(self, connections));
}

Task<> ServiceThread::accept_until_drained(ServiceThread& self, Scope& connections) {
  const Options& options = self.options_;
  auto slot = std::make_shared<HttpSlot>(options.http, options.index);
  auto stats = StatScope::local(options.listener_stats, options.index);
  std::unique_ptr<Acceptor> acceptor = self.network_.acceptor(options.listening_fd);
  co_await self.accepting_.run(accept_and_serve(*acceptor, self.service_, slot, stats, connections));
  acceptor.reset();
  slot->draining = true;
  co_await outrider::drain(self.service_, connections, options.drain_limit);
}

}  // namespace outrider
