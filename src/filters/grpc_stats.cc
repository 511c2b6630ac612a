// Counts calls of gRPC and their messages, and those of Connect. Envoy's document: "gRPC Statistics".
#include <algorithm>
#include <map>
#include <set>

#include "core/worker.h"
#include "envoy/extensions/filters/http/grpc_stats/v3/config.pb.h"
#include "filters/connect_end.h"
#include "filters/grpc_call.h"
#include "http/filter_state.h"
#include "http/grpc_status.h"
#include "http/watched_body.h"
#include "proto/http_filter.h"

namespace outrider::filters {
namespace {

namespace v3 = envoy::extensions::filters::http::grpc_stats::v3;
using Stat = GrpcCounters::Stat;

struct Settings {
  bool every_method = false;
  std::map<std::string, std::set<std::string, std::less<>>, std::less<>> methods;  // Of services; where not all count.
  bool tells_logs = false;
  bool times = false;  // How long hosts take.
  bool dots_replaced = false;

  bool lists(const GrpcMethod& m) const {
    auto found = methods.find(m.service);
    return found != methods.end() && found->second.contains(m.method);
  }
};

// How the call speaks. A unary call of Connect is one message each way, whatever its bytes.
struct Protocol {
  bool grpc = false, connect_streaming = false, connect_unary = false;
  bool any() const { return grpc || connect_streaming || connect_unary; }
};

class Messages final : public FilterState {
 public:
  void append_plain(std::string& out) const override {
    out.append(std::to_string(requests)).append(",").append(std::to_string(responses));
  }
  void append_json(std::string& out) const override {
    std::string before = "{";
    for (auto [name, count] :
         {std::pair("requestMessageCount", requests), std::pair("responseMessageCount", responses)}) {
      if (count)
        out.append(before).append("\"").append(name).append("\":\"").append(std::to_string(count)).append("\"");
      if (count) before = ",";
    }
    if (!requests && !responses) out.append("{");
    out.append("}");
  }
  std::uint64_t requests = 0, responses = 0;
};

// One call, as long as its exchange.
struct Call {
  Exchange& x;
  const Settings& settings;
  Protocol protocol;
  GrpcCounters* counters = nullptr;  // Null: it goes nowhere, or its path is that of no method.
  Messages* told = nullptr;

  void tell() {
    if (told || !settings.tells_logs) return;
    told = &x.arena.make_owned<Messages>();
    set_filter_state(x, "envoy.filters.http.grpc_stats", *told);
  }
  void count(Stat stat, std::uint64_t messages) {
    if (messages == 0) return;
    tell();
    if (told) (stat == Stat::request_message_count ? told->requests : told->responses) += messages;
    if (counters) counters->add(stat, messages);
  }
  // From the last byte to the host to the last one from it.
  void count_time() {
    const ExchangeRecord& r = x.record;
    if (!settings.times || !counters || !r.upstream_end || !r.response_end) return;
    auto spent = (*r.response_end - *r.upstream_end) / std::chrono::milliseconds(1);
    counters->record(Stat::upstream_rq_time, static_cast<std::uint64_t>(std::max<std::int64_t>(0, spent)));
  }
};

// Frames as they come; the call is told of each.
class CallBody : public WatchedBody {
 public:
  CallBody(Call& call, Body& source) : WatchedBody(source), call_(call) {}

 protected:
  virtual void on_data(const Frame& frame) = 0;
  virtual void on_end(const Headers* trailers) {}
  Call& call_;

 private:
  Frame watched(Frame frame) final {
    if (frame.pending() || frame.is_reset() || ended_) return frame;
    if (frame.is_data()) on_data(frame);
    ended_ = frame.last;
    if (ended_) on_end(frame.trailers);
    return frame;
  }
  bool ended_ = false;
};

class RequestBody final : public CallBody {
 public:
  using CallBody::CallBody;

 private:
  void on_data(const Frame& frame) override {
    if (!call_.protocol.connect_unary || call_.protocol.grpc || call_.protocol.connect_streaming) {
      call_.count(Stat::request_message_count, messages_.read(frame.data));
    }
  }
  void on_end(const Headers* trailers) override {
    if (call_.protocol.grpc || call_.protocol.connect_streaming || trailers) return;
    call_.count(Stat::request_message_count, 1);
  }
  GrpcMessages messages_;
};

class ResponseBody final : public CallBody {
 public:
  ResponseBody(Call& call, Body& source, bool is_grpc) : CallBody(call, source), is_grpc_(is_grpc) {}

