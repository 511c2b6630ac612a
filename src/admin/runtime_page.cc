// `/runtime` and `/runtime_modify`: what the layers of the runtime say, and the layer that an operator writes.
#include <map>

#include "admin/indented_json.h"
#include "admin/page.h"

namespace outrider {
namespace {

constexpr std::string_view kUsage =
    "usage: /runtime_modify?key1=value1&key2=value2&keyN=valueN\n"
    "       or send the parameters as form values\n"
    "use an empty value to remove a previously added override";

// By key, the value in each layer; empty: none.
std::map<std::string_view, std::vector<std::string_view>> values_by_key(const Runtime& runtime) {
  std::map<std::string_view, std::vector<std::string_view>> entries;
  const std::vector<Runtime::Layer>& layers = runtime.layers();
  for (std::size_t i = 0; i < layers.size(); i++) {
    for (const auto& [key, value] : layers[i].values) {
      std::vector<std::string_view>& of = entries[key];
      of.resize(layers.size());
      of[i] = value;
    }
  }
  return entries;
}

}  // namespace

PageAnswer runtime_page(const PageRequest& request) {
  const RuntimePtr runtime = request.view.runtime();
  std::string out;
  IndentedJson json(out);
  json.open_object("entries");
  for (const auto& [key, values] : values_by_key(*runtime)) {
    std::string_view last;
    json.open_object(key);
    json.open_list("layer_values");
    for (std::string_view value : values) {
      json.text_element(value);
      if (!value.empty()) last = value;
    }
    json.close_list();
    json.text("final_value", last);
    json.close_object();
  }
  json.close_object();
  json.open_list("layers");
  for (const Runtime::Layer& layer : runtime->layers()) json.text_element(layer.name);
  json.close_list();
  json.finish();
  return PageAnswer::json(std::move(out));
}

PageAnswer runtime_modify_page(const PageRequest& request) {
  if (request.parameters.empty()) return PageAnswer::plain(std::string(kUsage), 400);
  std::vector<std::pair<std::string, std::string>> changes;
  for (const QueryParameter& p : request.parameters) changes.emplace_back(p.name, p.value);
  if (!request.view.modify_runtime(changes)) return PageAnswer::plain("No admin layer specified", 503);
  return PageAnswer::plain("OK\n");
}

}  // namespace outrider
