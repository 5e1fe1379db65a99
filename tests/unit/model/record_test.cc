#include <limits>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "weir/model/token.h"
#include "weir/model/topic.h"

namespace weir::model {
namespace {

WallTime at(std::int64_t ms) {
  return WallTime{std::chrono::milliseconds{ms}};
}

Topic any_topic() {
  Topic topic;
  topic.id = TopicId{std::numeric_limits<std::uint64_t>::max()};
  topic.workspace = WorkspaceId{7};
  topic.name = "Bestellung \"eins\" \xE2\x82\xAC";
  topic.description = "";
  topic.schema = "[ {\"name\": \"a\\u20ac\",\t\"default\": 1e400} ]";
  topic.retention = std::chrono::seconds{7776000};
  topic.created_at = at(1772439330042);
  topic.updated_at = at(1772439330043);
  return topic;
}

TEST(TopicRecord, IsReadAsItWasWritten) {
  const Topic topic = any_topic();
  const Result<Topic> read = decode_topic(encode_topic(topic));
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(read.value().id, topic.id);
  EXPECT_EQ(read.value().workspace, topic.workspace);
  EXPECT_EQ(read.value().name, topic.name);
  EXPECT_EQ(read.value().description, topic.description);
  EXPECT_EQ(read.value().schema, topic.schema);
  EXPECT_EQ(read.value().retention, topic.retention);
  EXPECT_EQ(read.value().created_at, topic.created_at);
  EXPECT_EQ(read.value().updated_at, topic.updated_at);
}

TEST(TopicRecord, KeepsNoDescriptionApartFromAnEmptyOne) {
  Topic topic = any_topic();
  topic.description.reset();
  const Result<Topic> read = decode_topic(encode_topic(topic));
  ASSERT_TRUE(read);
  EXPECT_EQ(read.value().description, std::nullopt);
}

Token any_token() {
  Token token;
  token.id = "k3P";
  token.name = "billing";
  token.workspace = WorkspaceId{3};
  token.privileges = {Privilege::publish, Privilege::topics_purge};
  token.topics = {TopicId{1}, TopicId{std::numeric_limits<std::uint64_t>::max()}};
  token.secret_hash = sha256("secret");
  token.created_at = at(1);
  token.expires_at = at(2);
  token.last_used_at = at(60'000);
  return token;
}

TEST(TokenRecord, IsReadAsItWasWritten) {
  const Token token = any_token();
  const Result<Token> read = decode_token(encode_token(token));
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(read.value().id, token.id);
  EXPECT_EQ(read.value().name, token.name);
  EXPECT_EQ(read.value().workspace, token.workspace);
  EXPECT_EQ(read.value().privileges, token.privileges);
  EXPECT_EQ(read.value().topics, token.topics);
  EXPECT_EQ(read.value().secret_hash, token.secret_hash);
  EXPECT_EQ(read.value().created_at, token.created_at);
  EXPECT_EQ(read.value().expires_at, token.expires_at);
  EXPECT_EQ(read.value().last_used_at, token.last_used_at);
}

TEST(TokenRecord, KeepsAbsentTimesAbsent) {
  Token token = any_token();
  token.expires_at.reset();
  token.last_used_at.reset();
  token.topics.clear();
  const Result<Token> read = decode_token(encode_token(token));
  ASSERT_TRUE(read) << read.error().detail;
  EXPECT_EQ(read.value().expires_at, std::nullopt);
  EXPECT_EQ(read.value().last_used_at, std::nullopt);
  EXPECT_TRUE(read.value().topics.empty());
}

TEST(TokenRecord, DoesNotThrowOnANameThatIsNotUtf8) {
  Token token = any_token();
  token.name = "a\xFF";
  const Result<Token> read = decode_token(encode_token(token));
  ASSERT_TRUE(read);
  EXPECT_EQ(read.value().name, "a\xEF\xBF\xBD");
}

// Takes each key away, then gives it a value that no key has: every damage is named, none is served.
template <class Decode>
void expect_every_damage_found(const std::string& record, const std::string& optional_keys, Decode decode) {
  const nlohmann::json whole = nlohmann::json::parse(record);
  for (const auto& [key, value] : whole.items()) {
    nlohmann::json damaged = whole;
    damaged[key] = nlohmann::json::object();
    const auto wrong = decode(damaged.dump());
    ASSERT_FALSE(wrong) << key;
    EXPECT_EQ(wrong.error().code, Errc::data_corrupt);
    EXPECT_NE(wrong.error().detail.find(key), std::string::npos) << wrong.error().detail;

    damaged.erase(key);
    const auto missing = decode(damaged.dump());
    if (optional_keys.find(key) == std::string::npos) {
      ASSERT_FALSE(missing) << key;
      EXPECT_NE(missing.error().detail.find(key), std::string::npos) << missing.error().detail;
    } else {
      EXPECT_TRUE(missing) << key;
    }
  }
  for (const std::string& bytes :
       {std::string(), std::string("[]"), std::string("{"), record.substr(0, 20), std::string("\xFF\x00\x01", 3)}) {
    const auto wrong = decode(bytes);
    ASSERT_FALSE(wrong) << bytes;
    EXPECT_EQ(wrong.error().code, Errc::data_corrupt);
  }
  nlohmann::json newer = whole;
  newer["colour"] = "blue";
  EXPECT_TRUE(decode(newer.dump()));
}

TEST(TopicRecord, DamageIsReported) {
  expect_every_damage_found(encode_topic(any_topic()), "description", decode_topic);
}

TEST(TokenRecord, DamageIsReported) {
  expect_every_damage_found(encode_token(any_token()), "expires_at_ms last_used_at_ms", decode_token);
}

struct RangeRow {
  const char* name;
  const char* key;
  const char* value;
};

class TopicRecordRange : public testing::TestWithParam<RangeRow> {};

TEST_P(TopicRecordRange, IsChecked) {
  nlohmann::json record = nlohmann::json::parse(encode_topic(any_topic()));
  record[GetParam().key] = nlohmann::json::parse(GetParam().value);
  const Result<Topic> read = decode_topic(record.dump());
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Errc::data_corrupt);
}

INSTANTIATE_TEST_SUITE_P(Records, TopicRecordRange,
                         testing::Values(RangeRow{"id_zero", "id", "0"}, RangeRow{"id_negative", "id", "-1"},
                                         RangeRow{"id_fraction", "id", "1.5"},
                                         RangeRow{"workspace_too_great", "workspace", "4294967296"},
                                         RangeRow{"retention_zero", "retention_seconds", "0"},
                                         RangeRow{"retention_too_great", "retention_seconds", "18446744073709551615"},
                                         RangeRow{"time_fraction", "created_at_ms", "1.5"},
                                         RangeRow{"name_number", "name", "1"}),
                         [](const auto& row) { return row.param.name; });

struct WordRow {
  const char* word;
  Privilege privilege;
};

TEST(Privileges, HaveTheirWords) {
  const std::vector<WordRow> rows = {
      {"publish", Privilege::publish},           {"consume", Privilege::consume},
      {"topics:read", Privilege::topics_read},   {"topics:write", Privilege::topics_write},
      {"topics:purge", Privilege::topics_purge}, {"admin", Privilege::admin}};
  for (const WordRow& row : rows) {
    EXPECT_EQ(parse_privilege(row.word), row.privilege);
    EXPECT_EQ(privilege_words({row.privilege}), std::vector<std::string>{row.word});
  }
  for (const char* word : {"", "Publish", "topics", "topics:", "publish "}) {
    EXPECT_EQ(parse_privilege(word), std::nullopt) << word;
  }
  EXPECT_EQ(privilege_words({Privilege::consume, Privilege::publish}),
            (std::vector<std::string>{"publish", "consume"}));
  EXPECT_TRUE(privilege_words({}).empty());
}

TEST(Privileges, AdminAllowsEverythingButIsOneWord) {
  const Privileges admin{Privilege::admin};
  EXPECT_TRUE(admin.allows(Privilege::topics_purge));
  EXPECT_FALSE(admin.has(Privilege::topics_purge));
  EXPECT_FALSE(Privileges{Privilege::publish}.allows(Privilege::consume));
}

}  // namespace
}  // namespace weir::model
