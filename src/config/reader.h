#pragma once

#include <cstdint>
#include <string_view>

#include "config/environment.h"
#include "config/problem.h"
#include "config/tree.h"

namespace outrider::config {

// Limits of a configuration's text. What goes past one is refused.
inline constexpr size_t kTextBytesMax = size_t{256} << 20;
inline constexpr int kDepthMax = 200;                // nested lists and mappings
inline constexpr int kMessageDepthMax = 100;         // messages in messages; protobuf's own decoder takes no more
inline constexpr size_t kNodesMax = 8'000'000;       // values in one file
inline constexpr size_t kAliasNodesMax = 1'000'000;  // values that aliases and merge keys may add

// Reads a text into `tree` and returns its root, or nullptr if there is none; problems say why. Marks are those of the
// file before substitution. A key that stands twice in one mapping is an error, at the second one.

// YAML 1.1 as libyaml reads it: anchors, aliases, merge keys (`<<`); an entry whose key or value is tagged `!ignore` is
// left out; one document.
Node* read_yaml(const Substituted& source, Tree& tree, uint16_t file, Problems& problems);

// RFC 8259, and comments (`//`, `/* */`) which it does not know but old files have.
Node* read_json(const Substituted& source, Tree& tree, uint16_t file, Problems& problems);

// By the suffix of the name, else by the text: JSON if it begins with `{` and a quote.
bool looks_like_json(std::string_view name, std::string_view text);

// Adds a problem for each key that stands twice.
void refuse_duplicate_keys(const Node& mapping, const Tree& tree, Problems& problems);

}  // namespace outrider::config
