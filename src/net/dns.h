// Names to addresses, without blocking: c-ares over the worker's poller.
#pragma once
#include <chrono>
#include <expected>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/leaf.h"
#include "net/address.h"
#include "net/poll.h"

struct ares_channeldata;
struct ares_addrinfo;

namespace outrider {

// Envoy's DnsLookupFamily. `automatic` is its AUTO: IPv6, and IPv4 if that gives nothing; v4_preferred is the reverse;
// `all` asks for both.
enum class DnsFamily { v4_only, v6_only, v4_preferred, automatic, all };

struct DnsAnswer {
  std::vector<Address> addresses;  // Port 0, in the server's order, never empty.
  // The lowest of the answer's records; 0 where nothing says how long (a literal, /etc/hosts).
  std::chrono::seconds ttl{0};
};

struct DnsFailure {
  std::string reason;
  // The servers answered that there is no such name, or none with such addresses: an answer, not an outage.
  bool no_such_name = false;
};

class Resolver {
 public:
  static constexpr std::size_t kNameBytesMax = 255;   // RFC 1035 section 2.3.4.
  static constexpr std::size_t kAddressesMax = 4096;  // Of one answer; further ones are dropped.

  virtual ~Resolver() = default;
  // Outlives every task that it gives. IP literals are answered at once.
  virtual Task<std::expected<DnsAnswer, DnsFailure>> resolve(std::string_view name, DnsFamily family) = 0;
};

// Asks, in this order: is it an IP literal, is it in /etc/hosts (or `localhost`), what do the nameservers say. Queries
// go by UDP, from a new port whenever none is in flight; truncated answers are asked for again by TCP.
class CaresResolver final : public Resolver {
 public:
  struct Options {
    std::vector<Address> nameservers;  // Empty: those of /etc/resolv.conf. Port 0 is 53.
    bool use_tcp = false;              // From the beginning.
    bool no_default_search_domain = false;
    bool rotate_nameservers = false;
    std::chrono::milliseconds query_timeout{5000};  // Of the first try; doubles whenever all servers were tried.
    int query_tries = 4;                            // For each server.
  };

  // The poller outlives it.
  explicit CaresResolver(EpollPoller& poller) : CaresResolver(poller, Options()) {}
  CaresResolver(EpollPoller& poller, Options options);
  CaresResolver(const CaresResolver&) = delete;
  CaresResolver& operator=(const CaresResolver&) = delete;
  ~CaresResolver() override;

  Task<std::expected<DnsAnswer, DnsFailure>> resolve(std::string_view name, DnsFamily family) override;

  // Queries that a server has not answered yet, with those that nobody waits for any more.
  int in_flight() const { return in_flight_; }

 private:
  using Result = std::expected<DnsAnswer, DnsFailure>;
  class Lookup;
  struct Query;
  struct Socket final : EventTarget {
    CaresResolver* resolver;
    int fd = -1;  // -1: none at the moment.
    void on_events(std::uint32_t events) override { resolver->on_socket(*this, events); }
  };
  struct Alarm : Timer {
    CaresResolver* resolver;
  };

  void open();
  int open_channel(int flags);
  void close();
  void set_nameservers();
  int nameserver_count() const;
  void on_socket(Socket& socket, std::uint32_t events);
  void on_socket_state(int fd, bool readable, bool writable);
  void arm();
  Result in_hosts_file(const std::string& name, DnsFamily family);
  static void on_answer(void* query, int status, int timeouts, ares_addrinfo* found);

  EpollPoller& poller_;
  const Options options_;
  ares_channeldata* channel_ = nullptr;
  ares_channeldata* hosts_ = nullptr;  // Reads /etc/hosts only; never opens a socket.
  int open_error_ = 0;
  bool unreachable_ = false;  // Since then /etc/resolv.conf may have changed.
  int in_flight_ = 0;
  // Never freed while the resolver lives: an event for a closed socket may already be under way to its target.
  std::vector<std::unique_ptr<Socket>> sockets_;
  Alarm alarm_;
};

}  // namespace outrider
