#include "net/simulated_network.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <string>

namespace outrider {

// Shared by both ends and by what is under way between them.
struct SimulatedNetwork::Connection {
  SimulatedNetwork& network;
  Route& route;
  Address client_address;
  Address server_address;
  std::array<End*, 2> ends{};  // Client, server; null: closed, or not there yet.
  std::size_t carried_bytes = 0;
  // For each end, the bytes sent to it that it has not read.
  std::array<std::size_t, 2> outstanding_bytes{};
};

class SimulatedNetwork::End final : public Transport {
 public:
  End(std::shared_ptr<Connection> connection, int side) : connection_(std::move(connection)), side_(side) {
    connection_->ends[index(side_)] = this;
    connection_->network.open_ends_++;
  }
  ~End() override {
    connection_->ends[index(side_)] = nullptr;
    connection_->network.open_ends_--;
    if (error_) return;
    // As a kernel does: unread bytes at the close are lost, and the peer is told so.
    if (reset_on_close_ || !inbox_.empty()) {
      send([](End& peer) { peer.arrive_reset(ECONNRESET); });
    } else if (!fin_sent_) {
      send([](End& peer) { peer.arrive_fin(); });
    }
  }

  void shutdown_write() override {
    if (std::exchange(fin_sent_, true) || error_) return;
    send([](End& peer) { peer.arrive_fin(); });
  }
  void reset_on_close() override { reset_on_close_ = true; }
  const Address& peer() const override { return side_ ? connection_->client_address : connection_->server_address; }
  const Address& local() override { return side_ ? connection_->server_address : connection_->client_address; }

  const std::shared_ptr<Connection>& connection() const { return connection_; }

  void arrive_established() { notify_writable(); }
  void arrive_bytes(const std::string& bytes) {
    inbox_ += bytes;
    notify_readable();
  }
  void arrive_space() { notify_writable(); }
  void arrive_fin() {
    if (error_) return;
    fin_arrived_ = true;
    wake_all();
  }
  void arrive_reset(int error) {
    if (error_) return;
    error_ = error;
    wake_all();
  }

 private:
  static std::size_t index(int side) { return static_cast<std::size_t>(side); }
  End* other() const { return connection_->ends[index(1 - side_)]; }
  SimulatedPath& path() const { return connection_->route.path; }

  // Does it to the other end, if that is still there, after the latency.
  template <class F>
  void send(F arrival) {
    connection_->network.send(connection_->route, [connection = connection_, to = index(1 - side_), arrival] {
      if (End* end = connection->ends[to]) arrival(*end);
    });
  }

  // In the order of a hang-up event of epoll.
  void wake_all() {
    notify_hangup();
    notify_writable();
    notify_readable();
  }

  IoResult system_read(char* buffer, std::size_t size) override {
    if (inbox_.empty()) {
      if (error_) return IoResult::failure(error_);
      return fin_arrived_ ? IoResult::ended() : IoResult::blocked();
    }
    std::size_t n = inbox_.copy(buffer, size);
    inbox_.erase(0, n);
    connection_->outstanding_bytes[index(side_)] -= n;
    if (End* writer = other(); writer && std::exchange(writer->out_of_space_, false)) {
      send([](End& peer) { peer.arrive_space(); });
    }
    return IoResult::done(n);
  }

  IoResult system_write(const iovec* pieces, int count) override {
    if (error_ || fin_sent_) return IoResult::failure(error_ ? error_ : EPIPE);
    std::size_t& outstanding = connection_->outstanding_bytes[index(1 - side_)];
    std::size_t space = path().capacity_bytes > outstanding ? path().capacity_bytes - outstanding : 0;
    if (space == 0) {
      out_of_space_ = true;
      return IoResult::blocked();
    }
    space = std::min(space, path().write_bytes_max);
    std::string taken;
    for (int i = 0; i < count && taken.size() < space; i++) {
      taken.append(static_cast<const char*>(pieces[i].iov_base), std::min(pieces[i].iov_len, space - taken.size()));
    }
    outstanding += taken.size();
    for (std::size_t at = 0; at < taken.size(); at += std::min(path().segment_bytes_max, taken.size() - at)) {
      send_bytes(taken.substr(at, path().segment_bytes_max));
    }
    return IoResult::done(taken.size());
  }

  void send_bytes(std::string bytes) {
    Connection& c = *connection_;
    c.network.send(c.route, [connection = connection_, from = index(side_), bytes = std::move(bytes)]() mutable {
      std::size_t limit = connection->route.path.reset_after_bytes;
      std::size_t left = limit > connection->carried_bytes ? limit - connection->carried_bytes : 0;
      bool reset = bytes.size() >= left;
      if (reset) bytes.resize(left);
      connection->carried_bytes += bytes.size();
      End* reader = connection->ends[1 - from];
      if (reader && !reader->error_) reader->arrive_bytes(bytes);
      if (reset) {
        for (End* end : connection->ends) {
          if (end) end->arrive_reset(ECONNRESET);
        }
      } else if (!reader) {
        // Nobody is there any more: the answer is a reset.
        connection->network.send(connection->route, [connection, from] {
          if (End* writer = connection->ends[from]) writer->arrive_reset(ECONNRESET);
        });
      }
    });
  }

  int system_connect_error() override { return error_; }

