#include "http/header_mutation.h"

#include <charconv>

namespace outrider {

std::string_view HeaderMutation::value(Exchange& x) const {
  if (!format) return constant;
  std::string text;
  format->append(x, text);
  return x.arena.copy(text);
}

void HeaderMutation::apply(Exchange& x, Headers& headers) const {
  if (action == Action::remove_matching) {
    headers.remove_if([&](const Field& f) { return names.matches(f.name); });
    return;
  }
  if (action == Action::remove) {
    headers.remove(name);
    return;
  }
  bool there = headers.find(name) != nullptr;
  if (action == Action::add_if_absent && there) return;
  if (action == Action::overwrite_if_there && !there) return;
  std::string_view text = value(x);
  if (text.empty() && !keep_empty) return;
  if (action == Action::append || !there) {
    headers.add(name, known, text);
  } else {
    headers.set(name, text);
  }
}

// A request has one method, path and authority: they are replaced, whatever the action is called.
void HeaderMutation::apply(Exchange& x, RequestHead& request) const {
  bool authority = name == ":authority" || name == "host";
  if (action == Action::remove_matching || (!authority && !name.starts_with(':'))) return apply(x, request.headers);
  if (action == Action::remove || action == Action::add_if_absent) return;
  std::string_view text = value(x);
  if (text.empty()) return;
  if (authority) request.authority = text;
  if (name == ":path") request.path = text;
  if (name == ":method") request.set_method(text);
  if (name == ":scheme") request.scheme = text;
}

void HeaderMutation::apply(Exchange& x, ResponseHead& response) const {
  if (name != ":status") return apply(x, response.headers);
  if (action == Action::remove || action == Action::add_if_absent) return;
  std::string_view text = value(x);
  unsigned status = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), status);
  if (error == std::errc() && end == text.data() + text.size() && status >= 200 && status < 600) {
    response.status = static_cast<std::uint16_t>(status);
  }
}

}  // namespace outrider
