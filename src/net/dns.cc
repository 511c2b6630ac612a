#include "net/dns.h"

#include <ares.h>

#include <algorithm>
#include <utility>

namespace outrider {
namespace {

using std::chrono::milliseconds;

// c-ares wants this once in a process, before any channel; it is not safe to call from two threads.
int library_ready() {
  static const int status = ares_library_init(ARES_LIB_INIT_ALL);
  return status;
}

DnsFailure failure(std::string_view name, int status) {
  bool no_such_name = status == ARES_ENOTFOUND || status == ARES_ENODATA;
  const char* why = ares_strerror(status);
  // With several servers c-ares tries the next one on SERVFAIL and REFUSED, and in the end forgets which it was.
  if (status == ARES_ECONNREFUSED) why = "no DNS server was reachable and able to answer";
  return {"cannot resolve '" + std::string(name) + "': " + why, no_such_name};
}

// Of those a nameserver may have, c-ares takes the address and the port; a scope of IPv6 cannot be given.
ares_addr_port_node node_of(const Address& nameserver) {
  ares_addr_port_node node{};
  node.family = nameserver.family();
  sockaddr_storage storage;
  nameserver.fill(storage);
  if (node.family == AF_INET) {
    node.addr.addr4 = reinterpret_cast<sockaddr_in*>(&storage)->sin_addr;
  } else {
    auto& ip = reinterpret_cast<sockaddr_in6*>(&storage)->sin6_addr;
    std::copy(std::begin(ip.s6_addr), std::end(ip.s6_addr), std::begin(node.addr.addr6._S6_un._S6_u8));
  }
  node.udp_port = node.tcp_port = nameserver.port() ? nameserver.port() : 53;
  return node;
}

DnsAnswer answer_of(const ares_addrinfo& found) {
  DnsAnswer answer;
  int ttl = found.nodes ? found.nodes->ai_ttl : 0;
  for (auto* node = found.nodes; node && answer.addresses.size() < Resolver::kAddressesMax; node = node->ai_next) {
    answer.addresses.push_back(Address::from(node->ai_addr, node->ai_addrlen));
    ttl = std::min(ttl, node->ai_ttl);
  }
  for (auto* alias = found.cnames; alias; alias = alias->next) ttl = std::min(ttl, alias->ttl);
  answer.ttl = std::chrono::seconds(std::max(ttl, 0));  // The high bit set means 0: RFC 2181 section 8.
  return answer;
}

// The families to ask for: the second only if the first gives nothing.
std::pair<int, int> families(DnsFamily family) {
  switch (family) {
    case DnsFamily::v4_only:
      return {AF_INET, AF_UNSPEC};
    case DnsFamily::v6_only:
      return {AF_INET6, AF_UNSPEC};
    case DnsFamily::v4_preferred:
      return {AF_INET, AF_INET6};
    case DnsFamily::automatic:
      return {AF_INET6, AF_INET};
    case DnsFamily::all:
      break;
  }
  return {AF_UNSPEC, AF_UNSPEC};
}

void keep_family(DnsAnswer& answer, DnsFamily family) {
  if (family == DnsFamily::all) return;
  auto [first, second] = families(family);
  auto has = [&](int wanted) {
    return std::ranges::any_of(answer.addresses, [&](const Address& a) { return a.family() == wanted; });
  };
  int kept = has(first) ? first : second;
  std::erase_if(answer.addresses, [&](const Address& a) { return a.family() != kept; });
}

ares_addrinfo_hints hints_for(int family) {
  ares_addrinfo_hints hints{};
  hints.ai_family = family;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = ARES_AI_NOSORT;  // Sorting would open a socket for every address.
  return hints;
}

}  // namespace

// What one call of c-ares tells its result to. c-ares holds it until then; a Lookup that is stopped leaves it behind.
struct CaresResolver::Query {
  CaresResolver* resolver;
  Lookup* lookup;
  int status = ARES_SUCCESS;
  DnsAnswer answer{};
  bool done = false;
};

class CaresResolver::Lookup : public Leaf {
 public:
  Lookup(CaresResolver& resolver, const std::string& name, int family)
      : resolver_(resolver), name_(name), family_(family) {}
  ~Lookup() { leave(); }

