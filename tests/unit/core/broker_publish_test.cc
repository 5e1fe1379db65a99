#include <gtest/gtest.h>

#include "unit/core/core_fixture.h"

namespace weir::core::test {
namespace {

constexpr std::string_view kSchema = R"([{"name":"id","type":"string","optional":false}])";

TEST(BrokerPublish, StoresTheBytesAndGivesOffsets) {
  Core core;
  const TopicId topic = core.create();
  EXPECT_EQ(core.publish(topic, R"({ "n" : 1.50 })"), Offset{0});
  EXPECT_EQ(core.publish(topic, R"({"n":2})"), Offset{1});
  const auto page = core.poll(from_oldest(topic));
  EXPECT_EQ(page.value()->count, 2u);
  EXPECT_NE(page.value()->envelopes.find(R"("payload":{"n":1.50})"), std::string::npos);
}

TEST(BrokerPublish, AnswersOnlyAfterTheCommit) {
  Core core;
  const TopicId topic = core.create();
  const auto published = core.start_publish(topic, "{}");
  core.loop_a_.run_all();
  EXPECT_FALSE(published.done());
  core.store_executor_.run_all();
  EXPECT_FALSE(published.done()) << "not on its loop";
  core.loop_a_.run_all();
  ASSERT_TRUE(published.done());
  EXPECT_EQ(published.value().offset, Offset{0});
}

TEST(BrokerPublish, AnswersOneCommitWithOneTaskForEachLoop) {
  Core core;
  const TopicId topic = core.create();
  std::vector<Outcome<Published>> published;
  for (std::size_t i = 0; i < 10; ++i) published.push_back(core.start_publish(topic, "{}", i % 2));
  core.store_executor_.run_all();
  EXPECT_EQ(core.loop_a_.pending(), 1u);
  EXPECT_EQ(core.loop_b_.pending(), 1u);
  core.run();
  for (std::size_t i = 0; i < 10; ++i) EXPECT_EQ(published[i].value().offset, Offset{i});
}

TEST(BrokerPublish, RefusesWhatTheSchemaRefuses) {
  Core core;
  const TopicId topic = core.create("orders", std::string(kSchema));
  const auto published = core.start_publish(topic, R"({"id":5})");
  core.run();
  ASSERT_EQ(published.error(), Errc::schema_violation);
  EXPECT_EQ(published.result().error().fields.front().field, "id");
  EXPECT_EQ(core.poll(from_oldest(topic)).value()->count, 0u);
}

TEST(BrokerPublish, KnowsNoUnknownTopic) {
  Core core;
  const auto published = core.start_publish(TopicId{77}, "{}");
  core.run();
  EXPECT_EQ(published.error(), Errc::topic_not_found);
}

TEST(BrokerPublish, PassesEveryFailureOfTheStoreOn) {
  for (const Errc code : {Errc::overloaded, Errc::storage_full, Errc::storage_failed, Errc::topic_not_found}) {
    Core core;
    const TopicId topic = core.create();
    core.store_.fault = [&](std::string_view operation) {
      return operation == "append" ? std::optional(make_error(code)) : std::nullopt;
    };
    const auto published = core.start_publish(topic, "{}");
    core.run();
    EXPECT_EQ(published.error(), code);
    EXPECT_EQ(core.poll(from_oldest(topic)).value()->count, 0u);
  }
}

TEST(BrokerPublish, StoresTheGoodItemsOfABatchTogether) {
  Core core;
  const TopicId topic = core.create("orders", std::string(kSchema));
  const std::vector<std::string_view> items{R"({"id":"a"})", R"({"id":1})", R"({"id":"c"})", "[]"};
  Outcome<PublishedBatch> done;
  core.broker_->publish_batch(0, topic, items, std::nullopt, done.callback());
  core.run();
  const PublishedBatch& batch = done.value();
  ASSERT_EQ(batch.items.size(), 4u);
  EXPECT_EQ(std::get<Offset>(batch.items[0]), Offset{0});
  EXPECT_EQ(std::get<Error>(batch.items[1]).code, Errc::schema_violation);
  EXPECT_EQ(std::get<Offset>(batch.items[2]), Offset{1});
  EXPECT_EQ(std::get<Error>(batch.items[3]).code, Errc::schema_violation);
  EXPECT_EQ(core.poll(from_oldest(topic)).value()->count, 2u);
}

TEST(BrokerPublish, AnswersABatchOfBadItemsWithoutStoring) {
  Core core;
  const TopicId topic = core.create();
  const std::vector<std::string_view> items{"[]", "7"};
  Outcome<PublishedBatch> done;
  core.broker_->publish_batch(0, topic, items, std::nullopt, done.callback());
  core.run();
  EXPECT_EQ(done.value().items.size(), 2u);
  EXPECT_EQ(core.publish(topic, "{}"), Offset{0});
}

IdempotencyKey key(std::string name, std::string_view body) {
  return {std::move(name), sha256(body)};
}

TEST(BrokerIdempotency, RepeatsTheFirstAnswer) {
  Core core;
  const TopicId topic = core.create();
  const auto first = core.start_publish(topic, R"({"n":1})", 0, key("k", "1"));
  core.run();
  core.publish(topic, R"({"n":2})");
  const auto again = core.start_publish(topic, R"({"n":1})", 1, key("k", "1"));
  core.run();
  EXPECT_FALSE(first.value().replayed);
  EXPECT_TRUE(again.value().replayed);
  EXPECT_EQ(again.value().offset, first.value().offset);
  EXPECT_EQ(core.poll(from_oldest(topic)).value()->count, 2u);
}

TEST(BrokerIdempotency, RefusesTheSameKeyForAnotherBody) {
  Core core;
  const TopicId topic = core.create();
  core.start_publish(topic, "{}", 0, key("k", "1"));
  core.run();
  const auto other = core.start_publish(topic, "{}", 0, key("k", "2"));
  core.run();
  EXPECT_EQ(other.error(), Errc::idempotency_conflict);
}

TEST(BrokerIdempotency, StoresOneOfTwoThatRace) {
  Core core;
  const TopicId topic = core.create();
  const auto a = core.start_publish(topic, "{}", 0, key("k", "1"));
  const auto b = core.start_publish(topic, "{}", 1, key("k", "1"));
  core.run();
  EXPECT_EQ(a.value().offset, b.value().offset);
  EXPECT_NE(a.value().replayed, b.value().replayed);
  EXPECT_EQ(core.poll(from_oldest(topic)).value()->count, 1u);
}

TEST(BrokerIdempotency, RepeatsEvenIfTheSchemaHasChanged) {
  Core core;
  const TopicId topic = core.create();
  core.start_publish(topic, "{}", 0, key("k", "1"));
  core.run();
  Outcome<TopicEntryPtr> updated;
  TopicPatch patch;
  patch.schema = std::string(kSchema);
  core.topics_->update(0, model::kDefaultWorkspace, topic, patch, updated.callback());
  core.run();
  ASSERT_TRUE(updated.result());
  const auto again = core.start_publish(topic, "{}", 0, key("k", "1"));
  core.run();
  EXPECT_TRUE(again.value().replayed);
}

TEST(BrokerIdempotency, RepeatsABatchWithItsErrors) {
  Core core;
  const TopicId topic = core.create("orders", std::string(kSchema));
  const std::vector<std::string_view> items{R"({"id":1})", R"({"id":"b"})"};
  Outcome<PublishedBatch> first;
  core.broker_->publish_batch(0, topic, items, key("k", "1"), first.callback());
  core.run();
  Outcome<PublishedBatch> again;
  core.broker_->publish_batch(1, topic, items, key("k", "1"), again.callback());
  core.run();
  EXPECT_TRUE(again.value().replayed);
  ASSERT_EQ(again.value().items.size(), 2u);
  const Error& error = std::get<Error>(again.value().items[0]);
  EXPECT_EQ(error.code, Errc::schema_violation);
  EXPECT_EQ(error.detail, std::get<Error>(first.value().items[0]).detail);
  EXPECT_EQ(error.fields, std::get<Error>(first.value().items[0]).fields);
  EXPECT_EQ(std::get<Offset>(again.value().items[1]), Offset{0});
  EXPECT_EQ(core.poll(from_oldest(topic)).value()->count, 1u);
}

TEST(BrokerIdempotency, StoresAgainAfterTheWindow) {
  Core core;
  const TopicId topic = core.create();
  core.start_publish(topic, "{}", 0, key("k", "1"));
  core.run();
  core.advance(25h);
  const auto again = core.start_publish(topic, "{}", 0, key("k", "1"));
  core.run();
  EXPECT_FALSE(again.value().replayed);
  EXPECT_EQ(again.value().offset, Offset{1});
}

}  // namespace
}  // namespace weir::core::test
