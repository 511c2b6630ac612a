// Which HTTP filters there are.
#pragma once
#include <string_view>

#include "proto/http_filter.h"

namespace outrider::config {

// By the type of its configuration, or of what routes say to it. Null if outrider has no such filter.
const proto::HttpFilterType* find_http_filter(std::string_view type);
const proto::HttpFilterType* find_http_filter_of_route(std::string_view type);

}  // namespace outrider::config
