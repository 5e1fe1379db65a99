#pragma once

#include "unit/storage/contract_fixture.h"

/// What a closed store answers and what the next one finds.
namespace weir::storage::contract {

TEST_P(StoreContract, ReopenKeepsMessagesTimesAndStatistics) {
  append(kOrders, {"a", "bb"});
  clock_.advance(milliseconds{5});
  append(kOrders, {"ccc"});
  append(kInvoices, {"x"});
  const MessageBatch before = read(kOrders);
  reopen();
  const MessageBatch after = read(kOrders);
  ASSERT_EQ(after.messages.size(), 3u);
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_EQ(after.messages[i].offset, before.messages[i].offset);
    EXPECT_EQ(after.messages[i].time, before.messages[i].time);
    EXPECT_EQ(after.messages[i].payload, before.messages[i].payload);
  }
  const LogStats counts = stats(kOrders);
  EXPECT_EQ(counts.published_total, 3u);
  EXPECT_EQ(counts.retained_messages, 3u);
  EXPECT_EQ(counts.retained_bytes, 6u);
  EXPECT_EQ(counts.last_activity, before.messages.back().time);
  EXPECT_EQ(value_of(append(kOrders, {"d"}).first), 3u);
  EXPECT_EQ(stats(kOrders).published_total, 4u);
}

TEST_P(StoreContract, FindsItsLogsInTopicOrderAfterReopen) {
  create(TopicId{300});
  create(TopicId{5});
  const WallTime time = append(kInvoices, {"a", "b", "c"}).time;
  trim(kInvoices, 1);
  reopen();
  const std::vector<LogInfo> found = logs();
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(found[0].topic, kOrders);
  EXPECT_EQ(found[1].topic, kInvoices);
  EXPECT_EQ(found[2].topic, TopicId{5});
  EXPECT_EQ(found[3].topic, TopicId{300});
  EXPECT_EQ(value_of(found[0].log_start), 0u);
  EXPECT_EQ(value_of(found[0].log_end), 0u);
  EXPECT_FALSE(found[0].last_activity);
  EXPECT_EQ(value_of(found[1].log_start), 1u);
  EXPECT_EQ(value_of(found[1].log_end), 3u);
  EXPECT_EQ(found[1].last_activity, time);
}

TEST_P(StoreContract, ANewPlaceHoldsNoLogsAndAnEmptyLogIsKept) {
  store_->close();
  store_.reset();
  place_ = GetParam().make_place();
  open();
  EXPECT_TRUE(logs().empty());
  create(kOrders);
  reopen();
  ASSERT_EQ(logs().size(), 1u);
  EXPECT_EQ(value_of(append(kOrders, {"a"}).first), 0u);
}

TEST_P(StoreContract, ReopenAfterPurgeOfEverythingKeepsTheLogEnd) {
  append(kOrders, {"a", "b", "c"});
  purge(kOrders);
  reopen();
  const std::vector<LogInfo> found = logs();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(value_of(found[0].log_start), 3u);
  EXPECT_EQ(value_of(found[0].log_end), 3u);
  EXPECT_FALSE(found[0].last_activity);
  const LogStats counts = stats(kOrders);
  EXPECT_EQ(counts.published_total, 0u);
  EXPECT_EQ(counts.retained_messages, 0u);
  EXPECT_FALSE(counts.last_activity);
  EXPECT_TRUE(read(kOrders).messages.empty());
  EXPECT_EQ(value_of(append(kOrders, {"d"}).first), 3u);
}

TEST_P(StoreContract, ReopenAfterTrimOfEverythingKeepsTheLogEndAndTotals) {
  const WallTime time = append(kOrders, {"a", "b", "c"}).time;
  trim(kOrders, 3);
  clock_.step_wall(milliseconds{-1000});
  reopen();
  const std::vector<LogInfo> found = logs();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(value_of(found[0].log_start), 3u);
  EXPECT_EQ(value_of(found[0].log_end), 3u);
  EXPECT_EQ(found[0].last_activity, time);
  const LogStats counts = stats(kOrders);
  EXPECT_EQ(counts.published_total, 3u);
  EXPECT_EQ(counts.retained_bytes, 0u);
  const Appended appended = append(kOrders, {"d"});
  EXPECT_EQ(value_of(appended.first), 3u);
  EXPECT_EQ(appended.time, time) << "no message of the log is left, its last time still counts";
}

TEST_P(StoreContract, ReopenAfterTrimOfSomeReadsFromTheLogStart) {
  append(kOrders, {"a", "b", "c"});
  trim(kOrders, 1);
  reopen();
  EXPECT_EQ(payloads_of(read(kOrders)), (Texts{"b", "c"}));
  EXPECT_EQ(value_of(stats(kOrders).log_start), 1u);
  EXPECT_EQ(stats(kOrders).retained_messages, 2u);
}

TEST_P(StoreContract, ADroppedLogDoesNotComeBack) {
  append(kOrders, {"a"}, claim_of(1, 1));
  append(kInvoices, {"x"});
  drop(kOrders);
  reopen();
  const std::vector<LogInfo> found = logs();
  ASSERT_EQ(found.size(), 1u);
  EXPECT_EQ(found[0].topic, kInvoices);
  WEIR_EXPECT_ERROR(try_append(kOrders, {"b"}), Errc::topic_not_found);
  WEIR_EXPECT_ERROR(try_find(kOrders, 1, 1), Errc::topic_not_found);
}

