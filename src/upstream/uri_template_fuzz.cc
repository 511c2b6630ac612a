// Any path pattern and rewrite: what is taken makes regular expressions that RE2 takes, and fit each other.
#include <re2/re2.h>

#include <cstdint>
#include <cstdlib>

#include "upstream/uri_template.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::string_view text(reinterpret_cast<const char*>(data), size);
  std::size_t cut = text.find('\n');
  auto parsed = outrider::parse_uri_template(text.substr(0, cut));
  if (!parsed) return 0;
  re2::RE2::Options quiet;
  quiet.set_log_errors(false);
  re2::RE2 regex(parsed->regex, quiet);
  if (!regex.ok() || regex.NumberOfCapturingGroups() != static_cast<int>(parsed->variables.size())) std::abort();
  if (cut == std::string_view::npos) return 0;
  auto rewrite = outrider::parse_uri_rewrite(text.substr(cut + 1), *parsed);
  std::string error;
  if (rewrite && !regex.CheckRewriteString(*rewrite, &error)) std::abort();
  return 0;
}
