#include "wire/headers.h"

#include <cassert>
#include <cstring>

namespace outrider {
namespace {

[[maybe_unused]] bool is_lower_case(std::string_view name) {
  for (char c : name) {
    if (c >= 'A' && c <= 'Z') return false;
  }
  return true;
}

}  // namespace

Headers& Headers::operator=(Headers&& other) noexcept {
  fields_ = other.fields_;
  present_ = other.present_;
  count_ = other.count_;
  capacity_ = other.capacity_;
  arena_ = other.arena_;
  if (&other != this) {
    other.fields_ = nullptr;
    other.present_ = 0;
    other.count_ = other.capacity_ = 0;
  }
  return *this;
}

void Headers::add(std::string_view name, std::string_view value) {
  assert(is_lower_case(name));
  append(name, value, known_of(name));
}

void Headers::set(Known known, std::string_view value) {
  Field* field = find(known);
  if (field == nullptr) return add(known, value);
  field->value = value;
  remove_if([&](const Field& other) { return other.known == known && &other != field; });
}

void Headers::set(std::string_view name, std::string_view value) {
  if (Known known = known_of(name); known != Known::none) return set(known, value);
  auto* field = const_cast<Field*>(find(name));
  if (field == nullptr) return add(name, value);
  field->value = value;
  const Field kept = *field;
  uint32_t index = 0, first = static_cast<uint32_t>(field - fields_);
  remove_if([&](const Field& other) { return index++ != first && other.name == kept.name; });
}

size_t Headers::remove(Known known) {
  if (!has(known)) return 0;
  return remove_if([known](const Field& field) { return field.known == known; });
}

size_t Headers::remove(std::string_view name) {
  if (Known known = known_of(name); known != Known::none) return remove(known);
  return remove_if([name](const Field& field) { return field.name == name; });
}

void Headers::clear() {
  count_ = 0;
  present_ = 0;
}

const Field* Headers::find(std::string_view lower_case_name) const {
  if (Known known = known_of(lower_case_name); known != Known::none) return find(known);
  for (const Field& field : *this) {
    if (field.name == lower_case_name) return &field;
  }
  return nullptr;
}

size_t Headers::count(Known known) const {
  if (!has(known)) return 0;
  size_t count = 0;
  for (const Field& field : *this) count += field.known == known;
  return count;
}

size_t Headers::byte_size() const {
  size_t bytes = 0;
  for (const Field& field : *this) bytes += field.name.size() + field.value.size();
  return bytes;
}

void Headers::grow() {
  uint32_t capacity = capacity_ == 0 ? kFirstCapacity : capacity_ * 2;
  auto* fields = static_cast<Field*>(arena_->allocate(capacity * sizeof(Field), alignof(Field)));
  if (count_ != 0) std::memcpy(static_cast<void*>(fields), fields_, count_ * sizeof(Field));
  fields_ = fields;
  capacity_ = capacity;
}

void Headers::recount() {
  present_ = 0;
  for (const Field& field : *this) present_ |= bit(field.known) & ~uint64_t{1};
}

}  // namespace outrider
