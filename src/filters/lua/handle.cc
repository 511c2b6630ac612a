// The stream handle: what envoy_on_request and envoy_on_response are called with.
#include <charconv>

#include "filters/lua/fields.h"

namespace outrider::lua {
namespace {

Run& handle(lua_State* l) { return run_of(l, Kind::handle); }

// Raises an error where suspend() would.
void check_suspend(lua_State* l, const Run& run) {
  if (l != run.coroutine) luaL_error(l, "a coroutine of the script's own cannot wait for the stream");
  if (!lua_isyieldable(l)) luaL_error(l, "attempt to yield across C-call boundary");
}

int suspend(lua_State* l, Run& run, Wait wait) {
  check_suspend(l, run);
  run.wait = wait;
  return lua_yield(l, 0);
}

int push_part(lua_State* l, Kind kind, std::uint32_t part = 0) {
  push_object(l, handle(l).id, kind, part);
  return 1;
}

int headers(lua_State* l) { return push_part(l, Kind::fields); }
int metadata(lua_State* l) { return push_part(l, Kind::metadata); }
int filter_context(lua_State* l) { return push_part(l, Kind::metadata, 1); }
int stream_info(lua_State* l) { return push_part(l, Kind::stream_info); }
int connection(lua_State* l) { return push_part(l, Kind::connection); }
int connection_stream_info(lua_State* l) { return push_part(l, Kind::connection_stream_info); }
int route(lua_State* l) { return push_part(l, Kind::route); }

int body(lua_State* l) {
  Run& run = handle(l);
  bool always = false;
  if (lua_gettop(l) >= 2) {
    luaL_checktype(l, 2, LUA_TBOOLEAN);
    always = lua_toboolean(l, 2);
  }
  if (run.body_streamed) return luaL_error(l, "cannot call body() after body has been streamed");
  if (run.body) {
    if (run.body->bytes().empty() && !always && !run.always_wrap_body) return 0;
    push_object(l, run.id, Kind::buffer);
    return 1;
  }
  if (run.headers_continued) return luaL_error(l, "cannot call body() after body streaming has started");
  run.always_wrap_body = always;
  return suspend(l, run, Wait::body);
}

// Upvalue: the handle.
int next_chunk(lua_State* l) {
  lua_settop(l, 0);
  lua_pushvalue(l, lua_upvalueindex(1));
  Run& run = handle(l);
  if (run.body_ended) return 0;
  return suspend(l, run, Wait::chunk);
}

int body_chunks(lua_State* l) {
  Run& run = handle(l);
  if ((run.body && !run.no_body) || run.body_streamed)
    return luaL_error(l, "cannot call bodyChunks after body processing has begun");
  lua_settop(l, 1);
  lua_pushcclosure(l, next_chunk, 1);
  return 1;
}

int trailers(lua_State* l) {
  Run& run = handle(l);
  if (run.trailers) {
    push_object(l, run.id, Kind::fields, 1);
    return 1;
  }
  if (run.body_ended) return 0;
  return suspend(l, run, Wait::trailers);
}

template <LogLevel level>
int write_log(lua_State* l) {
  handle(l);
  log_script(level, text_argument(l, 2));
  return 0;
}

// What is wrong with the field at the top of the stack; null: nothing, and `use(name, value)` has had it.
template <class Use>
const char* each_value(lua_State* l, Run& run, Use use) {
  if (lua_type(l, -2) != LUA_TSTRING) return "header names must be strings";
  std::size_t bytes;
  const char* text = lua_tolstring(l, -2, &bytes);
  std::optional<Name> name = lower_name({text, bytes});
  if (!name) return "invalid header name";
  auto one = [&](int index) -> const char* {
    if (!lua_isstring(l, index)) return "header values must be strings";
    std::size_t size;
    const char* value = lua_tolstring(l, index, &size);
    if (!is_field_value({value, size})) return "invalid header value";
    if (!run.take(size + name->size + 64)) return "the script makes too many header fields";
    use(name->view(), run.x.arena.copy({value, size}));
    return nullptr;
  };
  if (!lua_istable(l, -1)) return one(-1);
  for (int i = 1; i <= static_cast<int>(lua_objlen(l, -1)); i++) {
    lua_rawgeti(l, -1, i);
    const char* wrong = one(-1);
    lua_pop(l, 1);
    if (wrong) return wrong;
  }
  return nullptr;
}

template <class Use>
void each_field(lua_State* l, int table, Run& run, Use use) {
  lua_pushnil(l);
  while (lua_next(l, table)) {
    if (const char* wrong = each_value(l, run, use)) luaL_error(l, "%s", wrong);
    lua_pop(l, 1);
  }
}

int respond(lua_State* l) {
  Run& run = handle(l);
  if (run.response) return luaL_error(l, "respond not currently supported in the response path");
  if (run.headers_continued) return luaL_error(l, "respond() cannot be called if headers have been continued");
  check_suspend(l, run);
  luaL_checktype(l, 2, LUA_TTABLE);
  std::size_t bytes = 0;
  const char* text = luaL_optlstring(l, 3, nullptr, &bytes);
  if (!run.take(bytes + kListBytes)) return luaL_error(l, "the script sends too much");
  unsigned status = 0;
  auto& fields = run.x.arena.make_owned<Headers>(run.x.arena);
  each_field(l, 2, run, [&](std::string_view name, std::string_view value) {
    if (name == ":status") {
      auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), status);
      if (error != std::errc() || end != value.data() + value.size()) status = 0;
    } else if (!name.starts_with(':')) {
      fields.add(run.x.arena.copy(name), known_of(name), value);
    }
  });
  if (status < 200 || status > 599) return luaL_error(l, ":status must be between 200-599");
  Response reply = run.x.reply(static_cast<int>(status), std::string_view(text ? text : "", bytes), "lua_response");
  for (const Field& f : fields) {
    if (f.known == Known::content_length || f.known == Known::transfer_encoding) continue;
    if (f.known == Known::content_type && bytes == 0) continue;
    if (f.known == Known::content_type) {
      reply.head->headers.set(f.known, f.value);
    } else {
      reply.head->headers.add(f.name, f.known, f.value);
    }
  }
  run.reply = reply;
  return suspend(l, run, Wait::responded);
}