TEST_P(StoreContract, ManyReopensKeepEverything) {
  for (std::uint64_t round = 0; round < 5; ++round) {
    EXPECT_EQ(value_of(append(kOrders, {"m" + std::to_string(round)}).first), round);
    reopen();
    reopen();
  }
  EXPECT_EQ(payloads_of(read(kOrders)), (Texts{"m0", "m1", "m2", "m3", "m4"}));
  EXPECT_EQ(stats(kOrders).published_total, 5u);
}

TEST_P(StoreContract, CloseFinishesWhatIsQueued) {
  std::vector<Completion<Appended>> ends;
  for (int i = 0; i < 50; ++i) ends.push_back(start_append(kOrders, {std::to_string(i)}));
  auto purged = start_purge(kInvoices);
  store_->close();
  for (std::size_t i = 0; i < ends.size(); ++i) {
    ASSERT_TRUE(ends[i].ready()) << "close returned before its completion";
    EXPECT_EQ(value_of(value(wait(ends[i])).first), i);
  }
  ASSERT_TRUE(purged.ready());
  succeed(wait(purged));
  store_.reset();
  open();
  EXPECT_EQ(read(kOrders).messages.size(), 50u);
}

TEST_P(StoreContract, AClosedStoreAnswersShuttingDown) {
  append(kOrders, {"a"}, claim_of(1, 1));
  store_->close();
  WEIR_EXPECT_ERROR(try_append(kOrders, {"b"}), Errc::shutting_down);
  WEIR_EXPECT_ERROR(try_append(kOrders, {"a"}, claim_of(1, 1)), Errc::shutting_down);
  WEIR_EXPECT_ERROR(try_read(Read{kOrders, Offset{}, {}, 50, 1 << 20}), Errc::shutting_down);
  WEIR_EXPECT_ERROR(try_stats(kOrders), Errc::shutting_down);
  WEIR_EXPECT_ERROR(try_find(kOrders, 1, 1), Errc::shutting_down);
  WEIR_EXPECT_ERROR(wait(start_purge(kOrders)), Errc::shutting_down);
  WEIR_EXPECT_ERROR(wait(start_trim(kOrders, 1)), Errc::shutting_down);
  WEIR_EXPECT_ERROR(wait(start_drop(kOrders)), Errc::shutting_down);
  WEIR_EXPECT_ERROR(store_->logs(), Errc::shutting_down);
  WEIR_EXPECT_ERROR(store_->create_log(kUnknown), Errc::shutting_down);
  WEIR_EXPECT_ERROR(store_->get(Table::topics, "a"), Errc::shutting_down);
  WEIR_EXPECT_ERROR(store_->list(Table::topics, ""), Errc::shutting_down);
  WEIR_EXPECT_ERROR(store_->write({{Table::topics, "a", "1", std::nullopt}}), Errc::shutting_down);
  store_.reset();
  open();
  EXPECT_EQ(payloads_of(read(kOrders)), (Texts{"a"})) << "nothing of that was done";
  EXPECT_EQ(logs().size(), 2u);
}

TEST_P(StoreContract, CloseTwiceIsOnce) {
  append(kOrders, {"a"});
  store_->close();
  store_->close();
  reopen();
  EXPECT_EQ(payloads_of(read(kOrders)), (Texts{"a"}));
}

TEST_P(StoreContract, AnAcknowledgedAppendNeedsNoClose) {
  append(kOrders, {"a"}, claim_of(1, 1));
  succeed(store_->write({{Table::topics, "k", "v", std::nullopt}}));
  store_.reset();
  open();
  EXPECT_EQ(payloads_of(read(kOrders)), (Texts{"a"}));
  EXPECT_TRUE(append(kOrders, {"a"}, claim_of(1, 1)).replayed);
  EXPECT_EQ(value(store_->get(Table::topics, "k")), "v");
}

// Destroyed with work under way: each completion comes once, and whatever was acknowledged is there afterwards.
TEST_P(StoreContract, DestructionAnswersEverything) {
  std::vector<Completion<Appended>> appends;
  std::vector<Completion<MessageBatch>> reads;
  for (int i = 0; i < 50; ++i) {
    appends.push_back(start_append(kOrders, {std::to_string(i)}));
    reads.push_back(start_read(Read{kOrders, Offset{}, {}, 50, 1 << 20}));
  }
  auto purged = start_purge(kInvoices);
  store_.reset();
  std::size_t acknowledged = 0;
  for (std::size_t i = 0; i < appends.size(); ++i) {
    ASSERT_TRUE(appends[i].ready());
    const auto result = appends[i].wait();
    if (result) {
      EXPECT_EQ(acknowledged, i) << "one before it was lost";
      ++acknowledged;
    } else {
      EXPECT_EQ(result.error().code, Errc::shutting_down);
    }
  }
  for (const auto& pending : reads) {
    ASSERT_TRUE(pending.ready());
    const auto result = pending.wait();
    if (!result) {
      EXPECT_EQ(result.error().code, Errc::shutting_down);
    }
  }
  ASSERT_TRUE(purged.ready());
  open();
  EXPECT_GE(read(kOrders).messages.size(), acknowledged);
}

TEST_P(StoreContract, AnOpenStoreIsHealthyAndSaysWhatItsAnswersMean) {
  EXPECT_EQ(store_->health().state, Health::State::ok);
  EXPECT_EQ(store_->health().reason, "");
  const Durability durability = store_->durability();
  EXPECT_TRUE(durability == Durability::os || durability == Durability::fsync || durability == Durability::replicated);
}

}  // namespace weir::storage::contract
