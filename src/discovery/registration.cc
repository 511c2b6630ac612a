#include "discovery/registration.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>
#include <span>

#include "config/nearest.h"
#include "config/reader.h"
#include "config/scalar.h"
#include "http/json_text.h"

namespace outrider {
namespace {

using config::Node;
using config::Problem;

// What a host of a registry may have. The API's other fields are of use to people alone.
constexpr std::string_view kHostKeys[] = {"ip_address", "last_check_in",     "port", "revision",
                                          "service",    "service_repo_name", "tags"};
constexpr std::string_view kTagKeys[] = {"az", "canary", "instance_id", "load_balancing_weight", "region"};

// Of an answer, what a later version of the API may have added; of a file, it is a slip of the pen.
enum class UnknownKeys : std::uint8_t { passed_over, refused };

class Reader {
 public:
  Reader(std::string_view name, std::string_view text, UnknownKeys unknown = UnknownKeys::passed_over)
      : unknown_(unknown) {
    config::Substituted source;
    source.text = text;
    const std::uint16_t file = tree_.add_file(std::string(name));
    root_ = config::read_json(source, tree_, file, problems_);
    if (!root_ && !problems_.any_fatal()) {
      problems_.add({.file = std::string(name), .line = 1, .column = 1, .message = "is empty"});
    }
  }

  std::vector<ConfiguredHost> hosts() {
    std::vector<ConfiguredHost> out;
    if (!root_) return out;
    const Node* list = root_->is_mapping() ? root_->find("hosts") : nullptr;
    if (!list || !list->is_sequence()) {
      refuse(list ? *list : *root_, list ? "hosts" : "", "{\"hosts\": [...]} was expected");
      return out;
    }
    read_list(*list, "hosts", out);
    return out;
  }

  Registry registry() {
    Registry out;
    if (root_ && !root_->is_mapping()) refuse(*root_, "", "{\"SERVICE\": [...]} was expected");
    if (!root_ || !root_->is_mapping()) return out;
    for (const Node& service : *root_) {
      const std::string name(service.key);
      if (service.is_sequence()) {
        read_list(service, name, out[name]);
      } else {
        refuse(service, name, "a list of hosts was expected");
      }
    }
    return out;
  }

  ConfiguredHost only_host() { return root_ ? host(*root_, "") : ConfiguredHost{}; }

  bool failed() const { return problems_.any_fatal(); }
  std::vector<Problem> problems() { return problems_.take(); }

 private:
  void refuse(const Node& node, const std::string& path, std::string message) {
    problems_.add(tree_.problem(node.mark(), path, std::move(message)));
  }

  void check_keys(const Node& mapping, const std::string& at, std::span<const std::string_view> known) {
    if (unknown_ == UnknownKeys::passed_over) return;
    for (const Node& each : mapping) {
      if (std::ranges::find(known, each.key) != known.end()) continue;
      const std::string_view meant = config::nearest(each.key, known);
      Problem problem = tree_.problem(each.key_mark(), at + std::string(each.key), "there is no such field");
      if (!meant.empty()) problem.hint = fmt::format("did you mean `{}`?", meant);
      problems_.add(std::move(problem));
    }
  }

  void read_list(const Node& list, const std::string& path, std::vector<ConfiguredHost>& out) {
    std::set<Address> seen;
    std::size_t index = 0;
    for (const Node& each : list) {
      ConfiguredHost read = host(each, fmt::format("{}[{}]", path, index++));
      auto address = Address::parse(read.address, read.port);
      if (address && seen.insert(*address).second) out.push_back(std::move(read));
    }
  }

