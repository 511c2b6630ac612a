// Lets browsers call gRPC: trailers come as the last piece of the body, and bodies may be base64. Envoy's document:
// "gRPC-Web"; gRPC's document: "gRPC Web".
#include <algorithm>

#include "core/ascii.h"
#include "core/base64.h"
#include "core/block_pool.h"
#include "core/decimal.h"
#include "core/scope.h"
#include "envoy/extensions/filters/http/grpc_web/v3/grpc_web.pb.h"
#include "filters/grpc_call.h"
#include "http/changing_body.h"
#include "http/grpc_status.h"
#include "http/matcher.h"
#include "proto/http_filter.h"

namespace outrider::filters {
namespace {

namespace v3 = envoy::extensions::filters::http::grpc_web::v3;

constexpr std::string_view kBinary = "application/grpc-web", kBinaryProto = "application/grpc-web+proto";
constexpr std::string_view kText = "application/grpc-web-text", kTextProto = "application/grpc-web-text+proto";
constexpr std::size_t kGroup = 4;  // Characters of base64 that are three bytes.

bool is_text(std::string_view type) { return type == kText || type == kTextProto; }

// Base64 on its way to the host. Each message may be a text of its own, padding included.
class DecodedBody final : public ChangingBody {
 public:
  using ChangingBody::ChangingBody;

  Limit limit;               // Passes when the text is no base64.
  std::string_view failure;  // Why; empty: it is.
  void give_up() {           // Whoever waits for it is told.
    given_up_ = true;
    told_.notify_all();
  }

 private:
  bool change(std::string_view data, std::string& out) override {
    while (!data.empty()) {
      if (rest_.empty() && data.size() >= kGroup) {
        if (!decode(data.substr(0, kGroup), out)) return fail("grpc_base_64_decode_failed");
        data.remove_prefix(kGroup);
        continue;
      }
      rest_.push_back(data.front());
      data.remove_prefix(1);
      if (rest_.size() < kGroup) continue;
      if (!decode(rest_, out)) return fail("grpc_base_64_decode_failed");
      rest_.clear();
    }
    return true;
  }
  Frame finish(const Frame& end, std::string&) override {
    if (rest_.empty() || end.kind != Frame::Kind::end) return end;
    fail("grpc_base_64_decode_failed_bad_size");
    return Frame::wait();
  }
  Task<Frame> broken() override {
    while (!given_up_) co_await told_.wait();
    co_return Frame::reset(Failure::local_reset);
  }
  static bool decode(std::string_view group, std::string& out) {
    std::optional<std::string> bytes = base64_decode(group);
    if (!bytes) return false;
    out.append(*bytes);
    return true;
  }
  bool fail(std::string_view why) {
    failure = why;
    limit.start(Duration(0));
    return false;
  }

  std::string rest_;  // Of a group that is not whole.
  bool given_up_ = false;
  Signal told_;
};

// "name:value", a line each, behind a prefix that says that they are trailers.
std::string trailers_message(const Headers& trailers) {
  constexpr std::uint8_t kTrailers = 0x80;
  std::string lines;
  for (const Field& f : trailers) lines.append(f.name).append(":").append(f.value).append("\r\n");
  return std::string(view_of(grpc_prefix(kTrailers, lines.size()))) + lines;
}

// Each message as a text of its own.
class TextMessages final : public GrpcMessages {
 public:
  std::string text;  // Whoever reads it clears it.
  void finish() { encoder_.finish(text); }

 private:
  bool begins(std::uint8_t flags) override {
    flags_ = flags;
    return true;
  }
  void has_length(std::uint32_t size) override { encoder_.add(view_of(grpc_prefix(flags_, size)), text); }
  void bytes(std::string_view piece) override { encoder_.add(piece, text); }
  void ends() override { encoder_.finish(text); }

  std::uint8_t flags_ = 0;
  Base64Encoder encoder_;
};

// One call of a browser, as long as its exchange.
struct Call : FilterNote {
  bool text_answer = false;
  GrpcCounters* counters = nullptr;  // Null: it goes nowhere, or its path is that of no method.
};

// An answer of gRPC on its way to the browser.
class AnswerBody final : public ChangingBody {
 public:
  AnswerBody(Exchange& x, const Call& call, Body& source) : ChangingBody(source), x_(x), call_(call) {}

 private:
  bool change(std::string_view data, std::string& out) override {
    if (!call_.text_answer) {
      out.append(data);
      return true;
    }
    messages_.read(data);
    out.append(messages_.text);
    messages_.text.clear();
    return true;
  }
  Frame finish(const Frame& end, std::string& out) override {
    messages_.finish();
    out.append(messages_.text);
    if (!end.trailers) return end;
    if (call_.counters) call_.counters->count(x_, end.trailers->find(Known::grpc_status));
    std::string message = trailers_message(*end.trailers);
    if (!call_.text_answer) {
      out.append(message);
    } else {
      Base64Encoder encoder;
      encoder.add(message, out);
      encoder.finish(out);
    }
    return Frame::end();
  }

