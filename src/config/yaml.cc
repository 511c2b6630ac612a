#include <fmt/format.h>
#include <yaml.h>
#include <unordered_map>
#include <unordered_set>

#include <algorithm>
#include <string>
#include <utility>

#include "config/reader.h"

namespace outrider::config {
namespace {

constexpr std::string_view kCoreTags = "tag:yaml.org,2002:";
constexpr std::string_view kIgnore = "!ignore";

bool is_null(std::string_view text) {
  return text.empty() || text == "~" || text == "null" || text == "Null" || text == "NULL";
}

std::string_view to_view(const yaml_char_t* text) {
  return text == nullptr ? std::string_view{} : std::string_view(reinterpret_cast<const char*>(text));
}

class YamlReader {
 public:
  YamlReader(const Substituted& source, Tree& tree, uint16_t file, Problems& problems)
      : source_(source), tree_(tree), file_(file), problems_(problems) {
    yaml_parser_initialize(&parser_);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(source.text.data()),
                                 source.text.size());
  }
  ~YamlReader() {
    if (has_event_) yaml_event_delete(&event_);
    yaml_parser_delete(&parser_);
  }
  YamlReader(const YamlReader&) = delete;
  YamlReader& operator=(const YamlReader&) = delete;

  Node* document();

 private:
  bool advance();  // to the next event; false after an error
  Node* node(int depth);
  Node* scalar(Mark mark);
  Node* sequence(Mark mark, int depth);
  Node* mapping(Mark mark, int depth);
  bool entry(Node& mapping, int depth, bool& merges);
  Node* alias(Mark mark, int depth);
  using Keys = std::unordered_set<std::string_view>;
  void merge(Node& mapping);
  void merge_from(Node& mapping, const Node& from, Keys& present);
  Node* copy_within_limit(const Node& node, Mark mark);
  void check_tag(std::string_view tag, Mark mark);
  void syntax_error();
  bool find_tab(yaml_mark_t& mark) const;
  Node* fail(Mark mark, std::string message, std::string hint = {}) {
    problems_.add(tree_.problem(mark, "", std::move(message), std::move(hint)));
    return nullptr;
  }
  Mark mark_of(const yaml_mark_t& mark) const {
    const Position place = source_.origin({static_cast<int>(mark.line) + 1, static_cast<int>(mark.column) + 1});
    return {static_cast<uint32_t>(place.line), static_cast<uint32_t>(place.column), file_};
  }
  Mark here() const { return mark_of(event_.start_mark); }
  static size_t count(const Node& node) {
    size_t sum = 1;
    for (const Node& child : node) sum += count(child);
    return sum;
  }

  static int height(const Node& node) {  // levels below it
    int most = -1;
    for (const Node& child : node) most = std::max(most, height(child));
    return most + 1;
  }

