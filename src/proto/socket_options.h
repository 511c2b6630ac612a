// From the API's SocketOption to what a socket gets. What is for datagrams only is left out.
#pragma once
#include <string>

#include "net/socket_options.h"

namespace google::protobuf {
template <typename T>
class RepeatedPtrField;
}
namespace envoy::config::core::v3 {
class SocketOption;
}

namespace outrider::proto {

SocketOptions to_socket_options(
    const google::protobuf::RepeatedPtrField<envoy::config::core::v3::SocketOption>& options);

}  // namespace outrider::proto
