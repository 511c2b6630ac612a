// The two tables of HPACK: what everybody knows, and what one connection has learned (RFC 7541 section 2.3).
#pragma once
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "wire/known_header.h"

namespace outrider::hpack {

// The fields that stand for the first line (RFC 9113 section 8.3, RFC 8441 section 4).
enum class Pseudo : std::uint8_t { none, method, scheme, authority, path, status, protocol, unknown };

// A field's name, looked up. Names that begin with a colon are Pseudo.
struct Name {
  std::string_view text;
  Known known = Known::none;
  Pseudo pseudo = Pseudo::none;
};

struct TableField {
  Name name;
  std::string_view value;
};

// The text is static where the name is known or one of the Pseudo, else the caller's.
Name look_up(std::string_view name);
std::string_view name_of(Pseudo pseudo);
bool is_static(const Name& name);

// Appendix A; index is 1 … kStaticFields. The text is static.
inline constexpr std::uint32_t kStaticFields = 61;
const TableField& static_field(std::uint32_t index);
// The first index of that name; 0: none has it.
std::uint32_t static_index(const Name& name);

// Section 2.3.2: fields by age, in at most so many bytes by section 4.1's count. Holds no memory before the first
// add().
class DynamicTable {
 public:
  static constexpr std::uint32_t kBytesDefault = 4096;  // SETTINGS_HEADER_TABLE_SIZE
  static constexpr std::uint32_t kFieldOverhead = 32;

  // `bytes_max` is all that resize() may ever ask for.
  explicit DynamicTable(std::uint32_t bytes_max) : capacity_(bytes_max), bytes_max_(bytes_max) {}

  std::uint32_t bytes_max() const { return bytes_max_; }
  // Evicts what is too much. At most what the constructor was told.
  void resize(std::uint32_t bytes_max);
  // Evicts what is in its way; a field that is larger than the table empties it. The text is copied, and may not be the
  // table's own.
  void add(const Name& name, std::string_view value);

  std::uint32_t count() const { return count_; }
  // 0 is the newest. Valid until the next add() or resize().
  const TableField& at(std::uint32_t age) const { return fields_[(newest_ - age) & mask_]; }
  // How many were ever added: the newest one's number.
  std::uint32_t added() const { return added_; }

 private:
  static std::uint32_t bytes_of(const TableField& field) {
    return static_cast<std::uint32_t>(field.name.text.size() + field.value.size()) + kFieldOverhead;
  }
  void evict_to(std::uint32_t bytes);
  void make_room();
  char* place(std::size_t bytes);

  const std::uint32_t capacity_;
  std::uint32_t bytes_max_;
  std::uint32_t bytes_ = 0;
  std::uint32_t count_ = 0, newest_ = 0, added_ = 0;
  std::uint32_t mask_ = 0;
  std::unique_ptr<TableField[]> fields_;  // A ring.
  // Text, oldest to newest, from some point on again from the start: twice as long as the table, so that a field which
  // does not fit at the end always has room at the start.
  std::unique_ptr<char[]> text_;
  std::size_t text_end_ = 0;
};

}  // namespace outrider::hpack
