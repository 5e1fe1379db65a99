#pragma once

#include <algorithm>
#include <iterator>
#include <map>
#include <random>
#include <tuple>

#include "unit/storage/contract_fixture.h"

/// Random operations against a store and against a model of a few lines; every answer has to be equal.
namespace weir::storage::contract {

/// One topic as it must be.
struct ModelLog {
  std::vector<model::Message> messages;  ///< all that were ever appended
  std::uint64_t start = 0;
  std::uint64_t total = 0;
  WallTime last_time{};  ///< no later message may have an earlier one
  std::optional<WallTime> last_activity;
  std::map<std::uint8_t, Appended> claims;

  std::uint64_t end() const { return messages.size(); }
  std::uint64_t first_live(WallTime not_before) const {
    std::uint64_t offset = start;
    while (offset < end() && messages[offset].time < not_before) ++offset;
    return offset;
  }
};

class StoreModel : public testing::TestWithParam<std::tuple<Implementation, int>>, protected StoreHarness {
 protected:
  StoreModel() : StoreHarness(std::get<0>(GetParam())), random_(static_cast<unsigned>(std::get<1>(GetParam()))) {}

  static constexpr int kSteps = 300;

  std::uint64_t below(std::uint64_t bound) {
    return std::uniform_int_distribution<std::uint64_t>(0, bound - 1)(random_);
  }
  TopicId any_topic() {
    auto at = model_.begin();
    std::advance(at, below(model_.size()));
    return at->first;
  }
  WallTime any_time() { return clock_.wall_now() + milliseconds{static_cast<int>(below(400)) - 350}; }

  void add_log() {
    const TopicId topic{next_topic_++};
    create(topic);
    model_[topic];
  }
  void append_some(TopicId topic) {
    Texts payloads;
    for (std::uint64_t n = 1 + below(3); n > 0; --n) payloads.push_back(std::string(below(40), 'a' + below(26)));
    std::optional<Claim> claim;
    const auto key = static_cast<std::uint8_t>(below(12));
    if (below(3) == 0) claim = claim_of(key, key, "memo of " + std::to_string(key));
    ModelLog& log = model_[topic];
    const Appended appended = append(topic, payloads, claim);
    if (claim && log.claims.contains(key)) {
      const Appended& first = log.claims[key];
      EXPECT_TRUE(appended.replayed);
      EXPECT_EQ(appended.first, first.first);
      EXPECT_EQ(appended.count, first.count);
      EXPECT_EQ(appended.time, first.time);
      EXPECT_EQ(appended.memo, "memo of " + std::to_string(key));
      return;
    }
    EXPECT_FALSE(appended.replayed);
    EXPECT_EQ(value_of(appended.first), log.end());
    EXPECT_EQ(appended.count, payloads.size());
    EXPECT_EQ(appended.time, std::max(log.last_time, clock_.wall_now()));
    if (claim) log.claims[key] = appended;
    log.last_time = appended.time;
    log.last_activity = appended.time;
    log.total += payloads.size();
    for (const std::string& payload : payloads) log.messages.push_back({Offset{log.end()}, appended.time, payload});
  }
  void purge_one(TopicId topic) {
    purge(topic);
    ModelLog& log = model_[topic];
    log.start = log.end();
    log.total = 0;
    log.last_activity.reset();
  }
  void trim_one(TopicId topic) {
    ModelLog& log = model_[topic];
    const std::uint64_t before = below(log.end() + 3);
    trim(topic, before);
    log.start = std::max(log.start, std::min(before, log.end()));
  }
  void check_stats(TopicId topic) {
    const ModelLog& log = model_[topic];
    const WallTime not_before = below(3) == 0 ? WallTime{} : any_time();
    const LogStats counts = stats(topic, not_before);
    const std::uint64_t live = log.first_live(not_before);
    std::uint64_t bytes = 0;
    for (std::uint64_t offset = live; offset < log.end(); ++offset) bytes += log.messages[offset].payload.size();
    EXPECT_EQ(value_of(counts.log_start), log.start);
    EXPECT_EQ(value_of(counts.first_live), live);
    EXPECT_EQ(value_of(counts.log_end), log.end());
    EXPECT_EQ(counts.retained_messages, log.end() - live);
    EXPECT_EQ(counts.retained_bytes, bytes);
    EXPECT_EQ(counts.published_total, log.total);
    EXPECT_EQ(counts.last_activity, log.last_activity);
  }
  void check_read(TopicId topic) {
    const ModelLog& log = model_[topic];
    const WallTime not_before = below(2) == 0 ? WallTime{} : any_time();
    const std::uint64_t from = below(log.end() + 3);
    const auto count_max = static_cast<std::uint32_t>(1 + below(20));
    const std::size_t bytes_max = below(200);
    const MessageBatch batch = read(topic, from, count_max, bytes_max, not_before);
    EXPECT_EQ(value_of(batch.log_end), log.end());
    std::vector<model::Message> expected;
    std::size_t bytes = 0;
    for (std::uint64_t offset = std::max(from, log.first_live(not_before));
         offset < log.end() && expected.size() < count_max; ++offset) {
      bytes += log.messages[offset].payload.size();
      if (bytes > bytes_max && !expected.empty()) break;
      expected.push_back(log.messages[offset]);
    }
    ASSERT_EQ(batch.messages.size(), expected.size());
    for (std::size_t i = 0; i < expected.size(); ++i) {
      EXPECT_EQ(batch.messages[i].offset, expected[i].offset);
      EXPECT_EQ(batch.messages[i].time, expected[i].time);
      EXPECT_EQ(batch.messages[i].payload, expected[i].payload);
    }
  }
  void check_logs() {
    const std::vector<LogInfo> found = logs();
    ASSERT_EQ(found.size(), model_.size());
    auto at = model_.begin();
    for (const LogInfo& info : found) {
      EXPECT_EQ(info.topic, at->first);
      EXPECT_EQ(value_of(info.log_start), at->second.start);
      EXPECT_EQ(value_of(info.log_end), at->second.end());
      EXPECT_EQ(info.last_activity, at->second.last_activity);
      ++at;
    }
  }
  void step() {
    const std::uint64_t dice = below(100);
    if (dice < 40) return append_some(any_topic());
    if (dice < 60) return check_read(any_topic());
    if (dice < 78) return check_stats(any_topic());
    if (dice < 85) return clock_.advance(milliseconds{below(60)});
    if (dice < 88) return clock_.step_wall(milliseconds{-static_cast<int>(below(120))});
    if (dice < 92) return trim_one(any_topic());
    if (dice < 95) return purge_one(any_topic());
    if (dice < 97) return add_log();
    if (dice < 98 && model_.size() > 1) {
      const TopicId topic = any_topic();
      drop(topic);
      model_.erase(topic);
      return;
    }
    reopen();
    check_logs();
  }

  std::mt19937_64 random_;
  std::map<TopicId, ModelLog> model_;
  std::uint64_t next_topic_ = 1;
};

inline std::string model_name(const testing::TestParamInfo<std::tuple<Implementation, int>>& info) {
  return std::get<0>(info.param).name + "Seed" + std::to_string(std::get<1>(info.param));
}

TEST_P(StoreModel, AnswersAsTheModelDoes) {
  add_log();
  add_log();
  for (int i = 0; i < kSteps && !HasFailure(); ++i) {
    SCOPED_TRACE("seed " + std::to_string(std::get<1>(GetParam())) + " step " + std::to_string(i));
    step();
  }
  reopen();
  check_logs();
  for (const auto& [topic, log] : model_) {
    check_stats(topic);
    check_read(topic);
  }
}

}  // namespace weir::storage::contract
