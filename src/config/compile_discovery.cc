// What other services are asked for, and what they have answered.
#include "config/compile_discovery.h"

#include "config/compile_rest_source.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/config/listener/v3/listener.pb.h"
#include "envoy/config/route/v3/route.pb.h"
#include "envoy/extensions/filters/network/http_connection_manager/v3/http_connection_manager.pb.h"
#include "http/query.h"

namespace outrider::config {
namespace {

namespace bootstrap_v3 = envoy::config::bootstrap::v3;

// "/v1/clusters" → "/v1/clusters/<service cluster>/<service node>". Nothing: it is wrong, and reported.
std::optional<ResourceSource> source_of(Compilation& c, const envoy::config::core::v3::ConfigSource& proto,
                                        const std::string& path, std::string api) {
  const Snapshot& s = c.snapshot;
  if (!c.process.may_lack_name && (s.node_id.empty() || s.node_cluster.empty())) {
    c.fail(path,
           "whoever asks for discovery needs a name: --service-cluster and --service-node, or `cluster` and `id` of "
           "the node");
    return std::nullopt;
  }
  auto rest = compile_rest_source(c, proto, path);
  if (!rest) return std::nullopt;
  return ResourceSource{std::move(*rest), api + "/" + percent_encode(s.node_cluster) + "/" + percent_encode(s.node_id)};
}

// What is compiled meanwhile stands in an answer.
struct InAnswer {
  InAnswer(Compilation& comp, const Loaded& answer, bool known)
      : c(comp), loaded(comp.loaded), names_known(comp.cluster_names_known) {
    c.loaded = Origin(answer);
    // The clusters that it was taken with may have gone since: its requests are answered as those of Envoy then.
    if (known) c.cluster_names_known = false;
  }
  InAnswer(const InAnswer&) = delete;
  ~InAnswer() {
    c.loaded = loaded;
    c.cluster_names_known = names_known;
  }
  Compilation& c;
  const Origin loaded;
  const bool names_known;
};

bool holds(const Answers::One& answer, const std::optional<ResourceSource>& source) {
  return answer.loaded && source && answer.url == source->url();
}

bool seen(const Compilation& c, const Answers::One& answer, Answers::One Answers::* which) {
  return c.previous && c.previous->answers.*which == answer;
}

bootstrap_v3::Bootstrap resources_of(const Loaded& answer) {
  bootstrap_v3::Bootstrap out;
  (void)out.ParseFromString(answer.bootstrap);  // It is our own.
  return out;
}

}  // namespace

void compile_sources(Compilation& c, const bootstrap_v3::Bootstrap& bootstrap) {
  const auto& dynamic = bootstrap.dynamic_resources();
  if (dynamic.has_cds_config()) {
    c.snapshot.cds = source_of(c, dynamic.cds_config(), "dynamic_resources.cds_config", "/v1/clusters");
    if (c.snapshot.cds) c.snapshot.cds->stat_prefix = "cluster_manager.cds.";
  }
  if (dynamic.has_lds_config()) {
    c.snapshot.lds = source_of(c, dynamic.lds_config(), "dynamic_resources.lds_config", "/v1/listeners");
    if (c.snapshot.lds) c.snapshot.lds->stat_prefix = "listener_manager.lds.";
  }
}

void compile_discovered_clusters(Compilation& c, const Answers& answers) {
  const Answers::One& answer = answers.clusters;
  if (!holds(answer, c.snapshot.cds)) return;
  c.snapshot.answers.clusters = answer;
  InAnswer in(c, *answer.loaded, seen(c, answer, &Answers::clusters));
  const auto bootstrap = resources_of(*answer.loaded);
  const auto& list = bootstrap.static_resources().clusters();
  std::set<std::string, std::less<>> names;
  for (int i = 0; i < list.size(); i++) {
    const std::string path = "static_resources.clusters[" + std::to_string(i) + "]";
    if (!names.insert(list[i].name()).second) {
      c.fail(path + ".name", "a cluster named '" + list[i].name() + "' exists already");
    } else if (!c.cluster_names.insert(list[i].name()).second) {
      c.warn(path + ".name", "the file has a cluster named '" + list[i].name() + "': this one is left out");
    } else if (ClusterPtr cluster = compile_cluster(c, list[i], path, true)) {
      c.snapshot.clusters.emplace(list[i].name(), std::move(cluster));
    }
  }
}

void compile_discovered_listeners(Compilation& c, const Answers& answers, std::size_t of_file) {
  const Answers::One& answer = answers.listeners;
  if (!holds(answer, c.snapshot.lds)) return;
  c.snapshot.answers.listeners = answer;
  InAnswer in(c, *answer.loaded, seen(c, answer, &Answers::listeners));
  const auto bootstrap = resources_of(*answer.loaded);
  const auto& list = bootstrap.static_resources().listeners();
  for (int i = 0; i < list.size(); i++) {
    const auto index = static_cast<std::size_t>(i);
    compile_listener(c, list[i], index, of_file + index);
  }
}

std::shared_ptr<const RouteTable> compile_discovered_routes(
    Compilation& c, const envoy::extensions::filters::network::http_connection_manager::v3::Rds& rds,
    const std::string& stat_prefix, const std::string& path) {
  const auto none = std::make_shared<const RouteTable>();
  const std::string& name = rds.route_config_name();
  if (name.empty()) c.fail(path + ".route_config_name", "the name of the routes to ask for was expected");
  auto source = source_of(c, rds.config_source(), path + ".config_source", "/v1/routes/" + percent_encode(name));
  if (!source) return none;
  source->name = name;
  source->stat_prefix = "http." + stat_prefix + ".rds." + name + ".";
  const std::string url = source->url();
  c.snapshot.rds.emplace(url, std::move(*source));
  auto answer = c.answers.routes.find(url);
  if (answer == c.answers.routes.end()) return none;
  c.snapshot.answers.routes.insert(*answer);
  auto before = c.previous ? c.previous->answers.routes.find(url) : c.answers.routes.end();
  const bool known = c.previous && before != c.previous->answers.routes.end() && before->second == answer->second;
  InAnswer in(c, *answer->second, known);
  envoy::config::route::v3::RouteConfiguration routes;
  (void)routes.ParseFromString(answer->second->bootstrap);
  if (!routes.has_validate_clusters()) routes.mutable_validate_clusters()->set_value(false);
  return compile_routes(c, routes, "");
}

}  // namespace outrider::config
