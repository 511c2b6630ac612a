#include "wire/known_header.h"

#include <array>
#include <cstring>

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

template <class Word>
bool same_word(const char* a, const char* b) {
  Word x, y;
  std::memcpy(&x, a, sizeof x);
  std::memcpy(&y, b, sizeof y);
  return x == y;
}

// As memcmp, without a call: every field of every message comes by here.
bool same_text(const char* a, const char* b, size_t size) {
  if (size >= 8) {
    for (size_t i = 0; i + 8 < size; i += 8) {
      if (!same_word<uint64_t>(a + i, b + i)) return false;
    }
    return same_word<uint64_t>(a + size - 8, b + size - 8);
  }
  if (size >= 4) return same_word<uint32_t>(a, b) && same_word<uint32_t>(a + size - 4, b + size - 4);
  for (size_t i = 0; i < size; ++i) {
    if (a[i] != b[i]) return false;
  }
  return true;
}

}  // namespace

Known known_of(std::string_view lower_case_name) {
  if (lower_case_name.empty()) return Known::none;
  Known known = kSlots[slot_of(lower_case_name, kFactor)];
  std::string_view name = kNames[static_cast<size_t>(known)];
  bool same = name.size() == lower_case_name.size() && same_text(name.data(), lower_case_name.data(), name.size());
  return same ? known : Known::none;
}

std::string_view name_of(Known known) { return kNames[static_cast<size_t>(known)]; }

}  // namespace outrider
