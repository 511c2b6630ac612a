// What the tests of filters share: a service whose chain has the filter under test before the test's own handler.
#pragma once
#include <list>

#include "http/serve_for_test.h"
#include "proto/http_filter.h"

namespace outrider {

class FilterService : public TestService, proto::FilterHost, proto::Report {
 public:
  FilterService() {
    options->routes = routes_;
    options->edge = false;  // What tests see of a request is the filter's doing.
    options->filters = FilterChain();
  }

  // To be called in the order of the chain; the handler comes last.
  template <class Message>
  void add(const proto::HttpFilterType& type, const Message& config) {
    auto filter = type.make(source(config.SerializeAsString(), next_slot_));
    if (filter) options->filters.add(std::move(filter), {next_slot_, false});
    next_slot_++;
  }
  // What the route of all requests says to the filter of that number; a later word is the more specific one.
  template <class Message>
  void say(int slot, const proto::HttpFilterType& type, const Message& config) {
    auto at = static_cast<std::size_t>(slot);
    if (route.filters.size() <= at) route.filters.resize(at + 1);
    RouteFilter word{type.make_route(source(config.SerializeAsString(), slot)), true, false, nullptr};
    if (route.filters[at].said) word.wider = std::make_shared<RouteFilter>(route.filters[at]);
    route.filters[at] = std::move(word);
  }
  void run(Task<> (*body)(TestService&)) {
    options->filters.add(std::make_unique<TestFilter>(*this, handler));
    TestService::run(body);
    EXPECT_TRUE(mistakes.empty()) << mistakes[0];
  }
  using TestService::count;
  // Of the scope of that name, such as "http.test.cors.".
  std::uint64_t count(std::string_view scope, std::string_view name) {
    for (const auto& each : registry.all()) {
      if (each->name() != scope) continue;
      const auto& table = each->table().definitions;
      for (std::size_t i = 0; i < table.size(); i++) {
        if (table[i].name == name) return each->value(i);
      }
    }
    ADD_FAILURE() << "no statistic " << scope << name;
    return 0;
  }

  RouteEntry route;
  std::vector<std::string> mistakes;

 private:
  struct OneRoute final : RouteSource {
    explicit OneRoute(const RouteEntry& r) : route(r) {}
    const RouteEntry* match(Exchange&) const override { return &route; }
    const RouteEntry& route;
  };
  proto::FilterSource source(const std::string& bytes, int slot) {
    bytes_.push_back(bytes);
    return {*this, *this, "filter", bytes_.back(), "http.test.", slot};
  }
  StatRegistry& stats() override { return registry; }
  int workers() override { return 1; }
  bool has_cluster(std::string_view) override { return true; }
  const std::string& local_cluster() override { return cluster_; }
  void fail(const std::string& path, std::string message) override { mistakes.push_back(path + ": " + message); }

  std::shared_ptr<OneRoute> routes_ = std::make_shared<OneRoute>(route);
  std::list<std::string> bytes_;
  std::string cluster_ = "ours";
  int next_slot_ = 0;
};

}  // namespace outrider
