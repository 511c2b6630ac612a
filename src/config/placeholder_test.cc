#include "config/placeholder.h"

#include <gtest/gtest.h>

namespace outrider::config {
namespace {

TEST(Placeholder, IsWhatATemplateWasToReplace) {
  for (const char* text : {"$port", "${port}", "$(port)", "{{ port }}", "{}", "{port}", "<port>", "@port@", "HOST_PORT",
                           "BACKEND_1_PORT", "__PORT__", "$server_port"}) {
    EXPECT_TRUE(is_placeholder(text)) << text;
  }
  for (const char* text : {"", "80", "port", "PORT", "local_service", "$", "a$b", "10.0.0.1", "@", "@@", "1_2", "a{b}",
                           "ROUND ROBIN", "Host_Port"}) {
    EXPECT_FALSE(is_placeholder(text)) << text;
  }
}

}  // namespace
}  // namespace outrider::config
