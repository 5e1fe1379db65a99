#include <gtest/gtest.h>

#include "co_await_rules.h"

namespace weir::tidy {
namespace {

struct Row {
  std::string name;
  std::string statement;
};
void PrintTo(const Row& row, std::ostream* out) {
  *out << row.name;
}
std::string name_of(const testing::TestParamInfo<Row>& info) {
  return info.param.name;
}

Findings findings_of(const std::string& statement) {
  return check_co_await({{"src/core/a.cc", "net::awaitable<void> f() {\n  " + statement + "\n}\n"}});
}

class ForbiddenCoAwait : public testing::TestWithParam<Row> {};
TEST_P(ForbiddenCoAwait, IsReportedWithItsLine) {
  const Findings findings = findings_of(GetParam().statement);
  ASSERT_GE(findings.size(), 1u);
  EXPECT_EQ(findings[0].line, 2u);
}
INSTANTIATE_TEST_SUITE_P(
    CoAwait, ForbiddenCoAwait,
    testing::Values(Row{"InIf", "if (co_await ok()) g();"}, Row{"InIfBehindAnd", "if (a && co_await ok()) g();"},
                    Row{"InWhile", "while (co_await ok()) g();"}, Row{"AsArgument", "g(co_await ok());"},
                    Row{"InTernary", "auto x = a ? co_await ok() : 0;"}, Row{"TypedVariable", "int x = co_await ok();"},
                    Row{"Assignment", "x = co_await ok();"}, Row{"Twice", "auto x = co_await f(co_await g());"},
                    Row{"MemberOfItsValue", "auto x = (co_await f()).value;"},
                    Row{"BracedList", "co_await f({\"a\", \"b\"});"},
                    Row{"BracedAggregate", "auto x = co_await f(Agg{\"x\", 1});"},
                    Row{"DesignatedAggregate", "co_return co_await f({.a = \"x\"});"},
                    Row{"InsideMacro", "TRY(auto x, co_await f());"},
                    Row{"InReturnExpression", "co_return !co_await f();"}),
    name_of);

class AllowedCoAwait : public testing::TestWithParam<Row> {};
TEST_P(AllowedCoAwait, IsNotReported) {
  const Findings findings = findings_of(GetParam().statement);
  EXPECT_TRUE(findings.empty()) << to_string(findings);
}
INSTANTIATE_TEST_SUITE_P(
    CoAwait, AllowedCoAwait,
    testing::Values(Row{"Statement", "co_await f(std::move(x));"}, Row{"Variable", "auto x = co_await f(y);"},
                    Row{"ConstVariable", "const auto x = co_await f(y);"},
                    Row{"StructuredBinding", "auto [ec, n] = co_await f(y);"},
                    Row{"Return", "co_return co_await f(y);"}, Row{"SecondStatement", "g(); co_await f();"},
                    Row{"OverTwoLines", "auto x =\n      co_await f(a,\n b);"},
                    Row{"InComment", "// if (co_await ok())"}, Row{"InString", "log(\"if (co_await f())\");"},
                    Row{"InRawString", "log(R\"x(if (co_await f()))x\");"}, Row{"PartOfAWord", "int my_co_await = 1;"}),
    name_of);

TEST(CoAwait, IsOnlyUsedSafelyInThisProject) {
  const Findings findings = check_co_await(project_tree());
  EXPECT_TRUE(findings.empty()) << to_string(findings);
}

}  // namespace
}  // namespace weir::tidy