  ConfiguredHost host(const Node& node, const std::string& path) {
    ConfiguredHost h;
    if (!node.is_mapping()) {
      refuse(node, path, "{\"ip_address\": ..., \"port\": ...} was expected");
      return h;
    }
    const std::string at = path.empty() ? "" : path + ".";
    check_keys(node, at, kHostKeys);
    const Node* ip = node.find("ip_address");
    if (!ip || !ip->is_scalar() || ip->plain || !Address::parse(ip->text, 0)) {
      refuse(ip ? *ip : node, at + "ip_address", "an IP address was expected");
    } else {
      h.address = ip->text;
    }
    h.port = static_cast<std::uint16_t>(number(node, "port", at, 1, 65535).value_or(0));
    if (const Node* tags = node.find("tags")) read_tags(*tags, at + "tags", h);
    return h;
  }

  std::optional<std::uint64_t> number(const Node& node, std::string_view key, const std::string& at, std::uint64_t min,
                                      std::uint64_t max) {
    const Node* value = node.find(key);
    std::uint64_t out = 0;
    if (value && value->is_scalar() && value->plain && config::to_unsigned(value->text, out) && out >= min &&
        out <= max) {
      return out;
    }
    refuse(value ? *value : node, at + std::string(key), fmt::format("a number from {} to {} was expected", min, max));
    return std::nullopt;
  }

  void read_tags(const Node& tags, const std::string& path, ConfiguredHost& h) {
    if (!tags.is_mapping()) return refuse(tags, path, "a mapping was expected");
    check_keys(tags, path + ".", kTagKeys);
    if (const Node* az = tags.find("az")) {
      if (!az->is_scalar() || az->plain) return refuse(*az, path + ".az", "a text was expected");
      h.zone = az->text;
    }
    if (const Node* canary = tags.find("canary")) {
      if (!canary->is_scalar() || !canary->plain || (canary->text != "true" && canary->text != "false")) {
        return refuse(*canary, path + ".canary", "true or false was expected");
      }
      if (canary->text == "true") {
        static const auto kCanary = [] {
          auto metadata = std::make_shared<Metadata>();
          metadata->space(kLbMetadata).emplace("canary", Value(true));
          return metadata;
        }();
        h.metadata = kCanary;
      }
    }
    if (!tags.find("load_balancing_weight")) return;
    h.weight = static_cast<std::uint32_t>(
        number(tags, "load_balancing_weight", path + ".", 1, kRegisteredWeightMax).value_or(1));
  }

  const UnknownKeys unknown_;
  config::Tree tree_;
  config::Problems problems_;
  Node* root_ = nullptr;
};

}  // namespace

std::expected<std::vector<ConfiguredHost>, std::vector<Problem>> read_registration(std::string_view name,
                                                                                   std::string_view text) {
  Reader reader(name, text);
  std::vector<ConfiguredHost> hosts = reader.hosts();
  if (reader.failed()) return std::unexpected(reader.problems());
  return hosts;
}

std::expected<Registry, std::vector<Problem>> read_registry(std::string_view name, std::string_view text) {
  Reader reader(name, text, UnknownKeys::refused);
  Registry registry = reader.registry();
  if (reader.failed()) return std::unexpected(reader.problems());
  return registry;
}

std::expected<ConfiguredHost, std::vector<Problem>> read_registered_host(std::string_view name, std::string_view text) {
  Reader reader(name, text);
  ConfiguredHost host = reader.only_host();
  if (reader.failed()) return std::unexpected(reader.problems());
  return host;
}

void append_registration(std::string_view service, const std::vector<ConfiguredHost>& hosts, std::string& out) {
  Value::List list;
  for (const ConfiguredHost& h : hosts) {
    const Value* canary = h.metadata ? h.metadata->find(kLbMetadata, {"canary"}) : nullptr;
    Value::Struct tags{{"load_balancing_weight", Value(double(h.weight))}};
    if (!h.zone.empty()) tags.emplace("az", Value(h.zone));
    if (canary) tags.emplace("canary", *canary);
    list.push_back(Value::Struct{{"ip_address", Value(h.address)},
                                 {"port", Value(double(h.port))},
                                 {"service", Value(std::string(service))},
                                 {"tags", Value(std::move(tags))}});
  }
  append_json(Value::Struct{{"hosts", Value(std::move(list))}}, out);
  out += '\n';
}

}  // namespace outrider
