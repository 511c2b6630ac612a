// An address as envoy.config.core.v3.Address prints it.
#pragma once
#include "admin/indented_json.h"
#include "net/address.h"

namespace outrider {

inline void append_address(std::string_view name, const Address& address, IndentedJson& json) {
  json.open_object(name);
  if (address.is_pipe()) {
    json.open_object("pipe");
    json.text("path", address.text());
  } else {
    json.open_object("socket_address");
    json.text("address", address.ip_text());
    json.number("port_value", address.port());
  }
  json.close_object();
  json.close_object();
}

}  // namespace outrider
