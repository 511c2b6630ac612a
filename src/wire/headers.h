#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/arena.h"
#include "wire/known_header.h"

namespace outrider {

// One field line. The name is in lower case whatever the peer sent; the value has no white space at its ends.
struct Field {
  std::string_view name;
  std::string_view value;
  Known known = Known::none;
  bool never_indexed = false;  // No table of HTTP/2 may keep it, here or further on (RFC 7541 section 7.1.3).
};

// The header (or trailer) section of a message of any protocol: an ordered list in which names may repeat.
//
// Lifetimes: it owns nothing. Names and values are views that must outlive it (the receive buffer, the Arena, static
// text); its own list lies in the Arena that it was made with and is given back with that. A pointer to a Field is
// valid until the next call that adds or removes.
class Headers {
 public:
  explicit Headers(Arena& arena) : arena_(&arena) {}
  Headers(Headers&& other) noexcept { *this = static_cast<Headers&&>(other); }
  Headers& operator=(Headers&& other) noexcept;
  Headers(const Headers&) = delete;
  Headers& operator=(const Headers&) = delete;

  // Appends. The name must be in lower case already (asserted in debug builds).
  void add(std::string_view name, std::string_view value);
  // For a caller that has looked the name up already.
  void add(std::string_view name, Known known, std::string_view value) { append(name, value, known); }
  void add(Known known, std::string_view value) { append(name_of(known), value, known); }

  // Replaces every field of that name by one, at the place of the first; appends when there was none.
  void set(Known known, std::string_view value);
  void set(std::string_view name, std::string_view value);

  // Appends unless the name is there already.
  void add_if_absent(Known known, std::string_view value) {
    if (!has(known)) add(known, value);
  }

  // Removes every field of that name and says how many there were. Order is kept.
  size_t remove(Known known);
  size_t remove(std::string_view name);

  // Removes every field for which `matches(const Field&)` is true.
  template <class Predicate>
  size_t remove_if(Predicate matches);

  // Removes all and keeps the storage.
  void clear();

  // The first field of that name, or null. Absence costs one bit test.
  const Field* find(Known known) const { return has(known) ? first(known) : nullptr; }
  Field* find(Known known) { return has(known) ? first(known) : nullptr; }
  const Field* find(std::string_view lower_case_name) const;

  bool has(Known known) const { return (present_ & bit(known)) != 0; }
  // The value of the first field of that name; empty when there is none.
  std::string_view value(Known known) const {
    const Field* field = find(known);
    return field ? field->value : std::string_view{};
  }
  std::string_view value(std::string_view lower_case_name) const {
    const Field* field = find(lower_case_name);
    return field ? field->value : std::string_view{};
  }
  size_t count(Known known) const;

  // Bit i is set when the field Known(i) is there.
  uint64_t present() const { return present_; }
  static constexpr uint64_t bit(Known known) { return uint64_t{1} << static_cast<unsigned>(known); }

  size_t count() const { return count_; }
  bool empty() const { return count_ == 0; }
  // Sum of the lengths of names and values, as Envoy counts header bytes.
  size_t byte_size() const;

  const Field* begin() const { return fields_; }
  const Field* end() const { return fields_ + count_; }
  // Values may be replaced through these; names and Known may not.
  Field* begin() { return fields_; }
  Field* end() { return fields_ + count_; }
  const Field& operator[](size_t index) const { return fields_[index]; }

  Arena& arena() const { return *arena_; }

 private:
  static constexpr uint32_t kFirstCapacity = 16;

  void append(std::string_view name, std::string_view value, Known known) {
    if (count_ == capacity_) grow();
    fields_[count_++] = Field{name, value, known};
    present_ |= bit(known) & ~uint64_t{1};
  }
  Field* first(Known known) const {
    Field* field = fields_;
    while (field->known != known) ++field;
    return field;
  }
  void grow();
  void recount();

  Field* fields_ = nullptr;
  uint64_t present_ = 0;
  uint32_t count_ = 0;
  uint32_t capacity_ = 0;
  Arena* arena_;
};

template <class Predicate>
size_t Headers::remove_if(Predicate matches) {
  uint32_t kept = 0;
  for (uint32_t i = 0; i < count_; ++i) {
    if (matches(static_cast<const Field&>(fields_[i]))) continue;
    if (kept != i) fields_[kept] = fields_[i];
    ++kept;
  }
  size_t removed = count_ - kept;
  count_ = kept;
  if (removed != 0) recount();
  return removed;
}

}  // namespace outrider
