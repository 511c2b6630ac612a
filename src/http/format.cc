#include "http/format.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <optional>
#include <span>

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

constexpr std::size_t kArgumentsBytesMax = 4096;

using Failure = std::optional<std::string>;  // What is wrong with the arguments.

enum class Arguments : std::uint8_t { none, optional, required };

// One operator of Envoy that is built.
struct Row {
  std::string_view name;
  Operator op;
  Arguments arguments = Arguments::none;
  bool length_allowed = false;
  Failure (*read)(Step& step, std::string_view arguments) = nullptr;
};

// ------------------------------------------------------------------------------------------------ reading arguments

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

std::optional<HeaderName> header_name(std::string_view text, bool response) {
  HeaderName name;
  name.name = lower(text);
  if (response && name.name == ":status") return HeaderName{Source::status, Known::none, name.name};
  if (!response) {
    constexpr std::pair<std::string_view, Source> kPseudo[] = {
        {":method", Source::method}, {":path", Source::path},     {":authority", Source::authority},
        {"host", Source::authority}, {":scheme", Source::scheme}, {"x-envoy-original-path", Source::original_path}};
    for (auto [pseudo, source] : kPseudo) {
      if (name.name == pseudo) name.source = source;
    }
  }
  if (name.source == Source::field && !std::ranges::all_of(name.name, is_name_byte)) return std::nullopt;
  name.known = known_of(name.name);
  return name;
}

Failure read_headers(Step& step, std::string_view arguments) {
  bool response = step.op != Operator::request_field;
  std::size_t mark = arguments.find('?');
  std::string_view second = mark == arguments.npos ? std::string_view() : arguments.substr(mark + 1);
  if (second.find('?') != second.npos) return "takes a header name and at most one alternative";
  auto name = header_name(arguments.substr(0, mark), response);
  auto alternative = header_name(second, response);
  if (!name || !alternative) return "'" + std::string(arguments) + "' is no header name";
  step.name = std::move(*name);
  step.alternative = std::move(*alternative);
  return std::nullopt;
}

Failure read_time(Step& step, std::string_view arguments) {
  if (!arguments.empty()) step.time = TimeFormat(arguments);
  return std::nullopt;
}

Failure read_local_time(Step& step, std::string_view arguments) {
  step.time = TimeFormat(arguments, true);
  return std::nullopt;
}

Failure read_environment(Step& step, std::string_view arguments) {
  const char* value = std::getenv(std::string(arguments).c_str());
  if (!value) return std::nullopt;  // Stays absent.
  step.op = Operator::literal;
  step.text = std::string_view(value).substr(0, step.bytes_max);
  return std::nullopt;
}

Failure read_query_param(Step& step, std::string_view arguments) {
  step.text = arguments;
  return std::nullopt;
}

Failure read_query_params(Step& step, std::string_view arguments) {
  if (arguments.empty() || arguments == "ORIG") return std::nullopt;
  return "takes ORIG";
}

Failure read_details(Step& step, std::string_view arguments) {
  step.keep_spaces = arguments == "ALLOW_WHITESPACES";
  return std::nullopt;
}

Failure read_grpc(Step& step, std::string_view arguments) {
  constexpr std::array<std::string_view, 3> kForms{"CAMEL_STRING", "SNAKE_STRING", "NUMBER"};
  if (arguments.empty()) return std::nullopt;
  auto at = std::ranges::find(kForms, arguments);
  if (at == kForms.end()) return "takes CAMEL_STRING, SNAKE_STRING or NUMBER";
  step.grpc = static_cast<GrpcForm>(at - kForms.begin());
  return std::nullopt;
}

Failure read_path(Step& step, std::string_view arguments) {
  constexpr std::array<std::string_view, 3> kForms{"ORIG_OR_PATH", "ORIG", "PATH"};
  std::size_t colon = arguments.find(':');
  std::string_view query = arguments.substr(0, colon);
  if (!query.empty() && query != "WQ" && query != "NQ")
    return "takes WQ (with query) or NQ, then :ORIG, :PATH or :ORIG_OR_PATH";
  step.with_query = query != "NQ";
  if (colon == arguments.npos) return std::nullopt;
  auto at = std::ranges::find(kForms, arguments.substr(colon + 1));
  if (at == kForms.end()) return "takes ORIG, PATH or ORIG_OR_PATH behind the colon";
  step.path = static_cast<PathForm>(at - kForms.begin());
  return std::nullopt;
}

