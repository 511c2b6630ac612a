#include "server/verbs.h"

#include <fmt/format.h>

#include <cstdio>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/convert.h"
#include "config/lint.h"
#include "core/log.h"
#include "server/proxy.h"

namespace outrider {
namespace {

// argv[0] is the program, argv[1] the verb; the rest are options and files.
struct Words {
  config::Source source;  // without a path
  config::Form form = config::Form::yaml;
  std::vector<std::string> files;
};

constexpr std::string_view kUsage =
    "usage: outrider validate [OPTION...] FILE...\n"
    "       outrider convert [OPTION...] [--format yaml|json] FILE\n"
    "       outrider lint [OPTION...] FILE...      0: nothing was found, 2: something was, 1: an error\n"
    "\n"
    "  --no-environment               ${NAME} stays as it stands\n"
    "  --allow-unknown-static-fields  a field that the API does not have is a note instead of an error\n"
    "  --config-yaml TEXT             merged over the file\n";

int usage(bool asked) {
  std::string text(kUsage);
  text += "\nWhat lint finds:\n";
  for (const config::CheckName& check : config::lint_checks()) {
    text += fmt::format("  {:<19}{}\n", check.name, check.about);
  }
  std::fputs(text.c_str(), asked ? stdout : stderr);
  return asked ? 0 : 1;
}

// The error is the exit code.
std::expected<Words, int> read_words(std::span<char*> rest) {
  Words out;
  for (std::size_t i = 0; i < rest.size(); i++) {
    std::string_view word = rest[i];
    std::optional<std::string_view> behind;  // What follows a '='.
    for (const std::string_view takes_value : {"--config-yaml=", "--format="}) {
      if (!word.starts_with(takes_value)) continue;
      behind = word.substr(takes_value.size());
      word = word.substr(0, takes_value.size() - 1);
    }
    const bool has_value = behind || i + 1 < rest.size();
    const auto value = [&] { return behind ? *behind : std::string_view(rest[++i]); };
    if (word == "--no-environment") {
      out.source.substitute_environment = false;
    } else if (word == "--allow-unknown-static-fields" || word == "--allow-unknown-fields") {
      out.source.allow_unknown_fields = true;
    } else if (word == "--config-yaml" && has_value) {
      out.source.overlay_yaml = value();
    } else if (word == "--format" && has_value) {
      const std::string_view name = value();
      if (name != "yaml" && name != "json") return std::unexpected(usage(false));
      out.form = name == "json" ? config::Form::json : config::Form::yaml;
    } else if (word == "--help" || word == "-h") {
      return std::unexpected(usage(true));
    } else if (word.starts_with("-") && word != "-") {
      std::fprintf(stderr, "outrider: unknown option %s\n", rest[i]);
      return std::unexpected(usage(false));
    } else {
      out.files.emplace_back(word);
    }
  }
  if (out.files.empty()) {
    std::fputs("outrider: FILE is missing\n", stderr);
    return std::unexpected(usage(false));
  }
  return out;
}

std::expected<Words, int> words_of(int argc, char** argv) {
  return read_words(std::span(argv, static_cast<std::size_t>(argc)).subspan(2));
}

void tell(const std::vector<config::Problem>& problems) {
  if (!problems.empty()) std::fprintf(stderr, "%s\n", config::to_text(problems).c_str());
}

// The notes on a configuration go to the log.
void tell_note(Logger, LogLevel level, std::string_view message) {
  if (level < LogLevel::warning) return;
  std::fprintf(stderr, "%s\n", std::string(message).c_str());
}

}  // namespace

int run_validate(int argc, char** argv) {
  log_state::sink.store(tell_note, std::memory_order_release);
  auto words = words_of(argc, argv);
  if (!words) return words.error();
  int code = 0;
  for (const std::string& file : words->files) {
    Flags flags;
    flags.config_path = file;
    flags.config_yaml = words->source.overlay_yaml;
    flags.substitute_environment = words->source.substitute_environment;
    flags.allow_unknown_fields = words->source.allow_unknown_fields;
    flags.concurrency = 1;
    flags.may_lack_name = true;
    if (Proxy(std::move(flags)).validate() != 0) code = 1;
  }
  return code;
}

int run_convert(int argc, char** argv) {
  auto words = words_of(argc, argv);
  if (!words) return words.error();
  if (words->files.size() > 1) return usage(false);
  words->source.path = words->files[0];
  auto converted = config::convert(words->source, words->form);
  tell(converted ? converted->notes : converted.error());
  if (!converted) return 1;
  std::fwrite(converted->text.data(), 1, converted->text.size(), stdout);
  return std::fflush(stdout) == 0 ? 0 : 1;
}

int run_lint(int argc, char** argv) {
  auto words = words_of(argc, argv);
  if (!words) return words.error();
  bool wrong = false, found = false;
  for (const std::string& file : words->files) {
    words->source.path = file;
    auto findings = config::lint(words->source);
    if (!findings) {
      tell(findings.error());
      wrong = true;
      continue;
    }
    for (const config::Finding& each : *findings) {
      found = true;
      std::string check(each.check);
      std::printf("%s [%s]\n", config::to_text(each.problem).c_str(), check.c_str());
    }
  }
  return wrong ? 1 : found ? 2 : 0;
}

}  // namespace outrider
