#include "config/compile_stats.h"

#include <re2/re2.h>

#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "envoy/config/metrics/v3/stats.pb.h"
#include "envoy/extensions/stat_sinks/graphite_statsd/v3/graphite_statsd.pb.h"
#include "proto/matcher.h"

namespace outrider::config {
namespace {

namespace metrics = envoy::config::metrics::v3;
using envoy::config::bootstrap::v3::Bootstrap;

std::string udp_address(Compilation& c, const envoy::config::core::v3::Address& from, const std::string& path) {
  if (from.has_pipe()) {
    c.fail(path, "a socket address was expected");
    return {};
  }
  const auto& socket = from.socket_address();
  auto address = Address::parse(socket.address(), static_cast<std::uint16_t>(socket.port_value()));
  if (!address) c.fail(path + ".socket_address.address", address.error());
  return address ? address->text() : std::string();
}

template <class Sink>
void read_datagrams(Compilation& c, const Sink& from, const std::string& path, StatSinkOptions& sink) {
  sink.address = udp_address(c, from.address(), path + ".address");
  sink.prefix = from.prefix();
  if (from.has_max_bytes_per_datagram()) sink.datagram_bytes = from.max_bytes_per_datagram().value();
}

void read_statsd(Compilation& c, const metrics::StatsdSink& from, const std::string& path, StatSinkOptions& sink) {
  sink.prefix = from.prefix();
  sink.cluster = from.tcp_cluster_name();
  if (from.has_address()) sink.address = udp_address(c, from.address(), path + ".address");
  if (!sink.cluster.empty() && !c.has_cluster(sink.cluster))
    c.fail(path + ".tcp_cluster_name", "there is no cluster '" + sink.cluster + "'");
}

std::optional<StatSinkOptions> compile_sink(Compilation& c, const metrics::StatsSink& from, const std::string& path) {
  StatSinkOptions sink;
  const std::string& bytes = from.typed_config().value();
  std::string_view type = from.typed_config().type_url();
  type.remove_prefix(type.rfind('.') + 1);
  const std::string at = path + ".typed_config";
  metrics::StatsdSink statsd;
  metrics::DogStatsdSink dog;
  envoy::extensions::stat_sinks::graphite_statsd::v3::GraphiteStatsdSink graphite;
  if (type == "StatsdSink" && statsd.ParseFromString(bytes)) {
    read_statsd(c, statsd, at, sink);
  } else if (type == "DogStatsdSink" && dog.ParseFromString(bytes)) {
    sink.tags = StatsdTags::dogstatsd;
    read_datagrams(c, dog, at, sink);
  } else if (type == "GraphiteStatsdSink" && graphite.ParseFromString(bytes)) {
    sink.tags = StatsdTags::graphite;
    read_datagrams(c, graphite, at, sink);
  } else {
    c.fail(path, "the stats sink '" + from.name() + "' is not built into outrider yet");
    return std::nullopt;
  }
  if (sink.prefix.empty()) sink.prefix = "envoy";
  return sink;
}

// The first group is taken out of the name, the second one is the value; if there is but one, it is both.
std::function<bool(std::string_view, StatsOptions::Found&)> finding(proto::Regex regex) {
  return [regex](std::string_view name, StatsOptions::Found& found) {
    int groups = regex->NumberOfCapturingGroups();
    if (groups < 1) return false;
    re2::StringPiece pieces[3], whole(name.data(), name.size());
    if (!regex->Match(whole, 0, name.size(), re2::RE2::UNANCHORED, pieces, std::min(groups, 2) + 1)) return false;
    if (pieces[1].data() == nullptr) return false;
    const re2::StringPiece& value = groups > 1 && pieces[2].data() ? pieces[2] : pieces[1];
    found = {static_cast<std::size_t>(pieces[1].data() - name.data()), pieces[1].size(), value.as_string()};
    return true;
  };
}

std::string label_of(std::string name) {
  for (char& c : name) {
    if (c == '.' || c == '-') c = '_';
  }
  return name;
}

void compile_tags(Compilation& c, const metrics::StatsConfig& from, StatsOptions& o) {
  o.default_tags = !from.has_use_all_default_tags() || from.use_all_default_tags().value();
  for (int i = 0; i < from.stats_tags_size(); i++) {
    const auto& tag = from.stats_tags(i);
    StatsOptions::Tag made{label_of(tag.tag_name()), {}, {}};
    if (tag.has_fixed_value()) {
      made.fixed = tag.fixed_value();
    } else if (tag.regex().empty()) {
      o.named_defaults.push_back(made.label);
      continue;
    } else if (auto regex =
                   proto::compile_regex(c, tag.regex(), "stats_config.stats_tags[" + std::to_string(i) + "].regex")) {
      made.find = finding(regex);
    }
    o.tags.push_back(std::move(made));
  }
}

void compile_matcher(Compilation& c, const metrics::StatsMatcher& from, StatsOptions& o) {
  const std::string path = "stats_config.stats_matcher";
  if (from.has_reject_all()) {
    if (from.reject_all()) o.exists = [](std::string_view) { return false; };
    return;
  }
  bool include = from.has_inclusion_list();
  const auto& list = include ? from.inclusion_list() : from.exclusion_list();
  StringMatchers matchers = proto::compile_matchers(c, list, path + (include ? ".inclusion_list" : ".exclusion_list"));
  o.exists = [matchers, include](std::string_view name) { return any_matches(matchers, name) == include; };
}

void compile_buckets(Compilation& c, const metrics::StatsConfig& from, StatsOptions& o) {
  for (int i = 0; i < from.histogram_bucket_settings_size(); i++) {
    const auto& setting = from.histogram_bucket_settings(i);
    const std::string path = "stats_config.histogram_bucket_settings[" + std::to_string(i) + "]";
    StringMatcher matcher = proto::compile_matcher(c, setting.match(), path + ".match");
    StatsOptions::Buckets made{[matcher](std::string_view name) { return matcher.matches(name); },
                               {setting.buckets().begin(), setting.buckets().end()}};
    std::ranges::sort(made.bounds);
    if (made.bounds.empty()) c.fail(path + ".buckets", "at least one bound was expected");
    o.buckets.push_back(std::move(made));
  }
}

}  // namespace

StatsOptions compile_stats(Compilation& c, const Bootstrap& bootstrap) {
  StatsOptions o;
  if (bootstrap.has_stats_flush_interval()) o.flush_interval = to_ms(bootstrap.stats_flush_interval());
  o.flush_on_admin = bootstrap.stats_flush_on_admin();
  compile_tags(c, bootstrap.stats_config(), o);
  compile_buckets(c, bootstrap.stats_config(), o);
  if (bootstrap.stats_config().has_stats_matcher()) compile_matcher(c, bootstrap.stats_config().stats_matcher(), o);
  for (int i = 0; i < bootstrap.stats_sinks_size(); i++) {
    auto sink = compile_sink(c, bootstrap.stats_sinks(i), "stats_sinks[" + std::to_string(i) + "]");
    if (sink) o.sinks.push_back(std::move(*sink));
  }
  return o;
}

}  // namespace outrider::config
