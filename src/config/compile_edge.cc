// What a connection manager does to requests at the edge: who the client is, which path and host count.
#include "config/compile_parts.h"
#include "core/ascii.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "envoy/extensions/http/original_ip_detection/custom_header/v3/custom_header.pb.h"
#include "envoy/extensions/http/original_ip_detection/xff/v3/xff.pb.h"

namespace outrider::config {
namespace {

using Hcm = envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
namespace detection = envoy::extensions::http::original_ip_detection;

}  // namespace

std::vector<CidrRange> to_ranges(Compilation& c,
                                 const google::protobuf::RepeatedPtrField<envoy::config::core::v3::CidrRange>& list,
                                 const std::string& path) {
  std::vector<CidrRange> ranges;
  for (int i = 0; i < list.size(); i++) {
    std::string at = path + "[" + std::to_string(i) + "]";
    auto base = Address::parse(list[i].address_prefix(), 0);
    if (!base) {
      c.fail(at + ".address_prefix", base.error());
      continue;
    }
    unsigned bits_max = base->family() == AF_INET ? 32 : 128;
    if (list[i].prefix_len().value() > bits_max) {
      c.fail(at + ".prefix_len", "at most " + std::to_string(bits_max) + " for " + base->ip_text());
      continue;
    }
    ranges.push_back({*base, list[i].prefix_len().value()});
  }
  return ranges;
}

namespace {

OriginalIpDetection by_forwarded(Compilation& c, const detection::xff::v3::XffConfig& config, const std::string& path) {
  OriginalIpDetection d;
  d.trusted_hops = config.xff_num_trusted_hops();
  d.skip_append = !config.has_skip_xff_append() || config.skip_xff_append().value();
  if (config.has_xff_trusted_cidrs()) {
    d.trusted_proxies = to_ranges(c, config.xff_trusted_cidrs().cidrs(), path + ".xff_trusted_cidrs.cidrs");
    d.recurse = true;
    if (config.xff_num_trusted_hops()) {
      c.fail(path, "only one of xff_num_trusted_hops and xff_trusted_cidrs may be set");
    }
  }
  return d;
}

OriginalIpDetection by_header(const detection::custom_header::v3::CustomHeaderConfig& config) {
  OriginalIpDetection d;
  d.header = ascii_lower(config.header_name());
  d.address_is_trusted = config.allow_extension_to_set_address_as_trusted();
  if (config.has_reject_with_status()) {
    int status = config.reject_with_status().code();
    d.reject_status = status >= 400 && status < 600 ? status : 403;
  }
  return d;
}

void compile_detection(Compilation& c, const Hcm& m, const std::string& path, ClientIdentity& to) {
  if (m.original_ip_detection_extensions_size() == 0) return;
  if (to.use_remote_address) {
    c.fail(path + ".original_ip_detection_extensions", "cannot be set beside use_remote_address");
  }
  if (to.trusted_hops) {
    c.fail(path + ".original_ip_detection_extensions", "cannot be set beside xff_num_trusted_hops");
  }
  for (int i = 0; i < m.original_ip_detection_extensions_size(); i++) {
    const auto& any = m.original_ip_detection_extensions(i).typed_config();
    std::string at = path + ".original_ip_detection_extensions[" + std::to_string(i) + "].typed_config";
    detection::xff::v3::XffConfig xff;
    detection::custom_header::v3::CustomHeaderConfig header;
    std::string_view url = any.type_url();
    if (url.ends_with(".XffConfig") && xff.ParseFromString(any.value())) {
      to.detection.push_back(by_forwarded(c, xff, at));
    } else if (url.ends_with(".CustomHeaderConfig") && header.ParseFromString(any.value())) {
      to.detection.push_back(by_header(header));
    } else {
      c.fail(at, "is not a way of detection that is built into outrider");
    }
  }
}

void compile_client(Compilation& c, const Hcm& m, const std::string& path, ClientIdentity& to) {
  to.use_remote_address = m.use_remote_address().value();
  to.trusted_hops = m.xff_num_trusted_hops();
  to.skip_xff_append = m.skip_xff_append();
  to.append_forwarded_port = m.append_x_forwarded_port();
  compile_detection(c, m, path, to);
  const auto& internal = m.internal_address_config();
  to.internal_pipes = internal.unix_sockets();
  to.internal = to_ranges(c, internal.cidr_ranges(), path + ".internal_address_config.cidr_ranges");
}

EscapedSlashes escaped_slashes(Hcm::PathWithEscapedSlashesAction action) {
  switch (action) {
    case Hcm::REJECT_REQUEST:
      return EscapedSlashes::reject;
    case Hcm::UNESCAPE_AND_REDIRECT:
      return EscapedSlashes::redirect;
    case Hcm::UNESCAPE_AND_FORWARD:
      return EscapedSlashes::forward;
    default:
      return EscapedSlashes::keep;
  }
}

Underscores underscores(const envoy::config::core::v3::HttpProtocolOptions& options) {
  switch (options.headers_with_underscores_action()) {
    case envoy::config::core::v3::HttpProtocolOptions::REJECT_REQUEST:
      return Underscores::reject;
    case envoy::config::core::v3::HttpProtocolOptions::DROP_HEADER:
      return Underscores::drop;
    default:
      return Underscores::allow;
  }
}

}  // namespace

void compile_edge(Compilation& c, const Hcm& m, const std::string& path, HttpOptions& o) {
  compile_client(c, m, path, o.client);
  for (const std::string& name : m.route_config().internal_only_headers()) {
    o.internal_only_headers.push_back(ascii_lower(name));
  }
  o.path_normalization = {m.normalize_path().value(), m.merge_slashes(),
                          escaped_slashes(m.path_with_escaped_slashes_action())};
  o.underscores = underscores(m.common_http_protocol_options());
  o.strip_port = m.strip_any_host_port()        ? StripPort::any
                 : m.strip_matching_host_port() ? StripPort::matching
                                                : StripPort::none;
  if (m.strip_any_host_port() && m.strip_matching_host_port()) {
    c.fail(path + ".strip_matching_host_port", "cannot be set beside strip_any_host_port");
  }
  o.strip_trailing_host_dot = m.strip_trailing_host_dot();
  o.scheme_to_overwrite = m.scheme_header_transformation().scheme_to_overwrite();
  o.via = m.via();
  o.generate_request_id = !m.has_generate_request_id() || m.generate_request_id().value();
  o.preserve_external_request_id = m.preserve_external_request_id();
  o.request_id_in_response = m.always_set_request_id_in_response();
  if (m.add_user_agent().value()) {
    o.user_agent = c.snapshot.node_cluster;
    o.node_id = c.snapshot.node_id;
  }
}

}  // namespace outrider::config
