#include <gmock/gmock.h>

#include "config/load.h"

namespace outrider::config {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::vector<std::string> problems_of(Resources resources, std::string text, const Loaded& file = {}) {
  auto loaded = load_answer(resources, "http://d/v1", "named", std::move(text), file);
  std::vector<std::string> out;
  if (loaded) return out;
  for (const Problem& each : loaded.error()) out.push_back(to_text(each));
  return out;
}

constexpr const char* kCluster = R"({"clusters": [
  {"name": "users", "connect_timeout_ms": 250, "type": "sds", "service_name": "u", "lb_type": "round_robin"}]})";

TEST(LoadAnswer, ListsAreThoseOfAFile) {
  Loaded file;
  file.sds = {"hosts", "1000"};
  auto clusters = load_answer(Resources::clusters, "http://d/v1", "", kCluster, file);
  ASSERT_TRUE(clusters);
  EXPECT_THAT(to_json("envoy.config.bootstrap.v3.Bootstrap", clusters->bootstrap),
              testing::AllOf(HasSubstr("\"service_name\": \"u\""), HasSubstr("\"hosts\""), HasSubstr("\"1s\"")));
  EXPECT_THAT(clusters->version, testing::StartsWith("hash_"));
  EXPECT_THAT(problems_of(Resources::listeners, R"({"listeners": [{"name": "l", "address": "tcp://127.0.0.1:80",
      "filters": [{"type": "read", "name": "http_connection_manager", "config": {"codec_type": "auto",
        "stat_prefix": "in", "rds": {"cluster": "d", "route_config_name": "r", "refresh_delay_ms": 1},
        "filters": [{"type": "decoder", "name": "router", "config": {}}]}}]}]})"),
              IsEmpty());
}

TEST(LoadAnswer, RoutesHaveTheNameThatTheyAreAskedFor) {
  auto routes = load_answer(Resources::routes, "http://d/v1", "named",
                            R"({"virtual_hosts": [{"name": "v", "domains": ["*"], "routes": [
                                {"prefix": "/", "cluster": "c", "timeout_ms": 0}]}]})",
                            Loaded());
  ASSERT_TRUE(routes);
  EXPECT_THAT(to_json("envoy.config.route.v3.RouteConfiguration", routes->bootstrap),
              testing::AllOf(HasSubstr("\"name\": \"named\""), HasSubstr("\"timeout\": \"0s\"")));
}

TEST(LoadAnswer, SaysWhatIsWrongAndWhere) {
  EXPECT_THAT(problems_of(Resources::clusters, ""), ElementsAre(HasSubstr("http://d/v1:1:1: ")));
  EXPECT_THAT(problems_of(Resources::routes, "[]"), ElementsAre("http://d/v1:1:1: a JSON object was expected"));
  EXPECT_THAT(problems_of(Resources::clusters, "{}"),
              ElementsAre("http://d/v1:1:1: {\"clusters\": [...]} was expected"));
  EXPECT_THAT(problems_of(Resources::listeners, R"({"listeners": [], "admin": {}})"),
              ElementsAre("http://d/v1:1:19: admin: the answer has no such key ({\"listeners\": [...]})"));
  EXPECT_THAT(problems_of(Resources::clusters, kCluster), ElementsAre(HasSubstr(":2:56: ")))
      << "`sds` without a service in the file";
  EXPECT_THAT(problems_of(Resources::routes, "{\"virtual_hosts\": [\n {\"name\": \"v\", \"domain\": [\"*\"]}]}"),
              testing::Contains(HasSubstr(
                  "http://d/v1:2:16: virtual_hosts[0]: envoy.config.route.v3.VirtualHost has no field `domain`")));
}

}  // namespace
}  // namespace outrider::config