  bool await_ready() {
    query_ = new Query{&resolver_, this};
    if (!resolver_.channel_) {
      query_->status = resolver_.open_error_;
      return query_->done = true;
    }
    resolver_.in_flight_++;
    ares_addrinfo_hints hints = hints_for(family_);
    ares_getaddrinfo(resolver_.channel_, name_.c_str(), nullptr, &hints, on_answer, query_);
    resolver_.arm();
    return query_->done;
  }
  template <class P>
  void await_suspend(std::coroutine_handle<P> awaiter) {
    waiting_ = wait(awaiter, [](Leaf* leaf) { static_cast<Lookup*>(leaf)->leave(); });
    if (!waiting_) leave();
  }
  Result await_resume() {
    if (query_->status != ARES_SUCCESS) return std::unexpected(failure(name_, query_->status));
    return std::move(query_->answer);
  }

  void answered() {
    if (waiting_) finish();
  }

 private:
  void leave() {
    Query* query = std::exchange(query_, nullptr);
    if (!query) return;
    if (query->done) {
      delete query;
    } else {
      query->lookup = nullptr;
    }
  }

  CaresResolver& resolver_;
  const std::string& name_;
  const int family_;
  Query* query_ = nullptr;
  bool waiting_ = false;
};

CaresResolver::CaresResolver(EpollPoller& poller, Options options) : poller_(poller), options_(std::move(options)) {
  alarm_.resolver = this;
  alarm_.on_fire = [](Timer* timer) {
    CaresResolver& self = *static_cast<Alarm*>(timer)->resolver;
    ares_process_fd(self.channel_, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
    self.arm();
  };
  open();
}

CaresResolver::~CaresResolver() { close(); }

void CaresResolver::open() {
  unreachable_ = false;
  if (open_error_ = library_ready(); open_error_ != ARES_SUCCESS) return;
  if (open_error_ = open_channel(0); open_error_ != ARES_SUCCESS) return;
  // By default c-ares turns SERVFAIL and REFUSED into "try the next server". Where there is none, only the reason would
  // be lost, and the same question asked again at once.
  if (nameserver_count() == 1) {
    ares_destroy(std::exchange(channel_, nullptr));
    open_error_ = open_channel(ARES_FLAG_NOCHECKRESP);
  }
}

int CaresResolver::open_channel(int flags) {
  ares_options options{};
  options.flags = flags | ARES_FLAG_NOALIASES | (options_.use_tcp ? ARES_FLAG_USEVC : 0) |
                  (options_.no_default_search_domain ? ARES_FLAG_NOSEARCH : 0);
  options.timeout = static_cast<int>(std::clamp<milliseconds::rep>(options_.query_timeout.count(), 1, 1'000'000));
  options.tries = std::clamp(options_.query_tries, 1, 100);
  char dns[] = "b";
  options.lookups = dns;
  options.sock_state_cb = [](void* self, int fd, int readable, int writable) {
    static_cast<CaresResolver*>(self)->on_socket_state(fd, readable != 0, writable != 0);
  };
  options.sock_state_cb_data = this;
  int set = ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_LOOKUPS | ARES_OPT_SOCK_STATE_CB |
            (options_.rotate_nameservers ? ARES_OPT_ROTATE : ARES_OPT_NOROTATE);
  if (int status = ares_init_options(&channel_, &options, set); status != ARES_SUCCESS) return status;
  set_nameservers();
  if (hosts_) return ARES_SUCCESS;
  char file[] = "f";
  options = {};
  options.flags = ARES_FLAG_NOALIASES;
  options.lookups = file;
  int status = ares_init_options(&hosts_, &options, ARES_OPT_FLAGS | ARES_OPT_LOOKUPS);
  if (status != ARES_SUCCESS) ares_destroy(std::exchange(channel_, nullptr));
  return status;
}

void CaresResolver::set_nameservers() {
  if (options_.nameservers.empty()) return;
  std::vector<ares_addr_port_node> nodes;
  for (const Address& nameserver : options_.nameservers) {
    if (!nameserver.is_pipe()) nodes.push_back(node_of(nameserver));
  }
  for (std::size_t i = 0; i + 1 < nodes.size(); i++) nodes[i].next = &nodes[i + 1];
  ares_set_servers_ports(channel_, nodes.data());
}

int CaresResolver::nameserver_count() const {
  ares_addr_port_node* first = nullptr;
  if (ares_get_servers_ports(channel_, &first) != ARES_SUCCESS) return 0;
  int count = 0;
  for (auto* node = first; node; node = node->next) count++;
  ares_free_data(first);
  return count;
}

void CaresResolver::close() {
  alarm_.cancel();
  // Answers what is in flight (ARES_EDESTRUCTION) and closes the sockets.
  if (channel_) ares_destroy(std::exchange(channel_, nullptr));
  if (hosts_) ares_destroy(std::exchange(hosts_, nullptr));
}

void CaresResolver::on_answer(void* argument, int status, int, ares_addrinfo* found) {
  auto* query = static_cast<Query*>(argument);
  CaresResolver& self = *query->resolver;
  self.in_flight_--;
  if (status != ARES_SUCCESS && status != ARES_ENOTFOUND && status != ARES_ENODATA) self.unreachable_ = true;
  if (!query->lookup) {
    delete query;
  } else {
    query->done = true;
    query->status = status;
    if (found) query->answer = answer_of(*found);
    if (status == ARES_SUCCESS && query->answer.addresses.empty()) query->status = ARES_ENODATA;
    query->lookup->answered();
  }
  if (found) ares_freeaddrinfo(found);
}

// c-ares reads one piece of a TCP answer a call, so its few sockets are watched level-triggered.
void CaresResolver::on_socket_state(int fd, bool readable, bool writable) {
  auto of = [this](int wanted) {
    return std::ranges::find_if(sockets_, [wanted](const auto& s) { return s->fd == wanted; });
  };
  std::uint32_t events = (readable ? EPOLLIN : 0u) | (writable ? EPOLLOUT : 0u);
  auto at = of(fd);
  if (!events) {
    if (at == sockets_.end()) return;
    poller_.unwatch(fd);
    (*at)->fd = -1;
  } else if (at != sockets_.end()) {
    poller_.rewatch(fd, **at, events);
  } else {
    if (at = of(-1); at == sockets_.end()) {
      sockets_.push_back(std::make_unique<Socket>());
      sockets_.back()->resolver = this;
      at = std::prev(sockets_.end());
    }
    (*at)->fd = fd;
    poller_.watch(fd, **at, events);
  }
}

void CaresResolver::on_socket(Socket& socket, std::uint32_t events) {
  if (socket.fd < 0) return;  // Closed by the event before this one.
  bool broken = events & (EPOLLERR | EPOLLHUP);
  ares_process_fd(channel_, events & EPOLLIN || broken ? socket.fd : ARES_SOCKET_BAD,
                  events & EPOLLOUT || broken ? socket.fd : ARES_SOCKET_BAD);
  arm();
}

void CaresResolver::arm() {
  timeval left;
  if (!ares_timeout(channel_, nullptr, &left)) {
    alarm_.cancel();
    return;
  }
  auto in = std::chrono::seconds(left.tv_sec) + std::chrono::microseconds(left.tv_usec);
  Worker::current()->arm(alarm_, in + milliseconds(1));  // c-ares drops the fraction of a millisecond.
}

CaresResolver::Result CaresResolver::in_hosts_file(const std::string& name, DnsFamily family) {
  Result result = std::unexpected(DnsFailure{});
  ares_addrinfo_hints hints = hints_for(AF_UNSPEC);
  auto told = [](void* to, int status, int, ares_addrinfo* found) {
    if (status == ARES_SUCCESS) *static_cast<Result*>(to) = answer_of(*found);
    if (found) ares_freeaddrinfo(found);
  };
  // Without nameservers among its sources it answers before it returns.
  ares_getaddrinfo(hosts_, name.c_str(), nullptr, &hints, told, &result);
  if (result) {
    keep_family(*result, family);
    if (result->addresses.empty()) result = std::unexpected(DnsFailure{});
  }
  return result;
}

Task<std::expected<DnsAnswer, DnsFailure>> CaresResolver::resolve(std::string_view given, DnsFamily family) {
  if (given.empty() || given.size() > kNameBytesMax || given.find('\0') != given.npos) {
    co_return std::unexpected(DnsFailure{"not a domain name: '" + std::string(given.substr(0, kNameBytesMax)) + "'"});
  }
  const std::string name(given);
  if (auto literal = Address::parse(name, 0)) {
    DnsAnswer answer{{*literal}, std::chrono::seconds(0)};
    keep_family(answer, family);
    if (answer.addresses.empty()) {
      co_return std::unexpected(DnsFailure{"'" + name + "' is an address of the other family", true});
    }
    co_return answer;
  }
  if (!channel_ || (unreachable_ && in_flight_ == 0 && options_.nameservers.empty())) {
    close();
    open();
    if (!channel_) co_return std::unexpected(failure(name, open_error_));
  }
  if (Result local = in_hosts_file(name, family)) co_return local;

  auto [first, second] = families(family);
  Result result = co_await Lookup(*this, name, first);
  if (result || second == AF_UNSPEC) co_return result;
  bool no_such_name = result.error().no_such_name;
  result = co_await Lookup(*this, name, second);
  // Only if both families are known to be missing is there no such name.
  if (!result) result.error().no_such_name &= no_such_name;
  co_return result;
}

}  // namespace outrider
