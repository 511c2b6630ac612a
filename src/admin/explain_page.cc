// `/explain` and `/sources`, which Envoy has not: where a request would go, and where in the files that is written.
#include <fmt/format.h>

#include <algorithm>

#include "admin/indented_json.h"
#include "admin/page.h"
#include "config/explain.h"
#include "core/arena.h"
#include "upstream/route_table.h"

namespace outrider {
namespace {

struct Question {
  std::string_view authority;
  std::string_view path;
};

// "http://host:port/path", "host/path" or "/path".
Question split_url(std::string_view url) {
  if (std::size_t scheme = url.find("://"); scheme != url.npos) url.remove_prefix(scheme + 3);
  url = url.substr(0, url.find('#'));
  std::size_t end = std::min(url.find_first_of("/?"), url.size());
  return {url.substr(0, end), url.substr(end)};
}

std::string timeout_text(std::chrono::milliseconds timeout) {
  return timeout.count() == 0 ? "none" : fmt::format("{} ms", timeout.count());
}

// What the route does with the request.
void append_action(const Route& route, IndentedJson& json) {
  if (route.redirect) {
    json.text("answer", fmt::format("a redirect, status {}", route.redirect->status));
  } else if (route.direct) {
    json.text("answer", fmt::format("a direct response, status {}", route.direct->status));
  } else if (route.weighted) {
    std::string shares;
    for (std::size_t i = 0; i < route.weighted->names.size(); i++) {
      shares += fmt::format("{}{} ({} of {})", i ? ", " : "", route.weighted->names[i], route.weighted->weights[i],
                            route.weighted->total);
    }
    json.text("one_of_the_clusters", shares);
    json.text("timeout", timeout_text(route.timeout));
  } else if (!route.cluster_header.empty()) {
    json.text("cluster", fmt::format("the one that the field {} names", route.cluster_header));
  } else if (route.cluster) {
    json.text("cluster", route.cluster->name());
    json.text("timeout", timeout_text(route.timeout));
  } else {
    json.text("answer", fmt::format("status {}: there is no cluster '{}'", route.cluster_not_found_status,
                                    route.missing_cluster));
  }
}

void append_place(std::string_view name, const std::string& place, IndentedJson& json) {
  if (!place.empty()) json.text(name, place);
}

// The list of virtual hosts of that listener.
std::string hosts_of(const SourceMap& sources, std::size_t listener) {
  std::string prefix = fmt::format("static_resources.listeners[{}].", listener);
  for (const std::string& list : sources.lists) {
    if (list.starts_with(prefix)) return list;
  }
  return {};
}

// The first route that takes the request; of a tree of matchers its answer.
const Route* find_route(const VirtualHost& host, RouteQuery& query) {
  if (host.routes().empty()) return host.match(query);
  std::string_view path = without_query(query.request.path);
  for (const Route& route : host.routes()) {
    if (path_matches(route, path) && (!route.conditions || conditions_match(*route.conditions, query))) return &route;
  }
  return nullptr;
}

void append_listener(const Snapshot& snapshot, std::size_t index, RouteQuery& query, IndentedJson& json) {
  const ListenerConfig& listener = snapshot.listeners[index];
  json.open_element();
  json.text("listener", listener.name);
  json.text("address", listener.address.text());
  const auto* table = listener.http ? dynamic_cast<const RouteTable*>(listener.http->routes.get()) : nullptr;
  const VirtualHost* host = table ? table->host(query.request.authority) : nullptr;
  const Route* route = host ? find_route(*host, query) : nullptr;
  const std::string hosts = hosts_of(snapshot.sources, index);
  if (!host) {
    json.text("answer", table ? "status 404: no virtual host has this domain" : "no routes of HTTP here");
  } else {
    auto at = std::ranges::find(table->hosts(), host, &std::unique_ptr<VirtualHost>::get) - table->hosts().begin();
    auto number = static_cast<std::size_t>(at);
    json.text("virtual_host", host->name());
    append_place("virtual_host_source", snapshot.sources.find(hosts, number), json);
    if (!route) {
      json.text("answer", "status 404: no route of the virtual host matches");
    } else {
      int order = host->routes().empty() ? -1 : static_cast<int>(route - host->routes().data());
      json.text("route", route->name.empty() && order >= 0 ? fmt::format("number {}", order + 1) : route->name);
      append_place("route_source", snapshot.sources.find(hosts, number, order), json);
      append_action(*route, json);
    }
  }
  json.close_object();
}

}  // namespace

namespace {

// As `outrider explain` prints it.
PageAnswer explain_text_page(const PageRequest& request, std::string_view url) {
  std::vector<std::string> fields;
  std::string_view rest = request.parameter("fields").value_or("");
  while (!rest.empty()) {
    std::string_view line = rest.substr(0, rest.find('\n'));
    rest.remove_prefix(std::min(rest.size(), line.size() + 1));
    if (!line.empty()) fields.emplace_back(line);
  }
  SnapshotPtr snapshot = request.view.snapshot();
  if (!snapshot) return PageAnswer::plain("there is no configuration yet\n", 503);
  return PageAnswer::plain(config::explained_text(*snapshot, request.parameter("method").value_or("GET"), url, fields,
                                                  *request.worker.runtime(), request.worker.random().next()));
}

}  // namespace

PageAnswer explain_page(const PageRequest& request) {
  std::string_view url = request.parameter("url").value_or("");
  if (url.empty()) return PageAnswer::plain("usage: /explain?method=GET&url=http://host/path\n", 400);
  if (request.parameter("format") == "text") return explain_text_page(request, url);
  Question question = split_url(url);
  Arena arena;
  RequestHead head(arena);
  head.set_method(request.parameter("method").value_or("GET"));
  head.authority = question.authority;
  std::string path = question.path.starts_with('/') ? std::string(question.path) : "/" + std::string(question.path);
  head.path = path;
  std::string out;
  IndentedJson json(out);
  json.open_list("listeners");
  RouteQuery query{head, *request.worker.runtime(), request.worker.random()};
  if (SnapshotPtr snapshot = request.view.snapshot()) {
    for (std::size_t i = 0; i < snapshot->listeners.size(); i++) append_listener(*snapshot, i, query, json);
  }
  json.close_list();
  json.finish();
  return PageAnswer::json(std::move(out));
}

PageAnswer sources_page(const PageRequest& request) {
  std::string out;
  IndentedJson json(out);
  json.open_list("sources");
  if (SnapshotPtr snapshot = request.view.snapshot()) {
    const SourceMap& sources = snapshot->sources;
    for (const SourceMap::Place& place : sources.places) {
      json.open_element();
      json.text("path", sources.path(place));
      json.text("file", sources.files[place.file]);
      json.number("line", place.line);
      json.close_object();
    }
  }
  json.close_list();
  json.finish();
  return PageAnswer::json(std::move(out));
}

}  // namespace outrider
