// The values of a format's operators.
#include <arpa/inet.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "http/format.h"

namespace outrider {
namespace {

using format::AddressPart;
using format::GrpcForm;
using format::HeaderName;
using format::Moment;
using format::Operator;
using format::PathForm;
using format::Source;
using format::Step;

// Each of these appends a value, or says false: there is none.

bool append_text(std::string_view text, std::string& out) {
  out += text;
  return !text.empty();
}

bool append_number(std::uint64_t number, std::string& out) {
  char text[20];
  out.append(text, std::to_chars(text, text + sizeof text, number).ptr);
  return true;
}

bool append_without_spaces(std::string_view text, std::string& out) {
  for (char c : text) out += c == ' ' || c == '\t' ? '_' : c;
  return !text.empty();
}

bool append_ip(const Address& address, AddressPart part, std::string& out) {
  sockaddr_storage storage;
  address.fill(storage);
  bool v6 = address.family() == AF_INET6;
  const void* bytes = v6 ? static_cast<const void*>(&reinterpret_cast<sockaddr_in6&>(storage).sin6_addr)
                         : &reinterpret_cast<sockaddr_in&>(storage).sin_addr;
  char text[INET6_ADDRSTRLEN];
  if (!inet_ntop(address.family(), bytes, text, sizeof text)) return false;
  bool brackets = v6 && part == AddressPart::whole;
  if (brackets) out += '[';
  out += text;
  if (brackets) out += ']';
  return true;
}

bool append_address(const Address* address, AddressPart part, std::string& out) {
  if (!address || address->family() == AF_UNSPEC) return false;
  if (address->is_pipe()) return part != AddressPart::port && append_text(address->text(), out);
  if (part == AddressPart::port) return append_number(address->port(), out);
  if (!append_ip(*address, part, out)) return false;
  if (part == AddressPart::ip) return true;
  out += ':';
  return append_number(address->port(), out);
}

// The peer, unless it is a proxy that is trusted to say for whom it asks: then what it says, without a port.
bool append_client_address(const Exchange& x, AddressPart part, std::string& out) {
  std::string_view named = x.request.headers.value(Known::x_forwarded_for);
  if (!named.empty() && x.options.edge && !x.options.use_remote_address) {
    named.remove_prefix(named.rfind(',') + 1);  // The last one; npos + 1 is 0.
    named.remove_prefix(std::min(named.find_first_not_of(" \t"), named.size()));
    if (auto address = Address::parse(named, 0)) return append_address(&*address, part, out);
  }
  return append_address(x.connection.peer, part, out);
}

std::optional<TimePoint> time_of(const ExchangeRecord& record, Moment moment) {
  switch (moment) {
    case Moment::request_begin:
      return record.start;
    case Moment::request_end:
      return record.request_end;
    case Moment::upstream_begin:
      return record.upstream_start;
    case Moment::response_begin:
      return record.response_start;
    case Moment::end:
      return record.end;
  }
  return std::nullopt;
}

bool append_duration(const ExchangeRecord& record, const Step& step, std::string& out) {
  auto from = time_of(record, step.from);
  auto to = time_of(record, step.to);
  if (!from || !to || *to < *from) return false;
  return append_number(static_cast<std::uint64_t>((*to - *from).count() / step.unit_ns), out);
}

// The first field of that name; null: none. An empty value is a value.
const Field* field_of(const Headers* headers, const HeaderName& name) {
  if (!headers) return nullptr;
  return name.known != Known::none ? headers->find(name.known) : headers->find(name.name);
}

std::optional<std::string_view> value_of(const Headers* headers, const HeaderName& name) {
  const Field* field = field_of(headers, name);
  return field ? std::optional(field->value) : std::nullopt;
}

std::optional<std::string_view> not_empty(std::string_view text) {
  return text.empty() ? std::nullopt : std::optional(text);
}

// Bytes that were no request leave an empty head behind.
bool has_request(const RequestHead& head) { return !head.path.empty() || !head.authority.empty(); }

std::optional<std::string_view> request_value(const Exchange& x, const HeaderName& name) {
  const RequestHead& head = x.request;
  switch (name.source) {
    case Source::method:
      return has_request(head) ? not_empty(head.method_name) : std::nullopt;
    case Source::path:
      return not_empty(head.path);
    case Source::authority:
      return head.authority.data() ? std::optional(head.authority) : std::nullopt;  // An empty Host is one.
    case Source::scheme:
      if (!has_request(head)) return std::nullopt;
      return head.scheme.empty() ? "http" : head.scheme;
    case Source::original_path:
      if (auto value = value_of(&head.headers, name)) return value;
      return not_empty(x.record.original_path);
    case Source::field:
    case Source::status:
      break;
  }
  return value_of(&head.headers, name);
}

bool append_request_field(const Exchange& x, const Step& step, std::string& out) {
  auto value = request_value(x, step.name);
  if (!value && !step.alternative.name.empty()) value = request_value(x, step.alternative);
  if (value) out += *value;
  return value.has_value();
}

bool append_field(const Exchange& x, const Headers* headers, const Step& step, std::string& out) {
  const HeaderName* name = &step.name;
  if (name->source == Source::field && !field_of(headers, *name)) name = &step.alternative;
  if (name->source == Source::status)
    return x.record.status != 0 && append_number(static_cast<unsigned>(x.record.status), out);
  auto value = value_of(headers, *name);
  if (value) out += *value;
  return value.has_value();
}

std::string_view original_path(const Exchange& x) {
  std::string_view header = x.request.headers.value(Known::x_envoy_original_path);
  return header.empty() ? x.record.original_path : header;
}

bool append_path(const Exchange& x, const Step& step, std::string& out) {
  std::string_view path;
  if (step.path != PathForm::path) path = original_path(x);
  if (path.empty() && step.path != PathForm::original) path = x.request.path;
  if (!step.with_query) path = path.substr(0, path.find('?'));
  return append_text(path, out);
}

// The query as the client sent it.
std::optional<std::string_view> query(const Exchange& x) {
  std::string_view path = original_path(x);
  if (path.empty()) path = x.request.path;
  std::size_t mark = path.find('?');
  if (mark == path.npos) return std::nullopt;
  path.remove_prefix(mark + 1);
  return path.substr(0, path.find('#'));
}

bool append_query_param(const Exchange& x, const Step& step, std::string& out) {
  std::string_view rest = query(x).value_or("");
  while (!rest.empty()) {
    std::string_view pair = rest.substr(0, rest.find('&'));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    std::size_t equals = std::min(pair.find('='), pair.size());
    if (pair.substr(0, equals) != step.text) continue;
    out += pair.substr(std::min(equals + 1, pair.size()));
    return true;
  }
  return false;
}

bool append_grpc_status(const Exchange& x, const Step& step, std::string& out) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 17> kNames{
      {{"OK", "OK"},
       {"Canceled", "CANCELLED"},
       {"Unknown", "UNKNOWN"},
       {"InvalidArgument", "INVALID_ARGUMENT"},
       {"DeadlineExceeded", "DEADLINE_EXCEEDED"},
       {"NotFound", "NOT_FOUND"},
       {"AlreadyExists", "ALREADY_EXISTS"},
       {"PermissionDenied", "PERMISSION_DENIED"},
       {"ResourceExhausted", "RESOURCE_EXHAUSTED"},
       {"FailedPrecondition", "FAILED_PRECONDITION"},
       {"Aborted", "ABORTED"},
       {"OutOfRange", "OUT_OF_RANGE"},
       {"Unimplemented", "UNIMPLEMENTED"},
       {"Internal", "INTERNAL"},
       {"Unavailable", "UNAVAILABLE"},
       {"DataLoss", "DATA_LOSS"},
       {"Unauthenticated", "UNAUTHENTICATED"}}};
  std::string_view type = x.request.headers.value(Known::content_type);
  if (!type.starts_with("application/grpc")) return false;
  const Field* field = x.response_trailers ? x.response_trailers->find(Known::grpc_status) : nullptr;
  if (!field && x.response_headers) field = x.response_headers->find(Known::grpc_status);
  if (!field) return false;
  unsigned code = 0;
  std::string_view text = field->value;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), code);
  if (error != std::errc() || end != text.data() + text.size()) return false;
  if (step.grpc == GrpcForm::number || code >= kNames.size()) return append_number(code, out);
  return append_text(step.grpc == GrpcForm::camel ? kNames[code].first : kNames[code].second, out);
}