struct CallOptions {
  lua_Integer timeout_ms = 0;
  bool asynchronous = false, duplicates = false, send_xff = true;
};

// The option at the top of the stack; null: it is taken.
const char* take_option(lua_State* l, CallOptions& to) {
  if (lua_type(l, -2) != LUA_TSTRING) return "httpCall() options have names";
  std::size_t bytes;
  const char* text = lua_tolstring(l, -2, &bytes);
  std::string_view name(text, bytes);
  if (name == "asynchronous") {
    to.asynchronous = lua_toboolean(l, -1);
  } else if (name == "return_duplicate_headers") {
    to.duplicates = lua_toboolean(l, -1);
  } else if (name == "timeout_ms") {
    if (!lua_isnumber(l, -1)) return "'timeout_ms' is a number";
    to.timeout_ms = lua_tointeger(l, -1);
  } else if (name == "send_xff") {
    to.send_xff = lua_toboolean(l, -1);
  } else if (name != "trace_sampled") {
    return text;
  }
  return nullptr;
}

CallOptions call_options(lua_State* l) {
  CallOptions options;
  if (lua_istable(l, 5)) {
    lua_pushnil(l);
    while (lua_next(l, 5)) {
      if (const char* wrong = take_option(l, options)) {
        luaL_error(l, "\"%s\" is not valid key for httpCall() options", wrong);
      }
      lua_pop(l, 1);
    }
  } else {
    if (!lua_isnone(l, 6) && !lua_isboolean(l, 6)) {
      luaL_error(l, "http call asynchronous flag must be 'true', 'false', or empty");
    }
    options.timeout_ms = luaL_checkinteger(l, 5);
    options.asynchronous = lua_toboolean(l, 6);
  }
  if (options.timeout_ms < 0) luaL_error(l, "http call timeout must be >= 0");
  return options;
}

void set_call_field(Run& run, RequestHead& head, std::string_view name, std::string_view value) {
  if (name == ":method") {
    head.set_method(value);
  } else if (name == ":path") {
    head.path = value;
  } else if (name == ":authority" || name == "host") {
    head.authority = value;
  } else if (name == ":scheme") {
    head.scheme = value;
  } else if (Known known = known_of(name); !name.starts_with(':') && known != Known::content_length &&
                                           known != Known::transfer_encoding && known != Known::expect) {
    head.headers.add(run.x.arena.copy(name), known, value);
  }
}

void add_own_address(Run& run, Headers& to) {
  std::string_view own = run.x.options.machine_address;
  if (own.empty()) return;
  std::string joined;
  std::string_view others = one_value(to, "x-forwarded-for", joined);
  run.scratch.assign(others).append(others.empty() ? "" : ",").append(own);
  to.set("x-forwarded-for", run.x.arena.copy(run.scratch));
}

int http_call(lua_State* l) {
  Run& run = handle(l);
  CallOptions options = call_options(l);
  std::string_view cluster = text_argument(l, 2);
  luaL_checktype(l, 3, LUA_TTABLE);
  std::size_t bytes = 0;
  const char* body = luaL_optlstring(l, 4, nullptr, &bytes);
  HttpCaller* caller = run.x.connection.caller;
  if (!caller || !caller->has_cluster(cluster)) {
    return luaL_error(l, "http call cluster invalid. Must be configured");
  }
  if (!options.asynchronous) check_suspend(l, run);
  if (!run.take(bytes + kListBytes)) return luaL_error(l, "the script sends too much");
  Outgoing& call = run.call.emplace(run.x.arena);
  call.head.set_method("");
  each_field(l, 3, run,
             [&](std::string_view name, std::string_view value) { set_call_field(run, call.head, name, value); });
  RequestHead& head = call.head;
  if (head.method_name.empty() || head.path.empty() || head.authority.empty()) {
    return luaL_error(l, "http call headers must include ':path', ':method', and ':authority'");
  }
  if (!is_method(head.method_name) || !is_target(head.path) || !is_target(head.authority)) {
    return luaL_error(l, "http call with an invalid ':path', ':method' or ':authority'");
  }
  if (body && bytes == 0) head.headers.add(Known::content_length, "0");
  if (options.send_xff) add_own_address(run, head.headers);
  call.cluster.assign(cluster);
  if (body) call.body.assign(body, bytes);
  call.timeout = std::chrono::milliseconds(options.timeout_ms);
  call.duplicates = options.duplicates;
  if (!options.asynchronous) return suspend(l, run, Wait::call);
  caller->start(
      {.cluster = call.cluster, .request = &head, .body = call.body, .timeout = call.timeout, .cause = &run.x});
  run.call.reset();
  return 0;
}