  const std::shared_ptr<Connection> connection_;
  const int side_;
  std::string inbox_;
  bool fin_sent_ = false;
  bool fin_arrived_ = false;
  bool out_of_space_ = false;
  bool reset_on_close_ = false;
  int error_ = 0;
};

class SimulatedNetwork::Listener final : public Acceptor {
 public:
  explicit Listener(Route& route) : route_(route) { route_.listener = this; }
  ~Listener() override {
    if (route_.listener == this) route_.listener = nullptr;
  }
  bool full() const { return waiting_.size() >= kBacklogMax; }
  void arrive(std::unique_ptr<Transport> transport) {
    waiting_.push_back(std::move(transport));
    notify_acceptable();
  }

 private:
  Accepted system_accept() override {
    if (waiting_.empty()) return {nullptr, EAGAIN};
    if (route_.path.accept_error) return {nullptr, route_.path.accept_error};
    Accepted accepted{std::move(waiting_.front()), 0};
    waiting_.pop_front();
    return accepted;
  }
  Route& route_;
  std::deque<std::unique_ptr<Transport>> waiting_;
};

SimulatedNetwork::SimulatedNetwork(Worker& worker) : worker_(worker) {
  alarm_.network = this;
  alarm_.on_fire = [](Timer* timer) { static_cast<Alarm*>(timer)->network->schedule(); };
  turn_.network = this;
  turn_.run = [](Runnable* turn) {
    auto* self = static_cast<Turn*>(turn);
    self->queued = false;
    self->network->run_one();
  };
}

SimulatedNetwork::~SimulatedNetwork() = default;

void SimulatedNetwork::send(Route& route, std::function<void()> arrival) {
  // A latency that was lowered meanwhile does not let what comes later overtake.
  route.last_arrival = std::max(route.last_arrival, worker_.now() + route.path.latency);
  under_way_.emplace(route.last_arrival, Arrival{&route, std::move(arrival)});
  schedule();
}

void SimulatedNetwork::schedule() {
  if (under_way_.empty() || turn_.queued) return;
  TimePoint next = under_way_.begin()->first;
  // Outside of run() nothing may be left in the worker's queue: it could end before it runs again.
  if (next > worker_.now() || Worker::current() != &worker_) {
    worker_.timers().arm(alarm_, next);
  } else {
    turn_.queued = true;
    worker_.enqueue(turn_);
  }
}

void SimulatedNetwork::run_one() {
  if (auto first = under_way_.begin(); first != under_way_.end() && first->first <= worker_.now()) {
    Arrival arrival = std::move(under_way_.extract(first).mapped());
    if (arrival.route->cut) {
      arrival.route->held.push_back(std::move(arrival.run));
    } else {
      arrival.run();
    }
  }
  schedule();
}

void SimulatedNetwork::mend(const Address& to) {
  Route& mended = route(to);
  mended.cut = false;
  // Before all that is still under way, in the old order.
  auto held = std::exchange(mended.held, {});
  for (auto arrival = held.rbegin(); arrival != held.rend(); ++arrival) {
    auto first = under_way_.begin();
    TimePoint when = first == under_way_.end() ? worker_.now() : std::min(worker_.now(), first->first);
    under_way_.emplace_hint(first, when, Arrival{&mended, std::move(*arrival)});
  }
  schedule();
}

void SimulatedNetwork::reset(const Transport& either_end) {
  auto connection = static_cast<const End&>(either_end).connection();
  for (End* end : connection->ends) {
    if (end) end->arrive_reset(ECONNRESET);
  }
}

int SimulatedNetwork::listen_on(const Address& at) {
  listening_.emplace(next_listening_fd_, at);
  return next_listening_fd_++;
}

std::unique_ptr<Acceptor> SimulatedNetwork::acceptor(int listening_fd) {
  auto listening = listening_.extract(listening_fd);
  if (listening.empty()) return nullptr;
  return std::make_unique<Listener>(route(listening.mapped()));
}

std::expected<std::unique_ptr<Transport>, ConnectError> SimulatedNetwork::connect(const Address& to,
                                                                                  const ConnectOptions&) {
  Route& route = this->route(to);
  Address from = route.path.source;
  if (from.family() == AF_UNSPEC) {
    from = to.is_pipe() ? Address::pipe("") : *Address::parse(to.family() == AF_INET6 ? "::1" : "127.0.0.1", 0);
  }
  auto connection = std::make_shared<Connection>(*this, route, from.with_port(next_port_++), to);
  auto client = std::make_unique<End>(connection, 0);
  if (!route.path.black_hole) {
    send(route, [this, connection] { arrive_connection(connection); });
  }
  return client;
}

void SimulatedNetwork::arrive_connection(const std::shared_ptr<Connection>& connection) {
  Route& route = connection->route;
  int error = route.path.connect_error;
  if (!error && (!route.listener || route.listener->full())) error = ECONNREFUSED;
  if (error) {
    send(route, [connection, error] {
      if (End* client = connection->ends[0]) client->arrive_reset(error);
    });
    return;
  }
  auto server = std::make_unique<End>(connection, 1);
  server->arrive_established();
  send(route, [connection] {
    if (End* client = connection->ends[0]) client->arrive_established();
  });
  route.listener->arrive(std::move(server));
}

}  // namespace outrider
