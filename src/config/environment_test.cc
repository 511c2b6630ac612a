#include "config/environment.h"

#include <gtest/gtest.h>

#include <map>

namespace outrider::config {
namespace {

struct Result {
  std::string text;
  std::vector<Problem> problems;
  Substituted substituted;
};

Result substitute(std::string_view text, const std::map<std::string, std::string>& variables) {
  Problems problems;
  const auto lookup = [&](const std::string& name) -> std::optional<std::string> {
    const auto found = variables.find(name);
    return found == variables.end() ? std::nullopt : std::optional(found->second);
  };
  Substituted out = substitute_environment(text, "f", lookup, problems);
  return {out.text, problems.take(), out};
}

TEST(Environment, PutsInTheValueOfAVariable) {
  EXPECT_EQ(substitute("a: ${NAME}, ${OTHER_1}", {{"NAME", "x"}, {"OTHER_1", ""}}).text, "a: x, ");
}

TEST(Environment, TakesTheDefaultIfAVariableIsUnsetOrEmpty) {
  EXPECT_EQ(substitute("${A:-one two} ${B:-} ${C:-d}", {{"C", ""}}).text, "one two  d");
  EXPECT_EQ(substitute("${A:-one}", {{"A", "two"}}).text, "two");
}

TEST(Environment, ReportsAnUnsetVariableWithItsPlace) {
  const Result result = substitute("x\n  y: ${NAME}\n", {});
  ASSERT_EQ(result.problems.size(), 1u);
  EXPECT_EQ(to_text(result.problems[0]),
            "f:2:6: the environment variable NAME is not set (${NAME:-default} gives a default, $${NAME} is the text "
            "itself)");
}

TEST(Environment, LeavesEverythingElseAsItIs) {
  for (const std::string_view text : {"$NAME", "$$", "$${", "${", "${}", "${1}", "${a.b}", "${NAME", "^/a$", "${NA ME}",
                                      "local x = \"${\" .. y", "cost: 5$", "{$a}", "${NAME\n}"}) {
    const Result result = substitute(text, {});
    EXPECT_EQ(result.text, text);
    EXPECT_TRUE(result.problems.empty()) << text;
  }
}

TEST(Environment, LeavesALowerCaseNameAndSaysSo) {
  const Result result = substitute("a: ${name}", {{"name", "x"}});
  EXPECT_EQ(result.text, "a: ${name}");
  ASSERT_EQ(result.problems.size(), 1u);
  EXPECT_FALSE(result.problems[0].fatal);
}

TEST(Environment, ADoubledDollarIsTheTextItself) {
  EXPECT_EQ(substitute("a$${NAME}b${NAME}", {{"NAME", "x"}}).text, "a${NAME}bx");
}

TEST(Environment, AnUnsetVariableInACommentIsNoError) {
  EXPECT_TRUE(substitute("# ${NAME}\na: 1  # ${NAME}\n", {}).problems.empty());
  EXPECT_EQ(substitute("a: 'b # ${NAME}'\n", {}).problems.size(), 1u);
}

TEST(Environment, ManyReferencesTakeOneLookAtTheText) {
  constexpr int kMany = 100'000;  // With a look at the whole line for each of them, this test would not end.
  const auto many = [](std::string_view one) {
    std::string text;
    for (int i = 0; i < kMany; i++) text += one;
    return text;
  };
  for (const std::string_view one : {"${", "${a", "${a:-", "${x}", "${X:-", "$${X}"}) {
    EXPECT_FALSE(substitute(many(one), {}).text.empty()) << one;
    EXPECT_FALSE(substitute(many(one) + "}", {}).text.empty()) << one;
  }
  EXPECT_EQ(substitute(many("${X}"), {{"X", "y"}}).text, std::string(kMany, 'y'));
  EXPECT_EQ(substitute(many("${X}"), {}).problems.size(), Problems::kProblemsMax + 1);
}

TEST(Environment, APlaceInTheTextLeadsBackToTheFile) {
  const Result result = substitute("${LONG}: 1, b\nc\n", {{"LONG", "äbcdefghij"}});
  EXPECT_EQ(result.text, "äbcdefghij: 1, b\nc\n");
  EXPECT_EQ(result.substituted.origin({1, 1}), (Position{1, 1}));
  EXPECT_EQ(result.substituted.origin({1, 5}), (Position{1, 1}));
  EXPECT_EQ(result.substituted.origin({1, 11}), (Position{1, 8}));
  EXPECT_EQ(result.substituted.origin({1, 16}), (Position{1, 13}));
  EXPECT_EQ(result.substituted.origin({2, 1}), (Position{2, 1}));
}

TEST(Environment, AValueOfSeveralLinesDoesNotShiftTheFilesLines) {
  const Result result = substitute("a: ${LINES}x\nb\n", {{"LINES", "1\n2\n3"}});
  EXPECT_EQ(result.substituted.origin({3, 2}), (Position{1, 12}));
  EXPECT_EQ(result.substituted.origin({4, 1}), (Position{2, 1}));
}

}  // namespace
}  // namespace outrider::config
