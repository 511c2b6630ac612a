#include "wire/hpack_decoder.h"

#include <algorithm>

#include "wire/hpack_huffman.h"

namespace outrider::hpack {
namespace {

// First bits of a field's representation (section 6).
constexpr std::uint8_t kIndexed = 0x80, kIncremental = 0x40, kSizeUpdate = 0x20, kNeverIndexed = 0x10;
constexpr std::uint8_t kHuffman = 0x80;

// More than any length or index that can make sense in a block.
constexpr std::uint64_t kIntegerMax = std::uint64_t{1} << 30;

}  // namespace

// The bytes of a block that are still to be read.
struct Decoder::Reader {
  const char* at;
  const char* end;

  std::size_t left() const { return static_cast<std::size_t>(end - at); }
  std::uint8_t next() const { return static_cast<std::uint8_t>(*at); }

  // Section 5.1. False: it is cut short or absurd.
  bool integer(int prefix_bits, std::uint64_t& value) {
    const std::uint8_t mask = static_cast<std::uint8_t>((1 << prefix_bits) - 1);
    value = static_cast<std::uint8_t>(*at++) & mask;
    if (value < mask) return true;
    for (int shift = 0; at != end; shift += 7) {
      if (shift > 28) return false;  // Zeros that say nothing.
      const auto byte = static_cast<std::uint8_t>(*at++);
      value += std::uint64_t{byte & 0x7fu} << shift;
      if (value > kIntegerMax) return false;
      if ((byte & 0x80) == 0) return true;
    }
    return false;
  }

  // Section 5.2. The decoded text is the block's own, or `take(bytes)` of memory.
  template <class Take>
  bool string(Take take, std::string_view& text) {
    if (at == end) return false;
    const bool coded = (next() & kHuffman) != 0;
    std::uint64_t size;
    if (!integer(7, size) || size > left()) return false;
    std::string_view bytes(at, static_cast<std::size_t>(size));
    at += size;
    if (!coded) {
      char* copy = take(bytes.size());
      std::ranges::copy(bytes, copy);
      text = {copy, bytes.size()};
      return true;
    }
    char* out = take(huffman_decoded_max(bytes.size()));
    HuffmanDecoded decoded = huffman_decode(bytes, out);
    text = {out, decoded.bytes};
    return decoded.valid;
  }
};

Decoder::Decoder(std::uint32_t table_bytes_max)
    : limit_(DynamicTable::kBytesDefault), table_(std::max(table_bytes_max, DynamicTable::kBytesDefault)) {
  table_.resize(DynamicTable::kBytesDefault);
}

void Decoder::set_limit(std::uint32_t table_bytes) {
  limit_ = table_bytes;
  update_due_ = table_.bytes_max() > limit_;
}

bool Decoder::find(std::uint64_t index, TableField& found) const {
  if (index == 0) return false;
  if (index <= kStaticFields) {
    found = static_field(static_cast<std::uint32_t>(index));
    return true;
  }
  std::uint64_t age = index - kStaticFields - 1;
  if (age >= table_.count()) return false;
  found = table_.at(static_cast<std::uint32_t>(age));
  return true;
}

bool Decoder::indexed(Reader& reader, Target& target) {
  std::uint64_t index;
  TableField field;
  if (!reader.integer(7, index) || !find(index, field)) return false;
  if (!target.wanted) return true;
  if (index > kStaticFields) {  // The table may change before the fields are used.
    if (!is_static(field.name)) field.name.text = target.arena.copy(field.name.text);
    field.value = target.arena.copy(field.value);
  }
  target.wanted = target.sink.put(field.name, field.value, false);
  return true;
}

bool Decoder::literal(Reader& reader, Target& target) {
  const std::uint8_t first = reader.next();
  const bool incremental = (first & kIncremental) != 0;
  auto memory = [&](std::string& scratch) {
    return [&](std::size_t bytes) {
      if (target.wanted) return static_cast<char*>(target.arena.allocate(bytes, 1));
      scratch.resize(bytes);
      return scratch.data();
    };
  };
  std::uint64_t index;
  if (!reader.integer(incremental ? 6 : 4, index)) return false;
  TableField found;
  if (index != 0) {
    if (!find(index, found)) return false;
    // Adding the field may evict the one that has its name.
    if (index > kStaticFields && !is_static(found.name)) {
      std::string_view text = found.name.text;
      found.name.text = {std::ranges::copy(text, memory(name_scratch_)(text.size())).out - text.size(), text.size()};
    }
  } else {
    std::string_view text;
    if (!reader.string(memory(name_scratch_), text)) return false;
    found.name = look_up(text);
  }
  std::string_view value;
  if (!reader.string(memory(value_scratch_), value)) return false;
  if (incremental) table_.add(found.name, value);
  if (target.wanted) target.wanted = target.sink.put(found.name, value, !incremental && (first & kNeverIndexed) != 0);
  return true;
}

bool Decoder::size_update(Reader& reader) {
  std::uint64_t bytes;
  if (!reader.integer(5, bytes) || bytes > limit_) return false;
  table_.resize(static_cast<std::uint32_t>(bytes));
  update_due_ = false;
  return true;
}

bool Decoder::decode(std::string_view block, Arena& arena, FieldSink& to) {
  Reader reader{block.data(), block.data() + block.size()};
  Target target{arena, to};
  bool begun = false;  // Size updates come first (section 4.2).
  while (reader.left() > 0) {
    const std::uint8_t first = reader.next();
    if ((first & (kIndexed | kIncremental | kSizeUpdate)) == kSizeUpdate) {
      if (begun || !size_update(reader)) return false;
      continue;
    }
    if (update_due_) return false;
    begun = true;
    if (!((first & kIndexed) ? indexed(reader, target) : literal(reader, target))) return false;
  }
  return true;
}

}  // namespace outrider::hpack
