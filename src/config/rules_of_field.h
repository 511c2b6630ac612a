#pragma once

#include <re2/re2.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/schema.h"

namespace outrider::config {

// Numbers of every kind fit exactly into a long double of 64 bits of mantissa; a duration counts in seconds.
struct NumberRules {
  std::optional<long double> equal, less, at_most, greater, at_least;
  std::vector<long double> in, not_in;
};

struct TextRules {
  uint64_t characters_min = 0, characters_max = std::numeric_limits<uint64_t>::max();
  uint64_t bytes_min = 0, bytes_max = std::numeric_limits<uint64_t>::max();
  std::optional<std::string> equal;
  std::string prefix, suffix, contains, not_contains;
  std::vector<std::string> in, not_in;
  std::unique_ptr<RE2> pattern;
  enum class Header : uint8_t { no, name, value } header = Header::no;  // well_known_regex
  bool strict = true;
};

// The constraints of one field, as its `validate.rules` option states them.
struct FieldRules {
  bool required = false;      // a message must be there
  bool skip = false;          // what is below a message is not checked
  bool ignore_empty = false;  // an empty value passes
  bool defined_only = false;  // an enum's number must have a name
  std::optional<bool> truth;
  std::unique_ptr<NumberRules> number;                                       // also of enums and durations
  std::unique_ptr<TextRules> text;                                           // also of bytes
  uint64_t items_min = 0, items_max = std::numeric_limits<uint64_t>::max();  // also of a map's pairs
  bool unique = false;
  std::unique_ptr<FieldRules> items, keys, values;
  std::vector<std::string> unknown;  // kinds of constraints that this code does not know
};

// nullptr if the field has no rules.
std::unique_ptr<FieldRules> rules_of(const Schema& schema, const google::protobuf::FieldDescriptor& field);

// What is wrong with a value, as "... was expected"; empty if nothing is.
std::string violation(const NumberRules& rules, long double value);
std::string violation(const TextRules& rules, std::string_view value);

}  // namespace outrider::config
