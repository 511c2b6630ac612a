// Value: data without a schema, as JSON or google.protobuf.Struct hold it: metadata, what scripts make.
#pragma once
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace outrider {

struct Value {
  using List = std::vector<Value>;
  using Struct = std::map<std::string, Value, std::less<>>;

  std::variant<std::monostate, bool, double, std::string, List, Struct> it;

  Value() = default;
  Value(bool b) : it(b) {}
  Value(double n) : it(n) {}
  Value(std::string text) : it(std::move(text)) {}
  Value(const char* text) : it(std::string(text)) {}
  Value(List list) : it(std::move(list)) {}
  Value(Struct fields) : it(std::move(fields)) {}

  bool is_null() const { return it.index() == 0; }
  const bool* boolean() const { return std::get_if<bool>(&it); }
  const double* number() const { return std::get_if<double>(&it); }
  const std::string* text() const { return std::get_if<std::string>(&it); }
  const List* list() const { return std::get_if<List>(&it); }
  const Struct* fields() const { return std::get_if<Struct>(&it); }
  Struct* fields() { return std::get_if<Struct>(&it); }

  // The member of that name; null if this is no struct, or has none.
  const Value* find(std::string_view name) const {
    const Struct* all = fields();
    if (!all) return nullptr;
    auto at = all->find(name);
    return at == all->end() ? nullptr : &at->second;
  }
  // Follows the names from struct to struct.
  const Value* find(const std::vector<std::string>& path) const {
    const Value* at = this;
    for (const std::string& name : path) {
      if (!at) return nullptr;
      at = at->find(name);
    }
    return at;
  }
  bool operator==(const Value&) const = default;
};

}  // namespace outrider