 private:
  void on_data(const Frame& frame) override {
    if (!is_grpc_ && !call_.protocol.connect_streaming) return;
    std::uint64_t before = messages_.messages();
    messages_.read(frame.data);
    call_.count(Stat::response_message_count, messages_.messages() - before);
  }
  void on_end(const Headers* trailers) override {
    const Protocol& p = call_.protocol;
    if (trailers) {
      if (!p.grpc || !call_.counters) return;
      call_.counters->count(call_.x, trailers->find(Known::grpc_status));
    } else if (is_grpc_) {
      return;
    } else if (p.connect_streaming) {
      if (call_.counters) call_.counters->count(messages_.succeeded());
    } else if (p.connect_unary) {
      call_.count(Stat::response_message_count, 1);
    } else {
      return;
    }
    call_.count_time();
  }
  const bool is_grpc_;
  ConnectMessages messages_;
};

struct Noted : FilterNote {
  explicit Noted(Call& c) : call(c) {}
  Call& call;
};

class GrpcStats final : public HeadFilter {
 public:
  explicit GrpcStats(Settings settings) : settings_(std::move(settings)) {}

 protected:
  std::optional<Response> on_request(Exchange& x) const override;
  void on_response(Exchange& x, Response& response) const override;

 private:
  GrpcCounters* counters(Exchange& x) const;
  const Settings settings_;
};

constexpr std::string_view kConnectType = "application/connect+";

Protocol protocol_of(const RequestHead& request) {
  Protocol p;
  p.grpc = is_grpc_request(request);
  p.connect_streaming = request.headers.value(Known::content_type).starts_with(kConnectType);
  p.connect_unary = request.headers.find("connect-protocol-version") != nullptr;
  return p;
}

GrpcCounters* GrpcStats::counters(Exchange& x) const {
  x.route();
  std::optional<GrpcMethod> method = grpc_method_of(x.request.path);
  if (!method) return nullptr;
  bool named = settings_.every_method || settings_.lists(*method);
  std::string service(method->service);
  if (settings_.every_method && settings_.dots_replaced) {
    std::ranges::replace(service, '.', '_');
    method->service = service;
  }
  auto& made = x.arena.make_owned<GrpcCounters>(x, "grpc", named ? &*method : nullptr);
  return made ? &made : nullptr;
}

std::optional<Response> GrpcStats::on_request(Exchange& x) const {
  Protocol protocol = protocol_of(x.request);
  if (!protocol.any()) return std::nullopt;
  auto& call = x.arena.make_owned<Call>(x, settings_, protocol, counters(x));
  x.leave_note(*this, Noted(call));
  if (x.request_body->length() != 0) x.request_body = &x.arena.make_owned<RequestBody>(call, *x.request_body);
  return std::nullopt;
}

void GrpcStats::on_response(Exchange& x, Response& response) const {
  if (response.tunnel) return;
  Noted* noted = x.note<Noted>(*this);
  const ResponseHead& head = *response.head;
  bool whole = ends_with_head(x, response);
  // Logs are told of the messages of any such answer.
  if (!noted && (whole || !settings_.tells_logs || !is_grpc_response(head, false))) return;
  Call& call = noted ? noted->call : x.arena.make_owned<Call>(x, settings_, Protocol{});
  if (call.counters) {
    bool connect_answer = head.status == 200 && head.headers.value(Known::content_type).starts_with(kConnectType);
    if (call.protocol.connect_unary) {
      call.counters->count(head.status == 200);
    } else if (!connect_answer) {
      call.counters->count(x, head.headers.find(Known::grpc_status));
    }
  }
  if (whole) {
    if (!x.record.response_end && x.record.response_start) x.record.response_end = x.worker.now();
    call.count_time();
  } else {
    response.body = &x.arena.make_owned<ResponseBody>(call, *response.body, is_grpc_response(head, false));
  }
}

std::unique_ptr<Filter> make(const proto::FilterSource& source) {
  v3::FilterConfig config;
  if (!proto::parse(source, config)) return nullptr;
  Settings settings;
  settings.every_method = config.stats_for_all_methods().value();
  settings.tells_logs = config.emit_filter_state();
  settings.times = config.enable_upstream_stats();
  settings.dots_replaced = config.replace_dots_in_grpc_service_name();
  for (const auto& service : config.individual_method_stats_allowlist().services()) {
    for (const std::string& method : service.method_names()) settings.methods[service.name()].insert(method);
  }
  return std::make_unique<GrpcStats>(std::move(settings));
}

}  // namespace

extern const proto::HttpFilterType grpc_stats{
    "envoy.filters.http.grpc_stats", "envoy.extensions.filters.http.grpc_stats.v3.FilterConfig", make, "", nullptr,
};

}  // namespace outrider::filters
