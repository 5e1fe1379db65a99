#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdlib>
#include <iostream>
#include <map>
#include <random>
#include <set>

#include "fault/crash_support.h"

// The server is killed at random moments under 16 writers; whatever was acknowledged must be there afterwards: once, in
// order, byte for byte. WEIR_SEED repeats a run's decisions (not its timing), WEIR_KILLS sets the number of kills.
namespace weir::test {
namespace {

constexpr std::size_t kWriters = 16;
constexpr std::size_t kTopics = 3;
constexpr std::size_t kBatchMax = 20;

/// What a writer sent in one call, and what it knows of it.
struct Call {
  std::size_t topic = 0;
  bool batch = false;
  std::string key;                    ///< idempotency key; empty: none
  std::vector<std::string> payloads;  ///< unique over the whole run
  std::vector<std::string> ids;       ///< as acknowledged; empty: no answer was received
};

/// One client that publishes until its connection breaks. What it may repeat (calls with a key) it repeats, with the
/// same bytes, after the restart; the rest stays unknown.
class Writer {
 public:
  Writer(std::size_t number, std::uint64_t seed) : number_(number), random_(seed + number * 7919) {}

  void run(const ServerProcess& server, const std::vector<std::int64_t>& topics,
           std::atomic<std::uint64_t>& acknowledged, const std::atomic<bool>& stop) {
    try {
      Client client(server);
      while (!stop.load()) {
        if (!repeat_) {
          calls_.push_back(make_call());
        }
        Call& call = calls_.back();
        repeat_ = !call.key.empty();  // until an answer is here
        const auto response = send(client, call, topics);
        repeat_ = false;
        ASSERT_EQ(response.status, 200) << response;
        take_ids(call, response);
        ++acknowledged;
      }
    } catch (const HttpFailure&) {
      // The server is gone: expected here. Whether the last call was stored is unknown.
    }
  }

  const std::vector<Call>& calls() const { return calls_; }

 private:
  std::uint64_t below(std::uint64_t bound) {
    return std::uniform_int_distribution<std::uint64_t>(0, bound - 1)(random_);
  }

  Call make_call() {
    Call call;
    call.topic = below(kTopics);
    call.batch = number_ % 2 == 1;
    if (number_ % 4 >= 2) call.key = "w" + std::to_string(number_) + "-" + std::to_string(calls_.size());
    const std::size_t count = call.batch ? 1 + below(kBatchMax) : 1;
    for (std::size_t i = 0; i < count; ++i) {
      // Mostly small, at times large enough for several blocks of a table.
      const std::size_t filler = below(20) == 0 ? below(20'000) : below(300);
      call.payloads.push_back(R"({"w":)" + std::to_string(number_) + R"(,"n":)" + std::to_string(next_++) +
                              R"(,"f":")" + std::string(filler, static_cast<char>('a' + below(26))) + "\"}");
    }
    return call;
  }

  static HttpResponse send(Client& client, const Call& call, const std::vector<std::int64_t>& topics) {
    const Headers headers = call.key.empty() ? Headers{} : Headers{{"Idempotency-Key", call.key}};
    const auto topic = topics.at(call.topic);
    if (!call.batch) return client.post(Api::publish_path(topic), call.payloads[0], headers);
    std::string body = R"({"payloads":[)";
    for (std::size_t i = 0; i < call.payloads.size(); ++i) body += (i == 0 ? "" : ",") + call.payloads[i];
    return client.post(Api::batch_path(topic), body + "]}", headers);
  }

  static void take_ids(Call& call, const HttpResponse& response) {
    const Json body = response.json();
    if (!call.batch) {
      call.ids = {body.at("message_id").get<std::string>()};
      return;
    }
    for (std::size_t i = 0; i < call.payloads.size(); ++i) {
      call.ids.push_back(body.at("message_ids").at(std::to_string(i)).at("message_id").get<std::string>());
    }
  }

