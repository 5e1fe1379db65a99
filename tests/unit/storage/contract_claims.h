#pragma once

#include "unit/storage/contract_fixture.h"

/// Claims: an append that can be repeated.
namespace weir::storage::contract {

TEST_P(StoreContract, ARepeatedClaimGetsTheFirstAnswerAndStoresNothing) {
  const Appended first = append(kOrders, {"a", "b"}, claim_of(1, 9, "note"));
  EXPECT_FALSE(first.replayed);
  EXPECT_EQ(first.memo, "");
  clock_.advance(milliseconds{1000});
  append(kOrders, {"c"});
  const Appended again = append(kOrders, {"a", "b"}, claim_of(1, 9, "another note"));
  EXPECT_TRUE(again.replayed);
  EXPECT_EQ(again.first, first.first);
  EXPECT_EQ(again.count, 2u);
  EXPECT_EQ(again.time, first.time);
  EXPECT_EQ(again.memo, "note") << "the note of the append that was stored";
  EXPECT_EQ(payloads_of(read(kOrders)), (Texts{"a", "b", "c"}));
  EXPECT_EQ(stats(kOrders).published_total, 3u);
}

TEST_P(StoreContract, AClaimWithAnotherFingerprintIsAConflict) {
  append(kOrders, {"a"}, claim_of(1, 9));
  WEIR_EXPECT_ERROR(try_append(kOrders, {"b"}, claim_of(1, 8)), Errc::idempotency_conflict);
  EXPECT_EQ(payloads_of(read(kOrders)), (Texts{"a"}));
  EXPECT_TRUE(append(kOrders, {"a"}, claim_of(1, 9)).replayed) << "the conflict did not replace the claim";
}

TEST_P(StoreContract, AClaimIsForgottenAfterItsWindow) {
  append(kOrders, {"a"}, claim_of(1, 9, "old"));
  clock_.advance(kClaimWindow - milliseconds{1});
  EXPECT_TRUE(append(kOrders, {"a"}, claim_of(1, 9)).replayed);
  clock_.advance(milliseconds{2});
  const Appended taken = append(kOrders, {"b"}, claim_of(1, 8, "new"));
  EXPECT_FALSE(taken.replayed) << "a replay does not prolong the window";
  EXPECT_EQ(value_of(taken.first), 1u);
  clock_.advance(kClaimWindow - milliseconds{1});
  const Appended again = append(kOrders, {"b"}, claim_of(1, 8));
  EXPECT_TRUE(again.replayed) << "the second claim has a window of its own";
  EXPECT_EQ(value_of(again.first), 1u);
  EXPECT_EQ(again.memo, "new");
}

TEST_P(StoreContract, AClaimOutlivesAClockThatStepsBack) {
  const Appended first = append(kOrders, {"a"}, claim_of(1, 9));
  clock_.step_wall(-2 * kClaimWindow);
  const Appended again = append(kOrders, {"a"}, claim_of(1, 9));
  EXPECT_TRUE(again.replayed);
  EXPECT_EQ(again.time, first.time);
}

TEST_P(StoreContract, AnAppendWithoutPayloadsKeepsItsClaim) {
  append(kOrders, {"a"});
  clock_.advance(milliseconds{5});
  const Appended first = append(kOrders, {}, claim_of(1, 9, "all of them were refused"));
  EXPECT_EQ(value_of(first.first), 1u);
  EXPECT_EQ(first.count, 0u);
  EXPECT_FALSE(first.replayed);
  append(kOrders, {"b"});
  const Appended again = append(kOrders, {}, claim_of(1, 9));
  EXPECT_TRUE(again.replayed);
  EXPECT_EQ(again.count, 0u);
  EXPECT_EQ(again.first, first.first);
  EXPECT_EQ(again.time, first.time);
  EXPECT_EQ(again.memo, "all of them were refused");
  WEIR_EXPECT_ERROR(try_append(kOrders, {}, claim_of(1, 8)), Errc::idempotency_conflict);
  EXPECT_EQ(payloads_of(read(kOrders)), (Texts{"a", "b"}));
}

TEST_P(StoreContract, AnAppendWithoutPayloadsIsNoPublish) {
  const Appended first = append(kOrders, {"a"});
  clock_.advance(milliseconds{5});
  append(kOrders, {}, claim_of(1, 9));
  LogStats counts = stats(kOrders);
  EXPECT_EQ(counts.published_total, 1u);
  EXPECT_EQ(counts.last_activity, first.time);
  EXPECT_EQ(value_of(counts.log_end), 1u);
  append(kInvoices, {}, claim_of(1, 9));
  counts = stats(kInvoices);
  EXPECT_EQ(counts.published_total, 0u);
  EXPECT_FALSE(counts.last_activity);
  EXPECT_EQ(value_of(counts.log_end), 0u);
}

TEST_P(StoreContract, AClaimIsReplayedAfterReopen) {
  const Appended first = append(kOrders, {"a", "b"}, claim_of(1, 9, std::string("no\0te", 5)));
  append(kInvoices, {}, claim_of(2, 9, "empty"));
  reopen();
  const Appended again = append(kOrders, {"a", "b"}, claim_of(1, 9));
  EXPECT_TRUE(again.replayed);
  EXPECT_EQ(again.first, first.first);
  EXPECT_EQ(again.count, 2u);
  EXPECT_EQ(again.time, first.time);
  EXPECT_EQ(again.memo, std::string("no\0te", 5));
  EXPECT_EQ(append(kInvoices, {}, claim_of(2, 9)).memo, "empty");
  WEIR_EXPECT_ERROR(try_append(kOrders, {"a"}, claim_of(1, 8)), Errc::idempotency_conflict);
  clock_.advance(kClaimWindow + milliseconds{1});
  reopen();
  EXPECT_FALSE(append(kOrders, {"c"}, claim_of(1, 8)).replayed);
}

// A retry may arrive while the first attempt still waits for its commit.
TEST_P(StoreContract, AClaimRepeatedBeforeItIsCommittedIsReplayedToo) {
  append(kOrders, {"before"});
  std::vector<Completion<Appended>> ends;
  for (int i = 0; i < 20; ++i) {
    ends.push_back(start_append(kOrders, {"other"}));
    ends.push_back(start_append(kOrders, {"a", "b"}, claim_of(1, 9, "note")));
  }
  auto conflict = start_append(kOrders, {"c"}, claim_of(1, 8));
  const Appended first = value(wait(ends[1]));
  EXPECT_FALSE(first.replayed);
  for (std::size_t i = 3; i < ends.size(); i += 2) {
    const Appended again = value(wait(ends[i]));
    EXPECT_TRUE(again.replayed);
    EXPECT_EQ(again.first, first.first);
    EXPECT_EQ(again.count, 2u);
    EXPECT_EQ(again.time, first.time);
    EXPECT_EQ(again.memo, "note");
  }
  WEIR_EXPECT_ERROR(wait(conflict), Errc::idempotency_conflict);
  EXPECT_EQ(value_of(read(kOrders).log_end), 1u + 20u + 2u);
  EXPECT_EQ(stats(kOrders).published_total, 23u);
}

TEST_P(StoreContract, ClaimsBelongToOneTopic) {
  append(kOrders, {"a"}, claim_of(1, 9));
  const Appended other = append(kInvoices, {"b"}, claim_of(1, 8));
  EXPECT_FALSE(other.replayed);
  WEIR_EXPECT_ERROR(try_find(kInvoices, 1, 9), Errc::idempotency_conflict);
  EXPECT_TRUE(append(kOrders, {"a"}, claim_of(1, 9)).replayed);
}

TEST_P(StoreContract, AFailedAppendLeavesNoClaim) {
  WEIR_EXPECT_ERROR(try_append(kUnknown, {"a"}, claim_of(1, 9)), Errc::topic_not_found);
  create(kUnknown);
  EXPECT_FALSE(append(kUnknown, {"b"}, claim_of(1, 8)).replayed);
}

TEST_P(StoreContract, FindsTheAnswerOfAnEarlierClaim) {
  EXPECT_FALSE(value(try_find(kOrders, 1, 9)));
  append(kOrders, {"before"});
  const Appended first = append(kOrders, {"a", "b"}, claim_of(1, 9, "note"));
  const auto found = value(try_find(kOrders, 1, 9));
  ASSERT_TRUE(found);
  EXPECT_TRUE(found->replayed);
  EXPECT_EQ(found->first, first.first);
  EXPECT_EQ(found->count, 2u);
  EXPECT_EQ(found->time, first.time);
  EXPECT_EQ(found->memo, "note");
  EXPECT_FALSE(value(try_find(kOrders, 2, 9)));
  WEIR_EXPECT_ERROR(try_find(kOrders, 1, 8), Errc::idempotency_conflict);
}

TEST_P(StoreContract, FindsNoClaimAfterItsWindow) {
  append(kOrders, {"a"}, claim_of(1, 9));
  clock_.advance(kClaimWindow - milliseconds{1});
  EXPECT_TRUE(value(try_find(kOrders, 1, 9)));
  clock_.advance(milliseconds{2});
  EXPECT_FALSE(value(try_find(kOrders, 1, 9)));
  EXPECT_FALSE(value(try_find(kOrders, 1, 8))) << "nothing is left that could conflict";
}

TEST_P(StoreContract, ClaimsOutlivePurgeAndTrim) {
  const Appended first = append(kOrders, {"a"}, claim_of(1, 9));
  trim(kOrders, 1);
  EXPECT_TRUE(append(kOrders, {"a"}, claim_of(1, 9)).replayed);
  purge(kOrders);
  const Appended again = append(kOrders, {"a"}, claim_of(1, 9));
  EXPECT_TRUE(again.replayed);
  EXPECT_EQ(again.first, first.first);
  EXPECT_TRUE(read(kOrders).messages.empty());
  EXPECT_EQ(stats(kOrders).published_total, 0u);
}

}  // namespace weir::storage::contract
