// Runs Lua scripts on requests and responses. Envoy's document: "Lua".
#include <map>

#include "envoy/extensions/filters/http/lua/v3/lua.pb.h"
#include "filters/lua/scripted_body.h"
#include "http/http_stats.h"
#include "proto/http_filter.h"
#include "proto/matcher.h"
#include "proto/read_source.h"

namespace outrider::filters {
namespace {

namespace v3 = envoy::extensions::filters::http::lua::v3;
using lua::Machine;
using lua::Run;
using lua::Wait;

enum class Stat { errors, executions, instructions_exceeded, memory_exceeded, count };
constexpr StatDefinition kStats[] = {{"errors", StatKind::counter},
                                     {"executions", StatKind::counter},
                                     {"instructions_exceeded", StatKind::counter},
                                     {"memory_exceeded", StatKind::counter}};
constexpr StatTable kStatTable{kStats, ""};

// A script, and the machines of the workers that have run it.
class Script {
 public:
  Script(std::string code, int workers)
      : code_(std::move(code)),
        count_(static_cast<std::size_t>(workers) + 1),
        machines_(std::make_unique<std::unique_ptr<Machine>[]>(count_)) {}

  // Made by the worker's first request. Null if it cannot be made here, though it could when it was configured.
  Machine* of(int worker) const {
    std::unique_ptr<Machine>& mine = machines_[static_cast<std::size_t>(worker)];
    if (!mine) {
      auto made = Machine::make(code_);
      if (!made) {
        lua::log_script(LogLevel::error, made.error());
        return nullptr;
      }
      mine = std::move(*made);
    }
    return mine.get();
  }

 private:
  std::string code_;
  std::size_t count_;
  std::unique_ptr<std::unique_ptr<Machine>[]> machines_;  // Each is touched by its worker only.
};
using ScriptPtr = std::shared_ptr<const Script>;

struct RouteScript final : RouteFilterConfig {
  bool disabled = false;
  std::string name;  // Of one of the filter's scripts; empty: `script`, or the filter's own.
  ScriptPtr script;
  std::optional<Value> context;
};

class LuaFilter final : public Filter {
 public:
  LuaFilter(ScriptPtr all, std::map<std::string, ScriptPtr, std::less<>> named, bool clear_route, LocalStats stats,
            int slot)
      : all_(std::move(all)),
        named_(std::move(named)),
        clear_route_(clear_route),
        stats_(std::move(stats)),
        slot_(slot) {}

  OUTRIDER_FORWARDS Task<Response> handle(Exchange& x, Next next) const override {
    Machine* m = machine(x);
    if (!m) return next(x);
    return run(x, *m, next);
  }
  Task<Response> see_reply(Exchange& x, Response reply) const override {
    if (Machine* m = machine(x); m && m->has_on_response()) co_return co_await run_on_response(x, *m, reply);
    co_return reply;
  }
  bool sees_replies() const override { return true; }

 private:
  const RouteScript* said(Exchange& x) const { return static_cast<const RouteScript*>(x.route_config(slot_)); }
  Machine* machine(Exchange& x) const;
  lua::RunSettings settings(Exchange& x) const {
    const RouteScript* route = said(x);
    return {clear_route_, route && route->context ? &*route->context : nullptr};
  }
  Task<Response> run(Exchange& x, Machine& m, Next next) const;
  Task<Response> run_on_response(Exchange& x, Machine& m, Response response) const;
  Task<std::optional<Response>> until_headers_go(Run& run, Body*& body) const;
  Response too_large(Run& run) const;
  void count_end(const Run& run) const;

