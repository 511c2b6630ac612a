#include "server/flags.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <set>
#include <span>
#include <thread>
#include <utility>

#include "config/nearest.h"
#include "config/schema.h"
#include "server/flag_table.h"

namespace outrider {
namespace {

std::string ending(const Flag& flag) {
  if (flag.name == "help") return help_text();
  if (flag.name == "version") return version_text();
  return "disabled\n";  // --hot-restart-version
}

std::string spelled(const Flag& flag) {
  return flag.alias ? fmt::format("-{},  --{}", flag.alias, flag.name) : fmt::format("--{}", flag.name);
}

// The flag that was probably meant, or empty.
std::string_view nearest_flag(std::string_view word) {
  std::vector<std::string_view> names;
  for (const Flag& flag : all_flags()) names.push_back(flag.name);
  word.remove_prefix(std::min(word.find_first_not_of('-'), word.size()));
  return config::nearest(word.substr(0, word.find('=')), names);
}

std::unexpected<FlagError> refused(std::string_view argument, std::string_view why, std::string_view meant = {}) {
  std::string hint = meant.empty() ? "" : fmt::format("             Did you mean --{}?\n", meant);
  return std::unexpected(FlagError{fmt::format(
      "PARSE ERROR: Argument: {}\n             {}\n{}\nAll flags: outrider --help\n", argument, why, hint)});
}

// One argument that begins a flag, taken apart.
struct Word {
  const Flag* flag = nullptr;             // nullptr: unknown
  std::optional<std::string_view> value;  // of `--flag=value`
};

Word take_apart(std::string_view argument) {
  if (argument.size() == 2 && argument[0] == '-') {
    const auto found = std::ranges::find(all_flags(), argument[1], &Flag::alias);
    return {argument[1] != 0 && found != all_flags().end() ? &*found : nullptr, std::nullopt};
  }
  if (!argument.starts_with("--")) return {};
  Word word;
  std::string_view name = argument.substr(2);
  if (std::size_t equal = name.find('='); equal != name.npos) {
    word.value = name.substr(equal + 1);
    name = name.substr(0, equal);
  }
  const auto found = std::ranges::find(all_flags(), name, &Flag::name);
  if (found != all_flags().end()) word.flag = &*found;
  return word;
}

// Reads one flag of `arguments` and takes its words away.
std::expected<void, FlagError> parse_one(std::span<const char* const>& arguments, Flags& flags,
                                         std::set<const Flag*>& seen) {
  std::string_view argument = arguments.front();
  arguments = arguments.subspan(1);
  auto [flag, value] = take_apart(argument);
  if (!flag && !argument.starts_with('-') && seen.empty() && ::access(argument.data(), F_OK) == 0) {
    return refused(argument, "Couldn't find match for argument", "config-path " + std::string(argument));
  }
  if (!flag) return refused(argument, "Couldn't find match for argument", nearest_flag(argument));
  if (!flag->set) return std::unexpected(FlagError{ending(*flag), 0});

  const bool again = !seen.insert(flag).second;
  if (again && !flag->may_repeat) return refused(spelled(*flag), "Argument already set!");
  if (flag->takes == Takes::nothing) {
    if (value) return refused(spelled(*flag), "This flag takes no value");
  } else if (!value) {
    if (arguments.empty()) return refused(spelled(*flag), "Missing a value for this argument!");
    value = arguments.front();
    arguments = arguments.subspan(1);
  }

  Outcome outcome = flag->set(flags, value.value_or(""));
  if (!outcome && outcome.error().empty()) {
    return refused(spelled(*flag), fmt::format("Couldn't read argument value from string '{}'", *value));
  }
  if (!outcome) return std::unexpected(FlagError{fmt::format("error: {}\n", outcome.error())});
  if (!again && !flag->no_effect.empty()) {
    flags.without_effect.push_back(fmt::format("--{} has no effect: {}", flag->name, flag->no_effect));
  }
  return {};
}

std::string_view placeholder(Takes takes) {
  switch (takes) {
    case Takes::text:
      return " <string>";
    case Takes::number:
      return " <uint32_t>";
    case Takes::nothing:
      break;
  }
  return "";
}

// `text` in lines of at most 75 characters, each indented by five.
void append_wrapped(std::string& out, std::string_view text) {
  constexpr std::size_t kWidth = 75;
  while (!text.empty()) {
    std::size_t end = text.size() <= kWidth ? text.size() : text.rfind(' ', kWidth);
    if (end == text.npos) end = text.size();
    fmt::format_to(std::back_inserter(out), "     {}\n", text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

// Flags that do not go together.
std::string contradiction(const Flags& flags) {
  if (flags.restart_epoch != 0 && flags.use_dynamic_base_id) {
    return fmt::format("cannot use --restart-epoch={} with --use-dynamic-base-id", flags.restart_epoch);
  }
  if (flags.enable_fine_grain_logging && !flags.component_log_levels.empty()) {
    return "--component-log-level will not work with --enable-fine-grain-logging";
  }
  return {};
}

}  // namespace

std::expected<Flags, FlagError> parse_flags(int argc, const char* const* argv, std::string_view config_path_default) {
  Flags flags;
  std::set<const Flag*> seen;
  std::span arguments(argv, static_cast<std::size_t>(std::max(argc, 0)));
  if (!arguments.empty()) arguments = arguments.subspan(1);
  while (!arguments.empty()) {
    std::string_view argument = arguments.front();
    if (argument == "--" || argument == "--ignore_rest") break;
    if (auto one = parse_one(arguments, flags, seen); !one) return std::unexpected(one.error());
  }

  if (std::string wrong = contradiction(flags); !wrong.empty()) {
    return std::unexpected(FlagError{fmt::format("error: {}\n", wrong)});
  }
  std::string fallback(config_path_default);
  if (flags.config_path.empty() && flags.config_yaml.empty()) {
    if (::access(fallback.c_str(), F_OK) != 0) {
      return std::unexpected(FlagError{fmt::format(
          "error: no configuration: give -c FILE or --config-yaml TEXT; the default {} does not exist\n", fallback)});
    }
    flags.config_path = std::move(fallback);
  }
  if (flags.concurrency == 0) flags.concurrency = std::max(1u, std::thread::hardware_concurrency());
  return flags;
}

std::string help_text() {
  std::string out =
      "\nUSAGE:\n\n"
      "   outrider -c FILE [FLAG...]   the proxy\n"
      "   outrider validate FILE...    every error and note of each file; 1 if any\n"
      "   outrider convert FILE        any dialect as v3 (--format yaml or json)\n"
      "   outrider explain FILE METHOD URL\n"
      "                                the way of a request, rule by rule\n"
      "   outrider lint FILE...        what can hardly be meant; 2 if there is any\n"
      "   outrider echo --port N       a small service to try things with\n"
      "   outrider sds --file HOSTS --port N\n"
      "                                a service of discovery as v1 asks it\n\n"
      "A flag's value follows it as the next word or behind '='.\n\nWhere:\n\n";
  for (const Flag& flag : all_flags()) {
    std::string_view value = placeholder(flag.takes);
    if (flag.alias)
      fmt::format_to(std::back_inserter(out), "   -{}{},  --{}{}\n", flag.alias, value, flag.name, value);
    else
      fmt::format_to(std::back_inserter(out), "   --{}{}\n", flag.name, value);
    append_wrapped(out, flag.help);
    if (!flag.no_effect.empty()) append_wrapped(out, fmt::format("No effect: {}.", flag.no_effect));
    out += '\n';
  }
  return out;
}

std::string version_text() {
#ifdef NDEBUG
  constexpr std::string_view kBuild = "RELEASE";
#else
  constexpr std::string_view kBuild = "DEBUG";
#endif
  return fmt::format("\noutrider  version: {}/{}/Envoy API {}\n\n", OUTRIDER_VERSION, kBuild, config::kApiVersion);
}

std::uint64_t version_number() {
  std::uint64_t number = 0, part = 0;
  for (char c : std::string_view(OUTRIDER_VERSION ".")) {
    if (c == '.') {
      number = number * 1000 + std::exchange(part, 0);
    } else {
      part = part * 10 + static_cast<std::uint64_t>(c - '0');
    }
  }
  return number;
}

}  // namespace outrider
