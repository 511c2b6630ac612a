#include "admin/address_json.h"
#include "admin/page.h"

namespace outrider {
namespace {

std::string listeners_json(const PageRequest& request) {
  std::string out;
  IndentedJson json(out);
  auto listeners = request.view.listeners();
  if (!listeners.empty()) {
    json.open_list("listener_statuses");
    for (const auto& [name, address] : listeners) {
      json.open_element();
      json.text("name", name);
      append_address("local_address", address, json);
      json.close_object();
    }
    json.close_list();
  }
  json.finish();
  return out;
}

}  // namespace

PageAnswer listeners_page(const PageRequest& request) {
  if (request.wants_json()) return PageAnswer::json(listeners_json(request));
  std::string text;
  for (const auto& [name, address] : request.view.listeners()) {
    text.append(name).append("::").append(address.text()).append("\n");
  }
  return PageAnswer::plain(std::move(text));
}

}  // namespace outrider
