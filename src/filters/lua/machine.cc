#include "filters/lua/machine.h"

#include <cstdlib>
#include <ctime>
#include <utility>

#include "core/log.h"

namespace outrider::lua {
namespace {

std::chrono::nanoseconds processor_time() {
  timespec used{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return std::chrono::seconds(used.tv_sec) + std::chrono::nanoseconds(used.tv_nsec);
}

// What would end the process, block it, break out of the limits, or reach into the machine is taken away. The handler
// of xpcall() runs behind the error: LuaJIT's own would run within the hook that counts, and nothing would count it.
constexpr char kPrelude[] = R"lua(
local any, file = load, loadfile
load = function(chunk, name, _, env)
  if env == nil then return any(chunk, name, "t") end
  return any(chunk, name, "t", env)
end
loadstring = function(text, name) return any(text, name, "t") end
loadfile = function(name, _, env)
  if env == nil then return file(name, "t") end
  return file(name, "t", env)
end
dofile = function(name)
  local f, problem = file(name, "t")
  if not f then error(problem, 0) end
  return f()
end
local protected = pcall
local function answer(handler, good, ...)
  if good then return true, ... end
  return false, handler(...)
end
xpcall = function(f, handler, ...) return answer(handler, protected(f, ...)) end
debug = {traceback = debug.traceback, getinfo = debug.getinfo}
package.loaded.debug = debug
package.loadlib = nil
package.loaders[4] = nil
package.loaders[3] = nil
os.exit, os.execute, os.setlocale, io.popen, newproxy, string.dump = nil
getmetatable(io.stdout).__metatable = false
EnvoyTimestampResolution = {MILLISECOND = 0, MICROSECOND = 1}
)lua";

int panic(lua_State* l) {
  log(Logger::lua, LogLevel::critical, "an error outside of a protected call");
  std::abort();
}

// As of Lua 5.2: what has __pairs says how it is walked.
int pairs(lua_State* l) {
  luaL_checkany(l, 1);
  if (!luaL_getmetafield(l, 1, "__pairs")) lua_pushvalue(l, lua_upvalueindex(1));
  lua_pushvalue(l, 1);
  lua_call(l, 1, 3);
  return 3;
}

void open_library(lua_State* l, lua_CFunction function, const char* name) {
  lua_pushcfunction(l, function);
  lua_pushstring(l, name);
  lua_call(l, 1, 0);
}

struct Loading {
  const std::string& code;
  int on_request, on_response;
};

int global_function(lua_State* l, const char* name) {
  lua_getglobal(l, name);
  if (lua_isfunction(l, -1)) return luaL_ref(l, LUA_REGISTRYINDEX);
  lua_pop(l, 1);
  return LUA_REFNIL;
}

struct Text {
  const char* at;
  std::size_t bytes;
};

const char* read_text(lua_State*, void* from, std::size_t* bytes) {
  auto* text = static_cast<Text*>(from);
  *bytes = std::exchange(text->bytes, 0);
  return text->at;
}

int load_script(lua_State* l) {
  auto* loading = static_cast<Loading*>(lua_touserdata(l, 1));
  Text text{loading->code.data(), loading->code.size()};
  if (lua_loadx(l, read_text, &text, loading->code.c_str(), "t")) return lua_error(l);
  lua_call(l, 0, 0);
  loading->on_request = global_function(l, "envoy_on_request");
  loading->on_response = global_function(l, "envoy_on_response");
  return 0;
}

struct Protected {
  lua_CFunction function;
  void* argument;
};

}  // namespace

Machine& Machine::of(lua_State* l) {
  void* self;
  lua_getallocf(l, &self);
  return *static_cast<Machine*>(self);
}

void* Machine::allocate(void* self, void* memory, std::size_t old_bytes, std::size_t bytes) {
  auto* m = static_cast<Machine*>(self);
  if (!memory) old_bytes = 0;
  if (bytes > old_bytes && m->bytes_ + (bytes - old_bytes) > kMemoryBytesMax) return nullptr;
  if (bytes == 0) {
    std::free(memory);
  } else {
    memory = std::realloc(memory, bytes);
    if (!memory) return nullptr;
  }
  m->bytes_ += bytes - old_bytes;
  return bytes ? memory : nullptr;
}

void Machine::watch(lua_State* l, lua_Debug* what) {
  Machine& m = of(l);
  const char* here = static_cast<const char*>(__builtin_frame_address(0));
  if (static_cast<std::size_t>(m.stack_ - here) > kStackBytesMax) luaL_error(l, "C stack overflow");
  bool counted_out = m.exhausted || what->event == LUA_HOOKCOUNT;
  if (!counted_out && m.has_time()) return;
  // From here on every instruction raises the error, so that no pcall() holds it.
  m.exhausted = true;
  lua_sethook(l, watch, LUA_MASKCOUNT, 1);
  if (!counted_out)
    luaL_error(l, "the script takes more than %d ms without waiting", static_cast<int>(kTimeMax.count()));
  luaL_error(l, "the script executes more than %d instructions without waiting", kInstructionsMax);
}

// The thread's time is asked for when the clock says that it may be over: that asks the kernel.
bool Machine::has_time() {
  auto now = std::chrono::steady_clock::now();
  if (now < deadline_) return true;
  auto left = processor_time_end_ - processor_time();
  deadline_ = now + left;
  return left > std::chrono::nanoseconds(0);
}

void Machine::begin(lua_State* l) {
  exhausted = false;
  deadline_ = std::chrono::steady_clock::now() + kTimeMax;
  processor_time_end_ = processor_time() + kTimeMax;
  stack_ = static_cast<const char*>(__builtin_frame_address(0));
  lua_sethook(l, watch, LUA_MASKCOUNT | LUA_MASKCALL, kInstructionsMax);
}

void Machine::end(lua_State* l) { lua_sethook(l, nullptr, 0, 0); }

int Machine::open(lua_State* l) {
  luaJIT_setmode(l, 0, LUAJIT_MODE_ENGINE | LUAJIT_MODE_OFF);  // Compiled code would count no instructions.
  open_library(l, luaopen_base, "");
  open_library(l, luaopen_table, LUA_TABLIBNAME);
  open_library(l, luaopen_string, LUA_STRLIBNAME);
  open_library(l, luaopen_math, LUA_MATHLIBNAME);
  open_library(l, luaopen_bit, LUA_BITLIBNAME);
  open_library(l, luaopen_os, LUA_OSLIBNAME);
  open_library(l, luaopen_io, LUA_IOLIBNAME);
  open_library(l, luaopen_debug, LUA_DBLIBNAME);
  open_library(l, luaopen_package, LUA_LOADLIBNAME);
  if (luaL_loadstring(l, kPrelude)) return lua_error(l);
  lua_call(l, 0, 0);
  lua_getglobal(l, "pairs");
  lua_pushcclosure(l, pairs, 1);
  lua_setglobal(l, "pairs");
  register_types(l);
  return 0;
}

std::string Machine::load(const std::string& code) {
  Loading loading{code, LUA_REFNIL, LUA_REFNIL};
  int status = lua_cpcall(state_, open, nullptr);
  if (status == 0) {
    begin(state_);
    status = lua_cpcall(state_, load_script, &loading);
    end(state_);
  }
  on_request_ = loading.on_request;
  on_response_ = loading.on_response;
  if (status == 0) return "";
  const char* text = lua_type(state_, -1) == LUA_TSTRING ? lua_tostring(state_, -1) : "an error that is no text";
  return text;
}

std::expected<std::unique_ptr<Machine>, std::string> Machine::make(const std::string& code) {
  std::unique_ptr<Machine> m(new Machine);
  m->state_ = lua_newstate(allocate, m.get());
  if (!m->state_) return std::unexpected("no memory for a script");
  lua_atpanic(m->state_, panic);
  std::string error = m->load(code);
  if (!error.empty()) return std::unexpected(std::move(error));
  return m;
}

Machine::~Machine() {
  if (state_) lua_close(state_);
}

bool Machine::protect(lua_CFunction function, void* argument) {
  if (lua_cpcall(state_, function, argument) == 0) return true;
  lua_settop(state_, 0);
  return false;
}

int Machine::resume(lua_State* coroutine, int arguments) {
  begin(coroutine);
  int status = lua_resume(coroutine, arguments);
  end(coroutine);
  return status;
}

}  // namespace outrider::lua
