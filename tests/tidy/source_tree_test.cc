#include "source_tree.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace weir::tidy {
namespace {

TEST(CodeOnly, BlanksCommentsAndStringsButKeepsLines) {
  EXPECT_EQ(code_only("a; // b\nc /* d\ne */ f"), "a;     \nc     \n     f");
  EXPECT_EQ(code_only(R"(f("x\"y", 'z', '\'', 1'000);)"), R"(f("    ", ' ', '  ', 1'000);)");
  EXPECT_EQ(code_only("f(R\"x(a)\"b)x\", g);"), "f(R\"        \", g);");
}

TEST(CodeOnly, EndsWithUnfinishedText) {
  EXPECT_EQ(code_only("/* a"), "    ");
  EXPECT_EQ(code_only("\"a\\"), "\"  ");
  EXPECT_EQ(code_only("R\"x(a").size(), 5u);
}

TEST(ProjectTree, HoldsSourcesAndNoBuildFolder) {
  const SourceTree& tree = project_tree();
  const auto has = [&](std::string_view path) {
    return std::any_of(tree.begin(), tree.end(), [&](const SourceFile& file) { return file.path == path; });
  };
  EXPECT_TRUE(has("CMakeLists.txt"));
  EXPECT_TRUE(has("include/weir/base/result.h"));
  EXPECT_TRUE(has("tests/tidy/source_tree_test.cc"));
  EXPECT_FALSE(std::any_of(tree.begin(), tree.end(), [](const SourceFile& file) {
    return is_under(file.path, "build/") || is_under(file.path, ".git/");
  }));
}

}  // namespace
}  // namespace weir::tidy