  ScriptPtr all_;  // Null: none.
  std::map<std::string, ScriptPtr, std::less<>> named_;
  bool clear_route_;
  LocalStats stats_;
  int slot_;
};

Machine* LuaFilter::machine(Exchange& x) const {
  const RouteScript* route = said(x);
  const Script* script = all_.get();
  if (route && route->disabled) return nullptr;
  if (route && !route->name.empty()) {
    auto found = named_.find(route->name);
    script = found == named_.end() ? nullptr : found->second.get();
  } else if (route && route->script) {
    script = route->script.get();
  }
  return script ? script->of(x.worker.index()) : nullptr;
}

void LuaFilter::count_end(const Run& run) const {
  StatBlock& stats = stats_.of(run.x.worker.index());
  if (run.failed) stats[Stat::errors].add();
  if (run.exhausted) stats[Stat::instructions_exceeded].add();
  if (run.out_of_memory) stats[Stat::memory_exceeded].add();
}

// Envoy's words for a body that the connection's buffer cannot hold.
Response LuaFilter::too_large(Run& run) const {
  Exchange& x = run.x;
  if (run.response) return x.reply(500, "Internal Server Error", "response_payload_too_large");
  return x.request_too_large();
}

bool has_no_body(const Run& run, const Body& body) {
  if (body.length() == 0) return true;
  if (!run.response) return false;
  return run.x.request.method == Method::head || run.response->status == 204 || run.response->status == 304;
}

// Until the script ends, or only waits for what comes behind the head. A value: the reply that ends it all.
Task<std::optional<Response>> LuaFilter::until_headers_go(Run& run, Body*& body) const {
  stats_.of(run.x.worker.index())[Stat::executions].add();
  run.body_ended = run.no_body = has_no_body(run, *body);
  run.start(run.response ? run.machine.on_response() : run.machine.on_request());
  while (!run.over() && !run.waits_for_stream()) {
    if (run.wait == Wait::call) {
      co_await lua::answer_call(run);
      if (run.looped) co_return run.x.reply(508, kLoopReply, kLoopDetails);
      continue;
    }
    auto& whole = run.x.arena.make_owned<BufferedBody>(*body);
    body = &whole;
    BufferedBody::Filled filled = co_await whole.fill(run.x.options.buffer_bytes_max);
    if (filled == BufferedBody::Filled::too_long) co_return too_large(run);
    if (filled == BufferedBody::Filled::reset) co_return std::nullopt;
    run.body = &whole;
    run.body_ended = true;
    if (whole.trailers()) {
      run.trailers = &run.x.arena.make_owned<Headers>(run.x.arena);
      for (const Field& f : *whole.trailers()) run.trailers->add(f.name, f.known, f.value);
      whole.replace_trailers(*run.trailers);
    }
    run.resume_with_body();
  }
  run.headers_continued = true;
  if (run.over()) {
    count_end(run);
    co_return run.reply;
  }
  auto on_end = [](const void* self, const Run& ended) { static_cast<const LuaFilter*>(self)->count_end(ended); };
  body = &run.x.arena.make_owned<lua::ScriptedBody>(run, *body, on_end, this);
  co_return std::nullopt;
}

Task<Response> LuaFilter::run(Exchange& x, Machine& m, Next next) const {
  if (m.has_on_request()) {
    auto& request = x.arena.make_owned<Run>(m, x, nullptr, settings(x));
    if (auto reply = co_await until_headers_go(request, x.request_body)) co_return *reply;
  }
  Response response = co_await next(x);
  Machine* then = machine(x);  // The route may be another now.
  if (!then || !then->has_on_response()) co_return response;
  co_return co_await run_on_response(x, *then, response);
}

Task<Response> LuaFilter::run_on_response(Exchange& x, Machine& m, Response response) const {
  auto& run = x.arena.make_owned<Run>(m, x, response.head, settings(x));
  if (auto reply = co_await until_headers_go(run, response.body)) {
    x.unseen_reply = false;
    co_return *reply;
  }
  co_return response;
}

// --- from the configuration ---

// Null: it cannot be loaded, and that is said.
ScriptPtr to_script(const proto::FilterSource& source, const std::string& code, const std::string& field) {
  auto tried = Machine::make(code);
  if (tried) return std::make_shared<Script>(code, source.host.workers());
  source.fail(field, "script load error: " + tried.error());
  return nullptr;
}

ScriptPtr to_script(const proto::FilterSource& source, const envoy::config::core::v3::DataSource& from,
                    const std::string& field) {
  auto code = proto::read_data_source(source.report, from, source.path + "." + field);
  return code ? to_script(source, *code, field) : nullptr;
}

std::unique_ptr<Filter> make(const proto::FilterSource& source) {
  v3::Lua config;
  if (!proto::parse(source, config)) return nullptr;
  ScriptPtr all;
  if (config.has_default_source_code()) {
    if (!config.inline_code().empty()) {
      source.fail("inline_code", "stands beside default_source_code: only one of them can be set");
    }
    all = to_script(source, config.default_source_code(), "default_source_code");
  } else if (!config.inline_code().empty()) {
    all = to_script(source, config.inline_code(), "inline_code");
  }
  std::map<std::string, ScriptPtr, std::less<>> named;
  for (const auto& [name, code] : config.source_codes()) {
    named[name] = to_script(source, code, "source_codes[\"" + name + "\"]");
  }
  bool clear_route = !config.has_clear_route_cache() || config.clear_route_cache().value();
  std::string prefix = config.stat_prefix().empty() ? "lua." : "lua." + config.stat_prefix() + ".";
  return std::make_unique<LuaFilter>(std::move(all), std::move(named), clear_route, source.stats(prefix, kStatTable),
                                     source.slot);
}

std::shared_ptr<RouteFilterConfig> make_route(const proto::FilterSource& source) {
  v3::LuaPerRoute config;
  if (!proto::parse(source, config)) return nullptr;
  auto route = std::make_shared<RouteScript>();
  route->disabled = config.disabled();
  route->name = config.name();
  if (config.has_source_code()) route->script = to_script(source, config.source_code(), "source_code");
  if (config.has_filter_context()) route->context = Value(proto::to_struct(config.filter_context()));
  return route;
}

}  // namespace

extern const proto::HttpFilterType lua_script{
    "envoy.filters.http.lua",
    "envoy.extensions.filters.http.lua.v3.Lua",
    make,
    "envoy.extensions.filters.http.lua.v3.LuaPerRoute",
    make_route,
};

}  // namespace outrider::filters
