#include <malloc.h>

#include <cstdio>
#include <string_view>

#include "config/nearest.h"
#include "server/echo.h"
#include "server/explain.h"
#include "server/logging.h"
#include "server/proxy.h"
#include "server/sds.h"
#include "server/service_loop.h"
#include "server/signals.h"
#include "server/verbs.h"

namespace {

int run_proxy(int argc, char** argv) {
  auto flags = outrider::parse_flags(argc, argv);
  if (!flags) {
    std::fputs(flags.error().text.c_str(), flags.error().exit_code == 0 ? stdout : stderr);
    return flags.error().exit_code;
  }
  outrider::block_signals();
  if (flags->mode != outrider::Mode::serve) outrider::allow_signals_to_end();
  outrider::raise_descriptor_limit();
  outrider::set_log_levels(*flags);
  if (auto installed = outrider::install_logging(outrider::log_options(*flags)); !installed) {
    std::fprintf(stderr, "%s\n", installed.error().c_str());
    return 1;
  }
  int code;
  {
    bool serve = flags->mode == outrider::Mode::serve;
    outrider::Proxy proxy(std::move(*flags));
    code = serve ? proxy.run() : proxy.validate();
  }
  outrider::uninstall_logging();
  return code;
}

constexpr std::string_view kVerbs[] = {"echo", "sds", "validate", "convert", "explain", "lint"};

// The verb that was probably meant, or empty.
std::string_view nearest_verb(std::string_view word) {
  return word.empty() || word.starts_with('-') ? std::string_view() : outrider::config::nearest(word, kVerbs);
}

}  // namespace

int main(int argc, char** argv) {
  // Two arenas are enough: workers allocate little, and each further arena costs memory at rest.
  mallopt(M_ARENA_MAX, 2);
  std::string_view verb = argc > 1 ? argv[1] : "";
  if (verb == "echo") return outrider::run_echo(argc - 1, argv + 1);
  if (verb == "sds") return outrider::run_sds(argc - 1, argv + 1);
  if (verb == "validate") return outrider::run_validate(argc, argv);
  if (verb == "convert") return outrider::run_convert(argc, argv);
  if (verb == "explain") return outrider::run_explain(argc, argv);
  if (verb == "lint") return outrider::run_lint(argc, argv);
  if (const std::string_view meant = nearest_verb(verb); !meant.empty()) {
    std::fprintf(stderr, "outrider: there is no verb '%s'; did you mean '%s'?\n", argv[1], meant.data());
    return 1;
  }
  return run_proxy(argc, argv);
}
