// One worker of the proxy: a thread with its listeners, connections and clusters.
#pragma once
#include <algorithm>
#include <expected>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>

#include "config/snapshot.h"
#include "http/serve.h"
#include "net/tcp.h"
#include "server/service_loop.h"
#include "server/watchdog.h"
#include "upstream/http_call.h"
#include "upstream/rest_source.h"

namespace outrider {

class ProxyWorker {
 public:
  ProxyWorker(int index, Clock& clock, std::uint64_t seed);
  ProxyWorker(const ProxyWorker&) = delete;
  ~ProxyWorker();

  void start();
  // Ends everything at once and joins the thread.
  void stop();

  // From the main thread; carried out on the worker's.
  // Takes over the sockets, which listen already; none: the listener is not bound.
  void add_listener(const ListenerConfig& config, std::vector<int> listening_fds);
  // New requests get the new configuration, on connections that are open already too.
  void update_listener(const ListenerConfig& config);
  // Stops accepting; its connections end after their request.
  void remove_listener(const std::string& name);
  // Stops accepting on all listeners; connections go on.
  void stop_listening();
  void stop_listening(const std::string& name);
  // Its connections end behind a response, all of them within that time; it goes on accepting.
  void drain_listener(const std::string& name, Duration time);
  // Ends idle connections, and the others after their request.
  void drain();
  // Calls it, on the worker's thread, when all that was asked for before is done: sockets of listeners that were
  // removed are closed too.
  void when_settled(std::function<void()> then);
  // The clusters that requests may name.
  void set_clusters(std::shared_ptr<const ClusterMap> clusters);
  void set_runtime(RuntimePtr runtime);
  void refresh_cluster(int slot);
  void remove_cluster(int slot);
  // Connections that are open at this moment; any thread may ask.
  std::uint64_t connections() const { return service_.connections.count.value(); }
  // GET of a path of a cluster. `then` is called on the worker's thread with the body of an answer of 200, or with why
  // there is none.
  using Fetched = std::expected<std::string, std::string>;
  void fetch(const RestSource& source, std::string path, std::function<void(Fetched)> then);
  const WatchedPoller& turns() const { return turns_; }

 private:
  struct LocalSocket {
    std::unique_ptr<Acceptor> acceptor;  // Null when closed.
    StopSource* accepting = nullptr;     // Null when not.
  };
  struct LocalListener final : ConnectionTaker {
    explicit LocalListener(ProxyWorker& w) : worker(w) {}
    void take(std::unique_ptr<Transport> transport) override { worker.take(*this, std::move(transport)); }

    ProxyWorker& worker;
    std::vector<Address> addresses;
    std::vector<std::unique_ptr<LocalSocket>> sockets;
    int accepts_in_a_row_max = 1;
    bool original_destination = false;
    std::vector<FilterChainMatch> matches;         // As ListenerConfig::matches.
    std::vector<std::shared_ptr<HttpSlot>> slots;  // Of each chain.
    std::shared_ptr<StatBlock> stats;
    std::vector<std::shared_ptr<AccessLog>> access_logs;
    std::shared_ptr<const Metadata> metadata;

    bool accepts() const {
      return std::ranges::any_of(sockets, [](const auto& s) { return s->accepting != nullptr; });
    }
  };

  struct Fetch {
    RestSource source;
    std::string path;
    std::function<void(Fetched)> then;
  };
  static Task<> run_fetch(ProxyWorker& self, Fetch fetch);

  static Task<> live(ProxyWorker& self);
  static Task<> body(ProxyWorker& self);
  static Task<> accept(ProxyWorker& self, LocalListener& listener, LocalSocket& socket);
  // Serves the connection as the chain wants it that it belongs to.
  void take(LocalListener& listener, std::unique_ptr<Transport> transport);
  // The line of a connection that nobody serves.
  void log_unserved(LocalListener& listener, Transport& transport, bool no_chain);
  // The listener of that address, or of that port of every address; null: none.
  LocalListener* listener_at(const Address& address);
  void set_chains(LocalListener& listener, const ListenerConfig& config);
  static void drain_slots(LocalListener& listener);
  void stop_accepting(LocalListener& listener);
  void close_stopped();
  void close_sockets(LocalListener& listener);

  // Connections taken from a listening socket when it closes: enough for what came in a turn or two of the loop.
  static constexpr int kLastAcceptsMax = 4096;

  EpollPoller poller_;
  WatchedPoller turns_{poller_};
  Worker worker_;
  TcpNetwork network_;
  WorkerClusters clusters_;
  ClusterCaller caller_;
  ServiceWorker service_;
  Scope scope_;
  std::map<std::string, std::unique_ptr<LocalListener>> listeners_;
  std::vector<std::unique_ptr<LocalListener>> closed_;  // Until their accept loops have ended.
  std::thread thread_;
};

}  // namespace outrider
