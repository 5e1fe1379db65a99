#include <gtest/gtest.h>

#include "unit/core/core_fixture.h"

namespace weir::core::test {
namespace {

using model::kDefaultWorkspace;

Outcome<TopicEntryPtr> create(Core& core, NewTopic topic) {
  Outcome<TopicEntryPtr> created;
  core.topics_->create(0, std::move(topic), created.callback());
  core.run();
  return created;
}

Outcome<TopicEntryPtr> update(Core& core, TopicId id, TopicPatch patch,
                              model::WorkspaceId workspace = kDefaultWorkspace) {
  Outcome<TopicEntryPtr> updated;
  core.topics_->update(0, workspace, id, std::move(patch), updated.callback());
  core.run();
  return updated;
}

Outcome<void> erase(Core& core, TopicId id) {
  Outcome<void> erased;
  core.topics_->erase(1, kDefaultWorkspace, id, erased.callback());
  core.run();
  return erased;
}

storage::LogStats stats(Core& core, TopicId id) {
  Outcome<storage::LogStats> outcome;
  core.topics_->stats(0, kDefaultWorkspace, id, outcome.callback());
  core.run();
  return outcome.value();
}

NewTopic named(std::string name) {
  NewTopic topic;
  topic.name = std::move(name);
  topic.schema = "[]";
  return topic;
}

std::vector<std::string> fields_of(const Outcome<TopicEntryPtr>& outcome) {
  std::vector<std::string> fields;
  for (const FieldError& field : outcome.result().error().fields) fields.push_back(field.field);
  return fields;
}

TEST(Topics, CreateGivesDefaults) {
  Core core;
  const auto created = create(core, named("orders"));
  const model::Topic& topic = created.value()->topic;
  EXPECT_EQ(topic.retention, 604800s);
  EXPECT_EQ(topic.description, std::nullopt);
  EXPECT_EQ(topic.created_at, core.clock_.wall_now());
  EXPECT_EQ(topic.updated_at, topic.created_at);
  EXPECT_EQ(core.topics_->find(0, kDefaultWorkspace, topic.id), created.value());
  EXPECT_EQ(core.topics_->find(1, kDefaultWorkspace, topic.id), created.value());
}

TEST(Topics, CreateReportsEveryMistakeAtOnce) {
  Core core;
  NewTopic topic = named("  ");
  topic.schema = R"([{"type":"string"}])";
  topic.retention = 7'776'001s;
  topic.description = std::string(70'000, 'x');
  EXPECT_EQ(fields_of(create(core, std::move(topic))),
            (std::vector<std::string>{"name", "schema[0].name", "retention", "description"}));
  EXPECT_TRUE(core.topics_->list(0, {}).empty());
}

TEST(Topics, CreateHoldsItsLimitsToTheEdge) {
  Core core;
  NewTopic topic = named(std::string(255, 'n'));
  topic.retention = 7'776'000s;
  EXPECT_TRUE(create(core, std::move(topic)).result());
  EXPECT_EQ(fields_of(create(core, named(std::string(256, 'n')))), std::vector<std::string>{"name"});
  std::string umlauts;
  for (int i = 0; i < 255; ++i) umlauts += "ä";
  EXPECT_TRUE(create(core, named(umlauts)).result()) << "characters, not bytes";
  NewTopic zero = named("zero");
  zero.retention = 0s;
  EXPECT_EQ(fields_of(create(core, std::move(zero))), std::vector<std::string>{"retention"});
}

TEST(Topics, NamesAreUnique) {
  Core core;
  const TopicId a = create(core, named("a")).value()->topic.id;
  EXPECT_EQ(create(core, named("a")).result().error().fields.at(0).message, "has already been taken");
  const TopicId b = create(core, named("b")).value()->topic.id;
  TopicPatch rename;
  rename.name = "a";
  EXPECT_EQ(fields_of(update(core, b, rename)), std::vector<std::string>{"name"});
  EXPECT_TRUE(update(core, a, rename).result()) << "its own name";
  ASSERT_TRUE(erase(core, a).result());
  EXPECT_TRUE(update(core, b, rename).result()) << "free again";
}

TEST(Topics, UpdateChangesOnlyWhatIsGiven) {
  Core core;
  NewTopic wanted = named("orders");
  wanted.description = "text";
  const model::Topic before = create(core, std::move(wanted)).value()->topic;
  core.clock_.advance(1s);
  TopicPatch patch;
  patch.retention = 60s;
  const model::Topic after = update(core, before.id, patch).value()->topic;
  EXPECT_EQ(after.name, "orders");
  EXPECT_EQ(after.description, "text");
  EXPECT_EQ(after.schema, "[]");
  EXPECT_EQ(after.retention, 60s);
  EXPECT_EQ(after.created_at, before.created_at);
  EXPECT_EQ(after.updated_at, before.updated_at + 1s);
  core.clock_.advance(1s);
  EXPECT_EQ(update(core, before.id, patch).value()->topic.updated_at, after.updated_at) << "no effective change";
  TopicPatch clear;
  clear.description.emplace(std::nullopt);
  EXPECT_EQ(update(core, before.id, clear).value()->topic.description, std::nullopt);
}

TEST(Topics, AForeignWorkspaceSeesNothing) {
  Core core;
  const model::WorkspaceId foreign{2};
  const TopicId id = create(core, named("orders")).value()->topic.id;
  EXPECT_EQ(core.topics_->find(0, foreign, id), nullptr);
  EXPECT_EQ(update(core, id, {}, foreign).error(), Errc::topic_not_found);
  TopicQuery query;
  query.workspace = foreign;
  EXPECT_TRUE(core.topics_->list(0, query).empty());
  NewTopic same = named("orders");
  same.workspace = foreign;
  EXPECT_TRUE(create(core, std::move(same)).result()) << "names are unique in a workspace only";
}

TEST(Topics, DeleteIsFinalAndIdsAreNeverReused) {
  Core core;
  const TopicId a = create(core, named("a")).value()->topic.id;
  core.publish(a, "{}");
  ASSERT_TRUE(erase(core, a).result());
  EXPECT_EQ(erase(core, a).error(), Errc::topic_not_found);
  EXPECT_EQ(core.poll(from_oldest(a)).error(), Errc::topic_not_found);
  EXPECT_EQ(core.start_publish(a, "{}").error(), Errc::topic_not_found);
  Core restarted({}, core.disk_);
  const TopicId b = create(restarted, named("a")).value()->topic.id;
  EXPECT_GT(b, a);
  EXPECT_EQ(restarted.poll(from_oldest(b)).value()->count, 0u);
}

TEST(Topics, SurviveARestart) {
  Core core;
  NewTopic wanted = named("orders");
  wanted.schema = R"([ {"name":"id", "x": 1.50} ])";
  wanted.description = "d";
  const model::Topic before = create(core, std::move(wanted)).value()->topic;
  core.publish(before.id, "{}");
  Core restarted({}, core.disk_);
  const TopicEntryPtr entry = restarted.topics_->find(0, kDefaultWorkspace, before.id);
  ASSERT_TRUE(entry);
  EXPECT_EQ(entry->topic.schema, before.schema);
  EXPECT_EQ(entry->topic.description, before.description);
  EXPECT_EQ(entry->topic.created_at, before.created_at);
  EXPECT_EQ(entry->log->end(), Offset{1});
  EXPECT_EQ(create(restarted, named("orders")).error(), Errc::validation_failed);
}

TEST(Topics, LoadDropsALogWithoutATopic) {
  auto disk = storage::make_memory_disk();
  {
    Core core({}, disk);
    ASSERT_TRUE(core.store_.create_log(TopicId{1}));  // a creation that a crash cut short
  }
  Core core({}, disk);
  core.run();
  EXPECT_TRUE(core.store_.logs().value().empty());
  EXPECT_EQ(core.create(), TopicId{2}) << "an id that was in use once is spent";
}

TEST(Topics, LoadRefusesADamagedRecord) {
  auto disk = storage::make_memory_disk();
  weir::test::FakeClock clock;
  storage::MemoryStore store({disk, &clock});
  std::vector<storage::KeyedWrite> writes;
  writes.push_back({storage::Table::topics, "00000000000000000001", "{not json"});
  ASSERT_TRUE(store.write(std::move(writes)));
  TopicRegistry registry;
  ManualExecutor loop;
  Broker broker(store, registry, clock, {&loop}, {});
  Topics topics(store, registry, broker, clock, loop, {&loop}, {});
  const auto loaded = topics.load();
  ASSERT_FALSE(loaded);
  EXPECT_EQ(loaded.error().code, Errc::data_corrupt);
}

TEST(Topics, EveryStoreFailureIsPassedOnAndLeavesNothing) {
  for (const std::string failing : {"create_log", "write"}) {
    Core core;
    core.store_.fault = [&](std::string_view operation) {
      return operation == failing ? std::optional(make_error(Errc::storage_full)) : std::nullopt;
    };
    EXPECT_EQ(create(core, named("orders")).error(), Errc::storage_full);
    EXPECT_TRUE(core.topics_->list(0, {}).empty());
    core.store_.fault = nullptr;
    EXPECT_TRUE(create(core, named("orders")).result());
  }
}

TEST(Topics, HoldTheQuota) {
  Core core;
  TopicLimits limits;
  limits.topics_max = 2;
  Topics topics(core.store_, core.registry_, *core.broker_, core.clock_, core.worker_, {&core.loop_a_, &core.loop_b_},
                limits);
  ASSERT_TRUE(topics.load());
  std::vector<Outcome<TopicEntryPtr>> outcomes(3);
  for (std::size_t i = 0; i < 3; ++i) topics.create(0, named("t" + std::to_string(i)), outcomes[i].callback());
  core.run();
  EXPECT_TRUE(outcomes[1].result());
  EXPECT_EQ(outcomes[2].error(), Errc::bad_request);
}

std::vector<std::string> names(const std::vector<TopicEntryPtr>& entries) {
  std::vector<std::string> names;
  for (const auto& entry : entries) names.push_back(entry->topic.name);
  return names;
}

TEST(Topics, ListFiltersAndSorts) {
  Core core;
  const TopicId b = core.create("b ship");
  core.clock_.advance(1s);
  core.create("a Ship");
  core.clock_.advance(1s);
  core.create("c ship");
  core.clock_.advance(1s);
  core.publish(b, "{}");
  TopicQuery query;
  EXPECT_EQ(names(core.topics_->list(0, query)), (std::vector<std::string>{"b ship", "a Ship", "c ship"}));
  query.sort = TopicQuery::Sort::name;
  EXPECT_EQ(names(core.topics_->list(0, query)), (std::vector<std::string>{"a Ship", "b ship", "c ship"}));
  query.sort = TopicQuery::Sort::activity;
  EXPECT_EQ(names(core.topics_->list(0, query)), (std::vector<std::string>{"b ship", "c ship", "a Ship"}));
  query.name_contains = "ship";
  EXPECT_EQ(names(core.topics_->list(0, query)), (std::vector<std::string>{"b ship", "c ship"}));
  query.only = {b};
  EXPECT_EQ(names(core.topics_->list(0, query)), (std::vector<std::string>{"b ship"}));
}

TEST(Topics, ActivityTiesGoToTheNewerTopic) {
  Core core;
  core.create("a");
  core.create("b");
  TopicQuery query;
  query.sort = TopicQuery::Sort::activity;
  EXPECT_EQ(names(core.topics_->list(0, query)), (std::vector<std::string>{"b", "a"}));
}

TEST(Topics, StatsAreThoseOfAReader) {
  Core core;
  const TopicId topic = core.create("orders", "[]", 10s);
  core.publish(topic, R"({"n":1})");
  core.advance(6s);
  core.publish(topic, R"({"n":22})");
  core.advance(6s);
  const auto now = stats(core, topic);
  EXPECT_EQ(now.retained_messages, 1u);
  EXPECT_EQ(now.retained_bytes, 8u);
  EXPECT_EQ(now.published_total, 2u);
  EXPECT_EQ(now.last_activity, weir::test::FakeClock::kStart + 6s);
}

// --- reclaim

std::size_t reclaim(Core& core) {
  std::optional<std::size_t> trimmed;
  core.topics_->reclaim_expired([&](std::size_t count) { trimmed = count; });
  core.run();
  EXPECT_TRUE(trimmed);
  return trimmed.value_or(0);
}

TEST(TopicsReclaim, TrimsWhatHasExpired) {
  Core core;
  const TopicId a = core.create("a", "[]", 10s);
  const TopicId b = core.create("b", "[]", 1000s);
  core.publish(a, "{}");
  core.publish(b, "{}");
  core.advance(11s);
  EXPECT_EQ(reclaim(core), 1u);
  EXPECT_EQ(stats(core, a).log_start, Offset{1});
  EXPECT_EQ(stats(core, a).published_total, 1u);
  EXPECT_EQ(stats(core, b).log_start, Offset{0});
  EXPECT_EQ(reclaim(core), 0u);
}

TEST(TopicsReclaim, DeletesNothingWhileTheWallClockIsAhead) {
  Core core;
  const TopicId topic = core.create("a", "[]", 10s);
  core.publish(topic, "{}");
  core.clock_.step_wall(std::chrono::hours{24 * 3650});
  EXPECT_EQ(reclaim(core), 0u);
  EXPECT_EQ(stats(core, topic).log_start, Offset{0});
  core.clock_.step_wall(-std::chrono::hours{24 * 3650});  // set right again
  EXPECT_EQ(core.poll(from_oldest(topic)).value()->count, 1u);
  core.advance(11s);
  EXPECT_EQ(reclaim(core), 1u);
}

TEST(TopicsReclaim, BelievesALeadThatLasts) {
  Core core;
  const TopicId topic = core.create("a", "[]", 10s);
  core.publish(topic, "{}");
  core.clock_.step_wall(2h);
  EXPECT_EQ(reclaim(core), 0u);
  core.advance(25h);
  EXPECT_EQ(reclaim(core), 1u);
}

TEST(TopicsReclaim, GoesOnAfterAFailure) {
  Core core;
  const TopicId a = core.create("a", "[]", 10s);
  const TopicId b = core.create("b", "[]", 10s);
  core.publish(a, "{}");
  core.publish(b, "{}");
  core.advance(11s);
  int calls = 0;
  core.store_.fault = [&](std::string_view operation) {
    return operation == "trim" && ++calls == 1 ? std::optional(make_error(Errc::storage_full)) : std::nullopt;
  };
  EXPECT_EQ(reclaim(core), 1u);
  EXPECT_EQ(reclaim(core), 1u) << "what failed is taken up again";
}

}  // namespace
}  // namespace weir::core::test
