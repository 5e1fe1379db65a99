#include <atomic>
#include <iostream>
#include <map>
#include <optional>
#include <random>
#include <set>

#include "fault/crash_support.h"

// The server is killed while topics are made, changed, purged and deleted: each of these happened as a whole or not at
// all, and stays so once it was answered. WEIR_SEED repeats a run's decisions, WEIR_KILLS sets the number of kills.
namespace weir::test {
namespace {

constexpr std::size_t kManagers = 6;
constexpr const char* kTopics = "/api/event_streams/topics";

/// What a manager knows of one of its topics.
struct Known {
  std::string name;
  std::int64_t retention = 0;
  std::vector<std::string> ids;  ///< of its messages
};

enum class Change { none, create, update, purge, erase, publish };

/// One client that manages topics of its own until its connection breaks.
class Manager {
 public:
  Manager(std::size_t number, std::uint64_t seed) : number_(number), random_(seed * 31 + number) {}

  void run(const ServerProcess& server, std::atomic<std::uint64_t>& answered) {
    try {
      Client client(server);
      for (;;) {
        step(client);
        pending_ = Change::none;
        ++answered;
      }
    } catch (const HttpFailure&) {
      // Killed. `pending_` may or may not have happened.
    }
  }

  /// Compares the server with what is known; what was pending may be either way, and is known afterwards.
  void verify(Api& api) {
    const auto list = api.get(std::string(kTopics) + "?name=" + prefix());
    ASSERT_TRUE(is_ok(list));
    std::map<std::int64_t, Json> shown;
    const Json data = list.json()["data"];
    for (const auto& topic : data) shown[topic["id"]] = topic;

    for (const auto id : erased_) {
      ASSERT_FALSE(shown.contains(id)) << "a deleted topic came back: " << id;
      ASSERT_EQ(api.get(Api::topic_path(id)).status, 404);
    }
    for (auto known = topics_.begin(); known != topics_.end();) {
      const bool mine = known->first == target_;
      const auto there = shown.find(known->first);
      if (there == shown.end()) {
        ASSERT_TRUE(mine && pending_ == Change::erase) << "lost topic " << known->first;
        erased_.insert(known->first);
        known = topics_.erase(known);
        continue;
      }
      ASSERT_NO_FATAL_FAILURE(verify_topic(api, known->first, known->second, there->second, mine));
      shown.erase(there);
      ++known;
    }
    // Only a creation without an answer may have made something else.
    ASSERT_LE(shown.size(), pending_ == Change::create ? 1u : 0u);
    for (const auto& [id, topic] : shown) {
      ASSERT_EQ(topic["name"], wanted_.name);
      ASSERT_EQ(topic["retention"], wanted_.retention);
      ASSERT_GT(id, highest_) << "an id was given twice";
      ASSERT_TRUE(api.messages(id).empty());
      adopt(id, wanted_);
    }
    pending_ = Change::none;
  }

 private:
  std::int64_t below(std::int64_t bound) { return std::uniform_int_distribution<std::int64_t>(0, bound - 1)(random_); }
  std::string prefix() const { return "m" + std::to_string(number_) + "-"; }

  void adopt(std::int64_t id, const Known& known) {
    topics_[id] = known;
    highest_ = std::max(highest_, id);
  }

