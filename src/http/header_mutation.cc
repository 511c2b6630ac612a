#include "http/header_mutation.h"

#include "wire/h1_chars.h"

namespace outrider {

std::string_view HeaderMutation::value(Exchange& x, bool& spoiled) const {
  if (!format) return constant;
  std::string text;
  format->append(x, text);
  for (char& c : text) {
    if (h1::is_value(c)) continue;
    spoiled = true;
    c = ' ';
  }
  return x.arena.copy(text);
}

bool HeaderMutation::change(Exchange& x, Headers& headers) const {
  if (action == Action::remove_matching) {
    headers.remove_if([&](const Field& f) { return names.matches(f.name); });
    return true;
  }
  if (action == Action::remove) {
    headers.remove(name);
    return true;
  }
  bool there = headers.find(name) != nullptr;
  if (action == Action::add_if_absent && there) return true;
  if (action == Action::overwrite_if_there && !there) return true;
  bool spoiled = false;
  std::string_view text = value(x, spoiled);
  if (text.empty() && !keep_empty) return true;
  if (action == Action::append || !there) {
    headers.add(name, known, text);
  } else {
    headers.set(name, text);
  }
  return !spoiled;
}

void HeaderMutation::apply(Exchange& x, RequestHead& request) const {
  bool authority = name == ":authority" || name == "host";
  if (!authority && !name.starts_with(':')) {
    if (!change(x, request.headers)) x.unsendable = name;
    return;
  }
  bool spoiled = false;
  std::string_view text = action == Action::remove ? std::string_view() : value(x, spoiled);
  if (spoiled) x.unsendable = name;
  if (authority) request.authority = text;
  if (text.empty()) return;  // A request has a path, a method and a scheme: they are replaced, whatever the action.
  if (name == ":path") request.path = text;
  if (name == ":method") request.set_method(text);
  if (name == ":scheme") request.scheme = text;
}

}  // namespace outrider