bool append_flags(const ResponseFlags& flags, bool letters, std::string& out) {
  if (!flags.any()) return false;
  out += letters ? flags.text() : flags.long_text();
  return true;
}

bool append_upstream(const Exchange& x, const Step& step, std::string& out) {
  const ExchangeRecord& r = x.record;
  switch (step.op) {
    case Operator::upstream_host:
      return append_address(r.upstream_peer, AddressPart::whole, out);
    case Operator::upstream_remote_address:
      return r.upstream_local && append_address(r.upstream_peer, step.part, out);
    case Operator::upstream_local_address:
      return append_address(r.upstream_local, step.part, out);
    case Operator::upstream_cluster:
      return append_text(r.cluster_name, out);
    case Operator::upstream_transport_failure_reason:
      return append_without_spaces(r.upstream_failure, out);
    case Operator::upstream_request_attempt_count:
      return append_number(r.attempts, out);
    default:
      return false;
  }
}

bool append_value(const Exchange& x, const Step& step, std::string& out) {
  const ExchangeRecord& r = x.record;
  switch (step.op) {
    case Operator::start_time:
      return step.time.append(r.start_wall, out), true;
    case Operator::emit_time:
      return step.time.append(x.worker.wall(), out), true;
    case Operator::request_field:
      return append_request_field(x, step, out);
    case Operator::response_field:
      return append_field(x, x.response_headers, step, out);
    case Operator::trailer:
      return append_field(x, x.response_trailers, step, out);
    case Operator::path:
      return append_path(x, step, out);
    case Operator::query_param:
      return append_query_param(x, step, out);
    case Operator::query_params:
      return append_text(query(x).value_or(""), out);
    case Operator::protocol:
      return append_text(name_of(x.request.version), out);
    case Operator::response_code:
      return append_number(static_cast<unsigned>(r.status), out);
    case Operator::response_code_details:
      return step.keep_spaces ? append_text(r.details, out) : append_without_spaces(r.details, out);
    case Operator::response_flags:
    case Operator::response_flags_long:
      return append_flags(r.flags, step.op == Operator::response_flags, out);
    case Operator::bytes_received:
      return append_number(r.bytes_received, out);
    case Operator::bytes_sent:
      return append_number(r.bytes_sent, out);
    case Operator::duration:
      return append_duration(r, step, out);
    case Operator::downstream_remote_address:
      return append_client_address(x, step.part, out);
    case Operator::downstream_direct_remote_address:
      return append_address(x.connection.peer, step.part, out);
    case Operator::downstream_local_address:
      return append_address(&x.connection.local(), step.part, out);
    case Operator::route_name:
      return append_text(r.route_name, out);
    case Operator::connection_id:
      return append_number(x.connection.id, out);
    case Operator::stream_id:
      return append_text(x.request.headers.value(Known::x_request_id), out);
    case Operator::grpc_status:
      return append_grpc_status(x, step, out);
    default:
      return append_upstream(x, step, out);
  }
}

}  // namespace

void Format::append(const Exchange& x, std::string& out) const {
  for (const Step& step : steps_) {
    if (step.op == Operator::literal) {
      out += step.text;
      continue;
    }
    std::size_t before = out.size();
    if (!append_value(x, step, out)) {
      if (!options_.omit_empty) out += '-';
    } else if (out.size() - before > step.bytes_max) {
      out.resize(before + step.bytes_max);
    }
  }
}

}  // namespace outrider
