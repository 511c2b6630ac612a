#include "config/compile_format.h"
#include "config/compile_parts.h"
#include "envoy/config/accesslog/v3/accesslog.pb.h"
#include "envoy/extensions/access_loggers/file/v3/file.pb.h"
#include "envoy/extensions/access_loggers/stream/v3/stream.pb.h"
#include "http/access_log_filter.h"

namespace outrider::config {
namespace {

namespace file_v3 = envoy::extensions::access_loggers::file::v3;
namespace stream_v3 = envoy::extensions::access_loggers::stream::v3;

constexpr FormatOptions kOfLine{.one_line = true};

// Where the lines go, and how they look. No format: it is wrong.
struct Destination {
  std::string file;
  std::optional<AnyFormat> format;
};

template <class M>
std::optional<AnyFormat> format_of(Compilation& c, const M& logger, const std::string& path) {
  if (logger.has_log_format()) return compile_format(c, logger.log_format(), path + ".log_format", kOfLine);
  return compile_text_format(c, std::string(kAccessLogFormatDefault), path, kOfLine);
}

Destination read_file_log(Compilation& c, const file_v3::FileAccessLog& log, const std::string& path) {
  if (log.has_json_format()) return {log.path(), compile_json_format(c, log.json_format(), path + ".json_format")};
  if (log.has_typed_json_format())
    return {log.path(), compile_json_format(c, log.typed_json_format(), path + ".typed_json_format")};
  if (!log.format().empty()) return {log.path(), compile_text_format(c, log.format(), path + ".format", kOfLine)};
  return {log.path(), format_of(c, log, path)};
}

template <class M>
std::optional<M> unpack(Compilation& c, const google::protobuf::Any& any, const std::string& path) {
  M message;
  if (message.ParseFromString(any.value())) return message;
  c.fail(path, "is not a valid " + any.type_url());
  return std::nullopt;
}

std::optional<Destination> destination_of(Compilation& c, const envoy::config::accesslog::v3::AccessLog& log,
                                          const std::string& path) {
  const std::string at = path + ".typed_config";
  const auto& any = log.typed_config();
  std::string_view type = any.type_url();
  type.remove_prefix(type.rfind('.') + 1);
  if (type == "FileAccessLog") {
    auto m = unpack<file_v3::FileAccessLog>(c, any, at);
    return m ? std::optional(read_file_log(c, *m, at)) : std::nullopt;
  }
  if (type == "StdoutAccessLog") {
    auto m = unpack<stream_v3::StdoutAccessLog>(c, any, at);
    return m ? std::optional(Destination{"/dev/stdout", format_of(c, *m, at)}) : std::nullopt;
  }
  if (type == "StderrAccessLog") {
    auto m = unpack<stream_v3::StderrAccessLog>(c, any, at);
    return m ? std::optional(Destination{"/dev/stderr", format_of(c, *m, at)}) : std::nullopt;
  }
  c.fail(path, "the access logger '" + log.name() + "' is not built into outrider yet");
  return std::nullopt;
}

}  // namespace

std::shared_ptr<AccessLog> compile_access_log(Compilation& c, const envoy::config::accesslog::v3::AccessLog& log,
                                              const std::string& path) {
  auto to = destination_of(c, log, path);
  std::optional<AccessLogFilter> filter;
  if (log.has_filter()) filter = compile_access_log_filter(c, log.filter(), path + ".filter");
  if (!to || !to->format) return nullptr;
  auto opened = c.process.logs.open(to->file);
  if (!opened) {
    c.fail(path + ".typed_config.path", opened.error());
    return nullptr;
  }
  std::shared_ptr<AccessLog> made = std::make_shared<FileAccessLog>(std::move(*opened), std::move(*to->format));
  if (filter) made = std::make_shared<FilteredAccessLog>(std::move(*filter), std::move(made));
  return made;
}

}  // namespace outrider::config
