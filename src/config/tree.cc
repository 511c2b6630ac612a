#include "config/tree.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <new>
#include <utility>

namespace outrider::config {

Node* Node::find(std::string_view name) const {
  if (kind != Kind::mapping) return nullptr;
  for (Node* child = first; child != nullptr; child = child->next) {
    if (child->key == name) return child;
  }
  return nullptr;
}

size_t Node::size() const {
  size_t count = 0;
  for (Node* child = first; child != nullptr; child = child->next) ++count;
  return count;
}

uint16_t Tree::add_file(std::string name) {
  files_.push_back(std::move(name));
  return static_cast<uint16_t>(files_.size() - 1);
}

Node* Tree::make(Kind kind, Mark mark) {
  Node* node = new (arena_.allocate(sizeof(Node), alignof(Node))) Node;
  node->kind = kind;
  node->line = mark.line;
  node->column = mark.column;
  node->file = mark.file;
  ++nodes_;
  return node;
}

Node* Tree::make_scalar(std::string_view text, bool plain, Mark mark) {
  Node* node = make(Kind::scalar, mark);
  node->text = keep(text);
  node->plain = plain;
  return node;
}

std::string_view Tree::keep(std::string_view text) {
  if (text.empty()) return {};
  char* copy = static_cast<char*>(arena_.allocate(text.size(), 1));
  std::memcpy(copy, text.data(), text.size());
  return {copy, text.size()};
}

Node* Tree::copy(const Node& node) {
  Node* out = make(node.kind, node.value_mark());
  out->plain = node.plain;
  out->text = node.text;
  out->has_key = node.has_key;
  out->key = node.key;
  out->key_line = node.key_line;
  out->key_column = node.key_column;
  for (const Node& child : node) append(*out, *copy(child));
  return out;
}

void Tree::append(Node& parent, Node& child) {
  child.next = nullptr;
  entries_.erase(&parent);
  if (parent.last != nullptr) {
    parent.last->next = &child;
  } else {
    parent.first = &child;
  }
  parent.last = &child;
}

void Tree::set(Node& parent, std::string_view key, Node& child) {
  if (!child.has_key) {
    child.key_line = child.line;
    child.key_column = child.column;
    child.has_key = true;
  }
  child.key = key;
  append(parent, child);
}

Node* Tree::set_scalar(Node& parent, std::string_view key, std::string_view text, bool plain, Mark mark) {
  Node* child = make_scalar(text, plain, mark);
  set(parent, key, *child);
  return child;
}

Node* Tree::set_mapping(Node& parent, std::string_view key, Mark mark) {
  if (Node* present = parent.find(key); present != nullptr && present->is_mapping()) return present;
  Node* child = make(Kind::mapping, mark);
  set(parent, key, *child);
  return child;
}

Node* Tree::set_sequence(Node& parent, std::string_view key, Mark mark) {
  if (Node* present = parent.find(key); present != nullptr && present->is_sequence()) return present;
  Node* child = make(Kind::sequence, mark);
  set(parent, key, *child);
  return child;
}

void Tree::unlink(Node& parent, Node& child) {
  found_.erase(&parent);
  entries_.erase(&parent);
  Node* before = nullptr;
  for (Node* at = parent.first; at != nullptr; before = at, at = at->next) {
    if (at != &child) continue;
    (before != nullptr ? before->next : parent.first) = child.next;
    if (parent.last == &child) parent.last = before;
    child.next = nullptr;
    return;
  }
}

Node* Tree::take(Node& parent, std::string_view key) {
  Node* found = parent.find(key);
  if (found != nullptr) unlink(parent, *found);
  return found;
}

namespace {

// The next step of a path, which it shortens: a name, an index (`[3]`), or a map's key (`["k"]`).
struct Step {
  std::string_view name;
  bool is_index = false;
  size_t index = 0;
};

bool next_step(std::string_view& path, Step& step) {
  if (path.empty()) return false;
  if (path[0] == '.') path.remove_prefix(1);
  step = {};
  if (path.starts_with("[\"")) {
    const size_t end = path.find("\"]");
    if (end == std::string_view::npos) return false;
    step.name = path.substr(2, end - 2);
    path.remove_prefix(end + 2);
    return true;
  }
  if (path.starts_with("[")) {
    const size_t end = path.find(']');
    if (end == std::string_view::npos) return false;
    step.is_index = true;
    std::from_chars(path.data() + 1, path.data() + end, step.index);
    path.remove_prefix(end + 1);
    return true;
  }
  const size_t end = path.find_first_of(".[");
  step.name = path.substr(0, end);
  path = end == std::string_view::npos ? std::string_view{} : path.substr(end);
  return !step.name.empty();
}

}  // namespace

const Node* Tree::item(const Node& sequence, size_t index) const {
  Found& last = found_.try_emplace(&sequence, Found{0, sequence.first}).first->second;
  if (index < last.index || last.item == nullptr) last = {0, sequence.first};
  const Node* item = last.item;
  for (size_t i = last.index; i < index && item != nullptr; ++i) item = item->next;
  if (item != nullptr) last = {index, item};
  return item;
}

const Node* Tree::entry(const Node& mapping, std::string_view name) const {
  constexpr int kFew = 16;  // Up to here looking at each is the quickest.
  if (!mapping.is_mapping()) return nullptr;
  const Node* child = mapping.first;
  for (int looked_at = 0; child != nullptr && looked_at < kFew; child = child->next, ++looked_at) {
    if (child->key == name) return child;
  }
  if (child == nullptr) return nullptr;
  const auto [place, is_new] = entries_.try_emplace(&mapping);
  for (const Node* each = is_new ? mapping.first : nullptr; each != nullptr; each = each->next) {
    place->second.emplace(each->key, each);
  }
  const auto found = place->second.find(name);
  return found == place->second.end() ? nullptr : found->second;
}

const Node& Tree::at(std::string_view path) const {
  static const Node kNowhere;
  const Way way = way_to(path);
  return way.nodes.empty() ? kNowhere : *way.nodes.back();
}

Tree::Way Tree::way_to(std::string_view path) const {
  Way way;
  const Node* here = root;
  if (here == nullptr) return way;
  way.nodes.push_back(here);
  Step step;
  while (next_step(path, step)) {
    const Node* below = nullptr;
    if (step.is_index && here->is_sequence()) {
      below = item(*here, step.index);
    } else if (!step.is_index) {
      below = entry(*here, step.name);
    }
    if (below == nullptr) return way;
    here = below;
    way.nodes.push_back(here);
  }
  way.whole = true;
  return way;
}

Problem Tree::problem(Mark mark, std::string path, std::string message, std::string hint) const {
  return {.file = mark.file < files_.size() ? files_[mark.file] : std::string(),
          .line = static_cast<int>(mark.line),
          .column = static_cast<int>(mark.column),
          .path = std::move(path),
          .message = std::move(message),
          .hint = std::move(hint)};
}

std::string Path::text() const {
  if (step == Step::root) return {};
  std::string out = up->text();
  switch (step) {
    case Step::field:
      if (!out.empty()) out += '.';
      return out.append(name);
    case Step::index:
      return out + fmt::format("[{}]", index);
    default:
      return out + fmt::format("[\"{}\"]", name);
  }
}

}  // namespace outrider::config
