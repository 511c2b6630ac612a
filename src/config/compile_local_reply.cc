#include "config/compile_format.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "http/local_reply.h"
#include "proto/header_mutation.h"
#include "proto/read_source.h"

namespace outrider::config {
namespace {

namespace hcm = envoy::extensions::filters::network::http_connection_manager::v3;
using envoy::config::core::v3::SubstitutionFormatString;

std::optional<LocalReplyFormat> reply_format(Compilation& c, const SubstitutionFormatString& proto,
                                             const std::string& path) {
  auto format = compile_format(c, proto, path);
  if (!format) return std::nullopt;
  std::string type = !proto.content_type().empty() ? proto.content_type()
                     : proto.has_json_format()     ? "application/json"
                                                   : "text/plain";
  return LocalReplyFormat{std::move(*format), std::move(type)};
}

std::optional<LocalReplyMapper> reply_mapper(Compilation& c, const hcm::ResponseMapper& proto,
                                             const std::string& path) {
  auto filter = compile_access_log_filter(c, proto.filter(), path + ".filter");
  if (!filter) return std::nullopt;
  LocalReplyMapper mapper{.filter = std::move(*filter), .status = {}, .body = {}, .format = {}, .headers = {}};
  if (proto.has_status_code()) mapper.status = static_cast<int>(proto.status_code().value());
  if (proto.has_body()) mapper.body = proto::read_data_source(c, proto.body(), path + ".body").value_or("");
  if (proto.has_body_format_override()) {
    mapper.format = reply_format(c, proto.body_format_override(), path + ".body_format_override");
  }
  proto::add_mutations(c, proto.headers_to_add(), path + ".headers_to_add", {}, "", mapper.headers);
  return mapper;
}

}  // namespace

void compile_local_replies(Compilation& c, const hcm::LocalReplyConfig& proto, const std::string& path,
                           HttpOptions& options) {
  auto replies = std::make_shared<LocalReplies>();
  for (int i = 0; i < proto.mappers_size(); i++) {
    auto mapper = reply_mapper(c, proto.mappers(i), path + ".mappers[" + std::to_string(i) + "]");
    if (mapper) replies->mappers.push_back(std::move(*mapper));
  }
  if (proto.has_body_format()) replies->format = reply_format(c, proto.body_format(), path + ".body_format");
  options.local_replies = std::move(replies);
}

}  // namespace outrider::config
