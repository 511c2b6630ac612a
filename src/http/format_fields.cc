// Operators that read header fields, the path and its query.
#include <algorithm>
#include <array>

#include "core/ascii.h"
#include "http/format_step.h"
#include "http/query.h"

namespace outrider::format {
namespace {

// ------------------------------------------------------------------------------------------------ reading arguments

bool is_name_byte(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-.^_`|~").find(c) != std::string_view::npos;
}

std::optional<HeaderName> header_name(std::string_view text, bool response) {
  HeaderName name;
  name.name = ascii_lower(text);
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

template <bool response>
Failure read_headers(Step& step, std::string_view arguments) {
  std::size_t mark = arguments.find('?');
  std::string_view second = mark == arguments.npos ? std::string_view() : arguments.substr(mark + 1);
  if (second.find('?') != second.npos)
    return "More than 1 alternative header specified in token: " + std::string(arguments);
  auto name = header_name(arguments.substr(0, mark), response);
  auto alternative = header_name(second, response);
  if (!name || !alternative)
    return "Invalid header configuration. Format string contains invalid characters: '" + std::string(arguments) +
           "' is no header name";
  step.name = std::move(*name);
  step.alternative = std::move(*alternative);
  return std::nullopt;
}

Failure read_query_param(Step& step, std::string_view arguments) {
  step.text = arguments;
  return std::nullopt;
}

std::string invalid_option(std::string_view op, std::string_view given, std::string_view allowed) {
  return "Invalid " + std::string(op) + " option: '" + std::string(given) + "', only " + std::string(allowed) +
         " are allowed";
}

Failure read_query_params(Step&, std::string_view arguments) {
  if (arguments.empty() || arguments == "ORIG" || arguments == "DECODED") return std::nullopt;
  return invalid_option("QUERY_PARAMS", arguments, "'ORIG'/'DECODED'");
}

Failure read_path(Step& step, std::string_view arguments) {
  constexpr std::array<std::string_view, 3> kForms{"ORIG_OR_PATH", "ORIG", "PATH"};
  std::size_t colon = arguments.find(':');
  std::string_view query = arguments.substr(0, colon);
  if (!query.empty() && query != "WQ" && query != "NQ") return invalid_option("PATH", query, "'WQ'/'NQ'");
  step.with_query = query != "NQ";
  if (colon == arguments.npos) return std::nullopt;
  auto at = std::ranges::find(kForms, arguments.substr(colon + 1));
  if (at == kForms.end()) return invalid_option("PATH", arguments.substr(colon + 1), "'ORIG'/'PATH'/'ORIG_OR_PATH'");
  step.path = static_cast<PathForm>(at - kForms.begin());
  return std::nullopt;
}

// ------------------------------------------------------------------------------------------------ the values

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
      if (!has_request(head) || !head.authority.data()) return std::nullopt;
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

bool request_field(const Exchange& x, const Step& step, std::string& out) {
  auto value = request_value(x, step.name);
  if (!value && !step.alternative.name.empty()) value = request_value(x, step.alternative);
  if (value) out += *value;
  return value.has_value();
}

bool request_field_without_query(const Exchange& x, const Step& step, std::string& out) {
  std::size_t begin = out.size();
  if (!request_field(x, step, out)) return false;
  std::size_t mark = out.find('?', begin);
  if (mark != out.npos) out.resize(mark);
  return true;
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

bool response_field(const Exchange& x, const Step& step, std::string& out) {
  return append_field(x, x.response_headers, step, out);
}

bool trailer(const Exchange& x, const Step& step, std::string& out) {
  return append_field(x, x.response_trailers, step, out);
}

std::string_view original_path(const Exchange& x) {
  std::string_view header = x.request.headers.value(Known::x_envoy_original_path);
  return header.empty() ? x.record.original_path : header;
}

bool path_value(const Exchange& x, const Step& step, std::string& out) {
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

bool query_param(const Exchange& x, const Step& step, std::string& out) {
  std::optional<std::string_view> value = raw_parameter(query(x).value_or(""), step.text);
  if (value) out += percent_decode(*value);
  return value.has_value();
}

bool query_params(const Exchange& x, const Step&, std::string& out) { return append_text(query(x).value_or(""), out); }

bool stream_id(const Exchange& x, const Step&, std::string& out) {
  return append_text(x.request.headers.value(Known::x_request_id), out);
}

bool request_headers_bytes(const Exchange& x, const Step&, std::string& out) {
  const RequestHead& head = x.request;
  if (!has_request(head)) return append_number(0, out);
  std::size_t bytes = std::string_view(":method").size() + head.method_name.size();
  bytes += std::string_view(":path").size() + head.path.size();
  if (head.authority.data()) bytes += std::string_view(":authority").size() + head.authority.size();
  bytes += std::string_view(":scheme").size() + (head.scheme.empty() ? 4 : head.scheme.size());
  for (const Field& f : head.headers) bytes += f.name.size() + f.value.size();
  return append_number(bytes, out);
}

std::size_t bytes_of(const Headers* headers) {
  std::size_t bytes = 0;
  if (!headers) return 0;
  for (const Field& f : *headers) bytes += f.name.size() + f.value.size();
  return bytes;
}

bool response_headers_bytes(const Exchange& x, const Step&, std::string& out) {
  constexpr std::size_t kStatusBytes = 10;  // ":status" and its three digits.
  return append_number(bytes_of(x.response_headers) + (x.response_headers ? kStatusBytes : 0), out);
}

bool response_trailers_bytes(const Exchange& x, const Step&, std::string& out) {
  return append_number(bytes_of(x.response_trailers), out);
}

constexpr auto kOptional = Arguments::optional, kRequired = Arguments::required;
constexpr auto kText = Shape::text, kNumber = Shape::number;

constexpr Row kRows[] = {
    {"REQ", request_field, kText, kRequired, true, read_headers<false>},
    {"REQUEST_HEADER", request_field, kText, kRequired, true, read_headers<false>},
    {"STREAM_INFO_REQ", request_field, kText, kRequired, true, read_headers<false>},
    {"REQ_WITHOUT_QUERY", request_field_without_query, kText, kRequired, true, read_headers<false>},
    {"RESP", response_field, kText, kRequired, true, read_headers<true>},
    {"RESPONSE_HEADER", response_field, kText, kRequired, true, read_headers<true>},
    {"TRAILER", trailer, kText, kRequired, true, read_headers<true>},
    {"RESPONSE_TRAILER", trailer, kText, kRequired, true, read_headers<true>},
    {"PATH", path_value, kText, kOptional, true, read_path},
    {"QUERY_PARAM", query_param, kText, kRequired, true, read_query_param, true},
    {"QUERY_PARAMS", query_params, kText, kOptional, true, read_query_params},
    {"STREAM_ID", stream_id},
    {"REQUEST_HEADERS_BYTES", request_headers_bytes, kNumber},
    {"RESPONSE_HEADERS_BYTES", response_headers_bytes, kNumber},
    {"RESPONSE_TRAILERS_BYTES", response_trailers_bytes, kNumber},
};

}  // namespace

std::span<const Row> field_rows() { return kRows; }

}  // namespace outrider::format
