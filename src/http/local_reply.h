// What becomes of the proxy's own replies: other statuses, texts and forms. Envoy's document: "Local reply
// modification".
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "http/access_log_filter.h"
#include "http/header_mutation.h"
#include "http/json_format.h"

namespace outrider {

struct LocalReplyFormat {
  AnyFormat format;
  std::string content_type;
};

// The first one that a reply passes changes it.
struct LocalReplyMapper {
  AccessLogFilter filter;
  std::optional<int> status;
  std::optional<std::string> body;
  std::optional<LocalReplyFormat> format;  // Instead of the one for all replies.
  HeaderMutations headers;
};

struct LocalReplies {
  std::vector<LocalReplyMapper> mappers;
  std::optional<LocalReplyFormat> format;

  // Changes the head's status and fields, the body, and the type that the body has.
  void rewrite(Exchange& x, ResponseHead& head, std::string& body, std::string& content_type) const;
};

}  // namespace outrider
