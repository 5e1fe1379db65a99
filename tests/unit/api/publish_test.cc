#include "api/workato/publish.h"

#include <string>
#include <variant>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "api/workato/batch.h"
#include "unit/api/fake_head.h"

namespace weir::api::workato {
namespace {

using Json = nlohmann::json;
using test::FakeHead;

TEST(ContentType, IsIgnoredButForMultipartAndCharset) {
  for (const char* type : {"", "application/json", "application/x-www-form-urlencoded", "text/plain", "nonsense",
                           "application/json; charset=utf-8", "application/json;charset=\"UTF-8\"",
                           "application/json ; x=y; Charset = utf8", "text/plain; charset"}) {
    EXPECT_FALSE(refuse_content_type(type)) << type;
  }
  for (const char* type : {"multipart/form-data; boundary=x", "Multipart/Mixed", " multipart/form-data"}) {
    ASSERT_TRUE(refuse_content_type(type)) << type;
    EXPECT_EQ(refuse_content_type(type)->status, 415) << type;
  }
  for (const char* type :
       {"application/json; charset=iso-8859-1", "text/plain; a=b; charset=\"utf-16\"", "application/json; charset="}) {
    ASSERT_TRUE(refuse_content_type(type)) << type;
    EXPECT_EQ(refuse_content_type(type)->status, 400) << type;
  }
}

TEST(IdempotencyKeyHeader, IsOptional) {
  const auto key = parse_idempotency_key(FakeHead{});
  ASSERT_TRUE(key);
  EXPECT_FALSE(key.value());
}

TEST(IdempotencyKeyHeader, TakesOneTo255PrintableBytes) {
  for (const std::string& text : {std::string("a"), std::string("order 17: ~!"), std::string(255, 'k')}) {
    const auto key = parse_idempotency_key(FakeHead{}.with("idempotency-key", text));
    ASSERT_TRUE(key) << text;
    EXPECT_EQ(key.value()->key, text);
  }
  for (const std::string& text :
       {std::string(), std::string(256, 'k'), std::string("a\tb"), std::string("caf\xC3\xA9")}) {
    const auto key = parse_idempotency_key(FakeHead{}.with("idempotency-key", text));
    ASSERT_FALSE(key) << text;
    EXPECT_EQ(key.error().code, Errc::bad_request);
  }
}

TEST(Fingerprint, DependsOnTheBodyAndTheKindOfCall) {
  EXPECT_EQ(fingerprint_of("single", "{}"), fingerprint_of("single", "{}"));
  EXPECT_NE(fingerprint_of("single", "{}"), fingerprint_of("single", "{ }"));
  EXPECT_NE(fingerprint_of("single", "{}"), fingerprint_of("batch", "{}"));
}

TEST(RenderPublished, IsExactlyTheId) {
  core::Published published;
  published.offset = model::Offset{0};
  published.durability = storage::Durability::fsync;
  const http::Response response = render_published(published);
  EXPECT_EQ(response.body, R"({"message_id":"A0"})");
  EXPECT_EQ(response.headers, "Weir-Durability: fsync\r\n");
}

TEST(RenderPublished, SaysThatItIsARepetition) {
  core::Published published;
  published.durability = storage::Durability::os;
  published.replayed = true;
  EXPECT_EQ(render_published(published).headers, "Weir-Durability: os\r\nIdempotent-Replayed: true\r\n");
  EXPECT_EQ(publish_headers(storage::Durability::replicated, false), "Weir-Durability: replicated\r\n");
}

std::string payloads_of(int count) {
  std::string body = R"({"payloads":[)";
  for (int i = 0; i < count; ++i) body += i == 0 ? "{}" : ",{}";
  return body + "]}";
}

TEST(ParseBatch, GivesTheItemsAsTheyWereSent) {
  const auto items = parse_batch(R"( {"payloads" : [ {"a": 1.50 } , 5, "x",null ] })", 100, 64);
  ASSERT_TRUE(items);
  ASSERT_EQ(items.value().size(), 4U);
  EXPECT_EQ(items.value()[0], R"({"a": 1.50 })");
  EXPECT_EQ(items.value()[1], "5");
  EXPECT_EQ(items.value()[2], "\"x\"");
  EXPECT_EQ(items.value()[3], "null");
}

TEST(ParseBatch, TakesTheAliasAndTheLimit) {
  EXPECT_EQ(parse_batch(R"({"payload":[{}]})", 100, 64).value().size(), 1U);
  EXPECT_EQ(parse_batch(payloads_of(100), 100, 64).value().size(), 100U);
  EXPECT_EQ(parse_batch(R"({"payloads":[{}],"payloads":[{},{}]})", 100, 64).value().size(), 2U);
}

TEST(ParseBatch, LeavesADeepItemToTheItemsOwnCheck) {
  const std::string deep = std::string(80, '[') + std::string(80, ']');
  EXPECT_TRUE(parse_batch(R"({"payloads":[{},)" + deep + "]}", 100, 64));
}

struct BatchRefusal {
  const char* name;
  std::string body;
  Errc code;
  const char* detail;  // null: any
};

class ParseBatchRefuses : public ::testing::TestWithParam<BatchRefusal> {};

TEST_P(ParseBatchRefuses, TheWholeCall) {
  const auto items = parse_batch(GetParam().body, 100, 64);
  ASSERT_FALSE(items);
  EXPECT_EQ(items.error().code, GetParam().code);
  if (GetParam().detail != nullptr) {
    EXPECT_EQ(items.error().detail, GetParam().detail);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, ParseBatchRefuses,
    ::testing::Values(BatchRefusal{"Empty", "", Errc::invalid_json, nullptr},
                      BatchRefusal{"Syntax", R"({"payloads":[{},}]})", Errc::invalid_json, nullptr},
                      BatchRefusal{"SyntaxInAnItem", R"({"payloads":[{},{"a":tru}]})", Errc::invalid_json, nullptr},
                      BatchRefusal{"BareArray", "[{}]", Errc::bad_request,
                                   R"(The body must be a JSON object with a "payloads" array)"},
                      BatchRefusal{"NoKey", "{}", Errc::bad_request,
                                   "payloads must be an array of 1 to 100 messages (it is missing)"},
                      BatchRefusal{"NotAnArray", R"({"payloads":{}})", Errc::bad_request,
                                   "payloads must be an array of 1 to 100 messages (got {})"},
                      BatchRefusal{"Null", R"({"payloads":null})", Errc::bad_request, nullptr},
                      BatchRefusal{"Both", R"({"payloads":[{}],"payload":[{}]})", Errc::bad_request,
                                   "payloads and its alias payload must not both be given"},
                      BatchRefusal{"NoItems", R"({"payloads":[ ]})", Errc::bad_request,
                                   "payloads must be an array of 1 to 100 messages (got none)"},
                      BatchRefusal{"TooMany", payloads_of(101), Errc::bad_request,
                                   "payloads must be an array of 1 to 100 messages (got more than 100)"}),
    [](const auto& row) { return row.param.name; });

TEST(RenderBatch, ShowsEveryIndex) {
  core::PublishedBatch batch;
  batch.durability = storage::Durability::fsync;
  batch.items.emplace_back(model::Offset{0});
  batch.items.emplace_back(model::Offset{1});
  const http::Response response = render_batch(batch);
  EXPECT_EQ(response.body, R"({"is_partial_error":false,"message_ids":{"0":{"message_id":"A0","result":"success"},)"
                           R"("1":{"message_id":"A1","result":"success"}}})");
  EXPECT_EQ(response.headers, "Weir-Durability: fsync\r\n");
}

TEST(RenderBatch, ShowsWhyAnItemWasRefused) {
  core::PublishedBatch batch;
  batch.items.emplace_back(model::Offset{0});
  batch.items.emplace_back(make_error(Errc::schema_violation, "a\"b: required field is missing"));
  batch.items.emplace_back(make_error(Errc::message_too_large));
  const Json body = Json::parse(render_batch(batch).body);
  EXPECT_EQ(body["is_partial_error"], true);
  EXPECT_EQ(body["message_ids"]["0"]["result"], "success");
  EXPECT_EQ(body["message_ids"]["1"],
            (Json{{"result", "error"}, {"code", "schema_violation"}, {"message", "a\"b: required field is missing"}}));
  EXPECT_EQ(body["message_ids"]["2"]["code"], "payload_too_large");
  EXPECT_FALSE(body["message_ids"]["2"].contains("message_id"));
}

}  // namespace
}  // namespace weir::api::workato
