// Bytes from anywhere as header blocks of one connection: what comes out must be what nghttp2 makes of them, and what
// comes out must survive our own encoder.
//
// Input: blocks, each behind one byte that says its length in units of four bytes (0: all the rest).

#include <nghttp2/nghttp2.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <utility>
#include <vector>

#include "wire/hpack_decoder.h"
#include "wire/hpack_encoder.h"

namespace outrider::hpack {
namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

void require(bool condition) {
  if (!condition) std::abort();
}

class Collected final : public FieldSink {
 public:
  bool put(const Name& name, std::string_view value, bool) override {
    fields.emplace_back(name.text, value);
    return true;
  }
  Fields fields;
};

struct Oracle {
  Oracle() { require(nghttp2_hd_inflate_new(&inflater) == 0); }
  Oracle(const Oracle&) = delete;
  ~Oracle() { nghttp2_hd_inflate_del(inflater); }

  // False: it is malformed.
  bool decode(std::string_view block, Fields& fields) {
    const auto* at = reinterpret_cast<const std::uint8_t*>(block.data());
    std::size_t left = block.size();
    for (;;) {
      nghttp2_nv field;
      int flags = 0;
      auto taken = nghttp2_hd_inflate_hd2(inflater, &field, &flags, at, left, 1);
      if (taken < 0) return false;
      at += taken;
      left -= static_cast<std::size_t>(taken);
      if (flags & NGHTTP2_HD_INFLATE_EMIT) {
        fields.emplace_back(std::string(reinterpret_cast<char*>(field.name), field.namelen),
                            std::string(reinterpret_cast<char*>(field.value), field.valuelen));
      }
      if (flags & NGHTTP2_HD_INFLATE_FINAL) break;
      if (taken == 0 && !(flags & NGHTTP2_HD_INFLATE_EMIT)) return left == 0;
    }
    return nghttp2_hd_inflate_end_headers(inflater) == 0;
  }

  nghttp2_hd_inflater* inflater = nullptr;
};

// Written and read again by our own two sides.
void come_back(const Fields& fields, Encoder& encoder, Decoder& decoder, Indexing indexing) {
  std::size_t room = Encoder::kBeginBytesMax;
  for (const auto& [name, value] : fields) room += Encoder::field_bytes_max(name.size(), value.size());
  std::string block(room, '\0');
  char* end = encoder.begin(block.data());
  for (const auto& [name, value] : fields) end = encoder.field(look_up(name), value, indexing, end);
  require(end <= block.data() + block.size());
  Arena arena;
  Collected again;
  require(decoder.decode({block.data(), static_cast<std::size_t>(end - block.data())}, arena, again));
  require(again.fields == fields);
}

void fuzz(std::string_view input) {
  Decoder ours(4096), back(4096);
  Encoder encoder;
  Oracle theirs;
  while (!input.empty()) {
    std::size_t size = static_cast<unsigned char>(input.front()) * std::size_t{4};
    input.remove_prefix(1);
    std::string_view block = input.substr(0, size == 0 ? input.size() : size);
    input.remove_prefix(block.size());
    Arena arena;
    Collected found;
    Fields expected;
    bool valid = ours.decode(block, arena, found);
    require(valid == theirs.decode(block, expected));
    if (!valid) return;
    require(found.fields == expected);
    come_back(found.fields, encoder, back, static_cast<Indexing>(block.size() % 3));
  }
}

}  // namespace
}  // namespace outrider::hpack

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  outrider::hpack::fuzz({reinterpret_cast<const char*>(data), size});
  return 0;
}
