#include "config/reader.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace outrider::config {
namespace {

// A tree as one line: {a:[1,"b"]} with quotes around what was quoted.
std::string shown(const Node& node) {
  std::string out;
  switch (node.kind) {
    case Kind::null:
      return "~";
    case Kind::scalar:
      return node.plain ? std::string(node.text) : fmt::format("'{}'", node.text);
    case Kind::sequence:
      for (const Node& item : node) out += (out.empty() ? "" : ",") + shown(item);
      return "[" + out + "]";
    case Kind::mapping:
      for (const Node& item : node) out += fmt::format("{}{}:{}", out.empty() ? "" : ",", item.key, shown(item));
      return "{" + out + "}";
  }
  return out;
}

struct Read {
  Tree tree;
  std::string text;  // of the tree, or the first problem
  Node* root = nullptr;
  std::vector<Problem> problems;

  Read(std::string_view source, bool is_json) {
    Substituted substituted;
    substituted.text = source;
    Problems found;
    const uint16_t file = tree.add_file("f");
    root = (is_json ? read_json : read_yaml)(substituted, tree, file, found);
    problems = found.take();
    text = !problems.empty() ? to_text(problems[0]) : root == nullptr ? "nothing" : shown(*root);
  }
};

std::string yaml(std::string_view source) { return Read(source, false).text; }
std::string json(std::string_view source) { return Read(source, true).text; }

TEST(Yaml, ReadsMappingsListsAndScalars) {
  EXPECT_EQ(yaml("a: [1, 'b', ~, ]\nb: {c: \"d\", e: }\n"), "{a:[1,'b',~],b:{c:'d',e:~}}");
  EXPECT_EQ(yaml("---\na:\n  - x: |\n      l\n      m\n"), "{a:[{x:'l\nm\n'}]}");
}

TEST(Yaml, EveryKeyAndValueHasItsPlace) {
  const Read read("a:\n  - bé: 'x'\n    c: y\n", false);
  const Node& first = *read.root->first->first;
  EXPECT_EQ(first.first->key_line, 2u);
  EXPECT_EQ(first.first->key_column, 5u);
  EXPECT_EQ(first.first->column, 9u);  // characters, not bytes
  EXPECT_EQ(first.last->line, 3u);
  EXPECT_EQ(first.last->column, 8u);
}

TEST(Yaml, AnAliasIsACopyThatKeepsItsMarks) {
  EXPECT_EQ(yaml("a: &x {b: 1}\nc: *x\nd: [*x, *x]\n"), "{a:{b:1},c:{b:1},d:[{b:1},{b:1}]}");
  EXPECT_EQ(yaml("a: *x\n"), "f:1:4: no anchor &x stands before this");
  EXPECT_EQ(yaml("&k key: 1\nother: *k\n"), "{key:1,other:key}");
}

TEST(Yaml, MergeKeysBringWhatIsNotThereYet) {
  EXPECT_EQ(yaml("x: &x {a: 1, b: 2}\ny: {<<: *x, b: 3, c: 4}\n"), "{x:{a:1,b:2},y:{b:3,c:4,a:1}}");
  EXPECT_EQ(yaml("x: &x {a: 1}\nz: &z {a: 2, b: 2}\ny: {<<: [*x, *z]}\n"), "{x:{a:1},z:{a:2,b:2},y:{a:1,b:2}}");
  EXPECT_EQ(yaml("y: {<<: 5}\n"), "f:1:9: `<<` merges mappings only");
}

TEST(Yaml, WhatIsTaggedIgnoreIsLeftOut) {
  EXPECT_EQ(yaml("!ignore a: &x {b: 1}\nc: *x\nd: !ignore 5\ne: [1, !ignore 2]\n"), "{c:{b:1},e:[1]}");
  EXPECT_EQ(yaml("a: !secret b\n"), "f:1:4: the tag !secret means nothing here");
  EXPECT_EQ(yaml("a: !!str 5\n"), "{a:'5'}");
}

TEST(Yaml, AKeyThatStandsTwiceIsRefusedAtTheSecond) {
  EXPECT_EQ(yaml("a: 1\nb: 2\na: 3\n"), "f:3:1: `a` stands twice in the same mapping (first in line 1)");
  std::string many;
  for (int i = 0; i < 100; ++i) many += fmt::format("k{}: 1\n", i);
  EXPECT_EQ(yaml(many + "k7: 1\n"), "f:101:1: `k7` stands twice in the same mapping (first in line 8)");
}

TEST(Yaml, SyntaxErrorsHaveTheirPlace) {
  EXPECT_EQ(yaml("a: {b\n").substr(0, 6), "f:2:1:");
  EXPECT_EQ(yaml("a: b: c\n").substr(0, 6), "f:1:5:");
  EXPECT_EQ(yaml("a: 1\n\tb: 2\n").substr(0, 6), "f:2:1:");
  EXPECT_EQ(yaml("a: \"\xff\"\n").substr(0, 4), "f:1:");
  EXPECT_EQ(yaml("? [a]\n: b\n"), "f:1:3: a key must be a text, not a list or a mapping");
}

TEST(Yaml, ATabThatIndentsIsCalledATab) {
  EXPECT_THAT(yaml("é: 1\na:\n\tb: 1\n"), testing::StartsWith("f:3:1: a tab stands here, but only spaces can indent"));
  EXPECT_THAT(yaml("a:\n  b: 1\n \tc: 1\n"), testing::StartsWith("f:3:2: a tab stands here"));
  EXPECT_EQ(yaml("a: {\n\tb: 1}\n"), "{a:{b:1}}");
  EXPECT_THAT(yaml("a: @\n"), testing::HasSubstr("cannot start any token"));
}

TEST(Yaml, AConfigurationIsOneDocument) {
  EXPECT_EQ(yaml("a: 1\n---\nb: 2\n"), "f:2:1: a second document begins here: a configuration is one document");
  EXPECT_EQ(yaml(""), "nothing");
  EXPECT_EQ(yaml("# only a comment\n"), "nothing");
}

TEST(Yaml, DepthIsBounded) {
  EXPECT_NE(yaml(std::string(1000, '[')).find("nested deeper than 200 levels"), std::string::npos);
}

TEST(Yaml, AnAliasBombIsBounded) {
  std::string bomb = "a0: &a0 [1,1,1,1,1,1,1,1,1,1]\n";
  for (int i = 1; i < 12; ++i) {
    bomb += fmt::format("a{}: &a{} [", i, i);
    for (int j = 0; j < 10; ++j) bomb += fmt::format("*a{},", i - 1);
    bomb += "]\n";
  }
  EXPECT_NE(yaml(bomb).find("aliases expand to more than 1000000 values"), std::string::npos);
}

TEST(Yaml, AliasesOfAliasesAreNotDeeperThanTheRest) {
  std::string chain = "a0: &a0 [x]\n";
  for (int i = 1; i < 2 * kDepthMax; i++) chain += fmt::format("a{}: &a{} [*a{}]\n", i, i, i - 1);
  EXPECT_EQ(yaml(chain), fmt::format("f:{}:{}: nested deeper than 200 levels", kDepthMax, 14));
}

TEST(Yaml, ManyKeysMayBeMergedIntoMany) {
  constexpr int kMany = 50'000;  // Comparing each with each, this test would not end.
  std::string here = "{<<: *a", there = "{";
  for (int i = 0; i < kMany; i++) {
    there += fmt::format("k{}: 1,", i);
    here += fmt::format(",j{}: 1", i);
  }
  const Read read("a: &a " + there + "}\nb: " + here + "}\n", false);
  ASSERT_TRUE(read.problems.empty()) << read.text.substr(0, 200);
  EXPECT_EQ(read.root->find("b")->size(), 2u * kMany);
}

TEST(Json, ReadsObjectsArraysAndScalars) {
  EXPECT_EQ(json(R"({"a": [1, -2.5e3, "b\n\u00e9\ud83d\ude00\/", true, null, {}], "c": []})"),
            "{a:[1,-2.5e3,'b\né😀/',true,~,{}],c:[]}");
}

TEST(Json, EveryKeyAndValueHasItsPlace) {
  const Read read("{\n  \"é\": \"x\", \"b\": [\n 1]}", true);
  EXPECT_EQ(read.root->first->key_line, 2u);
  EXPECT_EQ(read.root->first->key_column, 3u);
  EXPECT_EQ(read.root->first->column, 8u);
  EXPECT_EQ(read.root->last->key_column, 13u);
  EXPECT_EQ(read.root->last->first->line, 3u);
  EXPECT_EQ(read.root->last->first->column, 2u);
}

TEST(Json, CommentsAreBlanks) { EXPECT_EQ(json("// a\n{ /* b\n */ \"c\": 1 } // d\n"), "{c:1}"); }

TEST(Json, ErrorsSayWhatWasExpectedAndWhere) {
  EXPECT_EQ(json("{\"a\" 1}"), "f:1:6: `:` was expected after the key, but here is `1`");
  EXPECT_EQ(json("{\"a\": 1,}"), "f:1:9: a `,` stands before this `}`, but nothing follows it");
  EXPECT_EQ(json("[1 2]"), "f:1:4: `,` or `]` was expected, but here is `2`");
  EXPECT_EQ(json("{a: 1}"), "f:1:2: a key in double quotes was expected, but here is `a`");
  EXPECT_EQ(json("{\"a\": b}"), "f:1:7: a value was expected, but here is `b` (text stands in double quotes)");
  EXPECT_EQ(json("{\"a\": \"b"), "f:1:9: this text does not end");
  EXPECT_EQ(json("{\"a\": \"\\q\"}"), "f:1:9: \\q is no escape of JSON");
  EXPECT_EQ(json("{\"a\": \"\\ud800\"}"), "f:1:14: half of a surrogate pair");
  EXPECT_EQ(json("{} x"), "f:1:4: the configuration has ended, but more text follows");
  EXPECT_EQ(json("{\"a\": 1,\n\"a\": 2}"), "f:2:1: `a` stands twice in the same mapping (first in line 1)");
  EXPECT_EQ(json("/* x"), "f:1:1: this comment does not end");
  EXPECT_EQ(json("{\"a\":"),
            "f:1:6: a value was expected, but here is the end of the file (text stands in double quotes)");
  EXPECT_NE(json(std::string(1000, '[')).find("nested deeper"), std::string::npos);
}

TEST(Json, WhatIsNotUtf8IsRefusedAtItsPlace) {
  EXPECT_EQ(json("{\"a\":\n \"b\xFF\"}"), "f:2:4: byte 0xff is not UTF-8");
  EXPECT_EQ(json("{\"\xC0\x80\":1}"), "f:1:3: byte 0xc0 is not UTF-8");
  EXPECT_EQ(json("{\"\xE2\x82\xAC\":1}"), "{\xE2\x82\xAC:1}");
}

TEST(Reader, TheSuffixDecidesElseTheText) {
  EXPECT_TRUE(looks_like_json("a.json", "x: 1"));
  EXPECT_FALSE(looks_like_json("a.yaml", "{\"x\": 1}"));
  EXPECT_TRUE(looks_like_json("a.conf", " \n{ \"x\": 1}"));
  EXPECT_FALSE(looks_like_json("a.conf", "{ x: 1}"));
  EXPECT_FALSE(looks_like_json("", "x: {}"));
}

}  // namespace
}  // namespace outrider::config
