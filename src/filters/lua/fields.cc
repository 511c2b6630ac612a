// Header and trailer objects.
#include <charconv>

#include "core/ascii.h"
#include "filters/lua/fields.h"

namespace outrider::lua {

std::optional<Name> lower_name(std::string_view text) {
  Name name;
  if (text.empty() || text.size() > sizeof name.bytes) return std::nullopt;
  for (std::size_t i = 0; i < text.size(); i++) {
    char c = ascii_lower(text[i]);
    bool letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    bool colon = i == 0 && c == ':' && text.size() > 1;
    if (!letter && !colon && !std::string_view("!#$%&'*+-.^_`|~").contains(c)) return std::nullopt;
    name.bytes[name.size++] = c;
  }
  return name;
}

bool is_field_value(std::string_view value) {
  return value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos;
}

bool is_method(std::string_view value) { return lower_name(value) && !value.starts_with(':') && value != "CONNECT"; }

bool is_target(std::string_view value) {
  for (char c : value) {
    if (static_cast<unsigned char>(c) <= ' ' || c == 0x7f) return false;
  }
  return !value.empty();
}

namespace {

constexpr std::uint32_t kTrailers = 1;

struct Fields {
  Run* run;
  bool trailers;
  Headers* list;
};

// Null: it has no such pseudo-header.
const std::string_view kRequestNames[] = {":authority", ":path", ":method", ":scheme"};

std::string_view pseudo(const Fields& f, std::string_view name, char* status) {
  if (f.trailers) return {};
  if (f.run->response) {
    if (name != ":status") return {};
    return {status, static_cast<std::size_t>(std::to_chars(status, status + 8, f.run->response->status).ptr - status)};
  }
  const RequestHead& r = f.run->x.request;
  if (name == ":authority" || name == "host") return r.authority;
  if (name == ":path") return r.path;
  if (name == ":method") return r.method_name;
  if (name == ":scheme") return r.scheme.empty() ? std::string_view("http") : r.scheme;
  return {};
}

Fields fields_of(lua_State* l) {
  std::uint32_t part;
  Run& run = run_of(l, Kind::fields, &part);
  if (part == kTrailers) return {&run, true, run.trailers};
  return {&run, false, &run.fields()};
}

Fields changeable(lua_State* l) {
  Fields f = fields_of(l);
  if (f.run->iterating[f.trailers]) luaL_error(l, "header map cannot be modified while iterating");
  if (f.trailers) return f;
  if (f.run->headers_continued) luaL_error(l, "header map can no longer be modified");
  if (!f.run->response && f.run->settings.clear_route) f.run->x.clear_route_cache();
  return f;
}

Name name_argument(lua_State* l) {
  std::optional<Name> name = lower_name(text_argument(l, 2));
  if (!name) luaL_error(l, "invalid header name");
  return *name;
}

std::string_view value_argument(lua_State* l, Run& run) {
  std::string_view value = text_argument(l, 3);
  if (!is_field_value(value)) luaL_error(l, "invalid header value");
  if (!run.take(value.size() + 64)) luaL_error(l, "the script makes too many header fields");
  return run.x.arena.copy(value);
}

int push(lua_State* l, std::string_view text) {
  lua_pushlstring(l, text.data(), text.size());
  return 1;
}

// A pseudo-header has one value. False: the name is none.
bool set_pseudo(lua_State* l, const Fields& f, std::string_view name, std::string_view value) {
  if (f.trailers) {
    if (name.starts_with(':')) luaL_error(l, "invalid header name");
    return false;
  }
  if (f.run->response) {
    if (name != ":status") return name.starts_with(':');
    unsigned status = 0;
    auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), status);
    if (error != std::errc() || end != value.data() + value.size() || status < 200 || status > 599) {
      luaL_error(l, ":status must be between 200-599");
    }
    f.run->response->status = static_cast<std::uint16_t>(status);
    return true;
  }
  RequestHead& r = f.run->x.request;
  if (name == ":authority" || name == "host") {
    if (!is_target(value)) luaL_error(l, "invalid :authority");
    r.authority = value;
  } else if (name == ":path") {
    if (!is_target(value)) luaL_error(l, "invalid :path");
    r.path = value;
  } else if (name == ":method") {
    if (!is_method(value)) luaL_error(l, "invalid :method");
    // The client would take the response for a longer or shorter one than it is.
    if ((value == "HEAD") != (r.method == Method::head)) luaL_error(l, ":method cannot be changed to or from HEAD");
    r.set_method(value);
  } else if (name == ":scheme") {
    r.scheme = value;
  } else {
    return name.starts_with(':');
  }
  return true;
}

