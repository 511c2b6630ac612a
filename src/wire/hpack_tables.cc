#include "wire/hpack_tables.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cassert>

namespace outrider::hpack {
namespace {

// Appendix A.
constexpr std::array<std::pair<std::string_view, std::string_view>, kStaticFields> kStatic{{
    {":authority", ""},
    {":method", "GET"},
    {":method", "POST"},
    {":path", "/"},
    {":path", "/index.html"},
    {":scheme", "http"},
    {":scheme", "https"},
    {":status", "200"},
    {":status", "204"},
    {":status", "206"},
    {":status", "304"},
    {":status", "400"},
    {":status", "404"},
    {":status", "500"},
    {"accept-charset", ""},
    {"accept-encoding", "gzip, deflate"},
    {"accept-language", ""},
    {"accept-ranges", ""},
    {"accept", ""},
    {"access-control-allow-origin", ""},
    {"age", ""},
    {"allow", ""},
    {"authorization", ""},
    {"cache-control", ""},
    {"content-disposition", ""},
    {"content-encoding", ""},
    {"content-language", ""},
    {"content-length", ""},
    {"content-location", ""},
    {"content-range", ""},
    {"content-type", ""},
    {"cookie", ""},
    {"date", ""},
    {"etag", ""},
    {"expect", ""},
    {"expires", ""},
    {"from", ""},
    {"host", ""},
    {"if-match", ""},
    {"if-modified-since", ""},
    {"if-none-match", ""},
    {"if-range", ""},
    {"if-unmodified-since", ""},
    {"last-modified", ""},
    {"link", ""},
    {"location", ""},
    {"max-forwards", ""},
    {"proxy-authenticate", ""},
    {"proxy-authorization", ""},
    {"range", ""},
    {"referer", ""},
    {"refresh", ""},
    {"retry-after", ""},
    {"server", ""},
    {"set-cookie", ""},
    {"strict-transport-security", ""},
    {"transfer-encoding", ""},
    {"user-agent", ""},
    {"vary", ""},
    {"via", ""},
    {"www-authenticate", ""},
}};

constexpr std::array<std::string_view, static_cast<std::size_t>(Pseudo::unknown)> kPseudoNames{
    "", ":method", ":scheme", ":authority", ":path", ":status", ":protocol"};

Name look_up_pseudo(std::string_view name) {
  for (std::size_t i = 1; i < kPseudoNames.size(); i++) {
    if (kPseudoNames[i] == name) return {kPseudoNames[i], Known::none, static_cast<Pseudo>(i)};
  }
  return {name, Known::none, Pseudo::unknown};
}

struct StaticTable {
  std::array<TableField, kStaticFields> fields;
  std::array<std::uint8_t, static_cast<std::size_t>(Known::count)> by_known{};
  std::array<std::uint8_t, static_cast<std::size_t>(Pseudo::unknown) + 1> by_pseudo{};

  StaticTable() {
    for (std::size_t i = 0; i < kStaticFields; i++) {
      Name name = look_up(kStatic[i].first);
      fields[i] = {name, kStatic[i].second};
      auto& index = name.pseudo != Pseudo::none ? by_pseudo[static_cast<std::size_t>(name.pseudo)]
                                                : by_known[static_cast<std::size_t>(name.known)];
      if (index == 0) index = static_cast<std::uint8_t>(i + 1);
    }
    by_known[static_cast<std::size_t>(Known::none)] = 0;
  }
};

const StaticTable& static_table() {
  static const StaticTable table;
  return table;
}

}  // namespace

Name look_up(std::string_view name) {
  if (name.starts_with(':')) return look_up_pseudo(name);
  Known known = known_of(name);
  return {known == Known::none ? name : name_of(known), known, Pseudo::none};
}

std::string_view name_of(Pseudo pseudo) { return kPseudoNames[static_cast<std::size_t>(pseudo)]; }

bool is_static(const Name& name) {
  return name.known != Known::none || (name.pseudo != Pseudo::none && name.pseudo != Pseudo::unknown);
}

const TableField& static_field(std::uint32_t index) { return static_table().fields[index - 1]; }

std::uint32_t static_index(const Name& name) {
  const StaticTable& table = static_table();
  if (name.pseudo != Pseudo::none) return table.by_pseudo[static_cast<std::size_t>(name.pseudo)];
  if (name.known != Known::none) return table.by_known[static_cast<std::size_t>(name.known)];
  return 0;
}

void DynamicTable::resize(std::uint32_t bytes_max) {
  assert(bytes_max <= capacity_);
  bytes_max_ = bytes_max;
  evict_to(bytes_max);
}

void DynamicTable::evict_to(std::uint32_t bytes) {
  while (bytes_ > bytes) bytes_ -= bytes_of(at(--count_));
}

void DynamicTable::make_room() {
  std::uint32_t fields = std::bit_ceil(capacity_ / kFieldOverhead + 1);
  mask_ = fields - 1;
  fields_ = std::make_unique_for_overwrite<TableField[]>(fields);
  text_ = std::make_unique_for_overwrite<char[]>(std::size_t{2} * capacity_);
}

char* DynamicTable::place(std::size_t bytes) {
  if (text_end_ + bytes > std::size_t{2} * capacity_) text_end_ = 0;
  char* at = text_.get() + text_end_;
  text_end_ += bytes;
  return at;
}

void DynamicTable::add(const Name& name, std::string_view value) {
  std::uint64_t bytes = std::uint64_t{name.text.size()} + value.size() + kFieldOverhead;
  if (bytes > bytes_max_) return evict_to(0);
  evict_to(bytes_max_ - static_cast<std::uint32_t>(bytes));
  if (!fields_) make_room();
  bool own_name = !is_static(name);
  char* text = place((own_name ? name.text.size() : 0) + value.size());
  TableField& field = fields_[++newest_ & mask_];
  field.name = name;
  if (own_name) {
    field.name.text = {text, name.text.size()};
    text = std::ranges::copy(name.text, text).out;
  }
  field.value = {text, value.size()};
  std::ranges::copy(value, text);
  bytes_ += static_cast<std::uint32_t>(bytes);
  count_++;
  added_++;
}

}  // namespace outrider::hpack
