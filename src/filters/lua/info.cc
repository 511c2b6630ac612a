// Buffers, metadata, and what a script may know of the stream, its connection and its route.
#include "filters/lua/run.h"

namespace outrider::lua {
namespace {

int push(lua_State* l, std::string_view text) {
  lua_pushlstring(l, text.data(), text.size());
  return 1;
}

// --- buffers: 0 is the whole body, others are chunks by number ---

std::string_view bytes_of(lua_State* l, Run*& run, std::uint32_t& part) {
  run = &run_of(l, Kind::buffer, &part);
  if (part == 0) return run->body->bytes();
  if (!run->chunk_live || part != run->chunk_number) luaL_error(l, "object used outside of proper scope");
  return run->chunk;
}

int length(lua_State* l) {
  Run* run;
  std::uint32_t part;
  lua_pushinteger(l, static_cast<lua_Integer>(bytes_of(l, run, part).size()));
  return 1;
}

int get_bytes(lua_State* l) {
  Run* run;
  std::uint32_t part;
  std::string_view bytes = bytes_of(l, run, part);
  lua_Integer index = luaL_checkinteger(l, 2), count = luaL_checkinteger(l, 3);
  auto size = static_cast<lua_Integer>(bytes.size());
  if (index < 0 || count < 0 || index > size || count > size - index) {
    return luaL_error(l, "index/length must be >= 0 and (index + length) must be <= buffer size");
  }
  return push(l, bytes.substr(static_cast<std::size_t>(index), static_cast<std::size_t>(count)));
}

void tell_length(lua_State* l, Run& run, std::size_t bytes) {
  if (run.headers_continued) return;
  constexpr std::size_t kDigitsMax = 32;
  if (!run.take(kDigitsMax)) luaL_error(l, "the script makes too many header fields");
  run.scratch = std::to_string(bytes);
  run.fields().set(Known::content_length, run.x.arena.copy(run.scratch));
}

int set_bytes(lua_State* l) {
  Run* run;
  std::uint32_t part;
  bytes_of(l, run, part);
  std::string_view bytes = text_argument(l, 2);
  if (part == 0) {
    run->body->replace(bytes);
    tell_length(l, *run, bytes.size());
  } else {
    run->chunk.assign(bytes);
  }
  lua_pushinteger(l, static_cast<lua_Integer>(bytes.size()));
  return 1;
}

// --- metadata: 0 is the route's, 1 the filter's own ---

const Value* metadata_of(Run& run, std::uint32_t part) {
  if (part == 1) return run.settings.context;
  const RouteEntry* route = run.x.route();
  return route && route->metadata ? route->metadata->find("envoy.filters.http.lua") : nullptr;
}

int get_metadata(lua_State* l) {
  std::uint32_t part;
  Run& run = run_of(l, Kind::metadata, &part);
  std::string_view name = text_argument(l, 2);
  const Value* all = metadata_of(run, part);
  const Value* found = all ? all->find(name) : nullptr;
  if (!found) return 0;
  push_value(l, *found);
  return 1;
}

// A table of its own, so that nothing changes while it is walked.
int walk_table(lua_State* l) {
  lua_getglobal(l, "next");
  lua_insert(l, -2);
  lua_pushnil(l);
  return 3;
}

int metadata_pairs(lua_State* l) {
  std::uint32_t part;
  Run& run = run_of(l, Kind::metadata, &part);
  const Value* all = metadata_of(run, part);
  if (all) {
    push_value(l, *all);
  } else {
    lua_newtable(l);
  }
  return walk_table(l);
}

int get_dynamic(lua_State* l) {
  Run& run = run_of(l, Kind::dynamic_metadata);
  std::string_view space = text_argument(l, 2);
  const Value* found = run.x.dynamic_metadata ? run.x.dynamic_metadata->find(space) : nullptr;
  if (!found) return 0;
  push_value(l, *found);
  return 1;
}

// Apart, so that no error of Lua's leaves its values behind.
const char* set_value(lua_State* l, Run& run, std::string_view space, std::string_view name) {
  Value value;
  if (!to_value(l, 4, run, value) || !run.take(space.size() + name.size() + 64)) {
    return "a value that metadata cannot hold, or too much of it";
  }
  run.x.metadata().space(space)[std::string(name)] = std::move(value);
  return nullptr;
}

int set_dynamic(lua_State* l) {
  Run& run = run_of(l, Kind::dynamic_metadata);
  std::string_view space = text_argument(l, 2), name = text_argument(l, 3);
  luaL_checkany(l, 4);
  if (const char* wrong = set_value(l, run, space, name)) return luaL_error(l, "%s", wrong);
  return 0;
}

int dynamic_pairs(lua_State* l) {
  Run& run = run_of(l, Kind::dynamic_metadata);
  lua_newtable(l);
  if (run.x.dynamic_metadata) {
    for (const auto& [name, value] : run.x.dynamic_metadata->spaces) {
      push(l, name);
      push_value(l, value);
      lua_rawset(l, -3);
    }
  }
  return walk_table(l);
}

// --- the stream, its connection and its route ---

Run& stream(lua_State* l) { return run_of(l, Kind::stream_info); }

int protocol(lua_State* l) { return push(l, name_of(stream(l).x.request.version)); }

int route_name(lua_State* l) {
  const RouteEntry* route = stream(l).x.route();
  return push(l, route ? std::string_view(route->name) : std::string_view());
}

int empty(lua_State* l) {
  stream(l);
  return push(l, "");
}

int no_value(lua_State* l) {
  luaL_checktype(l, 1, LUA_TUSERDATA);
  return 0;
}

int nothing(lua_State* l) {
  luaL_checktype(l, 1, LUA_TUSERDATA);
  lua_pushnil(l);
  return 1;
}

int local_address(lua_State* l) {
  Run& run = stream(l);
  run.scratch = run.x.connection.local().text();
  return push(l, run.scratch);
}

int remote_address(lua_State* l) {
  Run& run = stream(l);
  run.scratch = run.x.connection.peer ? run.x.connection.peer->text() : "";
  return push(l, run.scratch);
}

int dynamic_metadata(lua_State* l) {
  push_object(l, stream(l).id, Kind::dynamic_metadata);
  return 1;
}

int filter_state(lua_State* l) {
  push_object(l, stream(l).id, Kind::filter_state);
  return 1;
}

int route_metadata(lua_State* l) {
  push_object(l, run_of(l, Kind::route).id, Kind::metadata);
  return 1;
}

}  // namespace

const luaL_Reg kBufferMethods[] = {
    {"length", length}, {"getBytes", get_bytes}, {"setBytes", set_bytes}, {nullptr, nullptr}};
const luaL_Reg kMetadataMethods[] = {{"get", get_metadata}, {"__pairs", metadata_pairs}, {nullptr, nullptr}};
const luaL_Reg kDynamicMetadataMethods[] = {
    {"get", get_dynamic}, {"set", set_dynamic}, {"__pairs", dynamic_pairs}, {nullptr, nullptr}};
const luaL_Reg kStreamInfoMethods[] = {{"protocol", protocol},
                                       {"routeName", route_name},
                                       {"virtualClusterName", empty},
                                       {"requestedServerName", empty},
                                       {"downstreamSslConnection", nothing},
                                       {"downstreamLocalAddress", local_address},
                                       {"downstreamDirectLocalAddress", local_address},
                                       {"downstreamRemoteAddress", remote_address},
                                       {"downstreamDirectRemoteAddress", remote_address},
                                       {"dynamicMetadata", dynamic_metadata},
                                       {"dynamicTypedMetadata", nothing},
                                       {"filterState", filter_state},
                                       {nullptr, nullptr}};
const luaL_Reg kConnectionMethods[] = {{"ssl", nothing}, {nullptr, nullptr}};
const luaL_Reg kConnectionStreamInfoMethods[] = {{"dynamicTypedMetadata", nothing}, {nullptr, nullptr}};
const luaL_Reg kFilterStateMethods[] = {{"get", no_value}, {nullptr, nullptr}};
const luaL_Reg kRouteMethods[] = {{"metadata", route_metadata}, {nullptr, nullptr}};

}  // namespace outrider::lua
