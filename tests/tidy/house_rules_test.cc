#include "house_rules.h"

#include <gtest/gtest.h>

namespace weir::tidy {
namespace {

using Check = Findings (*)(const SourceTree&);

/// One rule with a file that breaks it on its second line.
struct Row {
  std::string name;
  Check check;
  std::string path;
  std::string second_line;
};
void PrintTo(const Row& row, std::ostream* out) {
  *out << row.name;
}
std::string name_of(const testing::TestParamInfo<Row>& info) {
  return info.param.name;
}
Findings findings_of(const Row& row) {
  return row.check({{row.path, "// first\n" + row.second_line + "\n// last\n"}});
}

class BrokenRule : public testing::TestWithParam<Row> {};
TEST_P(BrokenRule, IsReportedWithItsLine) {
  const Findings findings = findings_of(GetParam());
  ASSERT_EQ(findings.size(), 1u) << to_string(findings);
  EXPECT_EQ(findings[0].line, 2u);
}
INSTANTIATE_TEST_SUITE_P(
    HouseRules, BrokenRule,
    testing::Values(
        Row{"Todo", check_todos, "src/core/a.cc", "f();  // TODO: later"},
        Row{"Fixme", check_todos, "scripts/run.sh", "# FIXME"},
        Row{"TodoOfAPerson", check_todos, "include/weir/core/a.h", "// TODO(somebody): later"},
        Row{"SleepFor", check_sleeps, "tests/unit/core/a_test.cc", "std::this_thread::sleep_for(10ms);"},
        Row{"Usleep", check_sleeps, "src/base/a.cc", "usleep (10);"},
        Row{"Sleep", check_sleeps, "tests/integration/a_test.cc", "::sleep(1);"},
        Row{"DisabledTest", check_disabled_tests, "tests/unit/core/a_test.cc", "TEST(A, DISABLED_B) {}"},
        Row{"SkippedTest", check_disabled_tests, "tests/unit/core/a_test.cc", "GTEST_SKIP() << \"not today\";"},
        Row{"ErrcDefault", check_errc_defaults, "src/api/problem.cc",
            "switch (e.code) { case Errc::internal: { return 1; } default: return 2; }"},
        Row{"QualifiedErrcDefault", check_errc_defaults, "src/api/problem.cc",
            "switch (f(x).code) { default: break; case weir::Errc::internal: break; }"},
        Row{"MachinePath", check_machine_paths, "docs/architecture.md", "see /home/somebody/weir"},
        Row{"MachinePathAtStart", check_machine_paths, "CMakeLists.txt", "/root/weir"},
        Row{"SwallowedException", check_swallowed_exceptions, "src/base/a.cc", "try { f(); } catch (...) { }"}),
    name_of);

class KeptRule : public testing::TestWithParam<Row> {};
TEST_P(KeptRule, IsNotReported) {
  const Findings findings = findings_of(GetParam());
  EXPECT_TRUE(findings.empty()) << to_string(findings);
}
INSTANTIATE_TEST_SUITE_P(
    HouseRules, KeptRule,
    testing::Values(
        Row{"TodoWithIssue", check_todos, "src/core/a.cc", "f();  // TODO(#12): later"},
        Row{"PartOfAWord", check_todos, "src/core/a.cc", "int TODOS = mkTODO();"},
        Row{"SleepInComment", check_sleeps, "src/core/a.cc", "// never sleep_for()"},
        Row{"OtherSwitch", check_errc_defaults, "src/http/a.cc",
            "switch (c) { case 'a': return 1; default: return 2; }"},
        Row{"DefaultBesideErrcSwitch", check_errc_defaults, "src/http/a.cc",
            "switch (e) { case Errc::internal: break; } switch (c) { case 1: break; default: break; }"},
        Row{"RelativePath", check_machine_paths, "README.md", "cd work/root; open https://example.com/home/page"},
        Row{"ReportedException", check_swallowed_exceptions, "src/base/a.cc", "try { f(); } catch (...) { log(); }"}),
    name_of);

TEST(HouseRules, ReportsLongFile) {
  const std::string lines(700, '\n');
  EXPECT_TRUE(check_file_length({{"src/core/a.cc", lines}}).empty());
  EXPECT_EQ(check_file_length({{"src/core/a.cc", lines + "\n"}}).size(), 1u);
  EXPECT_TRUE(check_file_length({{"tests/unit/core/a_test.cc", lines + "\n"}}).empty());
}

TEST(HouseRules, ReportsFileThatNoBuildListNames) {
  const SourceTree tree = {
      {"src/core/CMakeLists.txt", "weir_module(core\n  SOURCES log.cc  # lost.cc\n  TESTS log_test.cc)"},
      {"src/core/log.cc", ""},
      {"src/core/lost.cc", ""},
      {"src/core/topic_log.cc", ""},
      {"tests/CMakeLists.txt", "weir_test(poll SOURCES integration/poll_test.cc)"},
      {"tests/integration/poll_test.cc", ""},
      {"tests/unit/core/log_test.cc", ""},
      {"tests/unit/core/lost_test.cc", ""},
      {"tests/unit/http/log_test.cc", ""}};
  std::vector<std::string> lost;
  for (const Finding& finding : check_listed_in_cmake(tree)) lost.push_back(finding.path);
  EXPECT_EQ(lost, (std::vector<std::string>{"src/core/lost.cc", "src/core/topic_log.cc", "tests/unit/core/lost_test.cc",
                                            "tests/unit/http/log_test.cc"}));
}

class ProjectKeeps : public testing::TestWithParam<std::pair<const char*, Check>> {};
TEST_P(ProjectKeeps, Rule) {
  const Findings findings = GetParam().second(project_tree());
  EXPECT_TRUE(findings.empty()) << to_string(findings);
}
INSTANTIATE_TEST_SUITE_P(HouseRules, ProjectKeeps,
                         testing::Values(std::pair{"Todos", &check_todos}, std::pair{"Sleeps", &check_sleeps},
                                         std::pair{"DisabledTests", &check_disabled_tests},
                                         std::pair{"ErrcDefaults", &check_errc_defaults},
                                         std::pair{"FileLength", &check_file_length},
                                         std::pair{"MachinePaths", &check_machine_paths},
                                         std::pair{"SwallowedExceptions", &check_swallowed_exceptions},
                                         std::pair{"ListedInCMake", &check_listed_in_cmake}),
                         [](const auto& row) { return row.param.first; });

}  // namespace
}  // namespace weir::tidy
