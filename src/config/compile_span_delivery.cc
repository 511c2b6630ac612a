#include "config/compile_span_delivery.h"

#include "config/compile_parts.h"
#include "envoy/config/core/v3/http_service.pb.h"
#include "http/span_queue.h"
#include "proto/header_mutation.h"

namespace outrider::config {
namespace {

// "http://host:1234/path?query".
void read_uri(std::string_view uri, SpanDelivery& to) {
  std::size_t scheme = uri.find("://");
  if (scheme != uri.npos) uri.remove_prefix(scheme + 3);
  std::size_t slash = uri.find('/');
  to.authority = uri.substr(0, slash);
  to.path = slash == uri.npos ? "/" : uri.substr(slash);
}

void set_field(std::string name, std::string value, SpanDelivery& to) {
  for (auto& [known, old] : to.fields) {
    if (known == name) {
      old = std::move(value);
      return;
    }
  }
  to.fields.emplace_back(std::move(name), std::move(value));
}

}  // namespace

void check_collector(Compilation& c, const std::string& cluster, const std::string& path) {
  if (!c.has_cluster(cluster)) c.fail(path, "there is no cluster '" + cluster + "'");
}

void read_http_service(Compilation& c, const envoy::config::core::v3::HttpService& from, const std::string& path,
                       SpanDelivery& to) {
  to.cluster = from.http_uri().cluster();
  check_collector(c, to.cluster, path + ".http_uri.cluster");
  read_uri(from.http_uri().uri(), to);
  to.timeout = to_ms(from.http_uri().timeout());
  for (int i = 0; i < from.request_headers_to_add_size(); i++) {
    const std::string at = path + ".request_headers_to_add[" + std::to_string(i) + "]";
    HeaderMutation field = proto::to_mutation(c, from.request_headers_to_add(i), at, true);
    if (field.format) {
      c.fail(at + ".header.value", "belongs to no request: only constants such as %HOSTNAME% have a value here");
    } else {
      set_field(std::move(field.name), std::move(field.constant), to);
    }
  }
}

}  // namespace outrider::config