  const Substituted& source_;
  Tree& tree_;
  const uint16_t file_;
  Problems& problems_;
  yaml_parser_t parser_;
  yaml_event_t event_;
  bool has_event_ = false;
  bool ignored_ = false;  // the node just read was tagged !ignore
  std::unordered_map<std::string, Node*> anchors_;
  size_t alias_nodes_ = 0;
};

bool YamlReader::advance() {
  if (has_event_) yaml_event_delete(&event_);
  has_event_ = false;
  if (yaml_parser_parse(&parser_, &event_) == 0) {
    syntax_error();
    return false;
  }
  has_event_ = true;
  return true;
}

// The place of a tab in the indentation of that line, if there is one.
bool YamlReader::find_tab(yaml_mark_t& mark) const {
  std::string_view text(source_.text);
  for (std::size_t line = 0; line < mark.line && !text.empty(); ++line) {
    text.remove_prefix(std::min(text.find('\n'), text.size() - 1) + 1);
  }
  mark.column = text.find_first_not_of(' ');
  return mark.column < text.size() && text[mark.column] == '\t';
}

void YamlReader::syntax_error() {
  std::string message = parser_.problem == nullptr ? "not YAML" : parser_.problem;
  yaml_mark_t mark = parser_.problem_mark;
  if (parser_.error == YAML_READER_ERROR) {  // it knows the byte only
    message = fmt::format("{} (byte {})", message, parser_.problem_offset);
    mark = {};
    const size_t end = std::min(parser_.problem_offset, source_.text.size());
    for (size_t i = 0; i < end; ++i) {
      mark.column = source_.text[i] == '\n' ? 0 : mark.column + 1;
      if (source_.text[i] == '\n') ++mark.line;
    }
  }
  std::string hint;
  const bool may_be_tab = message.ends_with("cannot start any token") || message.find("a tab") != message.npos;
  if (yaml_mark_t tab = mark; may_be_tab && find_tab(tab)) {
    fail(mark_of(tab), "a tab stands here, but only spaces can indent", std::move(message));
    return;
  }
  if (parser_.context != nullptr && parser_.error != YAML_READER_ERROR) {
    hint = fmt::format("{} in line {}", parser_.context, mark_of(parser_.context_mark).line);
  }
  fail(mark_of(mark), std::move(message), std::move(hint));
}

Node* YamlReader::document() {
  Node* root = nullptr;
  while (advance()) {
    switch (event_.type) {
      case YAML_STREAM_START_EVENT:
      case YAML_DOCUMENT_END_EVENT:
        break;
      case YAML_DOCUMENT_START_EVENT: {
        if (root != nullptr) return fail(here(), "a second document begins here: a configuration is one document");
        if (!advance()) return nullptr;
        root = node(0);
        if (root == nullptr) return nullptr;
        break;
      }
      default:  // the end of the stream
        return root;
    }
  }
  return nullptr;
}

void YamlReader::check_tag(std::string_view tag, Mark mark) {
  ignored_ = tag == kIgnore;
  if (tag.empty() || ignored_ || tag == "!" || tag.starts_with(kCoreTags)) return;
  fail(mark, fmt::format("the tag {} means nothing here", tag));
}

// The current event opens a node; afterwards the current event is its last.
Node* YamlReader::node(int depth) {
  if (depth > kDepthMax) return fail(here(), fmt::format("nested deeper than {} levels", kDepthMax));
  if (tree_.nodes() > kNodesMax) return fail(here(), fmt::format("more than {} values", kNodesMax));
  const Mark mark = here();
  std::string anchor;
  Node* out = nullptr;
  bool ignored = false;
  switch (event_.type) {
    case YAML_ALIAS_EVENT:
      ignored_ = false;
      return alias(mark, depth);
    case YAML_SCALAR_EVENT:
      check_tag(to_view(event_.data.scalar.tag), mark);
      ignored = ignored_;
      anchor = to_view(event_.data.scalar.anchor);
      out = scalar(mark);
      break;
    case YAML_SEQUENCE_START_EVENT:
      check_tag(to_view(event_.data.sequence_start.tag), mark);
      ignored = ignored_;
      anchor = to_view(event_.data.sequence_start.anchor);
      out = sequence(mark, depth);
      break;
    case YAML_MAPPING_START_EVENT:
      check_tag(to_view(event_.data.mapping_start.tag), mark);
      ignored = ignored_;
      anchor = to_view(event_.data.mapping_start.anchor);
      out = mapping(mark, depth);
      break;
    default:
      return fail(mark, "a value was expected");
  }
  if (out != nullptr && !anchor.empty()) anchors_[anchor] = out;
  ignored_ = ignored;
  return out;
}

Node* YamlReader::scalar(Mark mark) {
  const auto& scalar = event_.data.scalar;
  const std::string_view text(reinterpret_cast<const char*>(scalar.value), scalar.length);
  const bool plain = scalar.style == YAML_PLAIN_SCALAR_STYLE && to_view(scalar.tag) != "tag:yaml.org,2002:str";
  if (plain && is_null(text)) return tree_.make(Kind::null, mark);
  return tree_.make_scalar(text, plain, mark);
}

Node* YamlReader::sequence(Mark mark, int depth) {
  Node* out = tree_.make(Kind::sequence, mark);
  while (true) {
    if (!advance()) return nullptr;
    if (event_.type == YAML_SEQUENCE_END_EVENT) return out;
    Node* item = node(depth + 1);
    if (item == nullptr) return nullptr;
    if (!ignored_) tree_.append(*out, *item);
  }
}

Node* YamlReader::mapping(Mark mark, int depth) {
  Node* out = tree_.make(Kind::mapping, mark);
  bool merges = false;
  while (true) {
    if (!advance()) return nullptr;
    if (event_.type == YAML_MAPPING_END_EVENT) break;
    if (!entry(*out, depth, merges)) return nullptr;
  }
  if (merges) merge(*out);
  refuse_duplicate_keys(*out, tree_, problems_);
  return out;
}

bool YamlReader::entry(Node& mapping, int depth, bool& merges) {
  const Mark mark = here();
  std::string_view key;
  bool plain_key = false, ignored = false;
  if (event_.type == YAML_SCALAR_EVENT) {
    const auto& scalar = event_.data.scalar;
    check_tag(to_view(scalar.tag), mark);
    ignored = ignored_;
    key = tree_.keep({reinterpret_cast<const char*>(scalar.value), scalar.length});
    plain_key = scalar.style == YAML_PLAIN_SCALAR_STYLE;
    if (scalar.anchor != nullptr)
      anchors_[std::string(to_view(scalar.anchor))] = tree_.make_scalar(key, plain_key, mark);
  } else if (event_.type == YAML_ALIAS_EVENT) {
    const Node* named = alias(mark, depth);
    if (named == nullptr) return false;
    if (!named->is_scalar()) return fail(mark, "a key must be a text, not a list or a mapping") != nullptr;
    key = named->text;
  } else {
    return fail(mark, "a key must be a text, not a list or a mapping") != nullptr;
  }
  if (!advance()) return false;
  Node* value = node(depth + 1);
  if (value == nullptr) return false;
  if (ignored || ignored_) return true;
  merges |= plain_key && key == "<<";
  if (value->has_key) value = tree_.copy(*value);
  value->has_key = true;
  value->key_line = mark.line;
  value->key_column = mark.column;
  tree_.set(mapping, key, *value);
  return true;
}

Node* YamlReader::copy_within_limit(const Node& node, Mark mark) {
  alias_nodes_ += count(node);
  if (alias_nodes_ > kAliasNodesMax) {
    return fail(mark, fmt::format("aliases expand to more than {} values", kAliasNodesMax));
  }
  Node* out = tree_.copy(node);
  out->has_key = false;
  out->next = nullptr;
  return out;
}

Node* YamlReader::alias(Mark mark, int depth) {
  const std::string name(to_view(event_.data.alias.anchor));
  const auto found = anchors_.find(name);
  if (found == anchors_.end()) return fail(mark, fmt::format("no anchor &{} stands before this", name));
  if (depth + height(*found->second) > kDepthMax) {
    return fail(mark, fmt::format("nested deeper than {} levels", kDepthMax));
  }
  return copy_within_limit(*found->second, mark);
}

// Puts in what the entries named `<<` bring; a key that is there already wins, and so does the earlier of two merges.
void YamlReader::merge(Node& mapping) {
  Keys present;
  for (const Node& one : mapping) present.insert(one.key);
  while (Node* from = tree_.take(mapping, "<<")) {
    if (from->is_mapping()) {
      merge_from(mapping, *from, present);
    } else if (from->is_sequence()) {
      for (const Node& one : *from) {
        if (!one.is_mapping()) {
          fail(one.value_mark(), "`<<` merges mappings only");
          continue;
        }
        merge_from(mapping, one, present);
      }
    } else {
      fail(from->value_mark(), "`<<` merges mappings only");
    }
  }
}

void YamlReader::merge_from(Node& mapping, const Node& from, Keys& present) {
  for (const Node& one : from) {
    if (!present.insert(one.key).second) continue;
    Node* copied = copy_within_limit(one, from.value_mark());
    if (copied == nullptr) return;
    copied->has_key = true;
    tree_.set(mapping, one.key, *copied);
  }
}

}  // namespace

Node* read_yaml(const Substituted& source, Tree& tree, uint16_t file, Problems& problems) {
  return YamlReader(source, tree, file, problems).document();
}

}  // namespace outrider::config
