#include "config/overlay.h"

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include <string>

#include "config/scalar.h"

namespace outrider::config {
namespace {

namespace pb = google::protobuf;
using Field = pb::FieldDescriptor;

constexpr std::string_view kWellKnown = "google.protobuf.";

bool is_empty(std::string_view text, const Field& field) {
  bool truth = true;
  double number = 1;
  switch (field.cpp_type()) {
    case Field::CPPTYPE_BOOL:
      return to_bool(text, truth) && !truth;
    case Field::CPPTYPE_STRING:
      return text.empty();
    case Field::CPPTYPE_ENUM: {
      const pb::EnumValueDescriptor* zero = field.enum_type()->FindValueByNumber(0);
      std::string upper(text);
      for (char& c : upper) c = c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
      return text == "0" || (zero != nullptr && zero->name() == upper);
    }
    default:
      return to_floating(text, number) && number == 0;
  }
}

class Overlay {
 public:
  Overlay(Tree& tree, const Schema& schema, Problems& problems) : tree_(tree), schema_(schema), problems_(problems) {}

  void message(Node& base, Node& over, const pb::Descriptor& descriptor) {
    for (Node* entry = over.first; entry != nullptr;) {
      Node* next = entry->next;
      const Field* field = schema_.field(descriptor, entry->key);
      Node* present = base.find(entry->key);
      if (field != nullptr && field->real_containing_oneof() != nullptr) drop_others(base, *field);
      if (present == nullptr) {
        tree_.append(base, *entry);
      } else if (field == nullptr || !merge_field(*present, *entry, *field)) {
        replace(base, *present, *entry);
      }
      entry = next;
    }
  }

 private:
  void replace(Node& base, Node& present, Node& entry) {
    if (entry.kind == Kind::null) return;
    tree_.unlink(base, present);
    tree_.append(base, entry);
  }

  void drop_others(Node& base, const Field& field) {
    const pb::OneofDescriptor& oneof = *field.real_containing_oneof();
    for (int i = 0; i < oneof.field_count(); ++i) {
      if (oneof.field(i) != &field) tree_.take(base, oneof.field(i)->name());
    }
  }

  // False: the new value takes the place of the present one.
  bool merge_field(Node& present, Node& entry, const Field& field) {
    if (field.is_map()) return entries(present, entry);
    if (field.is_repeated()) return items(present, entry);
    if (field.message_type() == nullptr) {
      return !field.has_presence() && entry.is_scalar() && keeps(present, is_empty(entry.text, field), entry);
    }
    const pb::Descriptor& type = *field.message_type();
    if (!type.full_name().starts_with(kWellKnown)) {
      if (!present.is_mapping() || !entry.is_mapping()) return false;
      message(present, entry, type);
      return true;
    }
    const std::string_view name = std::string_view(type.full_name()).substr(kWellKnown.size());
    if (name == "Struct") return entries(present, entry);
    if (name == "Duration") return duration(present, entry);
    if (name == "Any" || name == "Value" || name == "ListValue" || !name.ends_with("Value")) return false;
    return entry.is_scalar() && keeps(present, is_empty(entry.text, *type.FindFieldByNumber(1)), entry);
  }

  bool keeps(const Node& present, bool entry_is_empty, const Node& entry) {
    if (!entry_is_empty) return false;
    if (!present.is_scalar() || present.text != entry.text) note(entry);
    return true;
  }

  void note(const Node& entry) {
    Problem problem =
        tree_.problem(entry.mark(), std::string(entry.key),
                      "has no effect: merged over a value, an empty one (0, false, \"\") changes nothing");
    problem.fatal = false;
    problems_.add(std::move(problem));
  }

  bool entries(Node& present, Node& entry) {
    if (!present.is_mapping() || !entry.is_mapping()) return false;
    for (Node* item = entry.first; item != nullptr;) {
      Node* next = item->next;
      tree_.take(present, item->key);
      tree_.append(present, *item);
      item = next;
    }
    return true;
  }

  bool items(Node& present, Node& entry) {
    if (!present.is_sequence() || !entry.is_sequence()) return false;
    for (Node* item = entry.first; item != nullptr;) {
      Node* next = item->next;
      tree_.append(present, *item);
      item = next;
    }
    return true;
  }

  // Seconds and nanoseconds are two fields.
  bool duration(Node& present, Node& entry) {
    Span below, above;
    bool is_extension = false;
    if (!present.is_scalar() || !entry.is_scalar() || !to_duration(present.text, below, is_extension) ||
        !to_duration(entry.text, above, is_extension)) {
      return false;
    }
    if (above.seconds == 0 && above.nanos == 0) return keeps(present, true, entry);
    if (above.seconds == 0) above.seconds = below.seconds;
    if (above.nanos == 0) above.nanos = below.nanos;
    entry.text = tree_.keep(fmt::format("{}.{:09}s", above.seconds, above.nanos));
    return false;
  }

  Tree& tree_;
  const Schema& schema_;
  Problems& problems_;
};

}  // namespace

void merge(Tree& tree, const Schema& schema, Node& base, Node& over, std::string_view message_full_name,
           Problems& problems) {
  Overlay(tree, schema, problems).message(base, over, *schema.message(message_full_name));
}

}  // namespace outrider::config
