#include "http/format.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <optional>

#include "core/hex.h"
#include "core/utf8.h"
#include "http/json_text.h"
#include "wire/h1_chars.h"

namespace outrider {

namespace format {

bool absent(const Exchange&, const Step&, std::string&) { return false; }

bool append_text(std::string_view text, std::string& out) {
  out += text;
  return !text.empty();
}

bool append_number(std::uint64_t number, std::string& out) {
  char text[20];
  out.append(text, std::to_chars(text, text + sizeof text, number).ptr);
  return true;
}

void quote(std::string& out, std::size_t from) {
  std::string_view text = std::string_view(out).substr(from);
  if (json_needs_no_escape(text)) {
    out.insert(from, 1, '"');
    out += '"';
    return;
  }
  static thread_local std::string kept;  // Keeps its memory.
  kept.assign(text);
  out.resize(from);
  append_json_string(kept, out);
}

// Of a text that is always the same, or of a value: as far as the operator allows.
static bool append_step(const Exchange& x, const Step& step, std::string& out) {
  if (!step.value) return append_text(step.text, out);
  std::size_t before = out.size();
  if (!step.value(x, step, out)) return false;
  if (out.size() - before > step.bytes_max) out.resize(before + step.bytes_max);
  return true;
}

bool choose(const Exchange& x, const Step& step, std::string& out) {
  return std::ranges::any_of(step.choices, [&](const Step& each) { return append_step(x, each, out); });
}

bool append_json_step(const Exchange& x, const Step& step, std::uint32_t bytes_max, std::string& out) {
  bytes_max = std::min(bytes_max, step.bytes_max);
  if (step.value == choose) {
    return std::ranges::any_of(step.choices,
                               [&](const Step& each) { return append_json_step(x, each, bytes_max, out); });
  }
  std::size_t before = out.size();
  if (step.value ? !step.value(x, step, out) : !append_text(step.text, out)) return false;
  if (step.shape == Shape::number || (step.shape == Shape::any && !is_text(x, step))) return true;
  if (out.size() - before > bytes_max) out.resize(before + bytes_max);
  quote(out, before);
  return true;
}

}  // namespace format

namespace {

using format::Arguments;
using format::Row;
using format::Shape;
using format::Step;

constexpr std::size_t kArgumentsBytesMax = 4096;

constexpr auto kTables = {format::field_rows, format::moment_rows, format::connection_rows, format::outcome_rows};

template <class F>
void each_row(const F& visit) {
  for (auto table : kTables) {
    for (const Row& row : table()) visit(row);
  }
}

// ------------------------------------------------------------------------------------------------ the operators

// Operators of Envoy that mean something here too, but are not built.
constexpr std::string_view kNotBuilt[] = {"CEL", "FILE_CONTENT", "ROUTE_RESOLUTION_TIME_US", "SECRET", "TYPED_CEL"};

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); j++) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); i++) {
    std::size_t diagonal = std::exchange(row[0], i);
    for (std::size_t j = 1; j <= b.size(); j++) {
      std::size_t replaced = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, replaced}));
    }
  }
  return row[b.size()];
}

std::string unknown_operator(std::string_view name) {
  if (std::ranges::find(kNotBuilt, name) != std::end(kNotBuilt)) return "%" + std::string(name) + "% is not built yet";
  std::string message = "Not supported field in StreamInfo: " + std::string(name);
  std::size_t distance = (name.size() + 2) / 3 + 1;
  std::string_view nearest;
  bool exists = false;
  each_row([&](const Row& row) {
    std::size_t away = edit_distance(name, row.name);
    exists |= away == 0;  // But not here.
    if (away >= distance) return;
    distance = away;
    nearest = row.name;
  });
  if (!nearest.empty() && !exists) message += "; did you mean %" + std::string(nearest) + "%?";
  return message;
}

// ------------------------------------------------------------------------------------------------ the syntax

// %NAME(ARGUMENTS):LENGTH%
struct Command {
  std::string_view name;
  std::optional<std::string_view> arguments;
  std::optional<std::uint32_t> length;
  std::size_t size = 0;  // With both percent signs.
};

