#include "proto/socket_options.h"

#include "envoy/config/core/v3/socket_option.pb.h"

namespace outrider::proto {
namespace {

using Proto = envoy::config::core::v3::SocketOption;

SocketOption::Moment moment_of(const Proto& option) {
  if (option.state() == Proto::STATE_BOUND) return SocketOption::Moment::bound;
  return option.state() == Proto::STATE_LISTENING ? SocketOption::Moment::listening : SocketOption::Moment::prebind;
}

}  // namespace

SocketOptions to_socket_options(const google::protobuf::RepeatedPtrField<Proto>& options) {
  SocketOptions list;
  for (const Proto& each : options) {
    if (each.type().has_datagram() && !each.type().has_stream()) continue;
    SocketOption one = socket_option(static_cast<int>(each.level()), static_cast<int>(each.name()),
                                     static_cast<int>(each.int_value()), moment_of(each));
    if (each.value_case() == Proto::kBufValue) one.value = each.buf_value();
    list.push_back(std::move(one));
  }
  return list;
}

}  // namespace outrider::proto