std::optional<Moment> moment(std::string_view name) {
  constexpr std::pair<std::string_view, Moment> kMoments[] = {{"DS_RX_BEG", Moment::request_begin},
                                                              {"DS_RX_END", Moment::request_end},
                                                              {"US_TX_BEG", Moment::upstream_begin},
                                                              {"US_RX_BEG", Moment::response_begin},
                                                              {"DS_TX_END", Moment::end}};
  for (auto [known, value] : kMoments) {
    if (name == known) return value;
  }
  return std::nullopt;
}

Failure read_common_duration(Step& step, std::string_view arguments) {
  std::size_t first = arguments.find(':');
  std::size_t second = first == arguments.npos ? first : arguments.find(':', first + 1);
  std::string_view unit = second == arguments.npos ? "ms" : arguments.substr(second + 1);
  auto from = moment(arguments.substr(0, first));
  auto to = first == arguments.npos ? std::nullopt : moment(arguments.substr(first + 1, second - first - 1));
  if (!from || !to) {
    return "takes START:END:UNIT with moments out of DS_RX_BEG, DS_RX_END, US_TX_BEG, US_RX_BEG, DS_TX_END";
  }
  step.from = *from;
  step.to = *to;
  step.unit_ns = unit == "ms" ? 1'000'000 : unit == "us" ? 1'000 : unit == "ns" ? 1 : 0;
  if (step.unit_ns == 0) return "takes ms, us or ns as its unit";
  return std::nullopt;
}

template <Moment from, Moment to>
Failure between(Step& step, std::string_view) {
  step.from = from;
  step.to = to;
  return std::nullopt;
}

template <AddressPart part>
Failure part_of(Step& step, std::string_view arguments) {
  if (!arguments.empty()) return "takes no mask";
  step.part = part;
  return std::nullopt;
}

Failure read_hostname(Step& step, std::string_view) {
  char name[256] = {};
  if (gethostname(name, sizeof name - 1) != 0 || name[0] == '\0') return std::nullopt;
  step.op = Operator::literal;
  step.text = name;
  return std::nullopt;
}

Failure read_access_log_type(Step& step, std::string_view) {
  step.op = Operator::literal;
  step.text = "DownstreamEnd";
  return std::nullopt;
}

Failure read_grpc_number(Step& step, std::string_view) {
  step.grpc = GrpcForm::number;
  return std::nullopt;
}

// ------------------------------------------------------------------------------------------------ the operators

#define ADDRESS_ROWS(prefix, op)                                                                       \
  {prefix "_ADDRESS", op}, {prefix "_PORT", op, Arguments::none, false, part_of<AddressPart::port>}, { \
    prefix "_ADDRESS_WITHOUT_PORT", op, Arguments::optional, false, part_of<AddressPart::ip>           \
  }

