// The parts of a Format; private to format*.cc.
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.h"
#include "http/format_time.h"

namespace outrider::format {

// What a header operator reads.
enum class Source : std::uint8_t { field, method, path, authority, scheme, status, original_path };

struct HeaderName {
  Source source = Source::field;
  Known known = Known::none;
  std::string name;  // Lower case; empty: no such alternative.
};

enum class AddressPart : std::uint8_t { whole, ip, port };
enum class Moment : std::uint8_t {
  request_begin,
  request_end,
  upstream_connect_begin,
  upstream_connect_end,
  upstream_begin,
  upstream_end,
  response_begin,
  response_end,
  downstream_begin,
  end,
  unknown,
};
enum class GrpcForm : std::uint8_t { camel, snake, number };
enum class PathForm : std::uint8_t { original_or_path, original, path };
enum class MetadataOf : std::uint8_t { request, route, virtual_host, cluster, host, listener, filter_chain };
// How JSON shows the value; `any`: the operator writes JSON itself.
enum class Shape : std::uint8_t { text, number, any };

struct Step;
// Appends a value, or says false: there is none.
using ValueOf = bool (*)(const Exchange&, const Step&, std::string&);

// One operator, or text to copy. A few members serve each operator; the others rest.
struct Step {
  ValueOf value = nullptr;  // Null: `text` is to be copied.
  Shape shape = Shape::text;
  std::uint32_t bytes_max = UINT32_MAX;  // Of its value.
  std::string text;                      // QUERY_PARAM: its name.
  HeaderName name, alternative;
  TimeFormat time;
  AddressPart part = AddressPart::whole;
  std::optional<std::uint8_t> mask;  // Bits of the address that are shown.
  Moment from = Moment::request_begin, to = Moment::end;
  std::int64_t unit_ns = 1'000'000;  // Of durations.
  GrpcForm grpc = GrpcForm::camel;
  PathForm path = PathForm::original_or_path;
  MetadataOf metadata = MetadataOf::request;
  std::vector<std::string> names;  // Of metadata: the name space, then the way into it.
  bool with_query = true;
  bool keep_spaces = false;   // Of RESPONSE_CODE_DETAILS.
  bool any_byte = false;      // The value may hold bytes that no header field may.
  std::vector<Step> choices;  // Of COALESCE: the first that has a value counts.
};

using Failure = std::optional<std::string>;  // What is wrong with the arguments.

enum class Arguments : std::uint8_t { none, optional, required };

// One operator of Envoy that is built.
struct Row {
  std::string_view name;
  ValueOf value;
  Shape shape = Shape::text;
  Arguments arguments = Arguments::none;
  bool length_allowed = false;
  Failure (*read)(Step& step, std::string_view arguments) = nullptr;
  bool any_byte = false;  // See Step.
};

std::span<const Row> field_rows();       // Header fields, the path, the query.
std::span<const Row> moment_rows();      // Times and durations.
std::span<const Row> connection_rows();  // Addresses, connections, hosts; TLS.
std::span<const Row> outcome_rows();     // What came of it: codes, flags, sizes, metadata.

bool absent(const Exchange& x, const Step& step, std::string& out);  // There is never a value.
bool append_text(std::string_view text, std::string& out);           // False for an empty one.
bool append_number(std::uint64_t number, std::string& out);
// Of an operator of metadata that has a value: it is a text.
bool is_text(const Exchange& x, const Step& step);
// Appends what COALESCE chooses.
bool choose(const Exchange& x, const Step& step, std::string& out);
// Appends the operator's value as JSON; a text is cut after `bytes_max` bytes.
bool append_json_step(const Exchange& x, const Step& step, std::uint32_t bytes_max, std::string& out);
// Makes a value of JSON out of a text that begins at `from`.
void quote(std::string& out, std::size_t from);

}  // namespace outrider::format
