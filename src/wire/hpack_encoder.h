// HPACK, the writing side: fields into a header block (RFC 7541). Text is written as it is: coding it would cost both
// sides more time than it saves, as what comes again is a number of one or two bytes anyway.
#pragma once
#include <array>
#include <cstdint>
#include <string_view>

#include "wire/hpack_tables.h"

namespace outrider::hpack {

enum class Indexing : std::uint8_t {
  yes,    // It may come again: the peer shall remember it.
  no,     // It is unlike to.
  never,  // Nobody on the way may keep it (section 7.1.3).
};

class Encoder {
 public:
  // Room that begin() and field() need at most.
  static constexpr std::size_t kBeginBytesMax = 12;
  static constexpr std::size_t field_bytes_max(std::size_t name, std::size_t value) { return name + value + 18; }

  // Our own limit for the table, whatever the peer allows.
  explicit Encoder(std::uint32_t table_bytes_max = DynamicTable::kBytesDefault);

  // The peer's SETTINGS_HEADER_TABLE_SIZE.
  void set_limit(std::uint32_t table_bytes);
  // Every block begins with this. Each writes from `out` on, and says where it ended.
  char* begin(char* out);
  char* field(const Name& name, std::string_view value, Indexing indexing, char* out);

 private:
  static constexpr std::uint32_t kPlaces = 128;
  struct Place {
    std::uint32_t hash = 0;
    std::uint32_t number = 0;  // DynamicTable::added() when it was added; 0: none.
  };

  Place& place_of(std::uint32_t hash) { return places_[hash % kPlaces]; }
  // One that would push out most of what the table knows is not worth its place.
  bool fits(const Name& name, std::string_view value) const {
    return name.text.size() + value.size() + DynamicTable::kFieldOverhead <= table_.bytes_max() / 4 * 3;
  }
  // The index of the field; 0: the table has none.
  std::uint32_t find(const Name& name, std::string_view value, std::uint32_t hash);

  const std::uint32_t own_limit_;
  DynamicTable table_;
  std::uint32_t smallest_ = 0;  // Of the limits since the last block.
  bool limit_changed_ = false;
  std::array<Place, kPlaces> places_{};
};

}  // namespace outrider::hpack
