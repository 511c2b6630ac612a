// An admin page with everything around it simulated: ask for a target, look at the answer.
#pragma once
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "admin/admin.h"
#include "core/simulated_poller.h"
#include "http/exchange.h"
#include "http/http_stats.h"
#include "net/simulated_network.h"

namespace outrider {

struct Answered {
  int status = 0;
  std::vector<std::pair<std::string, std::string>> headers;
  std::string body;
  std::size_t pieces = 0;   // Frames of the body.
  bool has_length = false;  // It was known before the body was read.

  std::string header(std::string_view name) const {
    for (const auto& [n, value] : headers) {
      if (n == name) return value;
    }
    return "";
  }
};

class AdminForTest {
 public:
  // What the page sees; may be changed between two questions.
  StatRegistry stats;
  SnapshotPtr snapshot;
  ServerState state = ServerState::live;
  std::vector<std::pair<std::string, Address>> listeners;
  std::vector<std::pair<std::string, std::string>> command_line;
  std::function<WallTime()> configured;
  RuntimePtr runtime = std::make_shared<Runtime>();
  bool has_admin_layer = true;
  bool read_only = false;
  std::vector<std::pair<std::string, std::string>> fields;  // Of the requests.
  std::vector<std::string> orders;                          // What the page did to the process.
  SimulatedClock clock;
  Address address = Address::any4(9901);  // Of the page.

  Answered get(std::string target) { return ask("GET", std::move(target)); }
  Answered post(std::string target, std::string body = "", std::string type = "") {
    return ask("POST", std::move(target), std::move(body), std::move(type));
  }
  Answered ask(std::string method, std::string target, std::string body = "", std::string type = "") {
    Question question{*this, std::move(method), std::move(target), std::move(body), std::move(type), {}};
    worker_.run(exchange(question));
    return std::move(question.answered);
  }

 private:
  struct Question {
    AdminForTest& page;
    std::string method, target, body, type;
    Answered answered;
  };

  AdminView view() {
    return {.stats = stats,
            .snapshot = [this] { return snapshot; },
            .state = [this] { return state; },
            .version = [] { return std::string("\noutrider  version: 1.2.3/TEST\n\n"); },
            .listeners = [this] { return listeners; },
            .command_line = command_line,
            .now = [this] { return clock.now(); },
            .started = started_,
            .quit = [this] { orders.emplace_back("quit"); },
            .drain_listeners =
                [this](DrainOrder o) {
                  orders.emplace_back(std::string("drain") + (o.graceful ? " graceful" : "") +
                                      (o.skip_exit ? " skip_exit" : "") + (o.inbound_only ? " inbound" : ""));
                },
            .reopen_logs = [this] { orders.emplace_back("reopen"); },
            .fail_health = [this](bool fails) { orders.emplace_back(fails ? "fail" : "ok"); },
            .set_level = [this](std::string_view logger, std::string_view level) { return set_level(logger, level); },
            .runtime = [this] { return runtime; },
            .modify_runtime =
                [this](const std::vector<std::pair<std::string, std::string>>& changes) {
                  for (const auto& [key, value] : changes) orders.emplace_back(key + "=" + value);
                  return has_admin_layer;
                },
            .read_only = read_only,
            .configured = configured};
  }

  std::string set_level(std::string_view logger, std::string_view level) {
    orders.push_back(std::string(logger) + "=" + std::string(level));
    return {};
  }

  static Task<> exchange(Question& q) {
    AdminForTest& page = q.page;
    Admin admin(page.view());
    const Address& address = page.address;
    auto acceptor = page.network_.acceptor(page.network_.listen_on(address));
    std::unique_ptr<Transport> client = *page.network_.connect(address);
    std::unique_ptr<Transport> socket = (co_await acceptor->accept()).transport;
    DownstreamConnection connection{page.worker_, page.network_, nullptr, nullptr, 1, &address, socket.get()};
    Exchange x(connection, page.options_, page.block_);
    x.request.set_method(std::string_view(q.method));
    x.request.path = q.target;
    TextBody body(q.body);
    if (!q.body.empty()) x.request_body = &body;
    for (const auto& [name, value] : page.fields) {
      if (name == "host") x.request.authority = value;
      if (name != "host") x.request.headers.add(name, value);
    }
    if (!q.type.empty()) x.request.headers.add(Known::content_type, q.type);
    Response response = co_await admin.handle(x, Next{});
    q.answered.status = response.head->status;
    q.answered.has_length = response.body->length().has_value();
    for (const Field& f : response.head->headers) q.answered.headers.emplace_back(f.name, f.value);
    for (;;) {
      Frame frame = response.body->poll(kFrameBytes);
      if (frame.pending()) frame = co_await response.body->pull(kFrameBytes);
      if (!frame.is_data()) break;
      q.answered.body += frame.data;
      q.answered.pieces++;
      if (frame.last) break;
    }
  }

  static constexpr std::size_t kFrameBytes = 64 * 1024;
  SimulatedPoller poller_{clock};
  Worker worker_{0, clock, poller_, 1};
  SimulatedNetwork network_{worker_};
  HttpOptions options_;
  StatBlock block_{http_stat_table()};
  TimePoint started_ = clock.now();
};

}  // namespace outrider
