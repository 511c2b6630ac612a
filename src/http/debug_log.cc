#include "http/debug_log.h"

namespace outrider {
namespace {

void append(std::string& out, std::string_view name, std::string_view value) {
  out.append("\n'").append(name).append("', '").append(value).append("'");
}

void append(std::string& out, const Headers& headers) {
  for (const Field& field : headers) append(out, field.name, field.value);
}

}  // namespace

std::string debug_mark(const DownstreamConnection& c) { return "[C" + std::to_string(c.id) + "] "; }

std::string debug_fields(const RequestHead& head) {
  std::string out;
  append(out, ":authority", head.authority);
  append(out, ":path", head.path);
  append(out, ":method", head.method_name);
  append(out, head.headers);
  return out;
}

std::string debug_fields(const ResponseHead& head) {
  std::string out;
  append(out, ":status", std::to_string(head.status));
  append(out, head.headers);
  return out;
}

}  // namespace outrider
