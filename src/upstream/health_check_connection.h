// What a host is asked over by health checks.
#pragma once
#include "http/h2_options.h"
#include "http/h2_session.h"
#include "http/inbox.h"
#include "upstream/health_check.h"

namespace outrider {

// A connection of HTTP/2. Its life is a task of its own, which holds it.
struct HealthChecks::H2Check final : H2Session::Owner {
  H2Check(Worker& worker, std::unique_ptr<Transport> t, const std::shared_ptr<const H2Options>& o)
      : options(o),
        transport(std::move(t)),
        session(h2::Side::client, options->codec, worker, *transport, static_cast<H2Session::Owner&>(*this),
                options->stats->local(worker.index()), bytes, bytes) {}

  static Task<> run(std::shared_ptr<H2Check> self) { co_await self->session.run(Inbox()); }

  H2Stream* stream_opens() override { return nullptr; }
  void request_received(H2Stream&) override {}
  void stream_failed(H2Stream&, const h2::Fault&) override {}
  void capacity_changed() override {}
  void ping_answered(std::uint64_t) override {}

  const std::shared_ptr<const H2Options> options;
  const std::unique_ptr<Transport> transport;
  Cell bytes;  // Nobody reads it.
  H2Session session;
};

struct HealthChecks::Connection {
  explicit Connection(std::unique_ptr<Transport> t) : transport(std::move(t)) {}
  Connection(const Connection&) = delete;
  ~Connection() {
    if (h2) h2->session.stop();
  }
  // Whether another question may go over it.
  bool good() const { return h2 ? h2->session.may_open() : !transport->hung_up() && inbox.empty(); }

  std::unique_ptr<Transport> transport;  // Null: it is h2's.
  std::shared_ptr<H2Check> h2;           // Null: HTTP/2 is not spoken, or not yet.
  Inbox inbox;
  bool spent = false;  // It carries no other question.
};

}  // namespace outrider
