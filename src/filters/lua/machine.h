// Machine: LuaJIT with a limit on memory and on instructions, and one script in it. Of one worker.
#pragma once
#include <lua.hpp>

#include <chrono>
#include <cstdint>
#include <expected>
#include <memory>
#include <string>
#include <string_view>

namespace outrider::lua {

class Run;

// What the script's variables, strings and coroutines may take, on each worker.
inline constexpr std::size_t kMemoryBytesMax = 64 * 1024 * 1024;
// What a script may execute without waiting.
inline constexpr int kInstructionsMax = 10'000'000;
// How much of its thread's time it may take for that: a single instruction may be a call of string.rep or
// collectgarbage. It is looked at between instructions: a pattern that string.find and its like go through for long is
// not cut short.
inline constexpr std::chrono::milliseconds kTimeMax{1000};
// Of the thread's stack, for functions in C that call back into Lua, such as gsub.
inline constexpr std::size_t kStackBytesMax = 512 * 1024;
// What one run may copy out of Lua: header fields, metadata, bodies of calls.
inline constexpr std::size_t kCopiedBytesMax = 4 * 1024 * 1024;
// What a list of header fields takes before it has any.
inline constexpr std::size_t kListBytes = 1024;

class Machine {
 public:
  // Loads the script and runs its outermost lines. The error is Lua's own text.
  static std::expected<std::unique_ptr<Machine>, std::string> make(const std::string& code);
  ~Machine();
  Machine(const Machine&) = delete;

  bool has_on_request() const { return on_request_ != LUA_REFNIL; }
  bool has_on_response() const { return on_response_ != LUA_REFNIL; }
  int on_request() const { return on_request_; }
  int on_response() const { return on_response_; }

  lua_State* state() { return state_; }
  // The machine that a state, or a coroutine in it, belongs to.
  static Machine& of(lua_State* l);

  // Runs a C function that may raise errors; false: it has raised one. It leaves nothing on the stack.
  bool protect(lua_CFunction function, void* argument);
  // lua_resume() within the limits.
  int resume(lua_State* coroutine, int arguments);

  std::uint64_t next_run() { return ++runs_; }

  Run* running = nullptr;  // The only run whose objects may be used now.
  bool exhausted = false;  // The last resume() came to the limit of instructions, or of time.

 private:
  Machine() = default;
  static void* allocate(void* self, void* memory, std::size_t old_bytes, std::size_t bytes);
  bool has_time();
  static void watch(lua_State* l, lua_Debug* what);
  void begin(lua_State* l);
  void end(lua_State* l);
  static int open(lua_State* l);
  std::string load(const std::string& code);

  lua_State* state_ = nullptr;
  std::size_t bytes_ = 0;
  const char* stack_ = nullptr;                     // Where it was when the script began.
  std::chrono::steady_clock::time_point deadline_;  // `processor_time_end_` is reached no sooner.
  std::chrono::nanoseconds processor_time_end_{0};
  int on_request_ = LUA_REFNIL, on_response_ = LUA_REFNIL;
  std::uint64_t runs_ = 0;
};

// Puts the tables of what scripts may call into a state; raises errors.
void register_types(lua_State* l);

}  // namespace outrider::lua
