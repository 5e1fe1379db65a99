#include "api/workato/consume.h"

#include <chrono>
#include <string>
#include <variant>

#include <gtest/gtest.h>

#include "weir/model/message_id.h"
#include "weir/model/time.h"

namespace weir::api::workato {
namespace {

using std::chrono::milliseconds;

Result<core::Poll> parse(std::string_view body, bool lenient = false) {
  ConsumeRules rules;
  rules.lenient_numbers = lenient;
  return parse_consume(body, rules);
}

struct Refusal {
  const char* name;
  const char* body;
  Errc code;
  const char* detail;  // null: any
};

class ParseConsumeRefuses : public ::testing::TestWithParam<Refusal> {};

TEST_P(ParseConsumeRefuses, WithATextThatNamesTheLimit) {
  const auto poll = parse(GetParam().body);
  ASSERT_FALSE(poll);
  EXPECT_EQ(poll.error().code, GetParam().code);
  if (GetParam().detail != nullptr) {
    EXPECT_EQ(poll.error().detail, GetParam().detail);
  }
}

INSTANTIATE_TEST_SUITE_P(
    Table, ParseConsumeRefuses,
    ::testing::Values(
        Refusal{"Array", "[]", Errc::bad_request, "The body must be a JSON object"},
        Refusal{"String", "\"x\"", Errc::bad_request, "The body must be a JSON object"},
        Refusal{"Number", "5", Errc::bad_request, "The body must be a JSON object"},
        Refusal{"Cut", "{\"batch_size\":", Errc::invalid_json, nullptr},
        Refusal{"Trailing", "{} {}", Errc::invalid_json, nullptr},
        Refusal{"BadSyntaxInUnknownKey", R"({"other":tru})", Errc::invalid_json, nullptr},
        Refusal{"NotUtf8", "{\"other\":\"\xFF\"}", Errc::invalid_json, nullptr},
        Refusal{"BatchSize51", R"({"batch_size":51})", Errc::bad_request,
                "batch_size must be an integer from 1 to 50 (got 51)"},
        Refusal{"BatchSize0", R"({"batch_size":0})", Errc::bad_request,
                "batch_size must be an integer from 1 to 50 (got 0)"},
        Refusal{"BatchSizeNegative", R"({"batch_size":-1})", Errc::bad_request,
                "batch_size must be an integer from 1 to 50 (got -1)"},
        Refusal{"BatchSizeString", R"({"batch_size":"5"})", Errc::bad_request,
                "batch_size must be an integer from 1 to 50 (got \"5\")"},
        Refusal{"BatchSizeFraction", R"({"batch_size":5.5})", Errc::bad_request,
                "batch_size must be an integer from 1 to 50 (got 5.5)"},
        Refusal{"BatchSizeBoolean", R"({"batch_size":true})", Errc::bad_request,
                "batch_size must be an integer from 1 to 50 (got true)"},
        Refusal{"BatchSizeHuge", R"({"batch_size":1e400})", Errc::bad_request,
                "batch_size must be an integer from 1 to 50 (got 1e400)"},
        Refusal{"BatchSizeLastWins", R"({"batch_size":5,"batch_size":99})", Errc::bad_request,
                "batch_size must be an integer from 1 to 50 (got 99)"},
        Refusal{"Timeout61", R"({"timeout_secs":61})", Errc::bad_request,
                "timeout_secs must be an integer from 0 to 60 (got 61)"},
        Refusal{"TimeoutNegative", R"({"timeout_secs":-1})", Errc::bad_request,
                "timeout_secs must be an integer from 0 to 60 (got -1)"},
        Refusal{"TimeoutString", R"({"timeout_secs":"10"})", Errc::bad_request,
                "timeout_secs must be an integer from 0 to 60 (got \"10\")"},
        Refusal{"TimeoutFraction", R"({"timeout_secs":1.5})", Errc::bad_request,
                "timeout_secs must be an integer from 0 to 60 (got 1.5)"},
        Refusal{"SinceDateOnly", R"({"since_time":"2026-03-02"})", Errc::bad_request, nullptr},
        Refusal{"SinceNoOffset", R"({"since_time":"2026-03-02T08:15:30"})", Errc::bad_request, nullptr},
        Refusal{"SinceEpoch", R"({"since_time":1772439330})", Errc::bad_request,
                "since_time must be an RFC 3339 date-time with an offset, such as 2026-03-02T08:15:30.042+00:00 (got "
                "1772439330)"},
        Refusal{"SinceBadDay", R"({"since_time":"2026-02-30T08:15:30Z"})", Errc::bad_request, nullptr},
        Refusal{"SinceIsCheckedBesideAnId", R"({"after_message_id":"A0","since_time":"soon"})", Errc::bad_request,
                nullptr},
        Refusal{"PolicyUnknown", R"({"cursor_policy":"lax"})", Errc::bad_request,
                R"(cursor_policy must be "strict", "lossless" or "earliest" (got "lax"))"},
        Refusal{"PolicyNumber", R"({"cursor_policy":1})", Errc::bad_request, nullptr}),
    [](const auto& row) { return row.param.name; });

TEST(ParseConsume, TakesNothingAsTheDefaults) {
  for (const char* body : {"", " \r\n", "{}",
                           R"({"after_message_id":null,"since_time":null,"batch_size":null,)"
                           R"("timeout_secs":null,"cursor_policy":null})",
                           R"({"unknown":[1,{"batch_size":99}],"big":1e999})"}) {
    const auto poll = parse(body);
    ASSERT_TRUE(poll) << body;
    EXPECT_TRUE(std::holds_alternative<core::FromOldest>(poll.value().start)) << body;
    EXPECT_EQ(poll.value().count_max, 50U);
    EXPECT_EQ(poll.value().timeout, milliseconds{0});
    EXPECT_EQ(poll.value().policy, core::CursorPolicy::strict);
    EXPECT_EQ(poll.value().bytes_max, std::size_t{50} << 20);
  }
}

TEST(ParseConsume, TakesTheBoundsAndWholeNumbersWithAFraction) {
  const auto poll = parse(R"({"batch_size":50,"timeout_secs":60})");
  ASSERT_TRUE(poll);
  EXPECT_EQ(poll.value().count_max, 50U);
  EXPECT_EQ(poll.value().timeout, milliseconds{60'000});
  const auto whole = parse(R"({"batch_size":5.0,"timeout_secs":1e1})");
  ASSERT_TRUE(whole);
  EXPECT_EQ(whole.value().count_max, 5U);
  EXPECT_EQ(whole.value().timeout, milliseconds{10'000});
}

TEST(ParseConsume, TakesNumbersInStringsOnlyWhenLenient) {
  const auto poll = parse(R"({"batch_size":"5","timeout_secs":"10"})", true);
  ASSERT_TRUE(poll);
  EXPECT_EQ(poll.value().count_max, 5U);
  EXPECT_EQ(poll.value().timeout, milliseconds{10'000});
  EXPECT_FALSE(parse(R"({"batch_size":"51"})", true));
  EXPECT_FALSE(parse(R"({"batch_size":" 5"})", true));
  EXPECT_FALSE(parse(R"({"batch_size":""})", true));
}

TEST(ParseConsume, LetsTheIdWinOverTheTime) {
  const auto poll = parse(R"({"since_time":"2026-03-02T08:15:30Z","after_message_id":"B1a"})");
  ASSERT_TRUE(poll);
  ASSERT_TRUE(std::holds_alternative<core::AfterMessage>(poll.value().start));
  EXPECT_EQ(std::get<core::AfterMessage>(poll.value().start).offset, *model::parse_message_id("B1a"));
}

TEST(ParseConsume, TakesEveryRfc3339Form) {
  const auto expected = *model::parse_rfc3339("2026-03-02T08:15:30.042Z");
  for (const char* text :
       {"2026-03-02T08:15:30.042Z", "2026-03-02t08:15:30.0429999z", "2026-03-02T09:45:30.042+01:30"}) {
    const auto poll = parse(std::string(R"({"since_time":")") + text + "\"}");
    ASSERT_TRUE(poll) << text;
    EXPECT_EQ(std::get<core::SinceTime>(poll.value().start).time, expected) << text;
  }
}

TEST(ParseConsume, GivesTheCoreAnIdThatNoMessageHasForAMalformedOne) {
  // The core then answers message_not_found with the oldest id, as for any other unknown cursor.
  for (const char* raw : {"\"\"", "\"nonsense\"", "5", "true", "[]", "\"A00\"", "\"KAzL8n0Y58m7\"", "\"é\""}) {
    const auto poll = parse(std::string(R"({"after_message_id":)") + raw + "}");
    ASSERT_TRUE(poll) << raw;
    ASSERT_TRUE(std::holds_alternative<core::AfterMessage>(poll.value().start)) << raw;
    EXPECT_EQ(std::get<core::AfterMessage>(poll.value().start).offset, kNoSuchMessage) << raw;
  }
}

TEST(ParseConsume, KeepsTheCursorBelowWhereOffsetsWouldOverflow) {
  const std::string last = model::MessageId(model::Offset{~std::uint64_t{0}}).str();
  const auto poll = parse(R"({"after_message_id":")" + last + "\"}");
  ASSERT_TRUE(poll);
  EXPECT_EQ(std::get<core::AfterMessage>(poll.value().start).offset, kNoSuchMessage);
}

TEST(ParseConsume, ReadsKeysAndValuesThroughEscapes) {
  const auto poll = parse(R"({"after_mess\u0061ge_id":"\u0041\u0030"})");
  ASSERT_TRUE(poll);
  EXPECT_EQ(std::get<core::AfterMessage>(poll.value().start).offset, model::Offset{0});
}

TEST(ParseConsume, TakesThePolicyOfTheCallOverTheConfigured) {
  ConsumeRules rules;
  rules.policy = core::CursorPolicy::earliest;
  EXPECT_EQ(parse_consume("{}", rules).value().policy, core::CursorPolicy::earliest);
  EXPECT_EQ(parse_consume(R"({"cursor_policy":"lossless"})", rules).value().policy, core::CursorPolicy::lossless);
  EXPECT_EQ(parse_consume(R"({"cursor_policy":"strict"})", rules).value().policy, core::CursorPolicy::strict);
}

TEST(ConsumeRules, FollowTheConfiguration) {
  Config config;
  config.limits.consume_messages_max = 7;
  config.limits.poll_timeout_secs_max = 9;
  config.limits.consume_response_bytes_max = 1234;
  config.consume.cursor_policy = "earliest";
  const ConsumeRules rules = consume_rules(config);
  EXPECT_EQ(rules.response_bytes_max, 1234U);
  EXPECT_EQ(rules.policy, core::CursorPolicy::earliest);
  EXPECT_EQ(parse_consume("{}", rules).value().count_max, 7U);
  EXPECT_EQ(parse_consume(R"({"timeout_secs":10})", rules).error().detail,
            "timeout_secs must be an integer from 0 to 9 (got 10)");
}

TEST(RenderPage, SharesTheBytesOfThePage) {
  const auto page = std::make_shared<const core::Page>(core::Page{R"({"message_id":"A0"})", 1, model::Offset{1}});
  const http::Response response = render_page(page);
  EXPECT_EQ(response.status, 200);
  EXPECT_EQ(response.shared.get(), &page->envelopes);
  EXPECT_EQ(response.body + *response.shared + std::string(response.tail), R"({"messages":[{"message_id":"A0"}]})");
}

TEST(RenderPage, IsAnEmptyListWithoutMessages) {
  const http::Response response = render_page(std::make_shared<const core::Page>());
  EXPECT_EQ(response.shared, nullptr);
  EXPECT_EQ(response.body + std::string(response.tail), R"({"messages":[]})");
}

}  // namespace
}  // namespace weir::api::workato
