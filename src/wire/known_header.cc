#include "wire/known_header.h"

#include <array>

namespace outrider {
namespace {

constexpr std::array<std::string_view, static_cast<size_t>(Known::count)> kNames = {std::string_view{},
#define X(id, text) std::string_view{text},
                                                                                    OUTRIDER_KNOWN_HEADERS(X)
#undef X
};

constexpr size_t kSlotCount = 512;

// A slot from the length and five characters.
constexpr size_t slot_of(std::string_view name, uint64_t factor) {
  const char* text = name.data();
  auto at = [text](size_t i) { return static_cast<uint64_t>(static_cast<unsigned char>(text[i])); };
  size_t size = name.size();
  uint64_t key = size | at(0) << 8 | at(size / 2) << 16 | at(size - 1) << 24 | at((size - 1) * 7 / 8) << 32 |
                 at(size - 1 - size / 16) << 40;
  return static_cast<size_t>(key * factor >> 55);
}

constexpr bool separates(uint64_t factor) {
  std::array<bool, kSlotCount> taken{};
  for (size_t i = 1; i < kNames.size(); ++i) {
    bool& slot = taken[slot_of(kNames[i], factor)];
    if (slot) return false;
    slot = true;
  }
  return true;
}

// Found by trying. A new name may ask for another one: any odd number that separates.
constexpr uint64_t kFactor = 0x8a885fbc4a81f79;
static_assert(separates(kFactor), "two known names share a slot");

constexpr std::array<Known, kSlotCount> kSlots = [] {
  std::array<Known, kSlotCount> slots{};
  for (size_t i = 1; i < kNames.size(); ++i) slots[slot_of(kNames[i], kFactor)] = static_cast<Known>(i);
  return slots;
}();

}  // namespace

Known known_of(std::string_view lower_case_name) {
  if (lower_case_name.empty()) return Known::none;
  Known known = kSlots[slot_of(lower_case_name, kFactor)];
  return kNames[static_cast<size_t>(known)] == lower_case_name ? known : Known::none;
}

std::string_view name_of(Known known) { return kNames[static_cast<size_t>(known)]; }

}  // namespace outrider
