#include "config/tree.h"

#include <gtest/gtest.h>

namespace outrider::config {
namespace {

TEST(Tree, EntriesAreFoundTakenAndPutElsewhere) {
  Tree tree;
  tree.add_file("f");
  Node* root = tree.make(Kind::mapping, {1, 1, 0});
  tree.set_scalar(*root, "a", "1", true, {2, 4, 0});
  tree.set_scalar(*root, "b", "2", true, {3, 4, 0});
  tree.set_scalar(*root, "c", "3", true, {4, 4, 0});
  Node* taken = tree.take(*root, "b");
  ASSERT_NE(taken, nullptr);
  EXPECT_EQ(root->size(), 2u);
  EXPECT_EQ(tree.take(*root, "b"), nullptr);
  Node* inner = tree.set_mapping(*root, "inner", {5, 1, 0});
  tree.set(*inner, "renamed", *taken);
  EXPECT_EQ(inner->find("renamed")->text, "2");
  EXPECT_EQ(inner->find("renamed")->key_line, 3u);
  EXPECT_EQ(tree.set_mapping(*root, "inner", {9, 9, 0}), inner);
  tree.take(*root, "inner");
  EXPECT_EQ(root->last->key, "c");
}

TEST(Tree, EntriesOfLargeMappingsAreFoundByTheirPathAndAfterChanges) {
  Tree tree;
  tree.root = tree.make(Kind::mapping, {});
  std::vector<std::string> names;
  for (int i = 0; i < 100; ++i) names.push_back("k" + std::to_string(i));
  for (const std::string& name : names) tree.set_scalar(*tree.root, tree.keep(name), name, true, {});
  for (const std::string& name : names) EXPECT_EQ(tree.at("[\"" + name + "\"]").text, name);
  EXPECT_FALSE(tree.way_to("k100").whole);
  tree.take(*tree.root, "k50");
  EXPECT_FALSE(tree.way_to("k50").whole);
  EXPECT_EQ(tree.at("k99").text, "k99");
  tree.set_scalar(*tree.root, "k50", "new", true, {});
  EXPECT_EQ(tree.at("k50").text, "new");
}

TEST(Tree, ItemsAreFoundInAnyOrderAndAfterChanges) {
  Tree tree;
  Node* list = tree.make(Kind::sequence, {});
  for (const char* text : {"a", "b", "c", "d"}) tree.append(*list, *tree.make_scalar(text, false, {}));
  for (const size_t index : {2, 3, 1, 0, 3}) EXPECT_EQ(tree.item(*list, index)->text, std::string(1, "abcd"[index]));
  EXPECT_EQ(tree.item(*list, 4), nullptr);
  tree.append(*list, *tree.make_scalar("e", false, {}));
  EXPECT_EQ(tree.item(*list, 4)->text, "e");
  tree.unlink(*list, *list->first);
  EXPECT_EQ(tree.item(*list, 3)->text, "e");
  EXPECT_EQ(tree.item(*list, 0)->text, "b");
}

TEST(Tree, APathLeadsToItsNodeOrTheNearestParent) {
  Tree tree;
  tree.add_file("f");
  tree.root = tree.make(Kind::mapping, {1, 1, 0});
  Node* list = tree.set_sequence(*tree.root, "list", {2, 1, 0});
  for (const char* name : {"x", "y"}) {
    Node* item = tree.make(Kind::mapping, {3, 1, 0});
    tree.append(*list, *item);
    tree.set_scalar(*item, "name", name, false, {4, 1, 0});
    tree.set_scalar(*item, "with.dots", "d", false, {5, 1, 0});
  }
  EXPECT_EQ(tree.at("list[1].name").text, "y");
  EXPECT_EQ(tree.at("list[0][\"with.dots\"]").text, "d");
  EXPECT_EQ(&tree.at("list[1].nothing.below"), list->last);
  EXPECT_EQ(&tree.at("list[7].name"), list);
  EXPECT_EQ(&tree.at(""), tree.root);
}

TEST(Path, BecomesTextFromTheRoot) {
  const Path root;
  const Path list = root.field("a");
  const Path item = list.item(3);
  const Path entry = item.entry("k.e");
  const Path field = entry.field("b");
  EXPECT_EQ(field.text(), "a[3][\"k.e\"].b");
  EXPECT_EQ(root.text(), "");
}

TEST(Problem, ShowsWhatIsKnown) {
  EXPECT_EQ(to_text({.file = "f", .line = 3, .column = 4, .path = "a.b", .message = "bad", .hint = "good"}),
            "f:3:4: a.b: bad (good)");
  EXPECT_EQ(to_text({.file = "f", .message = "cannot be opened"}), "f: cannot be opened");
  EXPECT_EQ(to_text({.message = "bad"}), "bad");
}

TEST(Problems, AreOrderedByPlaceAndBounded) {
  Problems problems;
  for (int i = 150; i > 0; --i) problems.add({.file = "f", .line = i, .message = "m"});
  EXPECT_EQ(problems.fatal(), 150u);
  const auto list = problems.take();
  ASSERT_EQ(list.size(), Problems::kProblemsMax + 1);
  EXPECT_LT(list[0].line, list[1].line);
  EXPECT_EQ(list.back().message, "50 more not shown");
}

}  // namespace
}  // namespace outrider::config
