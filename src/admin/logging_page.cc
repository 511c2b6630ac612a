// `/logging`: the levels of the loggers, and how they are changed.
#include <algorithm>
#include <array>
#include <optional>
#include <vector>

#include "admin/page.h"
#include "core/log_levels.h"

namespace outrider {
namespace {

struct Change {
  std::string_view logger;  // Empty: all.
  std::string_view level;
};

constexpr std::string_view kUsage =
    "usage: /logging?<name>=<level> (change single level)\n"
    "usage: /logging?paths=name1:level1,name2:level2,... (change multiple levels)\n"
    "usage: /logging?level=<level> (change all levels)\n"
    "usage: /logging?group=<group_name>:<level> (change group of loggers)\n";

std::string active_loggers() {
  std::string text = "active loggers:\n";
  for (std::string_view name : component_names()) {
    text.append("  ").append(name).append(": ").append(name_of(component_level(name))).append("\n");
  }
  return text + "\n";
}

// name:level,name:level; empty pieces are skipped.
std::string split_paths(std::string_view paths, std::vector<Change>& changes) {
  while (!paths.empty()) {
    std::size_t comma = std::min(paths.find(','), paths.size());
    std::string_view one = paths.substr(0, comma);
    paths.remove_prefix(std::min(comma + 1, paths.size()));
    if (one.empty()) continue;
    std::size_t colon = std::min(one.find(':'), one.size());
    Change change{one.substr(0, colon), one.substr(std::min(colon + 1, one.size()))};
    if (change.logger.empty() || change.level.empty()) return "empty logger name or empty logger level";
    changes.push_back(change);
  }
  return {};
}

// What the parameters ask for. Those that an empty field of a form leaves behind ask for nothing.
std::string parse(std::span<const QueryParameter> parameters, std::vector<Change>& changes) {
  std::optional<QueryParameter> asked;
  for (const QueryParameter& p : parameters) {
    if (p.value.empty()) continue;
    if (asked) return "invalid number of parameters";
    asked = p;
  }
  if (!asked) return {};
  if (asked->name == "paths") return split_paths(asked->value, changes);
  if (asked->name == "group") return "group parameter requires fine-grain logging to be enabled";
  if (asked->name == "level") {
    changes.push_back({"", asked->value});
  } else if (asked->name.empty()) {
    return "unknown logger name";
  } else {
    changes.push_back({asked->name, asked->value});
  }
  return {};
}

// Nothing is changed unless everything can be.
std::string apply_changes(const AdminView& view, const std::vector<Change>& changes) {
  for (const Change& c : changes) {
    if (std::ranges::find(kLogLevelNames, c.level) == kLogLevelNames.end()) return "unknown logger level";
  }
  for (const Change& c : changes) {
    if (!c.logger.empty() && !known_component(c.logger)) return "unknown logger name";
  }
  for (const Change& c : changes) {
    if (std::string error = view.set_level(c.logger, c.level); !error.empty()) return error;
  }
  return {};
}

}  // namespace

PageAnswer logging_page(const PageRequest& request) {
  std::vector<Change> changes;
  std::string error = parse(request.parameters, changes);
  if (error.empty()) error = apply_changes(request.view, changes);
  if (error.empty()) return PageAnswer::plain(active_loggers());
  std::string text = "error: " + error + "\n\n";
  text.append(kUsage).append("levels: ");
  for (std::string_view level : kLogLevelNames) text.append(level).append(" ");
  return PageAnswer::plain(text + "\n" + active_loggers(), 400);
}

}  // namespace outrider
