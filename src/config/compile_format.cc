#include "config/compile_format.h"

#include <algorithm>

#include "envoy/config/core/v3/substitution_format_string.pb.h"
#include "proto/matcher.h"
#include "proto/read_source.h"

namespace outrider::config {
namespace {

void report(Compilation& c, const std::string& path, std::string_view text, const FormatError& error) {
  if (c.loaded.doubts(path)) return;
  Problem problem = c.loaded.at(path, error.message);
  if (!c.problems.full()) place_within(problem, text, error.position);
  c.problems.add(std::move(problem));
}

// The text at the way, and the rest of its path.
std::string_view text_at(const Value& root, const std::vector<std::string>& way, std::string& path) {
  const Value* at = &root;
  for (const std::string& step : way) {
    if (const Value::List* list = at->list()) {
      path += "[" + step + "]";
      at = &(*list)[std::stoul(step)];
    } else {
      path += "[\"" + step + "\"]";
      at = at->find(step);
    }
  }
  return *at->text();
}

FormatOptions options_of(Compilation& c, const envoy::config::core::v3::SubstitutionFormatString& format,
                         const std::string& path, FormatOptions options) {
  options.omit_empty = format.omit_empty_values();
  for (int i = 0; i < format.formatters_size(); i++) {
    std::string_view url = format.formatters(i).typed_config().type_url();
    if (url.ends_with("ReqWithoutQuery")) {
      options.req_without_query = true;
    } else if (!url.ends_with("formatter.metadata.v3.Metadata")) {  // %METADATA% is always there.
      c.fail(path + ".formatters[" + std::to_string(i) + "]",
             "the formatter '" + format.formatters(i).name() + "' is not built into outrider yet");
    }
  }
  return options;
}

}  // namespace

std::optional<AnyFormat> compile_text_format(Compilation& c, const std::string& text, const std::string& path,
                                             FormatOptions options) {
  auto format = Format::compile(text, options);
  if (format) return AnyFormat(std::move(*format));
  report(c, path, text, format.error());
  return std::nullopt;
}

std::optional<AnyFormat> compile_json_format(Compilation& c, const google::protobuf::Struct& fields,
                                             const std::string& path, FormatOptions options) {
  Value::Struct values = proto::to_struct(fields);
  auto format = JsonFormat::compile(values, options);
  if (format) return AnyFormat(std::move(*format));
  std::string at = path;
  std::string text(text_at(Value(std::move(values)), format.error().way, at));
  report(c, at, text, format.error().error);
  return std::nullopt;
}

std::optional<AnyFormat> compile_format(Compilation& c, const envoy::config::core::v3::SubstitutionFormatString& format,
                                        const std::string& path, FormatOptions given) {
  FormatOptions options = options_of(c, format, path, given);
  if (format.has_json_format()) options.one_line = false;  // JSON has escapes of its own.
  if (format.has_json_format()) return compile_json_format(c, format.json_format(), path + ".json_format", options);
  if (!format.has_text_format_source())
    return compile_text_format(c, format.text_format(), path + ".text_format", options);
  const auto& source = format.text_format_source();
  const std::string from = path + ".text_format_source";
  const auto text = proto::read_data_source(c, source, from);
  if (!text) return std::nullopt;
  const char* field = source.has_filename()               ? ".filename"
                      : source.has_environment_variable() ? ".environment_variable"
                      : source.inline_bytes().empty()     ? ".inline_string"
                                                          : ".inline_bytes";
  return compile_text_format(c, *text, from + field, options);
}

}  // namespace outrider::config
