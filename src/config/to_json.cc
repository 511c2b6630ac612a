#include <google/protobuf/util/json_util.h>
#include <google/protobuf/util/type_resolver_util.h>

#include <memory>

#include "config/load.h"
#include "config/schema.h"

namespace outrider::config {

std::string to_json(std::string_view message_full_name, std::string_view bytes) {
  return to_json(Schema(), message_full_name, bytes);
}

std::string to_json(const Schema& schema, std::string_view message_full_name, std::string_view bytes) {
  namespace util = google::protobuf::util;
  constexpr std::string_view kPrefix = "type.googleapis.com";
  if (schema.message(message_full_name) == nullptr) return {};
  const std::unique_ptr<util::TypeResolver> resolver(
      util::NewTypeResolverForDescriptorPool(std::string(kPrefix), &schema.pool()));
  util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string out;
  const auto status = util::BinaryToJsonString(
      resolver.get(), std::string(kPrefix) + "/" + std::string(message_full_name), std::string(bytes), &out, options);
  return status.ok() ? out : std::string();
}

}  // namespace outrider::config
