#include "server/admin_listener.h"

#include <cstdio>

#include "core/log.h"
#include "http/h2_options.h"
#include "http/http_stats.h"

namespace outrider {
namespace {

// Who reads nothing for so long loses the connection, and with it the answer that waits:
// `http.admin.downstream_rq_idle_timeout` counts them.
constexpr std::chrono::seconds kStalledReaderMax{30};

bool reaches_beyond(const Address& address) {
  return !address.is_pipe() && !address.is_loopback() && !address.ip_text().starts_with("127.");
}

void tell_address(const Address& address, const Flags& flags) {
  log(Logger::admin, LogLevel::info, "admin address: " + address.text());
  if (reaches_beyond(address) && !flags.admin_read_only) {
    log(Logger::admin, LogLevel::warning,
        "the admin page at " + address.text() +
            " can be reached from other machines, and whoever reaches it can end this process: bind it to 127.0.0.1, "
            "or start with --admin-read-only");
  }
  if (flags.admin_address_path.empty()) return;
  if (std::FILE* f = std::fopen(flags.admin_address_path.c_str(), "w")) {
    std::fputs(address.text().c_str(), f);
    std::fclose(f);
  } else {
    log(Logger::admin, LogLevel::error, "cannot write '" + flags.admin_address_path + "'");
  }
}

}  // namespace

AdminListener::AdminListener(Worker& main, TcpNetwork& network, StatRegistry& stats)
    : main_(main), network_(network), stats_(stats), service_{main, network, nullptr, nullptr, {}} {}

bool AdminListener::open(const Snapshot& snapshot, const Flags& flags, AdminView view) {
  if (!snapshot.admin) return true;
  if (auto free = probe_free(*snapshot.admin); !free) {
    log(Logger::main, LogLevel::critical, "admin: " + free.error());
    return false;
  }
  auto fd = listen_on(*snapshot.admin, {.backlog = 128, .reuse_port = false, .ipv4_compat = true});
  if (!fd) {
    log(Logger::main, LogLevel::critical, "admin: " + fd.error());
    return false;
  }
  if (auto set = set_pipe_mode(*snapshot.admin, snapshot.admin_pipe_mode); !set) {
    log(Logger::main, LogLevel::critical, "admin: " + set.error());
    return false;
  }
  Address address = bound_address(*fd);
  acceptor_ = network_.acceptor(*fd);
  auto options = std::make_shared<HttpOptions>();
  options->stat_prefix = "admin";
  options->stats = stats_.scope("http.admin.", http_stat_table());
  options->h2 = own_h2_options(stats_);
  options->edge = false;
  options->accept_http_10 = true;
  options->stream_idle_timeout = kStalledReaderMax;
  options->access_logs = snapshot.admin_logs;
  options->filters.add(std::make_unique<Admin>(std::move(view)));
  slot_ = std::make_shared<HttpSlot>(std::move(options), main_.index());
  listener_stats_ = stats_.scope("listener.admin.", listener_stat_table());
  tell_address(address, flags);
  return true;
}

Task<> AdminListener::serve(AdminListener& self, Scope& connections) {
  co_await accept_and_serve(*self.acceptor_, self.service_, self.slot_,
                            StatScope::local(self.listener_stats_, self.main_.index()), connections);
}

}  // namespace outrider
