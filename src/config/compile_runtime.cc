#include <fmt/format.h>

#include <algorithm>

#include "config/compile_parts.h"
#include "core/runtime_layers.h"
#include "envoy/config/bootstrap/v3/bootstrap.pb.h"
#include "proto/matcher.h"

namespace outrider::config {
namespace {

constexpr std::uint64_t kRegexSizeMax = 100;  // As Envoy, which says nothing of it in its documents.

// {"numerator": 5, "denominator": "HUNDRED"} is one value.
bool is_fraction(const Value::Struct& fields) {
  return std::ranges::all_of(fields,
                             [](const auto& f) { return f.first == "numerator" || f.first == "denominator"; }) &&
         fields.contains("numerator");
}

std::string fraction_text(const Value::Struct& fields) {
  std::string out;
  for (const auto& [name, value] : fields) {
    out += fmt::format("{}\"{}\": ", out.empty() ? "{" : ", ", name);
    out +=
        value.number() ? fmt::format("{}", *value.number()) : fmt::format("\"{}\"", value.text() ? *value.text() : "");
  }
  return out + "}";
}

void add_values(Compilation& c, const Value::Struct& fields, const std::string& prefix, const std::string& path,
                RuntimeSource& to) {
  for (const auto& [name, value] : fields) {
    const std::string key = prefix + name;
    if (const Value::Struct* inner = value.fields()) {
      if (is_fraction(*inner)) {
        to.values.emplace_back(key, fraction_text(*inner));
      } else {
        add_values(c, *inner, key + ".", path, to);
      }
    } else if (value.text()) {
      to.values.emplace_back(key, *value.text());
    } else if (value.number()) {
      to.values.emplace_back(key, fmt::format("{}", *value.number()));
    } else if (value.boolean()) {
      to.values.emplace_back(key, *value.boolean() ? "true" : "false");
    } else {
      c.fail(path, fmt::format("the value of `{}` is neither a text, a number, true or false, nor a mapping", key));
    }
  }
}

}  // namespace

void compile_runtime(Compilation& c, const envoy::config::bootstrap::v3::LayeredRuntime& runtime) {
  using Layer = envoy::config::bootstrap::v3::RuntimeLayer;
  for (int i = 0; i < runtime.layers_size(); i++) {
    const Layer& layer = runtime.layers(i);
    const std::string path = fmt::format("layered_runtime.layers[{}]", i);
    RuntimeSource source;
    source.name = layer.name();
    std::vector<RuntimeSource>& all = c.snapshot.runtime;
    if (std::ranges::count(all, source.name, &RuntimeSource::name)) {
      c.fail(path + ".name", fmt::format("a layer named '{}' exists already", source.name));
    }
    if (layer.has_static_layer()) {
      add_values(c, proto::to_struct(layer.static_layer()), "", path + ".static_layer", source);
    } else if (layer.has_disk_layer()) {
      source.kind = RuntimeSource::Kind::disk;
      source.symlink = layer.disk_layer().symlink_root();
      source.directory = source.symlink + "/" + layer.disk_layer().subdirectory();
      if (layer.disk_layer().append_service_cluster()) source.directory += "/" + c.snapshot.node_cluster;
    } else {
      source.kind = RuntimeSource::Kind::admin;
      if (std::ranges::count(all, RuntimeSource::Kind::admin, &RuntimeSource::kind)) {
        c.fail(path + ".admin_layer", "there is an admin layer already, and one is enough");
      }
    }
    all.push_back(std::move(source));
  }
  RuntimeLayers layers;
  layers.set(c.snapshot.runtime);
  const RuntimePtr values = layers.load();
  c.regex_sizes.error = values->integer("re2.max_program_size.error_level", kRegexSizeMax);
  c.regex_sizes.warn = values->integer("re2.max_program_size.warn_level", c.regex_sizes.warn);
}

}  // namespace outrider::config
