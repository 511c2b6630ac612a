#include "filters/lua/run.h"

#include "core/log.h"

namespace outrider::lua {
namespace {

constexpr const char* kTypeNames[] = {"handle",      "headers",
                                      "buffer",      "metadata",
                                      "streamInfo",  "dynamicMetadata",
                                      "connection",  "connectionStreamInfo",
                                      "filterState", "route"};

struct Start {
  Run* run;
  int function;
  int* reference;
};

// On the main stack first: an error of the coroutine's own would have nobody to catch it yet.
int prepare(lua_State* l) {
  auto* start = static_cast<Start*>(lua_touserdata(l, 1));
  lua_State* coroutine = lua_newthread(l);
  *start->reference = luaL_ref(l, LUA_REGISTRYINDEX);
  lua_rawgeti(l, LUA_REGISTRYINDEX, start->function);
  push_object(l, start->run->id, Kind::handle);
  lua_xmove(l, coroutine, 2);
  start->run->coroutine = coroutine;
  return 0;
}

int release(lua_State* l) {
  luaL_unref(l, LUA_REGISTRYINDEX, *static_cast<int*>(lua_touserdata(l, 1)));
  return 0;
}

int collect(lua_State* l) {
  lua_gc(l, LUA_GCCOLLECT, 0);
  return 0;
}

struct Pushed {
  Run* run;
  const void* what;
};

int push_buffer(lua_State* l) {
  auto* p = static_cast<Pushed*>(lua_touserdata(l, 1));
  push_object(l, p->run->id, Kind::buffer, p->run->body ? 0 : p->run->chunk_number);
  lua_xmove(l, p->run->coroutine, 1);
  return 0;
}

int push_trailers(lua_State* l) {
  auto* p = static_cast<Pushed*>(lua_touserdata(l, 1));
  push_object(l, p->run->id, Kind::fields, 1);
  lua_xmove(l, p->run->coroutine, 1);
  return 0;
}

void push_text(lua_State* l, std::string_view text) { lua_pushlstring(l, text.data(), text.size()); }

// The table at the top gets the field. Several of a name: the last one, or a list of all.
void add_field(lua_State* l, std::string_view name, std::string_view value, bool duplicates) {
  push_text(l, name);
  lua_pushvalue(l, -1);
  lua_rawget(l, -3);
  if (!duplicates || lua_isnil(l, -1)) {
    lua_pop(l, 1);
    push_text(l, value);
    lua_rawset(l, -3);
    return;
  }
  if (!lua_istable(l, -1)) {
    lua_createtable(l, 2, 0);
    lua_insert(l, -2);
    lua_rawseti(l, -2, 1);
  }
  push_text(l, value);
  lua_rawseti(l, -2, static_cast<int>(lua_objlen(l, -2)) + 1);
  lua_rawset(l, -3);
}

int push_answer(lua_State* l) {
  auto* p = static_cast<Pushed*>(lua_touserdata(l, 1));
  const auto& answer = *static_cast<const std::expected<HttpAnswer, CallFailure>*>(p->what);
  bool duplicates = p->run->call && p->run->call->duplicates;
  lua_newtable(l);
  std::string_view body;
  char status[8];
  if (answer) {
    body = answer->body;
    std::size_t digits = 0;
    for (int d = 100; d > 0; d /= 10) status[digits++] = static_cast<char>('0' + answer->head.status / d % 10);
    add_field(l, ":status", {status, digits}, false);
    for (const Field& f : answer->head.headers) add_field(l, f.name, f.value, duplicates);
  } else {
    bool late = answer.error() == CallFailure::timed_out, loop = answer.error() == CallFailure::loop;
    body = late                                     ? "upstream request timeout"
           : loop                                   ? kLoopReply
           : answer.error() == CallFailure::no_host ? "no healthy upstream"
                                                    : "upstream failure";
    add_field(l, ":status", late ? "504" : loop ? "508" : "503", false);
  }
  if (body.empty()) {
    lua_pushnil(l);
  } else {
    push_text(l, body);
  }
  lua_xmove(l, p->run->coroutine, 2);
  return 0;
}

}  // namespace

void log_script(LogLevel level, std::string_view message) {
  if (!log_enabled(Logger::lua, level)) return;
  log(Logger::lua, level, "script log: " + std::string(message));
}

Run::~Run() {
  if (reference_ != LUA_NOREF) machine.protect(release, &reference_);
}

void Run::fail(std::string_view message) {
  failed = over_ = true;
  wait = Wait::nothing;
  log_script(LogLevel::error, message);
}

bool Run::push(lua_CFunction function, const void* argument) {
  Pushed pushed{this, argument};
  if (machine.protect(function, &pushed)) return true;
  out_of_memory = true;
  machine.protect(collect, nullptr);
  fail("not enough memory");
  return false;
}

void Run::start(int function) {
  Start start{this, function, &reference_};
  if (machine.protect(prepare, &start)) return resume(1);
  out_of_memory = true;
  machine.protect(collect, nullptr);
  fail("not enough memory");
}

void Run::resume(int arguments) {
  wait = Wait::nothing;
  machine.running = this;
  int status = machine.resume(coroutine, arguments);
  machine.running = nullptr;
  if (status == LUA_YIELD && wait == Wait::nothing) return fail("script performed an unexpected yield");
  if (status == LUA_YIELD) {
    over_ = wait == Wait::responded;
    return;
  }
  over_ = true;
  wait = Wait::nothing;
  if (status == 0) return;
  exhausted = machine.exhausted;
  out_of_memory = status == LUA_ERRMEM;
  bool text = lua_type(coroutine, -1) == LUA_TSTRING;
  fail(text ? lua_tostring(coroutine, -1) : "unspecified lua error");
  if (out_of_memory) machine.protect(collect, nullptr);
}

void Run::resume_with_nothing() { resume(0); }

void Run::resume_with_body() {
  if (body->bytes().empty() && !always_wrap_body) return resume(0);
  if (push(push_buffer, nullptr)) resume(1);
}

void Run::resume_with_chunk(std::string_view bytes, bool last) {
  chunk.assign(bytes);
  body_streamed = true;
  body_ended = last;
  chunk_number++;
  chunk_live = true;
  if (push(push_buffer, nullptr)) resume(1);
}

void Run::resume_with_trailers(const Headers& from) {
  if (!trailers) {
    trailers = &x.arena.make_owned<Headers>(x.arena);
    for (const Field& f : from) trailers->add(f.name, f.known, f.value);
  }
  if (push(push_trailers, nullptr)) resume(1);
}

void Run::resume_with_answer(const std::expected<HttpAnswer, CallFailure>& answer) {
  if (push(push_answer, &answer)) resume(2);
}

void push_object(lua_State* l, std::uint64_t run, Kind kind, std::uint32_t part) {
  auto* object = static_cast<Object*>(lua_newuserdata(l, sizeof(Object)));
  *object = {run, kind, part};
  luaL_getmetatable(l, kTypeNames[static_cast<std::size_t>(kind)]);
  lua_setmetatable(l, -2);
}

Run& run_of(lua_State* l, Kind kind, std::uint32_t* part) {
  auto* object = static_cast<Object*>(luaL_checkudata(l, 1, kTypeNames[static_cast<std::size_t>(kind)]));
  Run* run = Machine::of(l).running;
  if (!run || run->id != object->run) luaL_error(l, "object used outside of proper scope");
  if (part) *part = object->part;
  return *run;
}

std::string_view text_argument(lua_State* l, int index) {
  std::size_t bytes;
  const char* text = luaL_checklstring(l, index, &bytes);
  return {text, bytes};
}

void register_types(lua_State* l) {
  constexpr const luaL_Reg* kMethods[] = {kHandleMethods,      kFieldMethods,
                                          kBufferMethods,      kMetadataMethods,
                                          kStreamInfoMethods,  kDynamicMetadataMethods,
                                          kConnectionMethods,  kConnectionStreamInfoMethods,
                                          kFilterStateMethods, kRouteMethods};
  static_assert(std::size(kMethods) == static_cast<std::size_t>(Kind::count));
  for (std::size_t i = 0; i < std::size(kMethods); i++) {
    luaL_newmetatable(l, kTypeNames[i]);
    for (const luaL_Reg* m = kMethods[i]; m->name; m++) {
      lua_pushcfunction(l, m->func);
      lua_setfield(l, -2, m->name);
    }
    lua_pushvalue(l, -1);
    lua_setfield(l, -2, "__index");
    lua_pushboolean(l, 0);
    lua_setfield(l, -2, "__metatable");  // Scripts shall not get at it.
    lua_pop(l, 1);
  }
}

void push_value(lua_State* l, const Value& value) {
  luaL_checkstack(l, 4, "metadata");
  if (const bool* b = value.boolean()) return lua_pushboolean(l, *b);
  if (const double* n = value.number()) return lua_pushnumber(l, *n);
  if (const std::string* text = value.text()) return push_text(l, *text);
  if (const Value::List* list = value.list()) {
    lua_createtable(l, static_cast<int>(list->size()), 0);
    for (std::size_t i = 0; i < list->size(); i++) {
      push_value(l, (*list)[i]);
      lua_rawseti(l, -2, static_cast<int>(i + 1));
    }
    return;
  }
  if (const Value::Struct* fields = value.fields()) {
    lua_createtable(l, 0, static_cast<int>(fields->size()));
    for (const auto& [name, member] : *fields) {
      push_text(l, name);
      push_value(l, member);
      lua_rawset(l, -3);
    }
    return;
  }
  lua_pushnil(l);
}

namespace {

constexpr int kDepthMax = 32;

bool table_to_value(lua_State* l, int index, Run& run, Value& to, int depth) {
  Value::List list;
  Value::Struct fields;
  lua_pushnil(l);
  while (lua_next(l, index)) {
    Value member;
    if (!to_value(l, lua_gettop(l), run, member, depth + 1) || !run.take(64)) return false;
    if (lua_type(l, -2) == LUA_TSTRING) {
      std::size_t bytes;
      const char* name = lua_tolstring(l, -2, &bytes);
      if (!run.take(bytes)) return false;
      fields[std::string(name, bytes)] = std::move(member);
    } else if (lua_type(l, -2) == LUA_TNUMBER) {
      list.push_back(std::move(member));
    } else {
      return false;
    }
    lua_pop(l, 1);
  }
  if (!list.empty() && !fields.empty()) return false;
  if (list.empty()) {
    to = std::move(fields);
  } else {
    to = std::move(list);
  }
  return true;
}

}  // namespace

bool to_value(lua_State* l, int index, Run& run, Value& to, int depth) {
  if (depth > kDepthMax || !lua_checkstack(l, 4)) return false;
  std::size_t bytes;
  switch (lua_type(l, index)) {
    case LUA_TNIL:
      to = Value();
      return true;
    case LUA_TBOOLEAN:
      to = Value(lua_toboolean(l, index) != 0);
      return true;
    case LUA_TNUMBER:
      to = Value(lua_tonumber(l, index));
      return true;
    case LUA_TSTRING: {
      const char* text = lua_tolstring(l, index, &bytes);
      if (!run.take(bytes)) return false;
      to = Value(std::string(text, bytes));
      return true;
    }
    case LUA_TTABLE:
      return table_to_value(l, index, run, to, depth);
    default:
      return false;
  }
}

}  // namespace outrider::lua