int base64_escape(lua_State* l) {
  constexpr char kDigits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  Run& run = handle(l);
  std::string_view from = text_argument(l, 2);
  std::string& to = run.scratch;
  to.clear();
  for (std::size_t i = 0; i < from.size(); i += 3) {
    std::uint32_t bits = 0;
    for (std::size_t j = 0; j < 3; j++) {
      bits = bits << 8 | (i + j < from.size() ? static_cast<unsigned char>(from[i + j]) : 0u);
    }
    for (std::size_t j = 0; j < 4; j++) to.push_back(i + j > from.size() ? '=' : kDigits[bits >> (18 - 6 * j) & 63]);
  }
  lua_pushlstring(l, to.data(), to.size());
  return 1;
}

// 0: milliseconds, 1: microseconds.
int resolution(lua_State* l, const char* error) {
  std::size_t bytes = 0;
  const char* text = luaL_optlstring(l, 2, "0", &bytes);
  std::string_view unit(text, bytes);
  if (unit != "0" && unit != "1" && !unit.empty()) luaL_error(l, "%s", error);
  return unit == "1";
}

int timestamp(lua_State* l) {
  Run& run = handle(l);
  constexpr const char* kError = "timestamp format must be MILLISECOND.";
  if (resolution(l, kError) == 1) return luaL_error(l, "%s", kError);
  auto now = run.x.worker.wall().time_since_epoch();
  lua_pushnumber(l, static_cast<lua_Number>(std::chrono::duration_cast<std::chrono::milliseconds>(now).count()));
  return 1;
}

int timestamp_string(lua_State* l) {
  Run& run = handle(l);
  bool micro = resolution(l, "timestamp format must be MILLISECOND or MICROSECOND.") == 1;
  auto now = run.x.worker.wall().time_since_epoch();
  auto count = micro ? std::chrono::duration_cast<std::chrono::microseconds>(now).count()
                     : std::chrono::duration_cast<std::chrono::milliseconds>(now).count();
  char digits[24];
  char* end = std::to_chars(digits, digits + sizeof digits, count).ptr;
  lua_pushlstring(l, digits, static_cast<std::size_t>(end - digits));
  return 1;
}

int clear_route_cache(lua_State* l) {
  Run& run = handle(l);
  if (!run.response) run.x.clear_route_cache();
  return 0;
}

template <const char* name>
int not_built(lua_State* l) {
  handle(l);
  return luaL_error(l, "%s is not built into outrider", name);
}

constexpr char kImportPublicKey[] = "importPublicKey()";
constexpr char kVerifySignature[] = "verifySignature()";
constexpr char kSetUpstreamOverrideHost[] = "setUpstreamOverrideHost()";
constexpr char kVirtualHost[] = "virtualHost()";

}  // namespace

const luaL_Reg kHandleMethods[] = {{"headers", headers},
                                   {"body", body},
                                   {"bodyChunks", body_chunks},
                                   {"trailers", trailers},
                                   {"metadata", metadata},
                                   {"filterContext", filter_context},
                                   {"streamInfo", stream_info},
                                   {"connection", connection},
                                   {"connectionStreamInfo", connection_stream_info},
                                   {"route", route},
                                   {"respond", respond},
                                   {"httpCall", http_call},
                                   {"logTrace", write_log<LogLevel::trace>},
                                   {"logDebug", write_log<LogLevel::debug>},
                                   {"logInfo", write_log<LogLevel::info>},
                                   {"logWarn", write_log<LogLevel::warning>},
                                   {"logErr", write_log<LogLevel::error>},
                                   {"logCritical", write_log<LogLevel::critical>},
                                   {"base64Escape", base64_escape},
                                   {"timestamp", timestamp},
                                   {"timestampString", timestamp_string},
                                   {"clearRouteCache", clear_route_cache},
                                   {"importPublicKey", not_built<kImportPublicKey>},
                                   {"verifySignature", not_built<kVerifySignature>},
                                   {"setUpstreamOverrideHost", not_built<kSetUpstreamOverrideHost>},
                                   {"virtualHost", not_built<kVirtualHost>},
                                   {nullptr, nullptr}};

}  // namespace outrider::lua
