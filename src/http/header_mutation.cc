#include "http/header_mutation.h"

#include <utility>

#include "wire/h1_chars.h"

namespace outrider {
namespace {

bool is_authority(std::string_view name) { return name == ":authority" || name == "host"; }
// Else it has a place of its own in a request.
bool is_field(std::string_view name) { return !name.starts_with(':') && !is_authority(name); }

// Those of `mutations` that `chosen` takes; `spoiled(name)` is told of values that held what no field may.
template <class Chosen, class Spoiled>
void change_together(const HeaderMutations& mutations, Exchange& x, Headers& headers, Chosen chosen, Spoiled spoiled) {
  struct Put {
    const HeaderMutation* mutation;
    std::string_view text;
  };
  for (const HeaderMutation& each : mutations) {
    if (each.removes() && chosen(each)) each.remove_from(headers);
  }
  auto* puts = static_cast<Put*>(x.arena.allocate(mutations.size() * sizeof(Put), alignof(Put)));
  std::size_t count = 0;
  for (const HeaderMutation& each : mutations) {
    if (each.removes() || !chosen(each) || !each.wanted(headers)) continue;
    bool bad = false;
    if (auto text = each.value(x, bad)) puts[count++] = {&each, *text};
    if (bad) spoiled(each.name);
  }
  for (bool overwriting : {true, false}) {
    for (std::size_t i = 0; i < count; i++) {
      if (puts[i].mutation->overwrites() == overwriting) puts[i].mutation->put(headers, puts[i].text);
    }
  }
}

}  // namespace

std::optional<std::string_view> HeaderMutation::value(Exchange& x, bool& spoiled) const {
  std::string_view made = constant;
  if (format) {
    std::string text;
    format->append(x, text);
    for (char& c : text) {
      if (h1::is_value(c)) continue;
      spoiled = true;
      c = ' ';
    }
    made = x.arena.copy(text);
  }
  return made.empty() && !keep_empty ? std::nullopt : std::optional(made);
}

void HeaderMutation::remove_from(Headers& headers) const {
  if (action == Action::remove) {
    headers.remove(name);
  } else {
    headers.remove_if([&](const Field& f) { return names.matches(f.name); });
  }
}

bool HeaderMutation::wanted(const Headers& headers) const {
  if (action == Action::add_if_absent) return headers.find(name) == nullptr;
  return action != Action::overwrite_if_there || headers.find(name) != nullptr;
}

void HeaderMutation::put(Headers& headers, std::string_view text) const {
  if (overwrites()) {
    headers.set(name, text);
  } else {
    headers.add(name, known, text);
  }
}

bool HeaderMutation::change(Exchange& x, Headers& headers) const {
  bool spoiled = false;
  if (removes()) {
    remove_from(headers);
  } else if (wanted(headers)) {
    if (auto text = value(x, spoiled)) put(headers, *text);
  }
  return !spoiled;
}

void HeaderMutation::apply(Exchange& x, RequestHead& request) const {
  if (is_field(name)) {
    if (!change(x, request.headers)) x.unsendable = name;
    return;
  }
  bool spoiled = false;
  std::string_view text = removes() ? std::string_view() : value(x, spoiled).value_or(std::string_view());
  if (spoiled) x.unsendable = name;
  if (is_authority(name)) request.authority = text;
  if (text.empty()) return;  // A request has a path, a method and a scheme: they are replaced, whatever the action.
  if (name == ":path") request.path = text;
  if (name == ":method") request.set_method(text);
  if (name == ":scheme") request.scheme = text;
}

void apply_together(const HeaderMutations& mutations, Exchange& x, RequestHead& request) {
  change_together(
      mutations, x, request.headers, [](const HeaderMutation& m) { return is_field(m.name); },
      [&](const std::string& name) { x.unsendable = name; });
  for (const HeaderMutation& each : mutations) {
    if (!is_field(each.name)) each.apply(x, request);
  }
}

void apply_together(const HeaderMutations& mutations, Exchange& x, ResponseHead& response) {
  const Headers* before = std::exchange(x.response_headers, &response.headers);
  change_together(
      mutations, x, response.headers, [](const HeaderMutation&) { return true; }, [](const std::string&) {});
  x.response_headers = before;
}

}  // namespace outrider
