// Run: one call of envoy_on_request or envoy_on_response, from its start until the script ends or breaks.
#pragma once
#include "core/log.h"
#include "filters/lua/machine.h"
#include "http/buffered_body.h"
#include "http/exchange.h"
#include "http/http_call.h"

namespace outrider::lua {

// What the script waits for.
enum class Wait : std::uint8_t { nothing, body, chunk, trailers, call, responded };

// Of the filter, for all its runs.
struct RunSettings {
  bool clear_route = true;         // A change of the request's fields does.
  const Value* context = nullptr;  // filterContext(); null: an empty one.
};

struct Outgoing {
  explicit Outgoing(Arena& arena) : head(arena) {}
  std::string cluster;
  RequestHead head;
  std::string body;
  std::chrono::milliseconds timeout{};
  bool duplicates = false;
};

class Run {
 public:
  // All outlive it. `response` is null on the way of the request.
  Run(Machine& machine, Exchange& x, ResponseHead* response, RunSettings settings)
      : machine(machine), x(x), response(response), settings(settings), id(machine.next_run()) {}
  Run(const Run&) = delete;
  ~Run();

  // Calls the function until it waits or ends.
  void start(int function);
  // What it waited for.
  void resume_with_nothing();
  void resume_with_body();
  void resume_with_chunk(std::string_view bytes, bool last);
  void resume_with_trailers(const Headers& from);
  void resume_with_answer(const std::expected<HttpAnswer, CallFailure>& answer);

  bool over() const { return over_; }
  bool waits_for_stream() const { return !over_ && (wait == Wait::chunk || wait == Wait::trailers); }

  // Takes room for what is copied out of Lua; false: there is none left.
  bool take(std::size_t bytes) {
    copied_ += bytes;
    return copied_ <= kCopiedBytesMax;
  }
  Headers& fields() { return response ? response->headers : x.request.headers; }

  Machine& machine;
  Exchange& x;
  ResponseHead* const response;
  const RunSettings settings;
  const std::uint64_t id;

  Wait wait = Wait::nothing;
  bool failed = false;  // By an error, which is logged.
  bool out_of_memory = false, exhausted = false;
  bool looped = false;             // A call was not made: it would have come back here.
  bool headers_continued = false;  // They are not ours to change any more.
  bool body_streamed = false;      // Some of the body has gone by.
  bool no_body = false;            // From the start.
  bool body_ended = false;
  bool always_wrap_body = false;
  bool iterating[2] = {};        // Over the head's fields, over the trailers.
  BufferedBody* body = nullptr;  // Once it is whole.
  std::string chunk;
  std::uint32_t chunk_number = 0;
  bool chunk_live = false;
  Headers* trailers = nullptr;  // A copy that may be changed.
  std::optional<Outgoing> call;
  std::optional<Response> reply;
  std::string scratch;
  lua_State* coroutine = nullptr;

 private:
  void resume(int arguments);
  bool push(lua_CFunction function, const void* argument);
  void fail(std::string_view message);

  int reference_ = LUA_NOREF;
  bool over_ = false;
  std::size_t copied_ = 0;
};

enum class Kind : std::uint8_t {
  handle,
  fields,
  buffer,
  metadata,
  stream_info,
  dynamic_metadata,
  connection,
  connection_stream_info,
  filter_state,
  route,
  count
};

// What scripts hold. It means something only while its run is the one that goes on.
struct Object {
  std::uint64_t run;
  Kind kind;
  std::uint32_t part;
};

// Pushes a new object of the run; raises errors.
void push_object(lua_State* l, std::uint64_t run, Kind kind, std::uint32_t part = 0);
// The run of argument 1, which has to be an object of that kind; raises errors.
Run& run_of(lua_State* l, Kind kind, std::uint32_t* part = nullptr);
std::string_view text_argument(lua_State* l, int index);

void push_value(lua_State* l, const Value& value);
// False: it is no value that metadata can hold, or there is too much of it. Raises nothing.
bool to_value(lua_State* l, int index, Run& run, Value& to, int depth = 0);

extern const luaL_Reg kHandleMethods[], kFieldMethods[], kBufferMethods[], kMetadataMethods[], kStreamInfoMethods[],
    kDynamicMetadataMethods[], kConnectionMethods[], kConnectionStreamInfoMethods[], kFilterStateMethods[],
    kRouteMethods[];

void log_script(LogLevel level, std::string_view message);

}  // namespace outrider::lua
