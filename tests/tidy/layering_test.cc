#include "layering.h"

#include <algorithm>

#include <gtest/gtest.h>

namespace weir::tidy {
namespace {

/// A file that breaks (or keeps) one rule.
struct Row {
  std::string name;
  std::string path;
  std::string include;  ///< with its quotes or brackets
};
void PrintTo(const Row& row, std::ostream* out) {
  *out << row.name;
}
std::string name_of(const testing::TestParamInfo<Row>& info) {
  return info.param.name;
}

Findings findings_of(const Row& row) {
  return check_layering({{row.path, "// head\n#pragma once\n#include " + row.include + "\n"}});
}

class ForbiddenInclude : public testing::TestWithParam<Row> {};
TEST_P(ForbiddenInclude, IsReportedWithItsLine) {
  const Findings findings = findings_of(GetParam());
  ASSERT_EQ(findings.size(), 1u) << to_string(findings);
  EXPECT_EQ(findings[0].path, GetParam().path);
  EXPECT_EQ(findings[0].line, 3u);
}
INSTANTIATE_TEST_SUITE_P(
    Layering, ForbiddenInclude,
    testing::Values(Row{"BaseSeesModel", "include/weir/base/a.h", "\"weir/model/ids.h\""},
                    Row{"CoreSeesHttp", "src/core/broker.cc", "\"weir/http/message.h\""},
                    Row{"CoreSeesRocks", "src/core/broker.cc", "\"weir/storage_rocksdb/rocks_store.h\""},
                    Row{"HttpSeesTopics", "src/http/server.cc", "\"weir/core/broker.h\""},
                    Row{"HttpSeesModel", "include/weir/http/message.h", "\"weir/model/ids.h\""},
                    Row{"DoorTouchesStorage", "src/api/workato/consume.cc", "\"weir/storage/store.h\""},
                    Row{"DoorSeesDoor", "src/api/workato/consume.cc", "\"api/admin/tokens.h\""},
                    Row{"DoorSeesDoorBeside", "src/api/workato/consume.cc", "\"../admin/tokens.h\""},
                    Row{"PrivateHeaderOfAnother", "src/api/workato/consume.cc", "\"core/shard.h\""},
                    Row{"PublicHeaderSeesPrivate", "include/weir/core/broker.h", "\"core/shard.h\""},
                    Row{"UnknownModule", "src/core/broker.cc", "\"weir/util/strings.h\""},
                    Row{"ModuleOutsideTheTable", "src/util/strings.cc", "\"weir/base/result.h\""},
                    Row{"CoreSeesRocksDb", "src/core/broker.cc", "<rocksdb/db.h>"},
                    Row{"RocksDbInPublicHeader", "include/weir/storage_rocksdb/rocks_store.h", "<rocksdb/db.h>"},
                    Row{"BeastInDoor", "src/api/workato/consume.cc", "<boost/beast/http.hpp>"},
                    Row{"AsioInCore", "src/core/broker.cc", "<boost/asio/post.hpp>"},
                    Row{"AsioInHttp", "src/http/loop.cc", "<boost/asio/post.hpp>"},
                    Row{"SimdjsonInPublicHeader", "include/weir/model/payload.h", "<simdjson.h>"},
                    Row{"NlohmannInPublicHeader", "include/weir/model/topic.h", "<nlohmann/json.hpp>"},
                    Row{"CommandLineInHeader", "src/app/options.h", "<CLI/CLI.hpp>"},
                    Row{"CommandLineInBase", "src/base/config.cc", "<CLI/CLI.hpp>"},
                    Row{"IndentedInclude", "src/core/a.cc", "  \"weir/http/message.h\""}),
    name_of);

class AllowedInclude : public testing::TestWithParam<Row> {};
TEST_P(AllowedInclude, IsNotReported) {
  const Findings findings = findings_of(GetParam());
  EXPECT_TRUE(findings.empty()) << to_string(findings);
}
INSTANTIATE_TEST_SUITE_P(
    Layering, AllowedInclude,
    testing::Values(Row{"OwnPublicHeader", "src/core/broker.cc", "\"weir/core/broker.h\""},
                    Row{"OwnPrivateHeader", "src/core/broker.cc", "\"core/shard.h\""},
                    Row{"HeaderBeside", "src/core/broker.cc", "\"shard.h\""},
                    Row{"CoreSeesStoragePort", "src/core/broker.cc", "\"weir/storage/store.h\""},
                    Row{"DoorSeesSharedPartOfApi", "src/api/workato/consume.cc", "\"api/guard.h\""},
                    Row{"AppSeesAll", "src/app/wiring.cc", "\"weir/storage_rocksdb/rocks_store.h\""},
                    Row{"AppSeesDoor", "src/app/wiring.cc", "\"api/workato/routes.h\""},
                    Row{"RocksDbInItsStore", "src/storage_rocksdb/writer.cc", "<rocksdb/db.h>"},
                    Row{"BeastInHttp", "src/http/connection.cc", "<boost/beast/core.hpp>"},
                    Row{"SimdjsonInPrivateHeader", "src/model/validate.h", "<simdjson.h>"},
                    Row{"SimdjsonInSource", "src/model/checker.cc", "<simdjson.h>"},
                    Row{"ForwardDeclaredJson", "src/api/json.h", "<nlohmann/json_fwd.hpp>"},
                    Row{"TestsSeeEverything", "tests/unit/core/broker_test.cc", "\"core/shard.h\""}),
    name_of);

TEST(Layering, ReportsHeaderWithoutPragmaOnce) {
  const Findings findings = check_layering({{"include/weir/base/a.h", "int f();\n"}, {"src/base/a.cc", "int f();\n"}});
  ASSERT_EQ(findings.size(), 1u) << to_string(findings);
  EXPECT_EQ(findings[0].path, "include/weir/base/a.h");
}

TEST(Layering, HoldsInThisProject) {
  const SourceTree& tree = project_tree();
  const auto includes_seen = std::count_if(tree.begin(), tree.end(), [](const SourceFile& file) {
    return is_under(file.path, "include/weir/") && file.text.find("#include \"weir/") != std::string::npos;
  });
  EXPECT_GE(includes_seen, 10) << "the walk did not find the headers";
  const Findings findings = check_layering(tree);
  EXPECT_TRUE(findings.empty()) << to_string(findings);
}

}  // namespace
}  // namespace weir::tidy
