// Operators that tell what came of a request: codes, flags, sizes, metadata.
#include <algorithm>
#include <array>
#include <cstdlib>

#include "core/uuid.h"
#include "core/worker.h"
#include "http/filter_state.h"
#include "http/format_step.h"
#include "http/grpc_status.h"
#include "http/h1_body.h"
#include "http/json_text.h"

namespace outrider::format {
namespace {

// ------------------------------------------------------------------------------------------------ reading arguments

Failure read_environment(Step& step, std::string_view arguments) {
  const char* value = std::getenv(std::string(arguments).c_str());
  step.value = nullptr;
  step.text = std::string_view(value ? value : "-").substr(0, step.bytes_max);
  return std::nullopt;
}

Failure read_details(Step& step, std::string_view arguments) {
  step.keep_spaces = arguments == "ALLOW_WHITESPACES";
  return std::nullopt;
}

Failure read_grpc(Step& step, std::string_view arguments) {
  constexpr std::array<std::string_view, 3> kForms{"CAMEL_STRING", "SNAKE_STRING", "NUMBER"};
  if (arguments.empty()) return std::nullopt;
  auto at = std::ranges::find(kForms, arguments);
  if (at == kForms.end())
    return "GrpcStatusFormatter only supports CAMEL_STRING, SNAKE_STRING or NUMBER. Got: " + std::string(arguments);
  step.grpc = static_cast<GrpcForm>(at - kForms.begin());
  if (step.grpc == GrpcForm::number) step.shape = Shape::number;
  return std::nullopt;
}

Failure read_grpc_number(Step& step, std::string_view) {
  step.grpc = GrpcForm::number;
  return std::nullopt;
}

// "space:key:key".
Failure read_names(Step& step, std::string_view arguments) {
  for (;;) {
    std::size_t colon = arguments.find(':');
    step.names.emplace_back(arguments.substr(0, colon));
    if (colon == arguments.npos) return std::nullopt;
    arguments.remove_prefix(colon + 1);
  }
}

template <MetadataOf of>
Failure read_names_of(Step& step, std::string_view arguments) {
  step.metadata = of;
  return read_names(step, arguments);
}

Failure read_metadata(Step& step, std::string_view arguments) {
  constexpr std::array<std::string_view, 7> kKinds{"DYNAMIC",       "ROUTE",    "VIRTUAL_HOST",         "CLUSTER",
                                                   "UPSTREAM_HOST", "LISTENER", "LISTENER_FILTER_CHAIN"};
  std::size_t colon = arguments.find(':');
  std::string_view kind = arguments.substr(0, colon);
  auto at = std::ranges::find(kKinds, kind);
  if (at == kKinds.end()) return std::string(kind) + " is not supported type of metadata";
  step.metadata = static_cast<MetadataOf>(at - kKinds.begin());
  return read_names(step, colon == arguments.npos ? std::string_view() : arguments.substr(colon + 1));
}

// No object of a filter has fields that are told one by one.
Failure read_filter_state(Step& step, std::string_view arguments) {
  if (arguments.empty()) return "Invalid filter state configuration, key cannot be empty.";
  std::size_t colon = arguments.find(':');
  step.names.emplace_back(arguments.substr(0, colon));
  step.shape = Shape::any;
  if (colon == arguments.npos) return std::nullopt;
  std::string_view kind = arguments.substr(colon + 1);
  std::string_view behind;
  if (std::size_t next = kind.find(':'); next != kind.npos) {
    behind = kind.substr(next + 1);
    kind = kind.substr(0, next);
  }
  if (kind != "PLAIN" && kind != "TYPED" && kind != "FIELD")
    return "Invalid filter state serialize type, only support PLAIN/TYPED/FIELD.";
  if (!behind.empty() && kind != "FIELD")
    return "Invalid filter state serialize type, FIELD should be used with the field name.";
  if (kind != "TYPED") step.shape = Shape::text;
  if (kind == "FIELD") step.value = absent;
  return std::nullopt;
}

// ------------------------------------------------------------------------------------------------ the values

bool append_without_spaces(std::string_view text, std::string& out) {
  for (char c : text) out += c == ' ' || c == '\t' ? '_' : c;
  return !text.empty();
}

bool response_code(const Exchange& x, const Step&, std::string& out) {
  return append_number(static_cast<unsigned>(x.record.status), out);
}

bool details(const Exchange& x, const Step& step, std::string& out) {
  return step.keep_spaces ? append_text(x.record.details, out) : append_without_spaces(x.record.details, out);
}

bool flags(const Exchange& x, const Step&, std::string& out) { return x.record.flags.append_letters(out), true; }

bool long_flags(const Exchange& x, const Step&, std::string& out) { return x.record.flags.append_names(out), true; }

bool grpc_status(const Exchange& x, const Step& step, std::string& out) {
  if (!is_grpc_request(x.request)) return false;
  auto code = grpc_status_of(x);
  if (!code) return false;
  bool named = *code >= 0 && *code < static_cast<std::int64_t>(kGrpcStatusNames.size());
  if (step.grpc == GrpcForm::number || !named) {
    out.append(std::to_string(*code));
    return true;
  }
  const GrpcStatusName& name = kGrpcStatusNames[static_cast<std::size_t>(*code)];
  return append_text(step.grpc == GrpcForm::camel ? name.camel : name.snake, out);
}

const Metadata* metadata_of(const Exchange& x, MetadataOf of) {
  switch (of) {
    case MetadataOf::request:
      return x.dynamic_metadata;
    case MetadataOf::route:
      return x.record.route_metadata;
    case MetadataOf::virtual_host:
      return x.record.virtual_host_metadata;
    case MetadataOf::cluster:
      return x.record.cluster_metadata;
    case MetadataOf::host:
      return x.record.host_metadata;
    case MetadataOf::listener:
      return x.options.listener_metadata.get();
    case MetadataOf::filter_chain:
      return x.options.filter_chain_metadata.get();
  }
  return nullptr;
}

const Value* metadata_value(const Exchange& x, const Step& step) {
  const Metadata* metadata = metadata_of(x, step.metadata);
  if (!metadata) return nullptr;
  const Value* at = metadata->find(step.names[0]);
  for (std::size_t i = 1; at && i < step.names.size(); i++) at = at->find(step.names[i]);
  return at;
}

// A text as it is; everything else as JSON.
bool metadata(const Exchange& x, const Step& step, std::string& out) {
  const Value* value = metadata_value(x, step);
  if (!value) return false;
  if (const std::string* text = value->text()) {
    out += *text;
  } else {
    outrider::append_json(*value, out);
  }
  return true;
}

bool filter_state(const Exchange& x, const Step& step, std::string& out) {
  const FilterState* state = find_filter_state(x, step.names[0]);
  if (!state) return false;
  if (step.shape == Shape::text) {
    state->append_plain(out);
  } else {
    state->append_json(out);
  }
  return true;
}

bool unique_id(const Exchange& x, const Step&, std::string& out) {
  std::size_t at = out.size();
  out.resize(at + kUuidBytes);
  write_uuid(x.worker.random(), out.data() + at);
  return true;
}

bool access_log_type(const Exchange& x, const Step&, std::string& out) {
  return append_text(name_of(x.record.log_type), out);
}

bool empty(const Exchange&, const Step&, std::string&) { return true; }

bool local_reply_body(const Exchange& x, const Step&, std::string& out) {
  out += x.record.local_reply_body;
  return true;
}

bool trace_id(const Exchange& x, const Step&, std::string& out) { return append_text(x.record.trace_id, out); }
bool span_id(const Exchange& x, const Step&, std::string& out) { return append_text(x.record.span_id, out); }

bool upstream_cluster(const Exchange& x, const Step&, std::string& out) {
  return append_text(x.record.cluster_alt_name.empty() ? x.record.cluster_name : x.record.cluster_alt_name, out);
}

template <auto member>
bool text_member(const Exchange& x, const Step&, std::string& out) {
  return append_text(x.record.*member, out);
}

template <auto member>
bool number_member(const Exchange& x, const Step&, std::string& out) {
  return append_number(x.record.*member, out);
}

bool transport_failure(const Exchange& x, const Step&, std::string& out) {
  return append_without_spaces(x.record.upstream_failure, out);
}

bool bytes_received(const Exchange& x, const Step&, std::string& out) {
  return append_number(x.received_body ? x.received_body->bytes() : x.record.bytes_received, out);
}

template <WireBytes ExchangeRecord::* side, std::uint64_t WireBytes::* count>
bool wire_bytes(const Exchange& x, const Step&, std::string& out) {
  return append_number(x.record.*side.*count, out);
}

constexpr auto kText = Shape::text, kNumber = Shape::number, kAny = Shape::any;
constexpr auto kNone = Arguments::none, kOptional = Arguments::optional, kRequired = Arguments::required;
using R = ExchangeRecord;
using W = WireBytes;

#define BYTES_ROWS(side, member)                                                                          \
  {side "_WIRE_BYTES_RECEIVED", wire_bytes<&R::member, &W::received>, kNumber},                           \
      {side "_WIRE_BYTES_SENT", wire_bytes<&R::member, &W::sent>, kNumber},                               \
      {side "_HEADER_BYTES_RECEIVED", wire_bytes<&R::member, &W::head_received>, kNumber},                \
      {side "_HEADER_BYTES_SENT", wire_bytes<&R::member, &W::head_sent>, kNumber},                        \
      {side "_DECOMPRESSED_HEADER_BYTES_RECEIVED", wire_bytes<&R::member, &W::head_received>, kNumber}, { \
    side "_DECOMPRESSED_HEADER_BYTES_SENT", wire_bytes<&R::member, &W::head_sent>, kNumber                \
  }

constexpr Row kRows[] = {
    {"RESPONSE_CODE", response_code, kNumber},
    {"RESPONSE_CODE_DETAILS", details, kText, kOptional, false, read_details},
    {"RESPONSE_FLAGS", flags},
    {"RESPONSE_FLAGS_LONG", long_flags},
    {"CUSTOM_FLAGS", empty},  // No filter sets any.
    {"BYTES_RECEIVED", bytes_received, kNumber},
    {"BYTES_SENT", number_member<&R::bytes_sent>, kNumber},
    BYTES_ROWS("DOWNSTREAM", downstream_bytes),
    BYTES_ROWS("UPSTREAM", upstream_bytes),
    {"ROUTE_NAME", text_member<&R::route_name>},
    {"VIRTUAL_CLUSTER_NAME", text_member<&R::virtual_cluster_name>},
    {"UPSTREAM_CLUSTER", upstream_cluster},
    {"UPSTREAM_CLUSTER_RAW", text_member<&R::cluster_name>},
    {"UPSTREAM_TRANSPORT_FAILURE_REASON", transport_failure},
    {"COALESCE", choose, kAny, kRequired, true, nullptr, true},
    {"ROUTE_RESOLUTION_COUNT", number_member<&R::route_resolutions>, kNumber},
    {"UPSTREAM_REQUEST_ATTEMPT_COUNT", number_member<&R::attempts>, kNumber},
    {"GRPC_STATUS", grpc_status, kText, kOptional, false, read_grpc},
    {"GRPC_STATUS_NUMBER", grpc_status, kNumber, kNone, false, read_grpc_number},
    {"DYNAMIC_METADATA", metadata, kAny, kRequired, true, read_names_of<MetadataOf::request>, true},
    {"CLUSTER_METADATA", metadata, kAny, kRequired, false, read_names_of<MetadataOf::cluster>, true},
    {"UPSTREAM_METADATA", metadata, kAny, kRequired, false, read_names_of<MetadataOf::host>, true},
    {"METADATA", metadata, kAny, kOptional, true, read_metadata, true},
    {"FILTER_STATE", filter_state, kText, kOptional, true, read_filter_state},
    {"UPSTREAM_FILTER_STATE", absent, kText, kOptional, true, read_filter_state},
    {"ENVIRONMENT", absent, kText, kRequired, true, read_environment},
    {"UNIQUE_ID", unique_id},
    {"ACCESS_LOG_TYPE", access_log_type},
    {"LOCAL_REPLY_BODY", local_reply_body},
    {"TRACE_ID", trace_id},
    {"SPAN_ID", span_id},
};
#undef BYTES_ROWS

}  // namespace

bool is_text(const Exchange& x, const Step& step) {
  if (step.value == filter_state) return false;
  const Value* value = metadata_value(x, step);
  return value && value->text();
}

std::span<const Row> outcome_rows() { return kRows; }

}  // namespace outrider::format
