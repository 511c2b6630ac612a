#include "admin/same_site.h"

#include <fmt/format.h>

#include "core/ascii.h"
#include "core/blanks.h"

namespace outrider {
namespace {

// Without the port that the scheme implies; browsers leave it out in both fields.
std::string_view without_port(std::string_view authority, std::string_view scheme) {
  const std::string_view port = scheme == "https" ? ":443" : ":80";
  if (authority.ends_with(port)) authority.remove_suffix(port.size());
  return authority;
}

bool same_authority(std::string_view origin, std::string_view host) {
  const std::size_t end = origin.find("://");
  if (end == origin.npos) return false;  // "null" is a page without a site.
  const std::string scheme = ascii_lower(origin.substr(0, end));
  return ascii_lower(without_port(origin.substr(end + 3), scheme)) == ascii_lower(without_port(host, scheme));
}

bool all_own(std::string_view sites) {
  for (;;) {
    const std::size_t comma = std::min(sites.find(','), sites.size());
    const std::string site = ascii_lower(without_blanks(sites.substr(0, comma)));
    if (site != "same-origin" && site != "none") return false;
    if (comma == sites.size()) return true;
    sites.remove_prefix(comma + 1);
  }
}

// A number as an address cannot be rebound, and what browsers call localhost stays on the machine.
bool is_safe_on_loopback(std::string_view host) {
  if (host.starts_with('[')) return true;
  const std::string name = ascii_lower(host.substr(0, host.find(':')));
  if (name == "localhost" || name.ends_with(".localhost")) return true;
  return Address::parse(name, 0).has_value();
}

}  // namespace

std::string foreign_order(const Exchange& x) {
  bool browser = false;
  for (const Field& field : x.request.headers) {
    if (field.name == "origin") {
      browser = true;
      if (!same_authority(field.value, x.request.authority)) {
        return fmt::format("orders from the pages of other sites are refused: the origin {} is not the host {}",
                           field.value, x.request.authority);
      }
    } else if (field.name == "sec-fetch-site") {
      browser = true;
      if (!all_own(field.value)) {
        return fmt::format("orders from the pages of other sites are refused: sec-fetch-site is {}", field.value);
      }
    }
  }
  const Address& local = x.connection.local();
  const bool loopback = !local.is_pipe() && (local.is_loopback() || local.ip_text().starts_with("127."));
  if (browser && loopback && !is_safe_on_loopback(x.request.authority)) {
    return fmt::format("orders of a browser that came to a loopback address by the name {} are refused: use localhost",
                       x.request.authority);
  }
  return {};
}

}  // namespace outrider
