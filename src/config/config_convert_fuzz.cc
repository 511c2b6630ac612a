// Files that follow the API of every dialect: fields of its messages, old keys of the rules, extensions by name.
// Upgrade and bind must take them; what converts must convert to itself, and be fit for lint.
#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "config/convert.h"
#include "config/extensions.h"
#include "config/lint.h"
#include "config/schema.h"
#include "config/upgrade.h"

namespace {

using namespace outrider::config;
namespace pb = google::protobuf;

constexpr int kDepthMax = 14;

constexpr std::string_view kTexts[] = {"a",
                                       "0",
                                       "1",
                                       "5s",
                                       "0.25s",
                                       "250ms",
                                       "true",
                                       "false",
                                       "",
                                       "http2",
                                       "sds",
                                       "strict_dns",
                                       "tcp://a:1",
                                       "unix:///a",
                                       "http",
                                       "tcp",
                                       ">=",
                                       "status_code",
                                       "runtime",
                                       "logical_or",
                                       "GRPC",
                                       "REST_LEGACY",
                                       "ingress",
                                       "EGRESS",
                                       "/api/v1/spans",
                                       "Subject",
                                       "SAN",
                                       "10.0.0.0/8",
                                       "all",
                                       "V2",
                                       "99999999999999999999",
                                       "cors",
                                       "router",
                                       "1e3",
                                       "-1"};
constexpr std::string_view kAnyKeys[] = {
    "name",         "type",    "config",       "value",        "cluster",  "key",
    "default",      "routes",  "sds",          "cds",          "clusters", "refresh_delay_ms",
    "cluster_name", "driver",  "http",         "symlink_root", "base",     "use_data_plane_proto",
    "fixed_delay",  "percent", "duration_ms",  "url",          "binary",   "@type",
    "op",           "filters", "op_timeout_ms"};

class Writer {
 public:
  Writer(const Schema& schema, const uint8_t* data, size_t size) : schema_(schema), data_(data), left_(size) {}

  void message(const pb::Descriptor& descriptor, int depth) {
    if (depth > kDepthMax) return text();
    std::vector<std::string_view> old_keys;
    for (const RuleTables tables : {v1_rules(), v2_rules()}) {
      for (const auto& table : tables) {
        for (const Rule& rule : table) {
          if (rule.message == descriptor.full_name() && rule.key != kWhole && !rule.key.empty())
            old_keys.push_back(rule.key);
        }
      }
    }
    out += '{';
    for (int i = next() % 5; i > 0; --i) {
      const uint8_t choice = next();
      if (!old_keys.empty() && choice < 100) {
        out += fmt::format("\"{}\":", old_keys[choice % old_keys.size()]);
        anything(depth + 1);
      } else if (descriptor.field_count() > 0) {
        const pb::FieldDescriptor& field = *descriptor.field(choice % descriptor.field_count());
        out += fmt::format("\"{}\":", field.name());
        this->field(field, depth + 1);
      } else {
        out += "\"config\":{}";
      }
      out += i > 1 ? "," : "";
    }
    out += '}';
  }

  std::string out;

 private:
  uint8_t next() {
    if (left_ == 0) return 0;
    --left_;
    return *data_++;
  }

  void text() { out += fmt::format("\"{}\"", kTexts[next() % std::size(kTexts)]); }

  void extension(int depth) {
    const auto all = all_extensions();
    const Extension& one = all[next() % all.size()];
    const pb::Descriptor* descriptor = schema_.message(one.type);
    if (descriptor == nullptr || depth > kDepthMax) return text();
    out += fmt::format("{{\"@type\":\"type.googleapis.com/google.protobuf.Struct\",\"value\":");
    message(*descriptor, depth + 1);
    out += '}';
  }

  void name_of_extension() {
    const auto all = all_extensions();
    out += fmt::format("\"{}\"", all[next() % all.size()].name);
  }

  void field(const pb::FieldDescriptor& field, int depth) {
    const bool is_list = field.is_repeated() && !field.is_map() && next() < 200;
    if (is_list) out += '[';
    if (field.is_map()) {
      out += "{\"envoy.filters.http.buffer\":";
      anything(depth + 1);
      out += '}';
    } else if (field.message_type() != nullptr && field.message_type()->full_name() == "google.protobuf.Any") {
      extension(depth + 1);
    } else if (field.message_type() != nullptr && next() < 230) {
      message(*field.message_type(), depth + 1);
    } else if (field.name() == "name" && next() < 128) {
      name_of_extension();
    } else if (field.enum_type() != nullptr) {
      out += fmt::format("\"{}\"", field.enum_type()->value(next() % field.enum_type()->value_count())->name());
    } else {
      text();
    }
    if (is_list) out += ']';
  }

  void anything(int depth) {
    const uint8_t kind = next();
    if (depth > kDepthMax || kind < 90) return kind < 8 ? void(out += "null") : text();
    const bool is_list = kind < 130;
    out += is_list ? '[' : '{';
    for (int i = kind % 4; i >= 0; --i) {
      if (!is_list) out += fmt::format("\"{}\":", kAnyKeys[next() % std::size(kAnyKeys)]);
      anything(depth + 1);
      out += i > 0 ? "," : "";
    }
    out += is_list ? ']' : '}';
  }

  const Schema& schema_;
  const uint8_t* data_;
  size_t left_;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static const Schema schema;
  Writer writer(schema, data, size);
  writer.message(*schema.message("envoy.config.bootstrap.v3.Bootstrap"), 0);
  const Source source{.substitute_environment = false, .allow_unknown_fields = true};
  if (const auto found = lint_text(schema, "f.json", writer.out, source); !found && found.error().empty()) std::abort();
  const auto once = convert_text(schema, "f.json", writer.out, source, Form::yaml);
  if (!once) return 0;
  const auto twice = convert_text(schema, "g.yaml", once->text, source, Form::yaml);
  if (!twice || twice->text != once->text) std::abort();
  return 0;
}