  const std::size_t number_;
  std::mt19937_64 random_;
  std::uint64_t next_ = 0;
  bool repeat_ = false;  ///< the last call has a key and no answer yet
  std::vector<Call> calls_;
};

/// Checks one topic, as read from its start, against what all writers know.
void verify_topic(const std::vector<ReadMessage>& read, const std::vector<Writer>& writers, std::size_t topic) {
  std::map<std::string, std::size_t> place;  // by payload; payloads are unique
  std::map<std::string, std::size_t> by_id;
  for (std::size_t i = 0; i < read.size(); ++i) {
    if (i > 0) {
      ASSERT_LT(read[i - 1].id, read[i].id) << "ids must grow";
      ASSERT_LE(read[i - 1].time, read[i].time) << "times must not decrease";
    }
    ASSERT_TRUE(place.emplace(read[i].payload, i).second) << "stored twice: " << read[i].payload.substr(0, 60);
    by_id.emplace(read[i].id, i);
  }
  std::size_t known = 0;
  for (const auto& writer : writers) {
    std::optional<std::size_t> last;
    for (const auto& call : writer.calls()) {
      if (call.topic != topic) continue;
      std::size_t present = 0;
      for (std::size_t i = 0; i < call.payloads.size(); ++i) {
        const auto found = place.find(call.payloads[i]);
        if (!call.ids.empty()) {
          const auto acknowledged = by_id.find(call.ids[i]);
          ASSERT_NE(acknowledged, by_id.end()) << "lost: " << call.ids[i] << ' ' << call.payloads[i].substr(0, 60);
          ASSERT_EQ(read[acknowledged->second].payload, call.payloads[i]) << "other bytes under " << call.ids[i];
        }
        if (found == place.end()) continue;
        ++present;
        ++known;
        if (i > 0) {
          const auto before = place.find(call.payloads[i - 1]);
          ASSERT_TRUE(before != place.end() && before->second + 1 == found->second) << "a batch was torn apart";
        }
        if (last) {
          ASSERT_LT(*last, found->second) << "one writer's messages out of order";
        }
        last = found->second;
      }
      ASSERT_TRUE(present == 0 || present == call.payloads.size()) << "a part of a batch was stored";
    }
  }
  ASSERT_EQ(known, read.size()) << "messages that nobody sent, or of another topic";
}

/// The retained messages, going on from `all`, so that each round reads only what is new.
void read_on(Api& api, std::int64_t topic, std::vector<ReadMessage>& all) {
  for (;;) {
    auto page = api.messages(topic, all.empty() ? "{}" : Json{{"after_message_id", all.back().id}}.dump());
    if (page.empty()) return;
    all.insert(all.end(), std::make_move_iterator(page.begin()), std::make_move_iterator(page.end()));
  }
}

void kill_and_verify(std::vector<std::string> settings, std::uint64_t kills) {
  const std::uint64_t seed = from_environment("WEIR_SEED", std::random_device{}());
  std::cout << "WEIR_SEED=" << seed << " WEIR_KILLS=" << kills << std::endl;
  std::mt19937_64 random(seed);
  const auto below = [&](std::uint64_t bound) {
    return std::uniform_int_distribution<std::uint64_t>(0, bound - 1)(random);
  };

  Api api({.settings = std::move(settings)});
  std::vector<std::int64_t> topics;
  for (std::size_t i = 0; i < kTopics; ++i) topics.push_back(api.topic());
  std::vector<Writer> writers;
  for (std::size_t i = 0; i < kWriters; ++i) writers.emplace_back(i, seed);
  std::vector<std::vector<ReadMessage>> read(kTopics);
  std::uint64_t total = 0;
  auto slowest = std::chrono::steady_clock::duration::zero();

  for (std::uint64_t round = 0; round < kills; ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", kill " + std::to_string(round + 1));
    std::atomic<std::uint64_t> acknowledged{0};
    std::atomic<bool> stop{false};
    // The moment: after so many answers, and then some microseconds, so that it falls anywhere within a commit.
    const std::uint64_t after_answers = below(10) == 0 ? 0 : below(600);
    const auto then = std::chrono::microseconds(below(3000));
    const bool mid_poll = below(2) == 0;
    std::unique_ptr<Waiter> waiter;
    if (mid_poll) waiter = std::make_unique<Waiter>(api, topics[below(kTopics)]);
    {
      std::vector<std::jthread> threads;
      for (auto& writer : writers) {
        threads.emplace_back([&] {
          try {
            writer.run(api.server(), topics, acknowledged, stop);
          } catch (const std::exception& error) {
            ADD_FAILURE() << error.what();
          }
        });
      }
      ASSERT_TRUE(eventually([&] {
        std::this_thread::yield();
        return acknowledged.load() >= after_answers;
      })) << acknowledged.load()
          << " answers";
      kill_after(api, then);
      stop = true;
    }
    total += acknowledged.load();
    if (::testing::Test::HasFatalFailure()) return;

    slowest = std::max(slowest, start_again(api));

    for (std::size_t topic = 0; topic < kTopics; ++topic) {
      read_on(api, topics[topic], read[topic]);
      ASSERT_NO_FATAL_FAILURE(verify_topic(read[topic], writers, topic));
    }
  }

  // What was read in pieces is what is read at once: nothing changed below a reader, and nothing appeared there.
  for (std::size_t topic = 0; topic < kTopics; ++topic) {
    const auto all = api.all_messages(topics[topic]);
    ASSERT_EQ(all.size(), read[topic].size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      ASSERT_EQ(all[i].id, read[topic][i].id);
      ASSERT_EQ(all[i].payload, read[topic][i].payload);
      ASSERT_EQ(all[i].time, read[topic][i].time);
    }
  }
  std::cout << "kills=" << kills << " acknowledged calls=" << total
            << " slowest restart ms=" << std::chrono::duration_cast<std::chrono::milliseconds>(slowest).count()
            << std::endl;
  EXPECT_GT(total, 0u);
}

TEST(Crash, LosesNothingThatWasAcknowledged) {
  kill_and_verify({}, from_environment("WEIR_KILLS", 30));
}

// Small memory tables: kills fall into flushes and compactions too. A third of the kills.
TEST(Crash, LosesNothingWhileTablesAreWritten) {
  kill_and_verify({"storage.memtable_bytes=65536", "storage.tail_bytes_max=65536"},
                  std::max<std::uint64_t>(1, from_environment("WEIR_KILLS", 30) / 3));
}

TEST(Crash, LosesNothingInOsMode) {
  kill_and_verify({"storage.durability=os"}, std::max<std::uint64_t>(1, from_environment("WEIR_KILLS", 30) / 6));
}

TEST(Crash, LosesNothingWithInlineCommit) {
  kill_and_verify({"storage.commit=inline", "server.threads=1"},
                  std::max<std::uint64_t>(1, from_environment("WEIR_KILLS", 30) / 6));
}

}  // namespace
}  // namespace weir::test
