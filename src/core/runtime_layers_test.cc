#include "core/runtime_layers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>

namespace outrider {
namespace {

using testing::ElementsAre;
using testing::Pair;

class RuntimeFiles : public testing::Test {
 protected:
  RuntimeFiles() { std::filesystem::create_directories(root_); }
  ~RuntimeFiles() override { std::filesystem::remove_all(root_); }
  void write(const std::string& name, const std::string& text) {
    std::filesystem::create_directories((root_ / name).parent_path());
    std::ofstream(root_ / name) << text;
  }
  const std::filesystem::path root_ =
      std::filesystem::temp_directory_path() /
      ("runtime-" + std::to_string(testing::UnitTest::GetInstance()->random_seed()) + "-" + std::to_string(getpid()));
};

TEST_F(RuntimeFiles, AreValuesByTheirPath) {
  write("a/b/c", "5\n");
  write("x", "# why\ntext \n\n");
  write("empty", "");
  RuntimeValues values;
  EXPECT_TRUE(read_runtime_files(root_, values));
  EXPECT_THAT(values, ElementsAre(Pair("a.b.c", "5"), Pair("empty", ""), Pair("x", "text")));
}

TEST_F(RuntimeFiles, AreNotReadForEverWhereLinksLeadRound) {
  write("a/b", "1");
  for (const char* name : {"a/x", "a/y", "a/z"}) std::filesystem::create_symlink(".", root_ / name);
  RuntimeValues values;
  EXPECT_FALSE(read_runtime_files(root_, values));
  EXPECT_EQ(std::ranges::count(values, std::pair<std::string, std::string>("a.b", "1")), 1);
}

TEST_F(RuntimeFiles, ThatAreTooLargeAreLeftOut) {
  write("large", std::string(kRuntimeFileBytesMax + 1, 'x'));
  write("small", std::string(kRuntimeFileBytesMax, 'x'));
  RuntimeValues values;
  EXPECT_FALSE(read_runtime_files(root_, values));
  ASSERT_EQ(values.size(), 1u);
  EXPECT_EQ(values[0].first, "small");
}

TEST_F(RuntimeFiles, MayBeMissing) {
  RuntimeValues values;
  EXPECT_TRUE(read_runtime_files(root_ / "none", values));
  EXPECT_TRUE(values.empty());
}

TEST_F(RuntimeFiles, LieBetweenTheLayersAroundThem) {
  write("a", "2");
  write("b", "numerator: 5\ndenominator: TEN_THOUSAND\n");
  RuntimeLayers layers;
  using enum RuntimeSource::Kind;
  layers.set(
      {{"base", fixed, {{"a", "1"}, {"c", "1"}}, "", ""}, {"disk", disk, {}, "", root_}, {"admin", admin, {}, "", ""}});
  RuntimePtr runtime = layers.load();
  EXPECT_EQ(runtime->integer("a", 0), 2u);
  EXPECT_EQ(runtime->integer("c", 0), 1u);
  EXPECT_EQ(runtime->fraction("b", {}).denominator, 10'000u);
  EXPECT_TRUE(layers.modify({{"a", "3"}, {"d", "x"}}));
  EXPECT_EQ(layers.load()->integer("a", 0), 3u);
  EXPECT_EQ(*layers.load()->text("d"), "x");
  EXPECT_EQ(layers.overrides(), 2u);
  EXPECT_TRUE(layers.modify({{"a", ""}}));
  EXPECT_EQ(layers.load()->integer("a", 0), 2u);
}

TEST(RuntimeLayers, WithoutAnAdminLayerCannotBeModified) {
  RuntimeLayers layers;
  EXPECT_FALSE(layers.modify({{"a", "3"}}));
}

}  // namespace
}  // namespace outrider
