// The table of all flags: what each is called, what it takes and what it does.
#pragma once
#include <expected>
#include <span>
#include <string>
#include <string_view>

#include "server/flags.h"

namespace outrider {

// Why a value was refused. An empty text: it could not be read as what the flag takes.
using Outcome = std::expected<void, std::string>;
using Setter = Outcome (*)(Flags&, std::string_view value);

enum class Takes : unsigned char { nothing, text, number };

struct Flag {
  std::string_view name;  // without dashes
  char alias;             // 0: none
  Takes takes;
  std::string_view help;
  Setter set;                       // nullptr: the flag ends the program and prints something
  std::string_view no_effect = {};  // why it changes nothing; empty: it does
  bool may_repeat = false;
};

std::span<const Flag> all_flags();

}  // namespace outrider
