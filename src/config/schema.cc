#include "config/schema.h"

#include <google/protobuf/descriptor.h>
#include <google/protobuf/descriptor.pb.h>
#include <google/protobuf/descriptor_database.h>
#include <google/protobuf/dynamic_message.h>
#include <google/protobuf/stubs/logging.h>

#include <algorithm>
#include <cstring>
#include <tuple>

#include "config/nearest.h"

// From the assembler file that cmake/api.cmake writes.
extern "C" {
extern const char outrider_envoy_descriptors[], outrider_envoy_descriptors_end[];
extern const char outrider_envoy_index[], outrider_envoy_index_end[];
extern const char outrider_built_table[], outrider_built_table_end[];
}

namespace outrider::config {
namespace {

namespace pb = google::protobuf;

// The index over the descriptors; deps/api/index.py says how it is laid out.
class Index {
 public:
  struct File {
    uint32_t offset, size, name;
  };
  struct Symbol {
    uint32_t name, file;
  };
  struct Successor {
    uint32_t old_name, new_name;
  };

  static const Index& get() {
    static const Index index;
    return index;
  }

  std::string_view text(uint32_t offset) const { return text_ + offset; }

  const File* file(std::string_view name) const {
    return find(files_, name, [this](const File& f) { return text(f.name); });
  }
  const File* file_of_symbol(std::string_view name) const {
    const Symbol* symbol = find(symbols_, name, [this](const Symbol& s) { return text(s.name); });
    return symbol == nullptr ? nullptr : &files_[symbol->file];
  }
  std::string_view successor(std::string_view old_name) const {
    const Successor* found = find(successors_, old_name, [this](const Successor& s) { return text(s.old_name); });
    return found == nullptr ? std::string_view{} : text(found->new_name);
  }
  std::span<const Symbol> symbols() const { return symbols_; }

 private:
  Index() {
    const auto* words = reinterpret_cast<const uint32_t*>(outrider_envoy_index);
    const uint32_t files = words[0], symbols = words[1], successors = words[2];
    files_ = {reinterpret_cast<const File*>(words + 3), files};
    symbols_ = {reinterpret_cast<const Symbol*>(files_.data() + files), symbols};
    successors_ = {reinterpret_cast<const Successor*>(symbols_.data() + symbols), successors};
    text_ = reinterpret_cast<const char*>(successors_.data() + successors);
  }

  template <class T, class Name>
  static const T* find(std::span<const T> list, std::string_view name, Name name_of) {
    const auto at = std::lower_bound(list.begin(), list.end(), name,
                                     [&](const T& one, std::string_view wanted) { return name_of(one) < wanted; });
    return at != list.end() && name_of(*at) == name ? &*at : nullptr;
  }

  std::span<const File> files_;
  std::span<const Symbol> symbols_;
  std::span<const Successor> successors_;
  const char* text_ = nullptr;
};

std::string_view last_part(std::string_view name) {
  const size_t dot = name.rfind('.');
  return dot == std::string_view::npos ? name : name.substr(dot + 1);
}

}  // namespace

std::string_view envoy_descriptors() {
  return {outrider_envoy_descriptors, static_cast<size_t>(outrider_envoy_descriptors_end - outrider_envoy_descriptors)};
}

std::string_view built_table() {
  return {outrider_built_table, static_cast<size_t>(outrider_built_table_end - outrider_built_table)};
}

std::string_view successor(std::string_view message_full_name) { return Index::get().successor(message_full_name); }

std::vector<std::string> near_messages(std::string_view name, size_t max) {
  struct Candidate {
    size_t of_part;   // how far the last parts of the names are from each other
    size_t of_whole;  // and the whole names
    std::string_view name;
  };
  std::vector<Candidate> candidates;
  for (const Index::Symbol& symbol : Index::get().symbols()) {
    const std::string_view full = Index::get().text(symbol.name);
    if (full.find(".v3.") == std::string_view::npos) continue;
    const size_t of_part = edit_distance(last_part(name), last_part(full));
    if (of_part > last_part(name).size() / 3) continue;
    const size_t of_whole = edit_distance(name, full);
    const bool has_package = name.find('.') != std::string_view::npos;
    if (has_package && of_whole > name.size() / 3) continue;
    candidates.push_back({of_part, of_whole, full});
  }
  std::sort(candidates.begin(), candidates.end(), [](const Candidate& a, const Candidate& b) {
    return std::tie(a.of_part, a.of_whole, a.name) < std::tie(b.of_part, b.of_whole, b.name);
  });
  std::vector<std::string> out;
  for (const Candidate& one : candidates) {
    if (out.size() == max || one.of_part > candidates[0].of_part) break;
    out.emplace_back(one.name);
  }
  return out;
}

class Schema::Database : public pb::DescriptorDatabase {
 public:
  bool FindFileByName(const std::string& name, pb::FileDescriptorProto* out) override {
    return parse(Index::get().file(name), out);
  }
  bool FindFileContainingSymbol(const std::string& name, pb::FileDescriptorProto* out) override {
    for (std::string_view part = name; !part.empty(); part = part.substr(0, part.rfind('.'))) {
      if (const Index::File* file = Index::get().file_of_symbol(part)) return parse(file, out);
      if (part.find('.') == std::string_view::npos) break;
    }
    return false;
  }
  bool FindFileContainingExtension(const std::string&, int, pb::FileDescriptorProto*) override { return false; }

 private:
  static bool parse(const Index::File* file, pb::FileDescriptorProto* out) {
    if (file == nullptr) return false;
    return out->ParseFromArray(outrider_envoy_descriptors + file->offset, static_cast<int>(file->size));
  }
};

Schema::Schema()
    : database_(std::make_unique<Database>()),
      pool_(std::make_unique<pb::DescriptorPool>(database_.get())),
      factory_(std::make_unique<pb::DynamicMessageFactory>(pool_.get())) {
  // Whoever reads a configuration tells what is wrong: the library's own lines would go to stderr.
  [[maybe_unused]] static pb::LogHandler* const before = pb::SetLogHandler(nullptr);
}

Schema::~Schema() = default;

const pb::Descriptor* Schema::message(std::string_view full_name) const {
  return pool_->FindMessageTypeByName(std::string(full_name));
}

const pb::DescriptorPool& Schema::pool() const { return *pool_; }

pb::DynamicMessageFactory& Schema::factory() const { return *factory_; }

const pb::FieldDescriptor* Schema::field(const pb::Descriptor& of, std::string_view name) const {
  const auto [table, is_new] = fields_.try_emplace(&of);
  if (is_new) {
    for (int i = 0; i < of.field_count(); ++i) {
      const pb::FieldDescriptor* field = of.field(i);
      table->second.emplace(field->name(), field);
      table->second.emplace(field->camelcase_name(), field);
    }
  }
  const auto found = table->second.find(name);
  return found == table->second.end() ? nullptr : found->second;
}

std::string_view type_of_url(std::string_view url) {
  const size_t slash = url.rfind('/');
  return slash == std::string_view::npos ? url : url.substr(slash + 1);
}

}  // namespace outrider::config
