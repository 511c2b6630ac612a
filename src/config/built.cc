#include "config/built.h"

#include "config/schema.h"

namespace outrider::config {
namespace {

constexpr std::string_view kBlanks = " \t\r";

std::string_view next_word(std::string_view& line) {
  const size_t begin = line.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return line = {};
  line.remove_prefix(begin);
  const size_t end = line.find_first_of(kBlanks);
  const std::string_view word = line.substr(0, end);
  line.remove_prefix(word.size());
  return word;
}

}  // namespace

const Built& Built::get() {
  static const Built built(built_table());
  return built;
}

const Built& Built::everything() {
  static const Built all = [] {
    Built out;
    out.everything_ = true;
    return out;
  }();
  return all;
}

Built::Built(std::string_view table) {
  Names* names = nullptr;
  while (!table.empty()) {
    const size_t end = table.find('\n');
    std::string_view line = table.substr(0, end);
    table = end == std::string_view::npos ? std::string_view{} : table.substr(end + 1);
    line = line.substr(0, line.find('#'));
    const bool indented = !line.empty() && kBlanks.find(line[0]) != std::string_view::npos;
    for (std::string_view word = next_word(line); !word.empty(); word = next_word(line)) {
      if (!indented) {
        names = &messages_[word];
      } else if (word == "*") {
        names->all = true;
      } else if (const size_t equals = word.find('='); names != nullptr && equals != std::string_view::npos) {
        names->only.emplace(word.substr(0, equals), word.substr(equals + 1));
      } else if (names != nullptr) {
        names->set.insert(word);
      }
    }
  }
}

bool Built::message(std::string_view full_name) const {
  return everything_ || messages_.contains(full_name) || full_name.starts_with("google.protobuf.");
}

bool Built::field(std::string_view message_full_name, std::string_view field_name) const {
  if (everything_) return true;
  const auto found = messages_.find(message_full_name);
  if (found == messages_.end()) return message_full_name.starts_with("google.protobuf.");
  return found->second.all || found->second.set.contains(field_name);
}

std::string_view Built::only_value(std::string_view message_full_name, std::string_view field_name) const {
  const auto found = messages_.find(message_full_name);
  if (found == messages_.end()) return {};
  const auto value = found->second.only.find(field_name);
  return value == found->second.only.end() ? std::string_view{} : value->second;
}

bool Built::enum_value(std::string_view enum_full_name, std::string_view value_name) const {
  const auto found = messages_.find(enum_full_name);
  return found == messages_.end() || found->second.all || found->second.set.contains(value_name);
}

}  // namespace outrider::config
