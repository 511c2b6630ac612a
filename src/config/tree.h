#pragma once

#include <cstdint>
#include <memory>
#include <memory_resource>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "config/problem.h"

namespace outrider::config {

enum class Kind : uint8_t { null, scalar, sequence, mapping };

// 1-based; column in characters. `file` is a number given by Tree::add_file.
struct Mark {
  uint32_t line = 0;
  uint32_t column = 0;
  uint16_t file = 0;
};

// One value of a configuration file. Lives in its Tree; children form a list. Texts live as long as the Tree.
struct Node {
  Kind kind = Kind::null;
  bool plain = false;    // a scalar without quotes: `true`, `1` and `null` may be more than text
  bool has_key = false;  // it is an entry of a mapping
  bool made = false;     // no file has it: an upgrade put it in
  uint16_t file = 0;
  uint32_t line = 0, column = 0;          // of the value
  uint32_t key_line = 0, key_column = 0;  // of the key
  Node* next = nullptr;                   // the sibling behind it
  Node* first = nullptr;                  // the first child
  Node* last = nullptr;                   // the last child
  std::string_view text;                  // of a scalar
  std::string_view key;

  bool is_mapping() const { return kind == Kind::mapping; }
  bool is_sequence() const { return kind == Kind::sequence; }
  bool is_scalar() const { return kind == Kind::scalar; }
  Mark value_mark() const { return {line, column, file}; }
  Mark key_mark() const { return has_key ? Mark{key_line, key_column, file} : value_mark(); }
  // Where a reader should look: at the text of a scalar, at the key of anything larger.
  Mark mark() const { return is_scalar() ? value_mark() : key_mark(); }

  // The entry of a mapping, or nullptr; linear.
  Node* find(std::string_view name) const;
  size_t size() const;

  class Iterator {
   public:
    explicit Iterator(Node* node) : node_(node) {}
    Node& operator*() const { return *node_; }
    Iterator& operator++() {
      node_ = node_->next;
      return *this;
    }
    bool operator==(const Iterator&) const = default;

   private:
    Node* node_;
  };
  Iterator begin() const { return Iterator(first); }
  Iterator end() const { return Iterator(nullptr); }
};

// Owner of nodes and texts. Everything is freed at once with it.
class Tree {
 public:
  Tree() = default;
  Tree(const Tree&) = delete;
  Tree& operator=(const Tree&) = delete;

  // The item of a sequence, or nullptr. Walking through all of them in order is linear.
  const Node* item(const Node& sequence, size_t index) const;
  // The entry of a mapping, or nullptr. Looking for all of them is linear.
  const Node* entry(const Node& mapping, std::string_view name) const;

  uint16_t add_file(std::string name);
  const std::string& file(uint16_t number) const { return files_[number]; }

  Node* make(Kind kind, Mark mark);
  Node* make_scalar(std::string_view text, bool plain, Mark mark);
  std::string_view keep(std::string_view text);  // a copy that lives as long as the tree
  Node* copy(const Node& node);                  // with all below it; marks are kept
  size_t nodes() const { return nodes_; }

  // Editing. A child belongs to one parent: take it from the old one before it is put into another.
  void append(Node& parent, Node& child);  // to a sequence
  void set(Node& parent, std::string_view key,
           Node& child);  // to a mapping; the child keeps the mark of its old key if
                          // it had one, else it gets its value's. `key` must outlive the tree
  Node* set_scalar(Node& parent, std::string_view key, std::string_view text, bool plain, Mark mark);
  Node* set_mapping(Node& parent, std::string_view key, Mark mark);   // the present one if there is one
  Node* set_sequence(Node& parent, std::string_view key, Mark mark);  // the same
  Node* take(Node& parent, std::string_view key);                     // unlinks and returns an entry, or nullptr
  void unlink(Node& parent, Node& child);

  // The node at a path such as `a.b[2].c` or `a["key.with.dots"]`, or the nearest parent that exists. A step that a
  // message takes into an Any costs nothing: `typed_config.stat_prefix`.
  const Node& at(std::string_view path) const;
  // The nodes from the root to that one. `whole`: the last is the node at the path itself, not only its nearest parent.
  struct Way {
    std::vector<const Node*> nodes;
    bool whole = false;
  };
  Way way_to(std::string_view path) const;

  Problem problem(Mark mark, std::string path, std::string message, std::string hint = {}) const;

  Node* root = nullptr;

 private:
  std::pmr::monotonic_buffer_resource arena_{1 << 16};
  std::vector<std::string> files_;
  size_t nodes_ = 0;

  // Where in a sequence a path led last; the next one leads to the same item or to one behind it, mostly.
  struct Found {
    size_t index = 0;
    const Node* item = nullptr;
  };
  mutable std::unordered_map<const Node*, Found> found_;
  // Of large mappings that paths lead through: their entries by key.
  mutable std::unordered_map<const Node*, std::unordered_map<std::string_view, const Node*>> entries_;
};

// The way from the root to a value, linked through the stack of whoever walks there; made into text only for a problem.
struct Path {
  enum class Step : uint8_t { root, field, index, entry };
  const Path* up = nullptr;
  Step step = Step::root;
  std::string_view name = {};
  size_t index = 0;

  Path field(std::string_view field_name) const { return {this, Step::field, field_name, 0}; }
  Path item(size_t at) const { return {this, Step::index, {}, at}; }
  Path entry(std::string_view map_key) const { return {this, Step::entry, map_key, 0}; }
  std::string text() const;  // `a.b[3]`, `a.b["key.of.a.map"]`
};

}  // namespace outrider::config
