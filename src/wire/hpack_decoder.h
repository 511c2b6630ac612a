// HPACK, the reading side: a header block back into fields (RFC 7541).
#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "core/arena.h"
#include "wire/hpack_tables.h"

namespace outrider::hpack {

// Takes the fields of one block, in their order.
class FieldSink {
 public:
  // The views live as long as the arena, or for ever. `never_indexed`: nobody may keep it in a table (section 7.1.3).
  // False: no more is wanted; the rest of the block is read for the sake of the table only, and costs no memory.
  virtual bool put(const Name& name, std::string_view value, bool never_indexed) = 0;

 protected:
  ~FieldSink() = default;
};

class Decoder {
 public:
  // What we shall allow the peer's table, at most.
  explicit Decoder(std::uint32_t table_bytes_max);

  // The peer has acknowledged our SETTINGS_HEADER_TABLE_SIZE: at most what the constructor was told.
  void set_limit(std::uint32_t table_bytes);
  // One whole block. False: it is malformed, and the table is not to be trusted any more (COMPRESSION_ERROR).
  bool decode(std::string_view block, Arena& arena, FieldSink& to);

 private:
  struct Reader;
  // Where the block's fields go, as long as they are wanted.
  struct Target {
    Arena& arena;
    FieldSink& sink;
    bool wanted = true;
  };

  bool find(std::uint64_t index, TableField& found) const;
  bool indexed(Reader& reader, Target& target);
  bool literal(Reader& reader, Target& target);
  bool size_update(Reader& reader);

  std::uint32_t limit_;      // For size updates.
  bool update_due_ = false;  // The next block has to begin with one (section 4.2).
  DynamicTable table_;
  std::string name_scratch_, value_scratch_;  // For what nobody wants.
};

}  // namespace outrider::hpack
