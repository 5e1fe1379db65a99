#include "weir/api/problem.h"

#include <string>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

namespace weir::api {
namespace {

using Json = nlohmann::json;

struct Mapping {
  const char* name;
  Errc code;
  int status;
  const char* word;
  const char* retry_after;  // null: none
};

class ErrorMapping : public ::testing::TestWithParam<Mapping> {};

TEST_P(ErrorMapping, GivesStatusCodeAndRetryAfter) {
  SeededRandom random(1);
  const Mapping& expected = GetParam();
  const http::Response response = error_answer(make_error(expected.code, "detail"), random);
  EXPECT_EQ(response.status, expected.status);
  const Json body = Json::parse(response.body, nullptr, false);
  ASSERT_TRUE(body.is_object()) << response.body;
  EXPECT_EQ(body["code"], expected.word);
  EXPECT_FALSE(body["message"].get<std::string>().empty());
  if (expected.retry_after == nullptr) {
    EXPECT_EQ(response.headers.find("Retry-After"), std::string::npos);
  } else {
    EXPECT_NE(response.headers.find("Retry-After: " + std::string(expected.retry_after) + "\r\n"), std::string::npos);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Every, ErrorMapping,
    ::testing::Values(Mapping{"BadRequest", Errc::bad_request, 400, "invalid_parameter", nullptr},
                      Mapping{"InvalidJson", Errc::invalid_json, 400, "invalid_json", nullptr},
                      Mapping{"SchemaViolation", Errc::schema_violation, 400, "schema_violation", nullptr},
                      Mapping{"ValidationFailed", Errc::validation_failed, 400, "invalid_parameter", nullptr},
                      Mapping{"MessageTooLarge", Errc::message_too_large, 413, "payload_too_large", nullptr},
                      Mapping{"MessageNotFound", Errc::message_not_found, 400, "message_not_found", nullptr},
                      Mapping{"TopicNotFound", Errc::topic_not_found, 404, "not_found", nullptr},
                      Mapping{"TokenNotFound", Errc::token_not_found, 404, "not_found", nullptr},
                      Mapping{"Unauthorized", Errc::unauthorized, 401, "unauthorized", nullptr},
                      Mapping{"Forbidden", Errc::forbidden, 403, "forbidden", nullptr},
                      Mapping{"IdempotencyConflict", Errc::idempotency_conflict, 422, "idempotency_conflict", nullptr},
                      Mapping{"Conflict", Errc::conflict, 409, "conflict", nullptr},
                      Mapping{"Overloaded", Errc::overloaded, 503, "unavailable", "1"},
                      Mapping{"ShuttingDown", Errc::shutting_down, 503, "unavailable", "1"},
                      Mapping{"StorageFull", Errc::storage_full, 507, "storage_full", "5"},
                      Mapping{"StorageFailed", Errc::storage_failed, 503, "unavailable", "30"},
                      Mapping{"DataCorrupt", Errc::data_corrupt, 500, "internal_error", nullptr},
                      Mapping{"ConfigInvalid", Errc::config_invalid, 500, "internal_error", nullptr},
                      Mapping{"DataDirUnusable", Errc::data_dir_unusable, 500, "internal_error", nullptr},
                      Mapping{"Internal", Errc::internal, 500, "internal_error", nullptr}),
    [](const auto& row) { return row.param.name; });

TEST(ErrorAnswer, HidesWhatWentWrongInsideBehindAnId) {
  SeededRandom random(1);
  const http::Response response = error_answer(make_error(Errc::data_corrupt, "block 17 of 000012.sst"), random);
  const Json body = Json::parse(response.body);
  EXPECT_EQ(body["message"], "Server error");
  EXPECT_EQ(body["id"].get<std::string>().size(), 36U);
  EXPECT_EQ(response.body.find("sst"), std::string::npos);
}

TEST(ErrorAnswer, GathersTextsByFieldInOrderOfFirstAppearance) {
  SeededRandom random(1);
  const Error error{
      Errc::validation_failed, "Validation failed", {{"schema", "b"}, {"name", "x"}, {"schema", "a"}, {"id", "y"}}};
  EXPECT_EQ(error_answer(error, random).body, R"({"message":"Validation failed","code":"invalid_parameter",)"
                                              R"("errors":{"schema":["b","a"],"name":["x"],"id":["y"]}})");
}

TEST(ErrorAnswer, TellsTheOldestIdForACursorThatNamesNoMessage) {
  SeededRandom random(1);
  EXPECT_EQ(error_answer(Error{Errc::message_not_found, "", {{"oldest_message_id", "B1a"}}}, random).body,
            R"({"message":"after_message_id does not match a message in this topic","code":"message_not_found",)"
            R"("oldest_message_id":"B1a"})");
  const Json empty =
      Json::parse(error_answer(Error{Errc::message_not_found, "", {{"oldest_message_id", ""}}}, random).body);
  EXPECT_TRUE(empty["oldest_message_id"].is_null());
  EXPECT_FALSE(empty.contains("errors"));
}

TEST(ErrorAnswer, ChallengesForATokenOn401) {
  SeededRandom random(1);
  EXPECT_EQ(error_answer(make_error(Errc::unauthorized), random).headers, "WWW-Authenticate: Bearer\r\n");
}

TEST(JsonEscaping, EscapesWhatMustBeEscaped) {
  std::string text;
  append_json_string(text, std::string_view("a\"\\\n\r\t\b\f\x01\x7f\0é😀", 17));
  EXPECT_EQ(text, "\"a\\\"\\\\\\n\\r\\t\\b\\f\\u0001\\u007f\\u0000é😀\"");
}

TEST(JsonEscaping, ReplacesWhatIsNotUtf8) {
  for (const std::string_view bad : {"\x80", "\xC0\x80", "\xE0\x80\x80", "\xED\xA0\x80", "\xF0\x80\x80\x80",
                                     "\xF4\x90\x80\x80", "\xFF", "\xC3", "\xE2\x82"}) {
    std::string text;
    append_json_string(text, bad);
    const Json parsed = Json::parse(text, nullptr, false);
    ASSERT_TRUE(parsed.is_string()) << text;
    EXPECT_NE(parsed.get<std::string>().find("\xEF\xBF\xBD"), std::string::npos);
  }
}

TEST(JsonEscaping, IsValidForEveryPairOfBytes) {
  for (int first = 0; first < 256; ++first) {
    std::string all;
    for (int second = 0; second < 256; ++second) {
      all += static_cast<char>(first);
      all += static_cast<char>(second);
    }
    std::string text;
    append_json_string(text, all);
    EXPECT_TRUE(Json::accept(text)) << "first byte " << first;
  }
}

}  // namespace
}  // namespace weir::api
