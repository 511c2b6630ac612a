#include "server/stat_sinks.h"

#include <unistd.h>

#include "core/log.h"
#include "core/scope.h"
#include "upstream/cluster.h"

namespace outrider {
namespace {

std::expected<Address, std::string> address_of(std::string_view text) {
  std::size_t colon = text.rfind(':');
  std::string_view host = text.substr(0, colon);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  return Address::parse(host, static_cast<std::uint16_t>(std::stoul(std::string(text.substr(colon + 1)))));
}

Task<bool> finish_connect(Transport& transport) { co_return co_await transport.connected() == 0; }

}  // namespace

StatSinks::~StatSinks() {
  if (socket_v4_ >= 0) close(socket_v4_);
  if (socket_v6_ >= 0) close(socket_v6_);
}

void StatSinks::send_datagrams(const StatSinkOptions& sink, const std::vector<StatSample>& samples) {
  auto address = address_of(sink.address);
  if (!address) return;
  int& fd = address->family() == AF_INET6 ? socket_v6_ : socket_v4_;
  if (fd < 0) fd = socket(address->family(), SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  sockaddr_storage to;
  socklen_t size = address->fill(to);
  std::string datagram, line;
  auto send = [&] {
    if (datagram.empty()) return;
    sendto(fd, datagram.data(), datagram.size(), MSG_NOSIGNAL, reinterpret_cast<sockaddr*>(&to), size);
    datagram.clear();
  };
  for (const StatSample& sample : samples) {
    line.clear();
    append_statsd(sample, stats_options(), sink.tags, sink.prefix, line);
    if (datagram.size() + 1 + line.size() > sink.datagram_bytes) send();
    if (!datagram.empty()) datagram += '\n';
    datagram += line;
  }
  send();
}

Task<bool> StatSinks::write(std::string text) {
  iovec piece{text.data(), text.size()};
  co_return (co_await connection_->write(&piece, 1)).ok();
}

Task<> StatSinks::send_stream(const StatSinkOptions& sink, const std::vector<StatSample>& samples,
                              const Snapshot& snapshot) {
  auto cluster = snapshot.clusters.find(sink.cluster);
  if (cluster == snapshot.clusters.end()) co_return;
  if (connected_to_ != sink.cluster || (connection_ && connection_->hung_up())) connection_.reset();
  if (!connection_) {
    HostSetPtr hosts = cluster->second->hosts();
    if (!hosts || hosts->eligible.empty()) co_return;
    auto started = network_.connect(hosts->eligible[0]->address, {});
    if (!started) co_return;
    connection_ = std::move(*started);
    connected_to_ = sink.cluster;
    auto done = co_await within(cluster->second->options.connect_timeout, finish_connect(*connection_));
    if (!done || !*done) {
      log(Logger::main, LogLevel::warning, "statistics: no connection to the cluster '" + sink.cluster + "'");
      connection_.reset();
      co_return;
    }
  }
  std::string text;
  for (const StatSample& sample : samples) {
    append_statsd(sample, stats_options(), sink.tags, sink.prefix, text);
    text += '\n';
  }
  auto written = co_await within(kSendLimit, write(std::move(text)));
  if (!written || !*written) connection_.reset();
}

Task<> StatSinks::flush(const Snapshot& snapshot) {
  const std::vector<StatSinkOptions> sinks = stats_options().sinks;  // Reloads replace them while one is waited for.
  if (sinks.empty()) co_return;
  std::vector<StatSample> samples = sampler_.take(registry_);
  for (const StatSinkOptions& sink : sinks) {
    if (sink.cluster.empty()) {
      send_datagrams(sink, samples);
    } else {
      co_await send_stream(sink, samples, snapshot);
    }
  }
}

}  // namespace outrider