int add(lua_State* l) {
  Fields f = changeable(l);
  Name name = name_argument(l);
  std::string_view value = value_argument(l, *f.run);
  if (set_pseudo(l, f, name.view(), value)) return 0;
  f.list->add(f.run->x.arena.copy(name.view()), known_of(name.view()), value);
  return 0;
}

int replace(lua_State* l) {
  Fields f = changeable(l);
  Name name = name_argument(l);
  std::string_view value = value_argument(l, *f.run);
  if (set_pseudo(l, f, name.view(), value)) return 0;
  f.list->set(f.run->x.arena.copy(name.view()), value);
  return 0;
}

int remove(lua_State* l) {
  Fields f = changeable(l);
  Name name = name_argument(l);
  if (!name.view().starts_with(':')) f.list->remove(name.view());
  return 0;
}

int get(lua_State* l) {
  Fields f = fields_of(l);
  std::optional<Name> name = lower_name(text_argument(l, 2));
  if (!name) return 0;
  char status[8];
  std::string_view only = pseudo(f, name->view(), status);
  if (only.data()) return push(l, only);
  const Field* first = f.list->find(name->view());
  if (!first) return 0;
  std::string& joined = f.run->scratch;  // Not of this frame, which an error would leave behind.
  joined.assign(first->value);
  for (const Field* other = first + 1; other != f.list->end(); other++) {
    if (other->name == name->view()) joined.append(",").append(other->value);
  }
  return push(l, joined);
}

int get_at_index(lua_State* l) {
  Fields f = fields_of(l);
  std::optional<Name> name = lower_name(text_argument(l, 2));
  auto index = luaL_checkinteger(l, 3);
  if (!name || index < 0) return 0;
  char status[8];
  std::string_view only = pseudo(f, name->view(), status);
  if (only.data()) return index == 0 ? push(l, only) : 0;
  for (const Field& field : *f.list) {
    if (field.name == name->view() && index-- == 0) return push(l, field.value);
  }
  return 0;
}

int get_num_values(lua_State* l) {
  Fields f = fields_of(l);
  std::optional<Name> name = lower_name(text_argument(l, 2));
  lua_Integer found = 0;
  char status[8];
  if (name && pseudo(f, name->view(), status).data()) found = 1;
  for (const Field& field : *f.list) found += name && field.name == name->view();
  lua_pushinteger(l, found);
  return 1;
}

// Upvalues: the object, and how many have been seen.
int next_field(lua_State* l) {
  lua_settop(l, 0);
  lua_pushvalue(l, lua_upvalueindex(1));
  Fields f = fields_of(l);
  auto at = static_cast<std::size_t>(lua_tointeger(l, lua_upvalueindex(2)));
  std::size_t pseudo_count = f.trailers ? 0 : f.run->response ? 1 : std::size(kRequestNames);
  lua_pushinteger(l, static_cast<lua_Integer>(at + 1));
  lua_replace(l, lua_upvalueindex(2));
  if (at < pseudo_count) {
    char status[8];
    std::string_view name = f.run->response ? ":status" : kRequestNames[at];
    push(l, name);
    push(l, pseudo(f, name, status));
    return 2;
  }
  at -= pseudo_count;
  if (at >= f.list->count()) {
    f.run->iterating[f.trailers] = false;
    return 0;
  }
  push(l, (*f.list)[at].name);
  push(l, (*f.list)[at].value);
  return 2;
}

int pairs(lua_State* l) {
  Fields f = fields_of(l);
  if (f.run->iterating[f.trailers]) luaL_error(l, "cannot create a second iterator before completing the first");
  f.run->iterating[f.trailers] = true;
  lua_settop(l, 1);
  lua_pushinteger(l, 0);
  lua_pushcclosure(l, next_field, 2);
  return 1;
}

int set_reason_phrase(lua_State* l) {
  Fields f = changeable(l);
  std::string_view phrase = text_argument(l, 2);
  if (!f.run->response || f.trailers) luaL_error(l, "setHttp1ReasonPhrase is for response headers");
  return luaL_error(l, "setHttp1ReasonPhrase is not built into outrider: \"%s\" cannot be sent", phrase.data());
}

}  // namespace

const luaL_Reg kFieldMethods[] = {{"add", add},
                                  {"get", get},
                                  {"getAtIndex", get_at_index},
                                  {"getNumValues", get_num_values},
                                  {"remove", remove},
                                  {"replace", replace},
                                  {"setHttp1ReasonPhrase", set_reason_phrase},
                                  {"__pairs", pairs},
                                  {nullptr, nullptr}};

}  // namespace outrider::lua