constexpr Row kRows[] = {
    {"START_TIME", Operator::start_time, Arguments::optional, false, read_time},
    {"START_TIME_LOCAL", Operator::start_time, Arguments::optional, false, read_local_time},
    {"EMIT_TIME", Operator::emit_time, Arguments::optional, false, read_time},
    {"EMIT_TIME_LOCAL", Operator::emit_time, Arguments::optional, false, read_local_time},
    {"REQ", Operator::request_field, Arguments::required, true, read_headers},
    {"RESP", Operator::response_field, Arguments::required, true, read_headers},
    {"TRAILER", Operator::trailer, Arguments::required, true, read_headers},
    {"PATH", Operator::path, Arguments::optional, true, read_path},
    {"QUERY_PARAM", Operator::query_param, Arguments::required, true, read_query_param},
    {"QUERY_PARAMS", Operator::query_params, Arguments::optional, true, read_query_params},
    {"PROTOCOL", Operator::protocol},
    {"RESPONSE_CODE", Operator::response_code},
    {"RESPONSE_CODE_DETAILS", Operator::response_code_details, Arguments::optional, false, read_details},
    {"RESPONSE_FLAGS", Operator::response_flags},
    {"RESPONSE_FLAGS_LONG", Operator::response_flags_long},
    {"BYTES_RECEIVED", Operator::bytes_received},
    {"BYTES_SENT", Operator::bytes_sent},
    {"DURATION", Operator::duration},
    {"COMMON_DURATION", Operator::duration, Arguments::required, false, read_common_duration},
    {"REQUEST_DURATION", Operator::duration, Arguments::none, false,
     between<Moment::request_begin, Moment::request_end>},
    {"RESPONSE_DURATION", Operator::duration, Arguments::none, false,
     between<Moment::request_begin, Moment::response_begin>},
    {"RESPONSE_TX_DURATION", Operator::duration, Arguments::none, false, between<Moment::response_begin, Moment::end>},
    {"UPSTREAM_HOST", Operator::upstream_host},
    ADDRESS_ROWS("UPSTREAM_REMOTE", Operator::upstream_remote_address),
    ADDRESS_ROWS("UPSTREAM_LOCAL", Operator::upstream_local_address),
    {"UPSTREAM_CLUSTER", Operator::upstream_cluster},
    {"UPSTREAM_TRANSPORT_FAILURE_REASON", Operator::upstream_transport_failure_reason},
    {"UPSTREAM_REQUEST_ATTEMPT_COUNT", Operator::upstream_request_attempt_count},
    ADDRESS_ROWS("DOWNSTREAM_REMOTE", Operator::downstream_remote_address),
    ADDRESS_ROWS("DOWNSTREAM_DIRECT_REMOTE", Operator::downstream_direct_remote_address),
    ADDRESS_ROWS("DOWNSTREAM_LOCAL", Operator::downstream_local_address),
    ADDRESS_ROWS("DOWNSTREAM_DIRECT_LOCAL", Operator::downstream_local_address),
    {"ROUTE_NAME", Operator::route_name},
    {"HOSTNAME", Operator::absent, Arguments::none, false, read_hostname},
    {"CONNECTION_ID", Operator::connection_id},
    {"STREAM_ID", Operator::stream_id},
    {"ENVIRONMENT", Operator::absent, Arguments::required, true, read_environment},
    {"ACCESS_LOG_TYPE", Operator::absent, Arguments::none, false, read_access_log_type},
    {"GRPC_STATUS", Operator::grpc_status, Arguments::optional, false, read_grpc},
    {"GRPC_STATUS_NUMBER", Operator::grpc_status, Arguments::none, false, read_grpc_number},
    {"REQUESTED_SERVER_NAME", Operator::absent},
    {"DOWNSTREAM_TLS_VERSION", Operator::absent},
    {"DOWNSTREAM_TLS_CIPHER", Operator::absent},
    {"DOWNSTREAM_TLS_SESSION_ID", Operator::absent},
    {"DOWNSTREAM_PEER_URI_SAN", Operator::absent},
    {"DOWNSTREAM_PEER_DNS_SAN", Operator::absent},
    {"DOWNSTREAM_PEER_SUBJECT", Operator::absent},
    {"DOWNSTREAM_PEER_ISSUER", Operator::absent},
    {"DOWNSTREAM_PEER_SERIAL", Operator::absent},
    {"DOWNSTREAM_PEER_FINGERPRINT_256", Operator::absent},
    {"DOWNSTREAM_LOCAL_URI_SAN", Operator::absent},
    {"DOWNSTREAM_LOCAL_SUBJECT", Operator::absent},
    {"UPSTREAM_TLS_VERSION", Operator::absent},
    {"UPSTREAM_TLS_CIPHER", Operator::absent},
};
#undef ADDRESS_ROWS

// Operators of Envoy that mean something here too, but are not built.
constexpr std::string_view kNotBuilt[] = {"UPSTREAM_HOST_NAME",
                                          "UPSTREAM_HOST_NAME_WITHOUT_PORT",
                                          "UPSTREAM_CLUSTER_RAW",
                                          "UPSTREAM_PROTOCOL",
                                          "UPSTREAM_METADATA",
                                          "METADATA",
                                          "DYNAMIC_METADATA",
                                          "CLUSTER_METADATA",
                                          "FILTER_STATE",
                                          "UPSTREAM_FILTER_STATE",
                                          "TRACE_ID",
                                          "SPAN_ID",
                                          "UNIQUE_ID",
                                          "LOCAL_REPLY_BODY",
                                          "CEL",
                                          "REQUEST_TX_DURATION",
                                          "VIRTUAL_CLUSTER_NAME",
                                          "CONNECTION_TERMINATION_DETAILS",
                                          "REQ_WITHOUT_QUERY",
                                          "DOWNSTREAM_PEER_CERT"};

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); j++) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); i++) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); j++) {
      std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row[b.size()];
}

