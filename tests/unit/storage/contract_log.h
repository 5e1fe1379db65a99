#pragma once

#include "unit/storage/contract_fixture.h"

/// Order, limits, times, purge, trim, drop and statistics of one log.
namespace weir::storage::contract {

TEST_P(StoreContract, GivesOffsetsFromZeroWithoutGaps) {
  for (std::uint64_t i = 0; i < 10; ++i) {
    const Appended appended = append(kOrders, {"m" + std::to_string(i)});
    EXPECT_EQ(value_of(appended.first), i);
    EXPECT_EQ(appended.count, 1u);
    EXPECT_FALSE(appended.replayed);
    EXPECT_EQ(appended.memo, "");
  }
  const MessageBatch batch = read(kOrders);
  ASSERT_EQ(batch.messages.size(), 10u);
  for (std::uint64_t i = 0; i < 10; ++i) {
    EXPECT_EQ(value_of(batch.messages[i].offset), i);
    EXPECT_EQ(batch.messages[i].payload, "m" + std::to_string(i));
  }
  EXPECT_EQ(value_of(batch.log_end), 10u);
}

TEST_P(StoreContract, StoresAnAppendOfSeveralPayloadsContiguously) {
  append(kOrders, {"a"});
  const Appended appended = append(kOrders, {"b", "c", "d"});
  EXPECT_EQ(value_of(appended.first), 1u);
  EXPECT_EQ(appended.count, 3u);
  EXPECT_EQ(value_of(append(kOrders, {"e"}).first), 4u);
  EXPECT_EQ(payloads_of(read(kOrders)), (Texts{"a", "b", "c", "d", "e"}));
}

TEST_P(StoreContract, KeepsTheOrderOfAppendsThatDoNotWaitForEachOther) {
  std::vector<Completion<Appended>> orders;
  std::vector<Completion<Appended>> invoices;
  for (int i = 0; i < 200; ++i) {
    orders.push_back(start_append(kOrders, {"o" + std::to_string(i)}));
    if (i % 3 == 0) invoices.push_back(start_append(kInvoices, {"i" + std::to_string(i), "second"}));
  }
  for (std::size_t i = 0; i < orders.size(); ++i) EXPECT_EQ(value_of(value(wait(orders[i])).first), i);
  for (std::size_t i = 0; i < invoices.size(); ++i) EXPECT_EQ(value_of(value(wait(invoices[i])).first), 2 * i);
  const MessageBatch batch = read(kOrders);
  ASSERT_EQ(batch.messages.size(), 200u);
  for (int i = 0; i < 200; ++i) EXPECT_EQ(batch.messages[static_cast<std::size_t>(i)].payload, "o" + std::to_string(i));
}

TEST_P(StoreContract, GivesPayloadsBackByteForByte) {
  const Texts payloads = {std::string("\0\x01\xff\n\"", 5), "", "{\"n\":1.10}", std::string(1'048'576, 'x'),
                          "\xc3\xa9"};
  append(kOrders, payloads);
  EXPECT_EQ(payloads_of(read(kOrders)), payloads);
  reopen();
  EXPECT_EQ(payloads_of(read(kOrders)), payloads);
}

TEST_P(StoreContract, ReadsAtMostCountMaxMessages) {
  append(kOrders, {"a", "b", "c", "d"});
  EXPECT_EQ(payloads_of(read(kOrders, 0, 1)), (Texts{"a"}));
  EXPECT_EQ(payloads_of(read(kOrders, 1, 2)), (Texts{"b", "c"}));
  EXPECT_EQ(payloads_of(read(kOrders, 2, 5)), (Texts{"c", "d"}));
  EXPECT_EQ(value_of(read(kOrders, 0, 1).log_end), 4u);
}

TEST_P(StoreContract, ReadsAtMostBytesMaxOfPayload) {
  append(kOrders, {"aaaa", "bbb", "cc", "d"});
  EXPECT_EQ(payloads_of(read(kOrders, 0, 50, 7)), (Texts{"aaaa", "bbb"}));
  EXPECT_EQ(payloads_of(read(kOrders, 0, 50, 8)), (Texts{"aaaa", "bbb"}));
  EXPECT_EQ(payloads_of(read(kOrders, 0, 50, 9)), (Texts{"aaaa", "bbb", "cc"}));
  EXPECT_EQ(payloads_of(read(kOrders, 1, 50, 6)), (Texts{"bbb", "cc", "d"}));
}

TEST_P(StoreContract, ReadsOneMessageEvenWhenItIsOverBytesMax) {
  append(kOrders, {"aaaa", "b"});
  EXPECT_EQ(payloads_of(read(kOrders, 0, 50, 1)), (Texts{"aaaa"}));
  EXPECT_EQ(payloads_of(read(kOrders, 0, 50, 0)), (Texts{"aaaa"}));
}

TEST_P(StoreContract, ReadsNothingAtOrBeyondTheLogEnd) {
  append(kOrders, {"a", "b"});
  for (const std::uint64_t from : {std::uint64_t{2}, std::uint64_t{3}, std::uint64_t{1'000'000}, ~std::uint64_t{0}}) {
    const MessageBatch batch = read(kOrders, from);
    EXPECT_TRUE(batch.messages.empty()) << from;
    EXPECT_EQ(value_of(batch.log_end), 2u) << from;
  }
}

TEST_P(StoreContract, AnEmptyLogReadsAsEmpty) {
  const MessageBatch batch = read(kOrders);
  EXPECT_TRUE(batch.messages.empty());
  EXPECT_EQ(value_of(batch.log_end), 0u);
  const LogStats counts = stats(kOrders);
  EXPECT_EQ(value_of(counts.log_start), 0u);
  EXPECT_EQ(value_of(counts.first_live), 0u);
  EXPECT_EQ(value_of(counts.log_end), 0u);
  EXPECT_EQ(counts.retained_messages, 0u);
  EXPECT_EQ(counts.retained_bytes, 0u);
  EXPECT_EQ(counts.published_total, 0u);
  EXPECT_FALSE(counts.last_activity);
}

TEST_P(StoreContract, SkipsMessagesOlderThanNotBefore) {
  const WallTime start = clock_.wall_now();
  append(kOrders, {"a"});
  clock_.advance(milliseconds{10});
  append(kOrders, {"b", "c"});
  clock_.advance(milliseconds{10});
  append(kOrders, {"d"});
  const auto since = [&](int ms, std::uint64_t from = 0) {
    return payloads_of(read(kOrders, from, 50, 1 << 20, start + milliseconds{ms}));
  };
  EXPECT_EQ(since(-5), (Texts{"a", "b", "c", "d"}));
  EXPECT_EQ(since(0), (Texts{"a", "b", "c", "d"}));
  EXPECT_EQ(since(1), (Texts{"b", "c", "d"}));
  EXPECT_EQ(since(10), (Texts{"b", "c", "d"}));
  EXPECT_EQ(since(11), (Texts{"d"}));
  EXPECT_EQ(since(20), (Texts{"d"}));
  EXPECT_EQ(since(1, 2), (Texts{"c", "d"})) << "the later of the two bounds counts";
  EXPECT_EQ(since(20, 1), (Texts{"d"}));
  const MessageBatch none = read(kOrders, 0, 50, 1 << 20, start + milliseconds{21});
  EXPECT_TRUE(none.messages.empty());
  EXPECT_EQ(value_of(none.log_end), 4u);
}

TEST_P(StoreContract, GivesOneTimeToAWholeAppendFromTheClock) {
  clock_.advance(milliseconds{1234});
  const Appended appended = append(kOrders, {"a", "b", "c"});
  EXPECT_EQ(appended.time, clock_.wall_now());
  for (const model::Message& message : read(kOrders).messages) EXPECT_EQ(message.time, appended.time);
}

TEST_P(StoreContract, TimesDoNotDecreaseWhenTheClockStepsBack) {
  const WallTime first = append(kOrders, {"a"}).time;
  clock_.step_wall(milliseconds{-5000});
  EXPECT_EQ(append(kOrders, {"b"}).time, first);
  EXPECT_EQ(append(kInvoices, {"other"}).time, first - milliseconds{5000}) << "each topic has its own times";
  clock_.step_wall(milliseconds{5001});
  EXPECT_EQ(append(kOrders, {"c"}).time, first + milliseconds{1});
}

TEST_P(StoreContract, TimesDoNotDecreaseAcrossReopenAndPurge) {
  const WallTime first = append(kOrders, {"a"}).time;
  append(kInvoices, {"i"});
  purge(kInvoices);
  clock_.step_wall(milliseconds{-60'000});
  reopen();
  EXPECT_EQ(append(kOrders, {"b"}).time, first);
  EXPECT_EQ(append(kInvoices, {"j"}).time, first) << "a purged message's time counts as well";
}

TEST_P(StoreContract, LogsAreIndependent) {
  append(kOrders, {"a", "b"});
  append(kInvoices, {"x"});
  EXPECT_EQ(payloads_of(read(kOrders)), (Texts{"a", "b"}));
  EXPECT_EQ(payloads_of(read(kInvoices)), (Texts{"x"}));
  purge(kOrders);
  EXPECT_EQ(payloads_of(read(kInvoices)), (Texts{"x"}));
  EXPECT_EQ(stats(kInvoices).published_total, 1u);
}

TEST_P(StoreContract, EveryOperationOnAnUnknownTopicSaysSo) {
  WEIR_EXPECT_ERROR(try_append(kUnknown, {"a"}), Errc::topic_not_found);
  WEIR_EXPECT_ERROR(try_append(kUnknown, {"a"}, claim_of(1, 1)), Errc::topic_not_found);
  WEIR_EXPECT_ERROR(try_read(Read{kUnknown, Offset{}, {}, 50, 1 << 20}), Errc::topic_not_found);
  WEIR_EXPECT_ERROR(try_stats(kUnknown), Errc::topic_not_found);
  WEIR_EXPECT_ERROR(try_find(kUnknown, 1, 1), Errc::topic_not_found);
  WEIR_EXPECT_ERROR(wait(start_purge(kUnknown)), Errc::topic_not_found);
  WEIR_EXPECT_ERROR(wait(start_trim(kUnknown, 1)), Errc::topic_not_found);
}

TEST_P(StoreContract, CreatingAnEmptyLogAgainChangesNothing) {
  create(kOrders);
  EXPECT_EQ(value_of(append(kOrders, {"a"}).first), 0u);
}

TEST_P(StoreContract, CreatingALogThatHasMessagesIsRefused) {
  append(kOrders, {"a"});
  WEIR_EXPECT_ERROR(store_->create_log(kOrders), Errc::conflict);
  EXPECT_EQ(payloads_of(read(kOrders)), (Texts{"a"}));
  EXPECT_EQ(value_of(append(kOrders, {"b"}).first), 1u);
}

TEST_P(StoreContract, CreatingAPurgedLogAgainNeverReusesItsOffsets) {
  append(kOrders, {"a", "b"});
  purge(kOrders);
  WEIR_EXPECT_ERROR(store_->create_log(kOrders), Errc::conflict);
  EXPECT_EQ(value_of(append(kOrders, {"c"}).first), 2u);
}

TEST_P(StoreContract, PurgeDropsEverythingAndTheOffsetsGoOn) {
  append(kOrders, {"a", "b", "c"});
  purge(kOrders);
  const MessageBatch none = read(kOrders);
  EXPECT_TRUE(none.messages.empty());
  EXPECT_EQ(value_of(none.log_end), 3u);
  EXPECT_EQ(value_of(append(kOrders, {"d"}).first), 3u);
  const MessageBatch batch = read(kOrders);
  EXPECT_EQ(payloads_of(batch), (Texts{"d"})) << "a `from` before the log start reads from the log start";
  EXPECT_EQ(value_of(batch.messages.at(0).offset), 3u);
}

TEST_P(StoreContract, PurgeResetsTheStatistics) {
  append(kOrders, {"aa", "bb", "cc"});
  purge(kOrders);
  LogStats counts = stats(kOrders);
  EXPECT_EQ(value_of(counts.log_start), 3u);
  EXPECT_EQ(value_of(counts.first_live), 3u);
  EXPECT_EQ(value_of(counts.log_end), 3u);
  EXPECT_EQ(counts.retained_messages, 0u);
  EXPECT_EQ(counts.retained_bytes, 0u);
  EXPECT_EQ(counts.published_total, 0u);
  EXPECT_FALSE(counts.last_activity);
  clock_.advance(milliseconds{7});
  append(kOrders, {"d"});
  counts = stats(kOrders);
  EXPECT_EQ(counts.retained_messages, 1u);
  EXPECT_EQ(counts.retained_bytes, 1u);
  EXPECT_EQ(counts.published_total, 1u);
  EXPECT_EQ(counts.last_activity, clock_.wall_now());
}

TEST_P(StoreContract, PurgeOfAnEmptyLogSucceeds) {
  purge(kOrders);
  purge(kOrders);
  EXPECT_EQ(value_of(stats(kOrders).log_end), 0u);
  EXPECT_EQ(value_of(append(kOrders, {"a"}).first), 0u);
}

TEST_P(StoreContract, PurgeIsOrderedWithTheAppends) {
  auto before = start_append(kOrders, {"a", "b"});
  auto purged = start_purge(kOrders);
  auto after = start_append(kOrders, {"c"});
  EXPECT_EQ(value_of(value(wait(after)).first), 2u);
  succeed(wait(purged));
  EXPECT_EQ(value_of(value(wait(before)).first), 0u);
  EXPECT_EQ(payloads_of(read(kOrders)), (Texts{"c"}));
  EXPECT_EQ(stats(kOrders).published_total, 1u);
  reopen();
  EXPECT_EQ(payloads_of(read(kOrders)), (Texts{"c"}));
  EXPECT_EQ(stats(kOrders).published_total, 1u);
}

TEST_P(StoreContract, TrimMovesTheLogStart) {
  append(kOrders, {"a", "bb", "ccc", "dddd"});
  trim(kOrders, 2);
  EXPECT_EQ(payloads_of(read(kOrders)), (Texts{"ccc", "dddd"}));
  const LogStats counts = stats(kOrders);
  EXPECT_EQ(value_of(counts.log_start), 2u);
  EXPECT_EQ(value_of(counts.first_live), 2u);
  EXPECT_EQ(value_of(counts.log_end), 4u);
  EXPECT_EQ(counts.retained_messages, 2u);
  EXPECT_EQ(counts.retained_bytes, 7u);
}

TEST_P(StoreContract, TrimNeverMovesTheLogStartBackwards) {
  append(kOrders, {"a", "b", "c"});
  trim(kOrders, 2);
  trim(kOrders, 1);
  trim(kOrders, 0);
  EXPECT_EQ(value_of(stats(kOrders).log_start), 2u);
  EXPECT_EQ(payloads_of(read(kOrders)), (Texts{"c"}));
}

TEST_P(StoreContract, TrimStopsAtTheLogEnd) {
  append(kOrders, {"a", "b", "c"});
  trim(kOrders, 1'000);
  LogStats counts = stats(kOrders);
  EXPECT_EQ(value_of(counts.log_start), 3u);
  EXPECT_EQ(value_of(counts.log_end), 3u);
  EXPECT_EQ(value_of(append(kOrders, {"d"}).first), 3u);
  EXPECT_EQ(payloads_of(read(kOrders)), (Texts{"d"}));
}

TEST_P(StoreContract, TrimLeavesTheTotalsAlone) {
  const Appended appended = append(kOrders, {"a", "b", "c"});
  clock_.advance(milliseconds{5});
  trim(kOrders, 3);
  const LogStats counts = stats(kOrders);
  EXPECT_EQ(counts.published_total, 3u);
  EXPECT_EQ(counts.last_activity, appended.time);
  EXPECT_EQ(counts.retained_messages, 0u);
}

TEST_P(StoreContract, DropRemovesOneLogAndNoOther) {
  append(kOrders, {"a"}, claim_of(1, 1));
  append(kInvoices, {"x"});
  drop(kOrders);
  WEIR_EXPECT_ERROR(try_append(kOrders, {"b"}), Errc::topic_not_found);
  WEIR_EXPECT_ERROR(try_read(Read{kOrders, Offset{}, {}, 50, 1 << 20}), Errc::topic_not_found);
  WEIR_EXPECT_ERROR(try_stats(kOrders), Errc::topic_not_found);
  WEIR_EXPECT_ERROR(try_find(kOrders, 1, 1), Errc::topic_not_found);
  WEIR_EXPECT_ERROR(wait(start_purge(kOrders)), Errc::topic_not_found);
  WEIR_EXPECT_ERROR(wait(start_trim(kOrders, 1)), Errc::topic_not_found);
  EXPECT_EQ(payloads_of(read(kInvoices)), (Texts{"x"}));
  EXPECT_EQ(value_of(append(kInvoices, {"y"}).first), 1u);
}

TEST_P(StoreContract, DropOfAnUnknownLogSucceeds) {
  append(kOrders, {"a"});
  drop(kUnknown);
  drop(kInvoices);
  drop(kInvoices);
  EXPECT_EQ(payloads_of(read(kOrders)), (Texts{"a"}));
}

TEST_P(StoreContract, DropIsOrderedWithTheAppends) {
  auto before = start_append(kOrders, {"a"});
  auto dropped = start_drop(kOrders);
  auto after = start_append(kOrders, {"b"});
  auto other = start_append(kInvoices, {"x"});
  WEIR_EXPECT_ERROR(wait(after), Errc::topic_not_found);
  succeed(wait(dropped));
  EXPECT_EQ(value_of(value(wait(before)).first), 0u);
  EXPECT_EQ(value_of(value(wait(other)).first), 0u);
  WEIR_EXPECT_ERROR(try_stats(kOrders), Errc::topic_not_found);
}

TEST_P(StoreContract, StatisticsCountWhatAReaderSees) {
  const WallTime start = clock_.wall_now();
  append(kOrders, {"a", "bb"});
  clock_.advance(milliseconds{10});
  append(kOrders, {"ccc"});
  clock_.advance(milliseconds{10});
  append(kOrders, {"dddd"});
  const auto expect = [&](int ms, std::uint64_t first, std::uint64_t messages, std::uint64_t bytes) {
    const LogStats counts = stats(kOrders, start + milliseconds{ms});
    EXPECT_EQ(value_of(counts.log_start), 0u) << ms;
    EXPECT_EQ(value_of(counts.first_live), first) << ms;
    EXPECT_EQ(value_of(counts.log_end), 4u) << ms;
    EXPECT_EQ(counts.retained_messages, messages) << ms;
    EXPECT_EQ(counts.retained_bytes, bytes) << ms;
    EXPECT_EQ(counts.published_total, 4u) << ms;
    EXPECT_EQ(counts.last_activity, start + milliseconds{20}) << ms;
  };
  expect(-1, 0, 4, 10);
  expect(0, 0, 4, 10);
  expect(1, 2, 2, 7);
  expect(10, 2, 2, 7);
  expect(11, 3, 1, 4);
  expect(20, 3, 1, 4);
  expect(21, 4, 0, 0);
}

}  // namespace weir::storage::contract
