#include "wire/h1_target.h"

#include <algorithm>
#include <array>

#include "core/ascii.h"
#include "core/hex.h"
#include "wire/h1_chars.h"
#include "wire/h1_errors.h"

namespace outrider::h1 {
namespace {

// What Envoy's parser knows, sorted.
constexpr std::array<std::string_view, 34> kMethods = {
    "ACL",    "BIND",      "CHECKOUT",   "CONNECT",    "COPY",   "DELETE", "GET",        "HEAD",   "LINK",
    "LOCK",   "MERGE",     "MKACTIVITY", "MKCALENDAR", "MKCOL",  "MOVE",   "MSEARCH",    "NOTIFY", "OPTIONS",
    "PATCH",  "POST",      "PROPFIND",   "PROPPATCH",  "PURGE",  "PUT",    "REBIND",     "REPORT", "SEARCH",
    "SOURCE", "SUBSCRIBE", "TRACE",      "UNBIND",     "UNLINK", "UNLOCK", "UNSUBSCRIBE"};
static_assert(std::ranges::is_sorted(kMethods));

// reg-name and IPv4address: unreserved, sub-delims, "%".
constexpr std::array<bool, 256> kHostCharacter = [] {
  std::array<bool, 256> table{};
  for (int c = '0'; c <= '9'; ++c) table[c] = true;
  for (int c = 'a'; c <= 'z'; ++c) table[c] = table[c - 'a' + 'A'] = true;
  for (const char* c = "-._~!$&'()*+,;=%"; *c != 0; ++c) table[static_cast<unsigned char>(*c)] = true;
  return table;
}();

bool is_host_character(char c) { return kHostCharacter[static_cast<unsigned char>(c)]; }
bool is_address_character(char c) { return hex_value(c) >= 0 || c == ':' || c == '.'; }

bool is_port(std::string_view text) {
  constexpr int kPortMax = 65535;
  int port = 0;
  for (char c : text) {
    if (!is_digit(c)) return false;
    port = port * 10 + (c - '0');
    if (port > kPortMax) return false;
  }
  return true;
}

const ProtocolError* parse_authority_form(std::string_view target, RequestHead& head) {
  Authority authority = parse_authority(target);
  if (!authority.valid || authority.host.empty() || !authority.has_port) return &kBadUrl;
  head.target_form = TargetForm::authority;
  head.authority = target;
  return nullptr;
}

// "/" in front of a query that came without path. Rare, so a copy will do.
std::string_view rooted(std::string_view query, Arena& arena) {
  auto* text = static_cast<char*>(arena.allocate(query.size() + 1, 1));
  text[0] = '/';
  std::ranges::copy(query, text + 1);
  return {text, query.size() + 1};
}

const ProtocolError* parse_absolute_form(std::string_view target, RequestHead& head) {
  size_t colon = target.find("://");
  if (colon == std::string_view::npos || colon == 0) return &kBadTarget;
  std::string_view scheme = target.substr(0, colon);
  bool named = std::ranges::all_of(scheme, [](char c) { return is_token(c); });
  if (!named) return &kBadTarget;
  if (equals_ignore_case(scheme, "http")) {
    head.scheme = "http";
  } else if (equals_ignore_case(scheme, "https")) {
    head.scheme = "https";
  } else {
    return &kBadScheme;
  }
  std::string_view rest = target.substr(colon + 3);
  size_t path = std::min(rest.find_first_of("/?"), rest.size());
  Authority authority = parse_authority(rest.substr(0, path));
  if (!authority.valid || authority.host.empty() || authority.bare_colon) return &kBadUrl;
  head.target_form = TargetForm::absolute;
  head.authority = rest.substr(0, path);
  head.path = rest.substr(path);
  if (head.path.empty()) {
    head.path = "/";
  } else if (head.path.front() == '?') {
    head.path = rooted(head.path, head.headers.arena());
  }
  return nullptr;
}

}  // namespace

bool is_registered_method(std::string_view name) { return std::ranges::binary_search(kMethods, name); }

Authority parse_authority(std::string_view text) {
  size_t end = 0;
  if (text.starts_with('[')) {
    while (++end < text.size() && is_address_character(text[end])) {
    }
    if (end == text.size() || text[end] != ']' || end == 1) return {};
    ++end;
  } else {
    while (end < text.size() && is_host_character(text[end])) ++end;
  }
  Authority authority{true, text.substr(0, end), false, false};
  if (end == text.size()) return authority;
  if (text[end] != ':' || !is_port(text.substr(end + 1))) return {};
  authority.bare_colon = end + 1 == text.size();
  authority.has_port = !authority.bare_colon;
  return authority;
}

const ProtocolError* parse_target(std::string_view target, RequestHead& head, bool allow_absolute_url) {
  if (head.method == Method::connect) return parse_authority_form(target, head);
  if (target.front() == '/' || (!allow_absolute_url && (target == "*" || target.find("://") != target.npos))) {
    head.target_form = TargetForm::origin;
    head.path = target;
    return nullptr;
  }
  if (target == "*") {
    if (head.method != Method::options) return &kBadUrl;
    head.target_form = TargetForm::asterisk;
    head.path = target;
    return nullptr;
  }
  return parse_absolute_form(target, head);
}

}  // namespace outrider::h1
