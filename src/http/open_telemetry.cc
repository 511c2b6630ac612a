#include "http/open_telemetry.h"

#include <algorithm>
#include <bit>

#include "core/worker.h"
#include "http/protobuf_writer.h"

namespace outrider {
namespace {

#define X(name) {#name, StatKind::counter},
constexpr StatDefinition kDefinitions[] = {OUTRIDER_OPEN_TELEMETRY_STATS(X)};
#undef X

std::uint64_t new_id(Worker& worker) { return worker.random().next() | 1; }

std::uint64_t nanoseconds(WallTime at) {
  return static_cast<std::uint64_t>(
      std::chrono::duration_cast<std::chrono::nanoseconds>(at.time_since_epoch()).count());
}

std::string bytes_of(std::uint64_t id) {
  std::string bytes;
  for (int shift = 56; shift >= 0; shift -= 8) bytes.push_back(static_cast<char>(id >> shift));
  return bytes;
}

// KeyValue, with an AnyValue that is text.
std::string attribute(std::string_view key, std::string_view value) {
  return ProtobufWriter().text(1, key).message(2, ProtobufWriter().message(1, value).take()).take();
}

// All fields of that name, as one.
std::string_view joined(const Headers& headers, std::string_view name) {
  std::string list;
  std::size_t count = 0;
  for (const Field& field : headers) {
    if (field.name != name) continue;
    if (count++ > 0) list += ",";
    list.append(field.value);
  }
  return count > 1 ? headers.arena().copy(list) : headers.value(name);
}

constexpr std::uint64_t kServer = 2, kClient = 3;  // Span.SpanKind
constexpr std::uint64_t kError = 2;                // Status.StatusCode
// Span.flags: those of the W3C in the lowest byte, then whether it is known that the parent is remote, and whether it
// is.
constexpr std::uint32_t kSampled = 1, kRemoteKnown = 0x100, kRemote = 0x200;

}  // namespace

const StatTable& open_telemetry_stat_table() {
  static const StatTable table{kDefinitions, ""};
  return table;
}

bool TraceSampler::samples(const SpanIds& ids, std::optional<bool> parent) const {
  if (parent && (parent_based || kind == Kind::caller)) return *parent;
  // Envoy takes the first eight bytes of the id as a number, the least significant byte first.
  return kind != Kind::ratio || ratio.takes(std::byteswap(ids.trace_high));
}

OpenTelemetryTracer::OpenTelemetryTracer(OpenTelemetryOptions options, SpanDelivery delivery)
    : SendingTracer(std::move(delivery)), options_(std::move(options)) {
  ProtobufWriter resource;
  for (const auto& [name, value] : options_.resource) resource.message(1, attribute(name, value));
  resource_ = resource.take();
  library_ = ProtobufWriter().text(1, "outrider").text(2, OUTRIDER_VERSION).take();
}

std::optional<SpanStart> OpenTelemetryTracer::begin(Worker& worker, const Headers& request, TraceManner manner) const {
  ReceivedTrace read = read_traceparent(request);
  if (read.broken) return std::nullopt;
  SpanStart start;
  start.client = manner.egress && !manner.spawns;
  SpanIds& ids = start.ids;
  if (read.context) {
    ids = *read.context;
    ids.parent = ids.span;
    ids.remote_parent = true;
    ids.state = joined(request, "tracestate");
  } else {
    ids.trace_high = new_id(worker);
    ids.trace_low = new_id(worker);
  }
  ids.span = new_id(worker);
  ids.sampled = manner.traced && options_.sampler.samples(ids, read.context ? read.sampled : std::nullopt);
  return start;
}

SpanStart OpenTelemetryTracer::begin_below(Worker& worker, const SpanStart& above, TraceManner) const {
  SpanStart start = above;
  start.client = true;
  start.ids.parent = above.ids.span;
  start.ids.span = new_id(worker);
  start.ids.remote_parent = false;
  return start;
}

void OpenTelemetryTracer::inject(const SpanIds& ids, Headers& request) const {
  write_traceparent(ids, request);
  request.set("tracestate", ids.state);
}

std::string OpenTelemetryTracer::name_of(bool egress, std::string_view host) const {
  return egress ? "egress " + std::string(host) : "ingress";
}

namespace {

// Semantic conventions of OpenTelemetry, "Status" of HTTP spans, and of those of gRPC.
bool failed(const Span& span) {
  if (span.status >= (span.start.client ? 400 : 500)) return true;
  auto grpc =
      std::ranges::find(span.tags, std::string_view("grpc.status_code"), [](const auto& tag) { return tag.first; });
  if (grpc == span.tags.end()) return false;
  if (span.start.client) return grpc->second != "0";
  constexpr std::string_view kOfServer[] = {"2", "4", "12", "13", "14", "15"};
  return std::ranges::find(kOfServer, grpc->second) != std::end(kOfServer);
}

}  // namespace

std::string OpenTelemetryTracer::encode(const Span& span) const {
  const SpanIds& ids = span.start.ids;
  ProtobufWriter out;
  out.text(1, bytes_of(ids.trace_high) + bytes_of(ids.trace_low)).text(2, bytes_of(ids.span)).text(3, ids.state);
  if (ids.parent) out.text(4, bytes_of(ids.parent));
  out.text(5, span.name).number(6, span.start.client ? kClient : kServer);
  out.fixed64(7, nanoseconds(span.begin)).fixed64(8, nanoseconds(span.begin + span.length));
  for (const auto& [name, value] : span.tags) {
    if (!value.empty()) out.message(9, attribute(name, value));
  }
  for (const auto& [name, at] : span.notes) {
    out.message(11, ProtobufWriter().fixed64(1, nanoseconds(at)).text(2, name).take());
  }
  if (failed(span)) out.message(15, ProtobufWriter().number(3, kError).take());
  return out.fixed32(16, kSampled | kRemoteKnown | (ids.remote_parent ? kRemote : 0)).take();
}

std::string OpenTelemetryTracer::body(const std::vector<std::string>& spans) const {
  ProtobufWriter scope, resource;
  scope.message(1, library_);
  for (const std::string& span : spans) scope.message(2, span);
  resource.message(1, resource_).message(2, scope.take());
  return ProtobufWriter().message(1, resource.take()).take();
}

void OpenTelemetryTracer::count(int worker, DeliveryEvent event, std::uint64_t times) const {
  StatBlock& stats = options_.stats->local(worker);
  if (event == DeliveryEvent::span_sent) stats[OpenTelemetryStat::spans_sent].add(times);
  if (event == DeliveryEvent::span_dropped) stats[OpenTelemetryStat::spans_dropped].add(times);
  if (event == DeliveryEvent::timer_flushed) stats[OpenTelemetryStat::timer_flushed].add(times);
}

}  // namespace outrider