  void step(Client& client) {
    const auto dice = topics_.size() < 2 ? 0 : below(10);
    if (dice <= 2) return create(client);
    auto at = topics_.begin();
    std::advance(at, below(static_cast<std::int64_t>(topics_.size())));
    target_ = at->first;
    Known& known = at->second;
    if (dice <= 4) {
      pending_ = Change::update;
      wanted_ = known;
      wanted_.name = prefix() + "r" + std::to_string(++named_);
      wanted_.retention = 1000 + below(100'000);
      const auto response =
          client.put(Api::topic_path(target_), Json{{"name", wanted_.name}, {"retention", wanted_.retention}}.dump());
      ASSERT_EQ(response.status, 200) << response;
      known = wanted_;
    } else if (dice <= 5) {
      pending_ = Change::purge;
      ASSERT_EQ(client.put(Api::purge_path(target_), "").status, 200);
      known.ids.clear();
    } else if (dice <= 6) {
      pending_ = Change::erase;
      ASSERT_EQ(client.erase(Api::topic_path(target_)).status, 200);
      erased_.insert(target_);
      topics_.erase(at);
    } else {
      pending_ = Change::publish;
      const auto response = client.post(Api::publish_path(target_), "{}");
      ASSERT_EQ(response.status, 200) << response;
      known.ids.push_back(response.json()["message_id"]);
    }
  }

  void create(Client& client) {
    pending_ = Change::create;
    wanted_ = {prefix() + std::to_string(++named_), 1000 + below(100'000), {}};
    target_ = 0;
    const auto response = client.post(
        kTopics, Json{{"name", wanted_.name}, {"retention", wanted_.retention}, {"schema", Json::array()}}.dump());
    ASSERT_EQ(response.status, 200) << response;
    const std::int64_t id = response.json()["data"]["id"];
    ASSERT_GT(id, highest_) << "an id was given twice";
    adopt(id, wanted_);
  }

  void verify_topic(Api& api, std::int64_t id, Known& known, const Json& shown, bool mine) {
    const bool old_values = shown["name"] == known.name && shown["retention"] == known.retention;
    if (!old_values) {
      ASSERT_TRUE(mine && pending_ == Change::update) << shown;
      // Both values or none of them.
      ASSERT_TRUE(shown["name"] == wanted_.name && shown["retention"] == wanted_.retention) << shown;
      known.name = wanted_.name;
      known.retention = wanted_.retention;
    }
    std::vector<std::string> ids;
    for (const auto& message : api.all_messages(id)) ids.push_back(message.id);
    if (ids == known.ids) return;
    if (mine && pending_ == Change::purge) {
      ASSERT_TRUE(ids.empty()) << "purged in part";
    } else {
      ASSERT_TRUE(mine && pending_ == Change::publish) << "messages of topic " << id << " differ";
      ASSERT_EQ(ids.size(), known.ids.size() + 1);
      ASSERT_TRUE(std::equal(known.ids.begin(), known.ids.end(), ids.begin()));
    }
    known.ids = ids;
  }

  const std::size_t number_;
  std::mt19937_64 random_;
  std::map<std::int64_t, Known> topics_;
  std::set<std::int64_t> erased_;
  std::int64_t highest_ = 0;  ///< id that this manager has seen
  int named_ = 0;
  Change pending_ = Change::none;
  std::int64_t target_ = 0;  ///< topic of the pending change
  Known wanted_;             ///< what it was to become
};

TEST(Crash, LeavesManagementChangesWholeOrUndone) {
  const std::uint64_t seed = from_environment("WEIR_SEED", std::random_device{}());
  const std::uint64_t kills = std::max<std::uint64_t>(1, from_environment("WEIR_KILLS", 30) / 2);
  std::cout << "WEIR_SEED=" << seed << " kills=" << kills << std::endl;
  std::mt19937_64 random(seed);
  Api api;
  std::vector<Manager> managers;
  for (std::size_t i = 0; i < kManagers; ++i) managers.emplace_back(i, seed);
  std::uint64_t total = 0;
  for (std::uint64_t round = 0; round < kills; ++round) {
    SCOPED_TRACE("seed " + std::to_string(seed) + ", kill " + std::to_string(round + 1));
    std::atomic<std::uint64_t> answered{0};
    const auto after_answers = std::uniform_int_distribution<std::uint64_t>(1, 120)(random);
    const std::chrono::microseconds then{std::uniform_int_distribution<int>(0, 5000)(random)};
    {
      std::vector<std::jthread> threads;
      for (auto& manager : managers) {
        threads.emplace_back([&] {
          try {
            manager.run(api.server(), answered);
          } catch (const std::exception& error) {
            ADD_FAILURE() << error.what();
          }
        });
      }
      EXPECT_TRUE(eventually([&] {
        std::this_thread::yield();
        return answered.load() >= after_answers;
      }));
      kill_after(api, then);
    }
    if (::testing::Test::HasFailure()) return;
    total += answered.load();
    start_again(api);
    for (auto& manager : managers) ASSERT_NO_FATAL_FAILURE(manager.verify(api));
  }
  std::cout << "kills=" << kills << " answered changes=" << total << std::endl;
}

}  // namespace
}  // namespace weir::test
