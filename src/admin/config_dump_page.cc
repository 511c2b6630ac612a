// `/config_dump`: envoy.admin.v3.ConfigDump of the configuration in force, made by reflection that lives no longer than
// the request for it needs.
#include <google/protobuf/descriptor.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/util/json_util.h>
#include <malloc.h>

#include <algorithm>
#include <vector>

#include "admin/page.h"
#include "admin/redact.h"
#include "config/schema.h"

namespace outrider {
namespace {

namespace pb = google::protobuf;

constexpr std::string_view kAdmin = "envoy.admin.v3.";
constexpr std::string_view kConnectionManager =
    "envoy.extensions.filters.network.http_connection_manager.v3.HttpConnectionManager";

// A message and its fields by name. The API's names are known: one that it does not have is a bug, not an input.
class Part {
 public:
  explicit Part(pb::Message& message) : message_(&message) {}

  Part child(const std::string& name) const { return Part(*reflection().MutableMessage(message_, field(name))); }
  Part add(const std::string& name) const { return Part(*reflection().AddMessage(message_, field(name))); }
  bool has(const std::string& name) const { return reflection().HasField(*message_, field(name)); }
  std::string text(const std::string& name) const { return reflection().GetString(*message_, field(name)); }
  std::vector<Part> list(const std::string& name) const {
    std::vector<Part> out;
    const int size = reflection().FieldSize(*message_, field(name));
    for (int i = 0; i < size; i++) out.emplace_back(*reflection().MutableRepeatedMessage(message_, field(name), i));
    return out;
  }

  // Of an Any.
  void pack(const std::string& type, std::string bytes) const {
    reflection().SetString(message_, field("type_url"), "type.googleapis.com/" + type);
    reflection().SetString(message_, field("value"), std::move(bytes));
  }
  void pack(const Part& content) const {
    pack(content.message_->GetDescriptor()->full_name(), content.message_->SerializePartialAsString());
  }
  // Of a Timestamp.
  void set_time(WallTime time) const {
    auto seconds = std::chrono::floor<std::chrono::seconds>(time);
    auto millis = std::chrono::floor<std::chrono::milliseconds>(time - seconds);
    reflection().SetInt64(message_, field("seconds"), seconds.time_since_epoch().count());
    reflection().SetInt32(message_, field("nanos"), static_cast<int>(millis.count()) * 1'000'000);
  }
  pb::Message& message() const { return *message_; }

 private:
  const pb::Reflection& reflection() const { return *message_->GetReflection(); }
  const pb::FieldDescriptor* field(const std::string& name) const {
    return message_->GetDescriptor()->FindFieldByName(name);
  }
  pb::Message* message_;
};

class Dump {
 public:
  explicit Dump(std::optional<WallTime> configured) : configured_(configured) {}

  std::string json(const std::string& bootstrap_bytes) {
    Part dump = make(std::string(kAdmin) + "ConfigDump");
    Part bootstrap_dump = make(std::string(kAdmin) + "BootstrapConfigDump");
    Part bootstrap = bootstrap_dump.child("bootstrap");
    if (!bootstrap.message().ParsePartialFromString(bootstrap_bytes)) return {};
    redact(bootstrap.message(), schema_);
    Part clusters = make(std::string(kAdmin) + "ClustersConfigDump");
    Part listeners = make(std::string(kAdmin) + "ListenersConfigDump");
    Part routes = make(std::string(kAdmin) + "RoutesConfigDump");
    if (bootstrap.has("static_resources")) {
      Part resources = bootstrap.child("static_resources");
      add_all(resources.list("clusters"), clusters, "static_clusters", "cluster");
      add_all(resources.list("listeners"), listeners, "static_listeners", "listener");
      add_routes(resources, routes);
    }

    stamp(bootstrap_dump);
    dump.add("configs").pack(bootstrap_dump);
    dump.add("configs").pack(clusters);
    dump.add("configs").pack(listeners);
    dump.add("configs").pack(std::string(kAdmin) + "ScopedRoutesConfigDump", "");
    dump.add("configs").pack(routes);
    dump.add("configs").pack(std::string(kAdmin) + "SecretsConfigDump", "");
    return print(dump);
  }

 private:
  Part make(const std::string& type) {
    made_.emplace_back(schema_.factory().GetPrototype(schema_.message(type))->New());
    return Part(*made_.back());
  }

  void stamp(const Part& part) const {
    if (configured_) part.child("last_updated").set_time(*configured_);
  }

  void add_all(const std::vector<Part>& configs, const Part& to, const std::string& list, const std::string& field) {
    for (const Part& config : configs) {
      Part entry = to.add(list);
      entry.child(field).pack(config);
      stamp(entry);
    }
  }

  // The routes that stand inside of listeners.
  void add_routes(const Part& resources, const Part& to) {
    for (const Part& listener : resources.list("listeners")) {
      std::vector<Part> chains = listener.list("filter_chains");
      if (listener.has("default_filter_chain")) chains.push_back(listener.child("default_filter_chain"));
      for (const Part& chain : chains) {
        for (const Part& filter : chain.list("filters")) add_routes_of(filter, to);
      }
    }
  }

  void add_routes_of(const Part& filter, const Part& to) {
    if (!filter.has("typed_config")) return;
    Part any = filter.child("typed_config");
    if (config::type_of_url(any.text("type_url")) != kConnectionManager) return;
    Part connection_manager = make(std::string(kConnectionManager));
    if (connection_manager.message().ParsePartialFromString(any.text("value")) &&
        connection_manager.has("route_config")) {
      Part entry = to.add("static_route_configs");
      entry.child("route_config").pack(connection_manager.child("route_config"));
      stamp(entry);
    }
    made_.pop_back();
  }

  static std::string print(const Part& dump) {
    pb::util::JsonPrintOptions options;
    options.add_whitespace = true;
    options.preserve_proto_field_names = true;
    std::string out;
    return pb::util::MessageToJsonString(dump.message(), &out, options).ok() ? out : std::string();
  }

  const config::Schema schema_;
  const std::optional<WallTime> configured_;
  std::vector<std::unique_ptr<pb::Message>> made_;
};

// Megabytes for a while: when they have been sent, the heap is to be as small as before.
class DumpText final : public PageText {
 public:
  explicit DumpText(std::string text) : text_(std::move(text)) {}
  ~DumpText() override {
    std::string().swap(text_);  // An assignment would keep the memory.
    malloc_trim(0);
  }
  bool next(std::string& out, std::size_t bytes) override {
    std::size_t piece = std::min(bytes, text_.size() - at_);
    out.append(text_, at_, piece);
    at_ += piece;
    return at_ < text_.size();
  }

 private:
  std::string text_;
  std::size_t at_ = 0;
};

}  // namespace

PageAnswer config_dump_page(const PageRequest& request) {
  SnapshotPtr snapshot = request.view.snapshot();
  if (!snapshot) return PageAnswer::json("{}\n");
  std::optional<WallTime> configured;
  if (request.view.configured) configured = request.view.configured();
  std::string text = Dump(configured).json(snapshot->bootstrap);
  if (text.empty()) return PageAnswer::plain("the configuration cannot be printed\n", 500);
  return {200, content_type::kJson, "", std::make_unique<DumpText>(std::move(text))};
}

}  // namespace outrider
