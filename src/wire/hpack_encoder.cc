#include "wire/hpack_encoder.h"

#include <algorithm>
#include <cstring>

namespace outrider::hpack {
namespace {

// Section 5.1, with the bits of the representation in front.
char* put_integer(std::uint8_t first, int prefix_bits, std::size_t value, char* out) {
  const std::size_t mask = (std::size_t{1} << prefix_bits) - 1;
  if (value < mask) {
    *out++ = static_cast<char>(first | value);
    return out;
  }
  *out++ = static_cast<char>(first | mask);
  for (value -= mask; value >= 0x80; value >>= 7) *out++ = static_cast<char>(0x80 | (value & 0x7f));
  *out++ = static_cast<char>(value);
  return out;
}

char* put_string(std::string_view text, char* out) {
  out = put_integer(0, 7, text.size(), out);
  return std::ranges::copy(text, out).out;
}

std::uint64_t word_at(const char* at) {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// Of lengths and of both ends of each: enough to tell the fields of one connection apart; a mistake costs a comparison.
std::uint64_t ends_of(std::string_view text) {
  if (text.size() >= 8) return word_at(text.data()) ^ (word_at(text.data() + text.size() - 8) * 31) ^ text.size();
  std::uint64_t word = text.size();
  for (char c : text) word = word << 8 | static_cast<unsigned char>(c);
  return word;
}

std::uint32_t hash_of(const Name& name, std::string_view value) {
  constexpr std::uint64_t kFactor = 0x9e3779b97f4a7c15;
  std::uint64_t of_name = is_static(name)
                              ? static_cast<std::uint64_t>(name.known) << 4 | static_cast<std::uint64_t>(name.pseudo)
                              : ends_of(name.text);
  return static_cast<std::uint32_t>((of_name * kFactor ^ ends_of(value)) * kFactor >> 32);
}

bool same_name(const Name& a, const Name& b) {
  return a.known == b.known && a.pseudo == b.pseudo && (is_static(a) || a.text == b.text);
}

// The static field that is all of it; 0: none.
std::uint32_t whole_static_field(const Name& name, std::string_view value) {
  std::uint32_t index = static_index(name);
  for (std::uint32_t i = index; i != 0 && i <= kStaticFields; i++) {
    const TableField& field = static_field(i);
    if (!same_name(field.name, name)) break;
    if (field.value == value && !value.empty()) return i;
  }
  return 0;
}

}  // namespace

Encoder::Encoder(std::uint32_t table_bytes_max)
    : own_limit_(table_bytes_max), table_(std::max(table_bytes_max, DynamicTable::kBytesDefault)) {
  table_.resize(DynamicTable::kBytesDefault);
  if (table_bytes_max < DynamicTable::kBytesDefault) set_limit(table_bytes_max);
}

void Encoder::set_limit(std::uint32_t table_bytes) {
  std::uint32_t limit = std::min(table_bytes, own_limit_);
  if (!limit_changed_ && limit == table_.bytes_max()) return;
  smallest_ = limit_changed_ ? std::min(smallest_, limit) : limit;
  limit_changed_ = true;
  table_.resize(limit);
}

// Section 4.2: the smallest limit of the meantime is told too, since the table had to shrink to it.
char* Encoder::begin(char* out) {
  if (!limit_changed_) return out;
  limit_changed_ = false;
  if (smallest_ < table_.bytes_max()) out = put_integer(0x20, 5, smallest_, out);
  return put_integer(0x20, 5, table_.bytes_max(), out);
}

std::uint32_t Encoder::find(const Name& name, std::string_view value, std::uint32_t hash) {
  const Place& place = place_of(hash);
  if (place.number == 0 || place.hash != hash) return 0;
  std::uint32_t age = table_.added() - place.number;
  if (age >= table_.count()) return 0;
  const TableField& field = table_.at(age);
  return same_name(field.name, name) && field.value == value ? kStaticFields + 1 + age : 0;
}

char* Encoder::field(const Name& name, std::string_view value, Indexing indexing, char* out) {
  std::uint8_t first = indexing == Indexing::never ? 0x10 : 0x00;
  int prefix_bits = 4;
  if (indexing != Indexing::never) {
    if (std::uint32_t index = whole_static_field(name, value)) return put_integer(0x80, 7, index, out);
  }
  if (indexing == Indexing::yes && fits(name, value)) {
    std::uint32_t hash = hash_of(name, value);
    if (std::uint32_t index = find(name, value, hash)) return put_integer(0x80, 7, index, out);
    table_.add(name, value);
    place_of(hash) = {hash, table_.added()};
    first = 0x40;
    prefix_bits = 6;
  }
  std::uint32_t of_name = static_index(name);
  out = put_integer(first, prefix_bits, of_name, out);
  if (of_name == 0) out = put_string(name.text, out);
  return put_string(value, out);
}

}  // namespace outrider::hpack
