#include "filters/lua/machine.h"

#include <gtest/gtest.h>

namespace outrider::lua {
namespace {

// What the script's outermost lines raise; empty: nothing.
std::string error_of(const std::string& code) {
  auto made = Machine::make(code);
  return made ? "" : made.error();
}

TEST(Machine, LoadsWhatALuaFilterNeeds) {
  for (const char* code : {
           "assert(string.format('%d', 3) == '3' and math.floor(2.5) == 2 and bit.band(6, 3) == 2)",
           "assert(type(os.time()) == 'number' and type(io.open) == 'function' and table.concat({1, 2}) == '12')",
           "assert(load('return 1')() == 1 and loadstring('return 2')() == 2)",
           "local n = 0 for k in pairs({a = 1, b = 2}) do n = n + 1 end assert(n == 2)",
           "assert(select(2, pcall(error, 'x')) == 'x' and debug.traceback())",
           "assert(require('string') == string)",
           "assert(EnvoyTimestampResolution.MICROSECOND == 1)",
       }) {
    EXPECT_EQ(error_of(code), "") << code;
  }
}

TEST(Machine, TakesAwayWhatBreaksOutOrBlocks) {
  for (const char* name : {"os.exit", "os.execute", "os.setlocale", "io.popen", "newproxy", "string.dump", "ffi", "jit",
                           "debug.getregistry", "debug.sethook", "debug.setmetatable", "package.loadlib"}) {
    EXPECT_EQ(error_of(std::string("assert(") + name + " == nil)"), "") << name;
  }
  EXPECT_NE(error_of("load(string.char(27) .. 'LJ')()"), "");
  EXPECT_EQ(error_of("assert(getmetatable(io.stdout) == false)"), "");
}

TEST(Machine, SaysWhereAScriptIsWrong) {
  EXPECT_EQ(error_of("x = = 1"), "[string \"x = = 1\"]:1: unexpected symbol near '='");
  EXPECT_EQ(error_of("error({})"), "an error that is no text");
}

TEST(Machine, EndsWhatDoesNotEnd) {
  for (const char* code : {"while true do end", "while true do pcall(function() while true do end end) end",
                           "coroutine.wrap(function() while true do end end)()"}) {
    EXPECT_NE(error_of(code).find("executes more than 10000000 instructions"), std::string::npos) << code;
  }
}

TEST(Machine, EndsWhatTakesTheWholeStack) {
  for (const char* code :
       {"local function f() return (string.gsub('a', 'a', f)) end f()",
        "local function f() table.sort({3, 2, 1}, f) end f()", "local function f() coroutine.wrap(f)() end f()",
        "local t = setmetatable({}, {__tostring = function(t) return string.format('%s', t) end}) "
        "tostring(t)"}) {
    std::string error = error_of(code);
    bool ended =
        error.find("C stack overflow") != std::string::npos || error.find("not enough memory") != std::string::npos;
    EXPECT_TRUE(ended) << code << ": " << error;  // A coroutine takes memory, too: which limit comes first is chance.
  }
}

TEST(Machine, EndsWhatTakesAllMemory) {
  EXPECT_EQ(error_of("local t = {} for i = 1, 1e9 do t[i] = {} end"), "not enough memory");
  EXPECT_EQ(error_of("return string.rep('x', 1e9)"), "not enough memory");
}

TEST(Machine, FindsTheTwoFunctions) {
  auto both = Machine::make("function envoy_on_request() end function envoy_on_response() end");
  ASSERT_TRUE(both);
  EXPECT_TRUE((*both)->has_on_request() && (*both)->has_on_response());
  auto none = Machine::make("envoy_on_request = 1");
  ASSERT_TRUE(none);
  EXPECT_FALSE((*none)->has_on_request() || (*none)->has_on_response());
}

}  // namespace
}  // namespace outrider::lua