std::string unknown_operator(std::string_view name) {
  if (std::ranges::find(kNotBuilt, name) != std::end(kNotBuilt)) return "%" + std::string(name) + "% is not built yet";
  std::string message = "there is no operator %" + std::string(name) + "%";
  auto nearest = std::ranges::min_element(kRows, {}, [&](const Row& row) { return edit_distance(name, row.name); });
  if (edit_distance(name, nearest->name) <= (name.size() + 2) / 3)
    message += "; did you mean %" + std::string(nearest->name) + "%?";
  return message;
}

// ------------------------------------------------------------------------------------------------ the syntax

// %NAME(ARGUMENTS):LENGTH%
struct Command {
  std::string_view name;
  std::optional<std::string_view> arguments;
  std::optional<std::uint32_t> length;
  std::size_t size = 0;  // With both percent signs.
};

bool is_operator_byte(char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

// The command at the front of `text`, which begins with `%`.
std::optional<Command> scan_command(std::string_view text) {
  Command command;
  std::size_t at = 1;
  while (at < text.size() && is_operator_byte(text[at])) at++;
  command.name = text.substr(1, at - 1);
  if (command.name.empty()) return std::nullopt;
  if (at < text.size() && text[at] == '(') {
    std::size_t close = text.find(')', at);
    if (close == text.npos || close - at > kArgumentsBytesMax) return std::nullopt;
    command.arguments = text.substr(at + 1, close - at - 1);
    if (command.arguments->find('\n') != std::string_view::npos) return std::nullopt;
    at = close + 1;
  }
  if (at < text.size() && text[at] == ':') {
    std::uint32_t length = 0;
    auto [end, error] = std::from_chars(text.data() + at + 1, text.data() + text.size(), length);
    if (error != std::errc()) return std::nullopt;
    command.length = length;
    at = static_cast<std::size_t>(end - text.data());
  }
  if (at >= text.size() || text[at] != '%') return std::nullopt;
  command.size = at + 1;
  return command;
}

std::expected<Step, std::string> make_step(const Command& command) {
  auto row = std::ranges::find(kRows, command.name, &Row::name);
  if (row == std::end(kRows)) return std::unexpected(unknown_operator(command.name));
  auto wrong = [&](std::string_view what) {
    return std::unexpected("%" + std::string(row->name) + "% " + std::string(what));
  };
  std::string_view arguments = command.arguments.value_or("");
  if (row->arguments == Arguments::none && !arguments.empty()) return wrong("takes no arguments");
  if (row->arguments == Arguments::required && arguments.empty()) return wrong("needs arguments: %NAME(ARGUMENTS)%");
  if (command.length && !row->length_allowed) return wrong("takes no length");
  Step step;
  step.op = row->op;
  if (command.length) step.bytes_max = *command.length;
  if (row->read) {
    if (Failure failure = row->read(step, arguments)) return wrong(*failure);
  }
  return step;
}

}  // namespace

void Format::add_literal(std::string_view text) {
  if (steps_.empty() || steps_.back().op != Operator::literal) {
    Step step;
    step.op = Operator::literal;
    steps_.push_back(std::move(step));
  }
  steps_.back().text += text;
}

std::expected<Format, FormatError> Format::compile(std::string_view text, FormatOptions options) {
  Format made;
  made.options_ = options;
  for (std::size_t at = 0; at < text.size();) {
    std::string_view rest = text.substr(at);
    if (rest[0] != '%') {
      std::size_t end = std::min(rest.find('%'), rest.size());
      made.add_literal(rest.substr(0, end));
      at += end;
      continue;
    }
    if (rest.starts_with("%%")) {
      made.add_literal("%");
      at += 2;
      continue;
    }
    auto command = scan_command(rest);
    if (!command)
      return std::unexpected(FormatError{at, "no valid operator begins here: %NAME%, %NAME(ARGUMENTS):LENGTH% or %%"});
    auto step = make_step(*command);
    if (!step) return std::unexpected(FormatError{at, std::move(step.error())});
    if (step->op == Operator::literal) {
      made.add_literal(step->text);
    } else {
      made.steps_.push_back(std::move(*step));
    }
    at += command->size;
  }
  return made;
}

bool Format::constant() const {
  return std::ranges::all_of(steps_,
                             [](const Step& s) { return s.op == Operator::literal || s.op == Operator::absent; });
}

}  // namespace outrider