  Exchange& x_;
  const Call& call_;
  TextMessages messages_;
};

class GrpcWeb final : public Filter {
 public:
  OUTRIDER_FORWARDS Task<Response> handle(Exchange& x, Next next) const override {
    std::string_view type = x.request.headers.value(Known::content_type);
    bool text = is_text(type);
    if (!text && type != kBinary && type != kBinaryProto) return next(x);
    return serve(x, next, text);
  }
  Task<Response> see_reply(Exchange& x, Response reply) const override {
    Call* call = x.note<Call>(*this);
    if (!call) co_return reply;
    co_return co_await on_response(x, reply, *call);
  }
  bool sees_replies() const override { return true; }

 private:
  Task<Response> serve(Exchange& x, Next next, bool text) const;
  static Task<Response> on_response(Exchange& x, Response response, const Call& call);
};

void speak_grpc(Exchange& x) {
  x.translated = true;
  Headers& headers = x.request.headers;
  headers.remove(Known::content_length);
  headers.set(Known::content_type, "application/grpc");
  headers.set(Known::te, "trailers");
  constexpr std::string_view kAccepted = "grpc-accept-encoding";
  if (!headers.find(kAccepted)) headers.add(kAccepted, "identity");
}

Task<Response> GrpcWeb::serve(Exchange& x, Next next, bool text) const {
  Call& call = x.leave_note(*this, Call{});
  std::string joined;
  call.text_answer = is_text(one_value(x.request, "accept", joined));
  x.route();
  if (auto method = grpc_method_of(x.request.path)) {
    auto& counters = x.arena.make_owned<GrpcCounters>(x, "grpc-web", &*method);
    if (counters) call.counters = &counters;
  }
  speak_grpc(x);
  if (x.request_body->length() == 0) co_return co_await on_response(x, co_await next(x), call);
  if (!text) {
    x.request_body = &x.arena.make_owned<UnmeasuredBody>(*x.request_body);
    co_return co_await on_response(x, co_await next(x), call);
  }
  auto& body = x.arena.make_owned<DecodedBody>(*x.request_body);
  x.request_body = &body;
  std::optional<Response> response = co_await within(body.limit, next(x));
  body.give_up();
  if (!response) {
    if (x.client) x.client->leave_request(x);
    next.take_back(x);
    co_return x.reply(400, "Bad gRPC-web request, invalid base64 data.", body.failure);
  }
  co_return co_await on_response(x, *response, call);
}

// A response that cannot be told whole.
class BrokenBody final : public Body {
 public:
  explicit BrokenBody(const Frame& reset) : reset_(reset) {}
  Frame poll(std::size_t) override { return reset_; }
  Task<Frame> pull(std::size_t) override { co_return reset_; }

 private:
  const Frame reset_;
};

// An answer that is none of gRPC: its text becomes the message.
Task<Response> translate(Exchange& x, Response response, const Call& call) {
  constexpr std::size_t kMessageBytesMax = 16384;
  std::string text;
  for (int steps = 1;; steps++) {
    if (steps % kStepsInARowMax == 0) co_await turn();
    Frame frame = response.body->poll(BlockPool::kBodyBytes);
    if (frame.pending()) frame = co_await response.body->pull(BlockPool::kBodyBytes);
    if (frame.is_data() && text.size() < kMessageBytesMax) text.append(frame.data);
    if (frame.is_reset()) {
      response.body = &x.arena.make_owned<BrokenBody>(frame);
      co_return response;
    }
    if (frame.trailers) {
      x.response_trailers = frame.trailers;
      if (call.counters) call.counters->count(x, frame.trailers->find(Known::grpc_status));
    }
    if (frame.last) break;
  }
  if (!is_own_reply(x) && text.size() > kMessageBytesMax) text.resize(kMessageBytesMax);
  Headers& headers = response.head->headers;
  headers.set(Known::grpc_message, x.arena.copy(grpc_message_of(text)));
  headers.set(Known::grpc_status, decimal(x.arena, grpc_status_of(response.head->status)));
  response.body = &NoBody::shared();
  co_return response;
}

Task<Response> GrpcWeb::on_response(Exchange& x, Response response, const Call& call) {
  if (response.tunnel) co_return response;
  Headers& headers = response.head->headers;
  if (call.counters) call.counters->count(x, headers.find(Known::grpc_status));
  bool whole = ends_with_head(x, response);
  std::string_view type = headers.value(Known::content_type);
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ') || type.ends_with('\t')) type.remove_suffix(1);
  bool web =
      response.head->status == 200 && (equals_ignore_case(type, kBinary) || equals_ignore_case(type, kBinaryProto));
  bool speaks_grpc = web || is_grpc_response(*response.head, whole);
  headers.remove(Known::content_length);
  headers.set(Known::content_type, call.text_answer ? kTextProto : kBinaryProto);
  if (whole) co_return response;
  if (!speaks_grpc) co_return co_await translate(x, response, call);
  response.body = &x.arena.make_owned<AnswerBody>(x, call, *response.body);
  co_return response;
}

std::unique_ptr<Filter> make(const proto::FilterSource& source) {
  v3::GrpcWeb config;
  return proto::parse(source, config) ? std::make_unique<GrpcWeb>() : nullptr;
}

}  // namespace

extern const proto::HttpFilterType grpc_web{
    "envoy.filters.http.grpc_web", "envoy.extensions.filters.http.grpc_web.v3.GrpcWeb", make, "", nullptr,
};

}  // namespace outrider::filters
