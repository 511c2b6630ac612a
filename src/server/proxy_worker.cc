#include "server/proxy_worker.h"

#include <pthread.h>

#include "http/connection_log.h"
#include "http/span_queue.h"
#include "net/original_destination.h"
#include "server/service_loop.h"

namespace outrider {

ProxyWorker::ProxyWorker(int index, Clock& clock, std::uint64_t seed)
    : worker_(index, clock, turns_, seed),
      network_(poller_),
      clusters_(worker_, network_, scope_),
      caller_(worker_, network_, clusters_, scope_),
      service_{worker_, network_, &clusters_, &caller_, {}} {}

ProxyWorker::~ProxyWorker() { stop(); }

void ProxyWorker::start() {
  thread_ = std::thread([this] {
    std::string name = "wrk:worker_" + std::to_string(worker_.index());
    pthread_setname_np(pthread_self(), name.substr(0, 15).c_str());
    worker_.run(live(*this));
    listeners_.clear();
    closed_.clear();
    clusters_.clear();
    FramePool::release();
  });
}

void ProxyWorker::stop() {
  if (!thread_.joinable()) return;
  worker_.post([this] { worker_.stop(); });
  thread_.join();
}

Task<> ProxyWorker::body(ProxyWorker& self) {
  self.scope_.spawn(SpanQueue::run, self.worker_, static_cast<HttpCaller&>(self.caller_));
  co_await until_stopped();
}

Task<> ProxyWorker::live(ProxyWorker& self) { co_await self.scope_.run(body(self)); }

Task<> ProxyWorker::accept(ProxyWorker& self, LocalListener& l, LocalSocket& socket) {
  co_await accept_loop(*socket.acceptor, l, *l.stats, l.accepts_in_a_row_max);
}

ProxyWorker::LocalListener* ProxyWorker::listener_at(const Address& address) {
  LocalListener* of_port = nullptr;
  for (auto& [name, l] : listeners_) {
    for (const Address& each : l->addresses) {
      if (each == address) return l.get();
      bool any = each.ip_text() == (address.family() == AF_INET6 ? "::" : "0.0.0.0");
      if (any && each.family() == address.family() && each.port() == address.port()) of_port = l.get();
    }
  }
  return of_port;
}

void ProxyWorker::take(LocalListener& l, std::unique_ptr<Transport> transport) {
  LocalListener* to = &l;
  std::optional<Address> meant;
  if (l.original_destination && (meant = original_destination(transport->plain_fd()))) {
    if (LocalListener* other = listener_at(*meant)) to = other;
  }
  int chain = 0;
  if (!to->matches.empty()) {
    chain = find_filter_chain(to->matches, meant.value_or(transport->local()), transport->peer());
    if (chain < 0) chain = static_cast<int>(to->matches.size());  // The default chain, if there is one.
  }
  if (static_cast<std::size_t>(chain) >= to->slots.size()) {
    (*to->stats)[ListenerStat::no_filter_chain_match].add();
    log_unserved(*to, *transport, true);
    return;
  }
  if (auto& slot = to->slots[static_cast<std::size_t>(chain)]) {
    scope_.spawn(serve, service_, std::move(transport), slot, to->stats);
  } else {  // A chain without filters closes.
    (*to->stats)[ListenerStat::downstream_cx_total].add();
    (*to->stats)[ListenerStat::downstream_cx_destroy].add();
    log_unserved(*to, *transport, false);
  }
}

void ProxyWorker::log_unserved(LocalListener& l, Transport& transport, bool no_chain) {
  if (l.access_logs.empty()) return;
  HttpOptions options;
  options.connection_logs = l.access_logs;
  options.listener_metadata = l.metadata;
  const DownstreamConnection connection{worker_, network_, &clusters_, &caller_, 0, &transport.peer(), &transport};
  EndedConnection ended{connection, worker_.now()};
  if (no_chain) {
    ended.flags.set(ResponseFlag::no_route_found);
    ended.details = "filter_chain_not_found";
  }
  write_connection_logs(options, *l.stats, ended);
}

// Connections that are open go on with the chain of the same number; those of chains that are gone end.
void ProxyWorker::set_chains(LocalListener& l, const ListenerConfig& config) {
  l.matches = config.matches;
  l.original_destination = config.original_destination;
  l.access_logs = config.access_logs;
  l.metadata = config.http ? config.http->listener_metadata : nullptr;
  for (std::size_t i = 0; i < std::max(l.slots.size(), config.chains.size()); i++) {
    std::shared_ptr<const HttpOptions> options = i < config.chains.size() ? config.chains[i] : nullptr;
    if (i >= l.slots.size()) l.slots.emplace_back();
    std::shared_ptr<HttpSlot>& slot = l.slots[i];
    if (slot && options) {
      slot->set(std::move(options), worker_.index());
    } else {
      if (slot) slot->draining = true;
      slot = options ? std::make_shared<HttpSlot>(std::move(options), worker_.index()) : nullptr;
    }
  }
  l.slots.resize(config.chains.size());
}

void ProxyWorker::add_listener(const ListenerConfig& config, std::vector<int> listening_fds) {
  worker_.post([this, config, listening_fds = std::move(listening_fds)] {
    auto l = std::make_unique<LocalListener>(*this);
    for (const ListenerAddress& at : config.addresses) l->addresses.push_back(at.address);
    l->accepts_in_a_row_max = config.accepts_in_a_row_max;
    set_chains(*l, config);
    l->stats = StatScope::local(config.stats, worker_.index());
    LocalListener& added = *(listeners_[config.name] = std::move(l));
    for (int fd : listening_fds) {
      LocalSocket& socket = *added.sockets.emplace_back(std::make_unique<LocalSocket>(network_.acceptor(fd)));
      socket.accepting = scope_.spawn(accept, *this, added, socket);
    }
  });
}

void ProxyWorker::drain_slots(LocalListener& l) {
  for (auto& slot : l.slots) {
    if (slot) slot->draining = true;
  }
}

void ProxyWorker::update_listener(const ListenerConfig& config) {
  worker_.post([this, config] {
    auto at = listeners_.find(config.name);
    if (at == listeners_.end()) return;
    set_chains(*at->second, config);
    drain_connections(service_);
  });
}

void ProxyWorker::stop_accepting(LocalListener& l) {
  for (auto& socket : l.sockets) {
    if (socket->accepting) std::exchange(socket->accepting, nullptr)->request();
  }
}

// A connection that waits in the socket's queue would be reset with it, with the request that it may already carry.
void ProxyWorker::close_sockets(LocalListener& l) {
  for (auto& socket : std::exchange(l.sockets, {})) {
    for (int i = 0; i < kLastAcceptsMax; i++) {
      Acceptor::Accepted last = socket->acceptor->try_accept();
      if (!last.transport) break;
      take(l, std::move(last.transport));
    }
  }
  drain_connections(service_);
}

void ProxyWorker::remove_listener(const std::string& name) {
  worker_.post([this, name] {
    auto at = listeners_.find(name);
    if (at == listeners_.end()) return;
    stop_accepting(*at->second);
    drain_slots(*at->second);
    drain_connections(service_);
    LocalListener* gone = closed_.emplace_back(std::move(at->second)).get();
    listeners_.erase(at);
    // The accept loop ends in the next turn; then the socket can be closed.
    worker_.post([this, gone] {
      worker_.post([this, gone] {
        close_sockets(*gone);
        std::erase_if(closed_, [&](const auto& l) { return l.get() == gone; });
      });
    });
  });
}

void ProxyWorker::stop_listening() {
  worker_.post([this] {
    for (auto& [name, l] : listeners_) stop_accepting(*l);
    close_stopped();
  });
}

void ProxyWorker::stop_listening(const std::string& name) {
  worker_.post([this, name] {
    auto at = listeners_.find(name);
    if (at == listeners_.end()) return;
    stop_accepting(*at->second);
    close_stopped();
  });
}

// The accept loops end in the next turn; then the sockets can be closed.
void ProxyWorker::close_stopped() {
  worker_.post([this] {
    worker_.post([this] {
      for (auto& [name, l] : listeners_) {
        if (!l->sockets.empty() && !l->accepts()) close_sockets(*l);
      }
    });
  });
}

void ProxyWorker::drain_listener(const std::string& name, Duration time) {
  worker_.post([this, name, time] {
    auto at = listeners_.find(name);
    if (at == listeners_.end()) return;
    for (auto& slot : at->second->slots) {
      if (slot) slot->drain_over(time, worker_.now());
    }
  });
}

void ProxyWorker::drain() {
  worker_.post([this] {
    for (auto& [name, l] : listeners_) {
      drain_slots(*l);
    }
    drain_connections(service_);
  });
}

void ProxyWorker::when_settled(std::function<void()> then) {
  worker_.post([this, then = std::move(then)] {
    worker_.post([this, then] { worker_.post(then); });  // As many turns as remove_listener() takes.
  });
}

void ProxyWorker::set_clusters(std::shared_ptr<const ClusterMap> clusters) {
  worker_.post([this, clusters = std::move(clusters)] { clusters_.set_names(clusters); });
}

void ProxyWorker::set_runtime(RuntimePtr runtime) {
  worker_.post([this, runtime = std::move(runtime)] { worker_.set_runtime(runtime); });
}

namespace {

// Of one answer: no list of hosts, clusters or routes is longer.
constexpr std::size_t kFetchedBytesMax = std::size_t{64} << 20;

std::string_view why(CallFailure failure) {
  switch (failure) {
    case CallFailure::no_cluster:
      return "there is no such cluster";
    case CallFailure::no_host:
      return "the cluster has no healthy host";
    case CallFailure::timed_out:
      return "no answer in time";
    case CallFailure::too_large:
      return "the answer is larger than 64 MiB";
    default:
      return "the connection failed";
  }
}

ProxyWorker::Fetched body_of(std::expected<HttpAnswer, CallFailure> answer, const std::string& reason) {
  if (!answer) return std::unexpected(std::string(why(answer.error())) + (reason.empty() ? "" : ": " + reason));
  if (answer->head.status != 200) {
    return std::unexpected("the answer has the status " + std::to_string(answer->head.status));
  }
  return std::move(answer->body);
}

}  // namespace

Task<> ProxyWorker::run_fetch(ProxyWorker& self, Fetch fetch) {
  Arena arena;
  RequestHead head(arena);
  head.set_method("GET");
  head.path = fetch.path;
  head.authority = fetch.source.cluster;
  std::string reason;
  HttpCall call{.cluster = fetch.source.cluster,
                .request = &head,
                .body = {},
                .timeout = fetch.source.request_timeout,
                .answer_bytes_max = kFetchedBytesMax,
                .reason = &reason};
  auto answer = co_await self.caller_.call(arena, call);
  fetch.then(body_of(std::move(answer), reason));
}

void ProxyWorker::fetch(const RestSource& source, std::string path, std::function<void(Fetched)> then) {
  worker_.post(
      [this, fetch = Fetch{source, std::move(path), std::move(then)}] { scope_.spawn(run_fetch, *this, fetch); });
}

void ProxyWorker::refresh_cluster(int slot) {
  worker_.post([this, slot] { clusters_.refresh(slot); });
}

void ProxyWorker::remove_cluster(int slot) {
  worker_.post([this, slot] { clusters_.remove(slot); });
}

}  // namespace outrider
