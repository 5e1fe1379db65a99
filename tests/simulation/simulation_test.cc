// Drives the whole core (broker, topics, tails, waiting polls) on one thread through random work, with tasks of the
// loops, the worker and the store interleaved at random, and compares what readers see with a small model.

#include <cstdlib>
#include <deque>
#include <iostream>
#include <random>
#include <variant>

#include <gtest/gtest.h>

#include "simulation/model.h"
#include "unit/core/core_fixture.h"

namespace weir::simulation {
namespace {

using namespace std::chrono_literals;
using core::test::Core;
using core::test::Outcome;
using core::test::PageOutcome;
using weir::test::FakeClock;

constexpr std::string_view kSchema = R"([{"name":"n","type":"integer","optional":false}])";

class Simulation {
 public:
  explicit Simulation(std::uint64_t seed) : random_(seed) {
    limits_.tail_bytes_max = one_of({std::size_t{0}, std::size_t{6'000}, std::size_t{1} << 20});
    start();
  }

  /// Empty: all promises held. Else what broke.
  std::string run() {
    const int steps = pick(30, 150);
    for (step_ = 0; step_ < steps && failure_.empty(); ++step_) {
      act();
      if (chance(50)) {
        run_some();
      } else {
        quiesce();
      }
    }
    if (failure_.empty()) quiesce();
    if (failure_.empty()) restart(true);
    if (failure_.empty()) quiesce();
    return failure_.empty() ? "" : "step " + std::to_string(step_) + ": " + failure_;
  }

  std::uint64_t published() const { return published_; }
  std::uint64_t polls() const { return polls_; }

 private:
  // --- chance

  int pick(int low, int high) { return std::uniform_int_distribution<int>(low, high)(random_); }
  bool chance(int percent) { return pick(1, 100) <= percent; }
  template <class T>
  T one_of(std::initializer_list<T> list) {
    return *(list.begin() + pick(0, static_cast<int>(list.size()) - 1));
  }
  template <class Map>
  typename Map::iterator any(Map& map) {
    return std::next(map.begin(), pick(0, static_cast<int>(map.size()) - 1));
  }
  std::size_t loop() { return static_cast<std::size_t>(pick(0, 1)); }

  void fail(const std::string& what) {
    if (failure_.empty()) failure_ = what;
  }

  // --- the world

  void start() {
    core_ = std::make_unique<Core>(limits_, disk_, clock_);
    core_->store_.fault = [this](std::string_view operation) -> std::optional<Error> {
      if (faults_ && operation == "append" && chance(10)) {
        return make_error(one_of({Errc::storage_full, Errc::overloaded}));
      }
      if (faults_ && (operation == "read" || operation == "trim") && chance(5)) return make_error(Errc::overloaded);
      return std::nullopt;
    };
  }

  /// A clean stop lets everything finish; a crash loses what no commit has taken, and every answer on its way.
  void restart(bool clean) {
    if (clean) quiesce();
    for (Publish& publish : publishes_) {
      if (publish.answered()) continue;
      if (const auto topic = model_.topics.find(publish.topic); topic != model_.topics.end()) {
        for (const std::string& payload : publish.payloads) topic->second.unknown.insert(payload);
      }
    }
    publishes_.clear();
    waiting_.clear();
    management_.clear();
    core_.reset();
    start();
    quiesce();
  }

  bool run_one() {
    switch (pick(0, 3)) {
      case 0: return core_->loop_a_.run_one();
      case 1: return core_->loop_b_.run_one();
      case 2: return core_->worker_.run_one();
      default: return core_->store_executor_.run_one();
    }
  }
  void run_some() {
    for (int i = pick(0, 12); i > 0; --i) run_one();
    collect();
  }
  void quiesce() {
    faults_ = false;
    for (int idle = 0; idle < 40;) idle = run_one() ? 0 : idle + 1;
    core_->run();
    collect();
    if (!publishes_.empty()) fail("a publish was never answered");
    if (!management_.empty()) fail("a management call was never answered");
    if (failure_.empty()) check_readers();
    faults_ = true;
  }

  // --- work

  struct Publish {
    TopicId topic{};
    std::vector<std::string> payloads;
    std::optional<std::string> key;
    std::variant<Outcome<core::Published>, Outcome<core::PublishedBatch>> outcome;
    bool answered() const {
      return std::visit([](const auto& o) { return o.done(); }, outcome);
    }
  };
  struct Waiting {
    TopicId topic{};
    std::uint64_t from = 0;
    std::optional<WallTime> since;
    std::size_t loop = 0;
    core::PollTicket ticket{};
    SteadyTime deadline{};
    std::size_t wall_steps = 0;
    std::optional<bool> cursor_live;  ///< with a strict cursor that the model knows: whether it must be accepted
    std::size_t epoch = 0;            ///< …as long as neither clock nor rules have changed
    PageOutcome page;
  };

  void act() {
    if (model_.topics.empty() || chance(4)) return create();
    const TopicId topic = any(model_.topics)->first;
    switch (pick(0, 19)) {
      case 0:
      case 1:
      case 2:
      case 3:
      case 4: return publish(topic);
      case 5:
      case 6: return publish_batch(topic);
      case 7: return publish_with_key(topic);
      case 8: return repeat_key();
      case 9: return publish_invalid(topic);
      case 10:
      case 11:
      case 12:
      case 13: return poll(topic);
      case 14: return cancel();
      case 15: return pass_time();
      case 16: return chance(40) ? purge(topic) : shorten_retention(topic);
      case 17: return chance(30) ? erase(topic) : reclaim();
      case 18: return chance(50) ? restart(chance(30)) : pass_time();
      default: return step_wall_clock();
    }
  }

  std::string payload() { return "{\"n\":" + std::to_string(next_payload_++) + "}"; }

  void create() {
    if (model_.topics.size() >= 4) return;
    const auto retention = one_of({2s, 10s, 3600s});
    const std::string name = "t" + std::to_string(next_name_++);
    Outcome<core::TopicEntryPtr> created;
    core_->topics_->create(loop(), {model::kDefaultWorkspace, name, std::string(kSchema), std::nullopt, retention},
                           created.callback());
    quiesce();
    if (!created.done() || !created.result()) return fail("create failed");
    const TopicId id = created.value()->topic.id;
    if (model_.topics.contains(id) || model_.deleted.contains(id)) return fail("a topic id was reused");
    model_.topics[id].retention = retention;
  }

  void publish(TopicId topic) {
    Publish publish{topic, {payload()}, {}, Outcome<core::Published>{}};
    core_->broker_->publish(loop(), topic, publish.payloads[0], std::nullopt, std::get<0>(publish.outcome).callback());
    publishes_.push_back(std::move(publish));
  }

  void publish_batch(TopicId topic) {
    Publish publish{topic, {}, {}, Outcome<core::PublishedBatch>{}};
    for (int i = pick(1, 5); i > 0; --i) publish.payloads.push_back(payload());
    const std::vector<std::string_view> items(publish.payloads.begin(), publish.payloads.end());
    core_->broker_->publish_batch(loop(), topic, items, std::nullopt, std::get<1>(publish.outcome).callback());
    publishes_.push_back(std::move(publish));
  }

  void publish_with_key(TopicId topic) {
    const std::string key = "k" + std::to_string(next_key_++);
    const std::string body = payload();
    model_.claims[key] = {topic, body, std::nullopt, clock_->wall_now()};
    send_with_key(key);
  }

  void repeat_key() {
    if (model_.claims.empty()) return;
    send_with_key(any(model_.claims)->first);
  }

  void send_with_key(const std::string& key) {
    const ModelClaim& claim = model_.claims[key];
    Publish publish{claim.topic, {claim.body}, key, Outcome<core::Published>{}};
    core_->broker_->publish(loop(), claim.topic, claim.body, core::IdempotencyKey{key, sha256(claim.body)},
                            std::get<0>(publish.outcome).callback());
    publishes_.push_back(std::move(publish));
  }

  void publish_invalid(TopicId topic) {
    Outcome<core::Published> refused;
    core_->broker_->publish(loop(), topic, R"({"n":"text"})", std::nullopt, refused.callback());
    if (!refused.done() || refused.result()) fail("a message against the schema was taken");
  }

  void poll(TopicId topic) {
    const ModelTopic& log = model_.topics[topic];
    Waiting waiting;
    waiting.topic = topic;
    waiting.loop = loop();
    waiting.wall_steps = wall_steps_;
    waiting.epoch = epoch_;
    core::Poll poll;
    poll.topic = topic;
    poll.count_max = static_cast<std::uint32_t>(pick(1, 7));
    poll.bytes_max = one_of({std::size_t{1}, std::size_t{200}, std::size_t{1} << 20});
    poll.timeout = one_of({0ms, 500ms, 5000ms, 5000ms});
    poll.policy = one_of({core::CursorPolicy::strict, core::CursorPolicy::lossless, core::CursorPolicy::earliest});
    if (chance(50) && log.end > 0) {
      const auto after = static_cast<std::uint64_t>(pick(0, static_cast<int>(log.end) - 1));
      poll.start = core::AfterMessage{Offset{after}};
      waiting.from = after + 1;
      const auto known = log.messages.find(after);
      if (poll.policy == core::CursorPolicy::strict && known != log.messages.end()) {
        waiting.cursor_live = known->second.time >= clock_->wall_now() - log.retention;
        if (*waiting.cursor_live && known->second.expired_once) waiting.cursor_live.reset();
      }
    } else if (chance(20)) {
      waiting.since = clock_->wall_now() - std::chrono::milliseconds{pick(-1000, 5000)};
      poll.start = core::SinceTime{*waiting.since};
    }
    waiting.deadline = clock_->steady_now() + poll.timeout;
    waiting.ticket = core_->broker_->poll(waiting.loop, poll, waiting.page.callback());
    ++polls_;
    waiting_.push_back(std::move(waiting));
  }

  void cancel() {
    if (waiting_.empty()) return;
    const auto gone = any(waiting_);
    core_->broker_->cancel(gone->loop, gone->ticket);
    if (!gone->page.done()) waiting_.erase(gone);
  }

  void pass_time() {
    ++epoch_;
    clock_->advance(std::chrono::milliseconds{one_of({1, 10, 500, 3000})});
    core_->loop_a_.timers().advance(clock_->steady_now());
    core_->loop_b_.timers().advance(clock_->steady_now());
    note_expired();
  }

  void step_wall_clock() {
    ++epoch_;
    clock_->step_wall(std::chrono::milliseconds{one_of({-5000, -1, 1, 2000})});
    ++wall_steps_;
    note_expired();
  }

  void note_expired() {
    wall_max_ = std::max(wall_max_, clock_->wall_now());
    for (auto& [id, log] : model_.topics) log.note_expired(clock_->wall_now());
  }

  void purge(TopicId topic) {
    ++epoch_;
    quiesce();  // so that the model knows which messages came before
    Outcome<void> purged;
    core_->topics_->purge(loop(), model::kDefaultWorkspace, topic, purged.callback());
    quiesce_without_check();
    if (!purged.done() || !purged.result()) return fail("purge failed");
    model_.topics[topic].messages.clear();
    model_.topics[topic].unknown.clear();
    quiesce();
  }

  void shorten_retention(TopicId topic) {
    ++epoch_;
    ModelTopic& log = model_.topics[topic];
    if (log.retention <= 2s) return;
    core::TopicPatch patch;
    patch.retention = log.retention / 2;
    Outcome<core::TopicEntryPtr> updated;
    core_->topics_->update(loop(), model::kDefaultWorkspace, topic, patch, updated.callback());
    quiesce_without_check();
    if (!updated.done() || !updated.result()) return fail("update failed");
    log.retention = *patch.retention;
    note_expired();
    quiesce();
  }

  void erase(TopicId topic) {
    ++epoch_;
    Outcome<void> erased;
    core_->topics_->erase(loop(), model::kDefaultWorkspace, topic, erased.callback());
    quiesce_without_check();
    if (!erased.done() || !erased.result()) return fail("delete failed");
    model_.topics.erase(topic);
    model_.deleted.insert(topic);
    std::erase_if(model_.claims, [&](const auto& claim) { return claim.second.topic == topic; });
    for (const Waiting& waiting : waiting_) {
      if (waiting.topic == topic && !waiting.page.done()) return fail("a poll outlived its topic");
    }
    collect();
  }

  void reclaim() {
    Outcome<void> done;
    core_->topics_->reclaim_expired([callback = done.callback()](std::size_t) { callback(ok()); });
    management_.push_back(done);
  }

  void quiesce_without_check() {
    faults_ = false;
    core_->run();
    faults_ = true;
  }

  // --- judgement

  void collect() {
    for (auto publish = publishes_.begin(); publish != publishes_.end();) {
      if (!publish->answered()) {
        ++publish;
        continue;
      }
      if (const auto* single = std::get_if<0>(&publish->outcome)) {
        judge_single(*publish, *single);
      } else {
        judge_batch(*publish, std::get<1>(publish->outcome));
      }
      publish = publishes_.erase(publish);
    }
    std::erase_if(management_, [](const Outcome<void>& outcome) { return outcome.done(); });
    for (auto waiting = waiting_.begin(); waiting != waiting_.end();) {
      if (waiting->page.done()) {
        judge_page(*waiting);
        waiting = waiting_.erase(waiting);
      } else {
        ++waiting;
      }
    }
  }

  static bool may_fail(Errc code) {
    return code == Errc::storage_full || code == Errc::overloaded || code == Errc::topic_not_found;
  }

  void judge_single(const Publish& publish, const Outcome<core::Published>& outcome) {
    if (!outcome.result()) {
      if (!may_fail(outcome.error())) fail("publish failed: " + outcome.result().error().detail);
      return;
    }
    ++published_;
    const core::Published& done = outcome.value();
    if (!publish.key) {
      if (done.replayed) fail("replayed without a key");
      return book(publish.topic, value_of(done.offset), done.time, publish.payloads[0]);
    }
    const auto claim = model_.claims.find(*publish.key);
    if (claim == model_.claims.end()) return;  // its topic was deleted
    if (claim->second.offset && *claim->second.offset != value_of(done.offset)) return fail("a key stored twice");
    // A replayed answer books nothing: its message was booked when it was seen, or is gone by now.
    if (!done.replayed) book(publish.topic, value_of(done.offset), done.time, publish.payloads[0]);
    claim->second.offset = value_of(done.offset);
  }

  void judge_batch(const Publish& publish, const Outcome<core::PublishedBatch>& outcome) {
    if (!outcome.result()) {
      if (!may_fail(outcome.error())) fail("batch failed: " + outcome.result().error().detail);
      return;
    }
    const core::PublishedBatch& done = outcome.value();
    if (done.items.size() != publish.payloads.size()) return fail("a batch lost items");
    std::optional<std::uint64_t> before;
    for (std::size_t i = 0; i < done.items.size(); ++i) {
      const auto* offset = std::get_if<Offset>(&done.items[i]);
      if (offset == nullptr) return fail("a good item was refused");
      if (before && value_of(*offset) != *before + 1) return fail("a batch is not contiguous");
      before = value_of(*offset);
      ++published_;
      batch_items_.push_back({publish.topic, value_of(*offset), publish.payloads[i]});
    }
  }

  void book(TopicId topic, std::uint64_t offset, WallTime time, const std::string& payload) {
    const std::string wrong = model_.published(topic, offset, time, payload);
    if (!wrong.empty()) fail(wrong);
    // Between its commit and this answer the clock may have been further ahead than it is now.
    if (const auto log = model_.topics.find(topic); log != model_.topics.end()) log->second.note_expired(wall_max_);
  }

  /// Everything retained, as a reader from the oldest sees it. Only while nothing is under way.
  std::optional<std::vector<PageMessage>> read_all(TopicId topic) {
    std::vector<PageMessage> all;
    core::Poll poll;
    poll.topic = topic;
    poll.policy = core::CursorPolicy::strict;
    for (;;) {
      PageOutcome page;
      core_->broker_->poll(0, poll, page.callback());
      core_->run();
      if (!page.done() || !page.result()) {
        fail("a read failed: " + (page.done() ? page.result().error().detail : "no answer"));
        return std::nullopt;
      }
      if (page.value()->count == 0) return all;
      auto messages = parse_page(page.value()->envelopes);
      if (!messages || messages->size() != page.value()->count) {
        fail("a page is malformed");
        return std::nullopt;
      }
      for (PageMessage& message : *messages) {
        if (!all.empty() && message.offset != all.back().offset + 1) fail("a gap between messages");
        if (!all.empty() && message.time < all.back().time) fail("time decreases");
        all.push_back(std::move(message));
      }
      poll.start = core::AfterMessage{Offset{all.back().offset}};
    }
  }

  void check_readers() {
    const WallTime now = clock_->wall_now();
    for (auto& [id, log] : model_.topics) {
      const auto seen = read_all(id);
      if (!seen) return;
      // A batch's answer carries no times: they are learnt here, once.
      for (const BatchItem& item : batch_items_) {
        if (item.topic != id) continue;
        log.unknown.insert(item.payload);  // until it is booked: it may have expired before this look
        for (const PageMessage& message : *seen) {
          if (message.offset == item.offset) book(id, item.offset, message.time, item.payload);
        }
      }
      std::map<std::uint64_t, const PageMessage*> by_offset;
      for (const PageMessage& message : *seen) by_offset[message.offset] = &message;
      for (const std::uint64_t offset : log.live(now)) {
        const auto found = by_offset.find(offset);
        if (found == by_offset.end()) return fail("acknowledged message " + std::to_string(offset) + " is missing");
        const ModelTopic::Message& expected = log.messages[offset];
        if (found->second->payload != expected.payload) return fail("a message changed");
        if (found->second->time != expected.time) return fail("a time changed");
      }
      for (const PageMessage& message : *seen) {
        if (message.time < now - log.retention) return fail("an expired message is readable");
        if (log.messages.contains(message.offset)) continue;
        if (!log.unknown.contains(message.payload)) return fail("a message nobody published: " + message.payload);
        book(id, message.offset, message.time, message.payload);
      }
    }
    batch_items_.clear();
    for (const Waiting& waiting : waiting_) {
      const auto topic = model_.topics.find(waiting.topic);
      if (topic == model_.topics.end()) return fail("a poll waits for a deleted topic");
      if (clock_->steady_now() > waiting.deadline + 20ms) return fail("a poll waits past its deadline");
      for (const std::uint64_t offset : topic->second.live(now)) {
        const auto& message = topic->second.messages[offset];
        if (offset >= waiting.from && !waiting.since && waiting.wall_steps == wall_steps_) {
          return fail("lost wake-up: a poll waits from " + std::to_string(waiting.from) + " and message " +
                      std::to_string(offset) + " is there (" + message.payload + ")");
        }
      }
    }
  }

  void judge_page(const Waiting& waiting) {
    const auto& result = waiting.page.result();
    if (waiting.cursor_live && waiting.epoch == epoch_) {
      const bool refused = !result && result.error().code == Errc::message_not_found;
      if (refused && *waiting.cursor_live) return fail("a live cursor was refused");
      if (result && !*waiting.cursor_live) return fail("an expired cursor was accepted");
    }
    if (!result) {
      const Errc code = result.error().code;
      if (code == Errc::message_not_found || code == Errc::overloaded) return;
      if (code == Errc::topic_not_found && model_.deleted.contains(waiting.topic)) return;
      if (code == Errc::topic_not_found) return;  // the model learns of the deletion a moment later
      return fail("a poll failed: " + result.error().detail);
    }
    const auto messages = parse_page(result.value()->envelopes);
    if (!messages || messages->size() != result.value()->count) return fail("a page is malformed");
    if (messages->empty() && clock_->steady_now() < waiting.deadline) return fail("a poll gave up before its deadline");
    for (std::size_t i = 0; i < messages->size(); ++i) {
      const PageMessage& message = (*messages)[i];
      if (message.offset < waiting.from) return fail("a page starts before its cursor");
      if (i > 0 && message.offset != (*messages)[i - 1].offset + 1) return fail("a gap in a page");
      if (waiting.since && message.time <= *waiting.since && *waiting.since < clock_->wall_now() &&
          waiting.wall_steps == wall_steps_) {
        return fail("a message of before since_time");
      }
      const auto topic = model_.topics.find(waiting.topic);
      if (topic == model_.topics.end()) continue;
      const auto known = topic->second.messages.find(message.offset);
      if (known != topic->second.messages.end() && known->second.payload != message.payload) {
        return fail("a reader saw another message");
      }
    }
  }

  struct BatchItem {
    TopicId topic{};
    std::uint64_t offset = 0;
    std::string payload;
  };

  std::mt19937_64 random_;
  core::BrokerLimits limits_;
  std::shared_ptr<storage::MemoryDisk> disk_ = storage::make_memory_disk();
  std::shared_ptr<FakeClock> clock_ = std::make_shared<FakeClock>();
  std::unique_ptr<Core> core_;
  Model model_;

  std::deque<Publish> publishes_;
  std::deque<Waiting> waiting_;
  std::deque<Outcome<void>> management_;
  std::vector<BatchItem> batch_items_;
  bool faults_ = true;
  std::size_t wall_steps_ = 0;
  std::size_t epoch_ = 0;
  WallTime wall_max_ = FakeClock::kStart;
  int next_payload_ = 0;
  int next_name_ = 0;
  int next_key_ = 0;
  int step_ = 0;
  std::uint64_t published_ = 0;
  std::uint64_t polls_ = 0;
  std::string failure_;
};

std::optional<std::uint64_t> number_from_environment(const char* name) {
  const char* text = std::getenv(name);
  return text == nullptr ? std::nullopt : std::optional(std::strtoull(text, nullptr, 10));
}

TEST(Simulation, KeepsEveryPromiseUnderEverySeed) {
  if (const auto seed = number_from_environment("WEIR_SEED")) {
    EXPECT_EQ(Simulation(*seed).run(), "");
    return;
  }
  const std::uint64_t seeds = number_from_environment("WEIR_SEEDS").value_or(2000);
  std::uint64_t published = 0;
  std::uint64_t polls = 0;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    Simulation simulation(seed);
    ASSERT_EQ(simulation.run(), "") << "seed " << seed << "; replay: WEIR_SEED=" << seed << " weir_simulation_test";
    published += simulation.published();
    polls += simulation.polls();
  }
  std::cout << "simulation: seeds=" << seeds << " published=" << published << " polls=" << polls << "\n";
  EXPECT_GT(published, seeds);
  EXPECT_GT(polls, seeds);
}

}  // namespace
}  // namespace weir::simulation