bool is_operator_byte(char c) { return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

// ":LENGTH%", or "%" alone.
bool scan_end(std::string_view text, std::size_t at, Command& command) {
  command.length.reset();
  if (at < text.size() && text[at] == ':') {
    std::uint32_t length = 0;
    auto [end, error] = std::from_chars(text.data() + at + 1, text.data() + text.size(), length);
    if (error != std::errc()) return false;
    command.length = length;
    at = static_cast<std::size_t>(end - text.data());
  }
  command.size = at + 1;
  return at < text.size() && text[at] == '%';
}

// The command at the front of `text`, which begins with `%`.
std::optional<Command> scan_command(std::string_view text) {
  Command command;
  std::size_t at = 1;
  while (at < text.size() && is_operator_byte(text[at])) at++;
  command.name = text.substr(1, at - 1);
  if (command.name.empty()) return std::nullopt;
  if (at < text.size() && text[at] == '(') {
    // The first bracket behind which the command ends.
    for (std::size_t close = at;;) {
      close = text.find(')', close + 1);
      if (close == text.npos || close - at > kArgumentsBytesMax) return std::nullopt;
      command.arguments = text.substr(at + 1, close - at - 1);
      if (command.arguments->find('\n') != std::string_view::npos) return std::nullopt;
      if (scan_end(text, close + 1, command)) return command;
    }
  }
  return scan_end(text, at, command) ? std::optional(command) : std::nullopt;
}

std::expected<Step, std::string> make_step(const Command& command, const FormatOptions& options);

// One operator of COALESCE: its name, or an object with "command", "param" and "max_length".
std::expected<Step, std::string> make_choice(const Value& from, const FormatOptions& options) {
  if (const std::string* name = from.text()) return make_step({*name, std::nullopt, std::nullopt}, options);
  if (!from.fields()) return std::unexpected("an operator is a name, or an object with the field 'command'");
  const Value *name = from.find("command"), *argument = from.find("param"), *length = from.find("max_length");
  if (!name || !name->text()) return std::unexpected("an operator's object needs 'command', which is a text");
  if (argument && !argument->text()) return std::unexpected("'param' must be a text");
  Command command{*name->text(), std::nullopt, std::nullopt};
  if (argument) command.arguments = *argument->text();
  if (length) {
    const double* number = length->number();
    if (!number || std::trunc(*number) != *number) return std::unexpected("'max_length' must be an integer");
    if (*number <= 0) return std::unexpected("'max_length' must be a positive integer");
    command.length = static_cast<std::uint32_t>(std::min<double>(*number, UINT32_MAX));
  }
  return make_step(command, options);
}

std::optional<std::string> read_choices(Step& step, std::string_view arguments, const FormatOptions& options) {
  std::optional<Value> json = parse_json(arguments);
  if (!json) return "COALESCE: its parameters are no JSON";
  const Value* operators = json->find("operators");
  if (!operators) return "COALESCE: JSON configuration must contain 'operators' array";
  if (!operators->list()) return "COALESCE: 'operators' must be an array";
  if (operators->list()->empty()) return "COALESCE: 'operators' array must not be empty";
  for (const Value& each : *operators->list()) {
    auto choice = make_choice(each, options);
    if (!choice) {
      return "COALESCE: failed to parse operator at index " + std::to_string(step.choices.size()) + ": " +
             choice.error();
    }
    step.choices.push_back(std::move(*choice));
  }
  return std::nullopt;
}

std::expected<Step, std::string> make_step(const Command& command, const FormatOptions& options) {
  const Row* row = nullptr;
  each_row([&](const Row& each) {
    if (each.name == command.name) row = &each;
  });
  if (!row || (row->name == "REQ_WITHOUT_QUERY" && !options.req_without_query))
    return std::unexpected(unknown_operator(command.name));
  std::string name(row->name), arguments(command.arguments.value_or(""));
  bool plain = row->arguments == Arguments::none && !row->length_allowed;
  if (plain && (!arguments.empty() || command.length))
    return std::unexpected(name + " does not take any parameters or length");
  if (row->arguments == Arguments::required && arguments.empty())
    return std::unexpected(name + " requires parameters: %" + name + "(PARAMETERS)%");
  if (command.length && !row->length_allowed) return std::unexpected(name + " does not allow length to be specified.");
  Step step;
  step.value = row->value;
  step.shape = row->shape;
  step.any_byte = row->any_byte;
  if (command.length) step.bytes_max = *command.length;
  if (row->read) {
    if (format::Failure failure = row->read(step, arguments)) return std::unexpected(std::move(*failure));
  }
  if (step.value == format::choose) {
    if (auto failure = read_choices(step, arguments, options)) return std::unexpected(std::move(*failure));
  }
  return step;
}

}  // namespace

void Format::add_literal(std::string_view text) {
  if (steps_.empty() || steps_.back().value) steps_.emplace_back();
  steps_.back().text += text;
}

std::expected<Format, FormatError> Format::compile(std::string_view text, FormatOptions options) {
  Format made;
  made.options_ = options;
  for (std::size_t at = 0; at < text.size();) {
    std::string_view rest = text.substr(at);
    if (rest[0] != '%') {
      std::size_t end = std::min(rest.find('%'), rest.size());
      made.add_literal(rest.substr(0, end));
      at += end;
      continue;
    }
    if (rest.starts_with("%%")) {
      made.add_literal("%");
      at += 2;
      continue;
    }
    auto command = scan_command(rest);
    if (!command) {
      return std::unexpected(FormatError{at, "Incorrect configuration: Couldn't find valid command at position " +
                                                 std::to_string(at) +
                                                 ": %NAME%, %NAME(PARAMETERS):LENGTH% or %% was expected"});
    }
    auto step = make_step(*command, options);
    if (!step) return std::unexpected(FormatError{at, std::move(step.error())});
    if (step->value) {
      made.steps_.push_back(std::move(*step));
    } else {
      made.add_literal(step->text);
    }
    at += command->size;
  }
  return made;
}

namespace {

void escape_controls(std::string& text, std::size_t begin) {
  if (std::ranges::none_of(std::string_view(text).substr(begin), h1::is_control)) return;
  std::string value = text.substr(begin);
  text.resize(begin);
  for (char c : value) {
    if (h1::is_control(c)) {
      const auto& digits = kHexPairs[static_cast<unsigned char>(c)];
      text.append("\\x").append(digits.data(), digits.size());
    } else {
      text += c;
    }
  }
}

}  // namespace

void Format::append(const Exchange& x, std::string& out) const {
  for (const Step& step : steps_) {
    std::size_t before = out.size();
    if (!step.value) {
      out += step.text;
    } else if (!format::append_step(x, step, out)) {
      if (!options_.omit_empty) out += '-';
    } else if (step.any_byte && options_.one_line) {
      escape_controls(out, before);
    }
  }
}

bool Format::append_json(const Exchange& x, std::string& out) const {
  std::size_t before = out.size();
  if (steps_.size() != 1 || !steps_[0].value) {
    append(x, out);
    format::quote(out, before);
    return true;
  }
  return format::append_json_step(x, steps_[0], UINT32_MAX, out);
}

bool Format::constant() const {
  return std::ranges::all_of(steps_, [](const Step& s) { return !s.value || s.value == format::absent; });
}

}  // namespace outrider
