#include "weir/core/access.h"

#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "weir/storage/memory_store.h"

#include "support/fake_clock.h"

namespace weir::core {
namespace {

using namespace std::chrono_literals;
using model::Privilege;

class AccessTest : public ::testing::Test {
 protected:
  AccessTest() { EXPECT_TRUE(access.load(std::nullopt)); }

  IssuedToken create(model::Privileges privileges = {Privilege::publish}) {
    NewToken wanted;
    wanted.name = "shop";
    wanted.privileges = privileges;
    return access.create(std::move(wanted)).value();
  }

  weir::test::FakeClock clock;
  SeededRandom random{1};
  std::shared_ptr<storage::MemoryDisk> disk = storage::make_memory_disk();
  storage::MemoryStore store{{disk, &clock}};
  Access access{store, clock, random};
};

TEST_F(AccessTest, KnowsTheTokenThatItIssued) {
  const IssuedToken issued = create();
  EXPECT_EQ(issued.text, "weir_" + issued.token.id + "_" + issued.text.substr(issued.text.size() - 27));
  const auto caller = access.authenticate("Bearer " + issued.text);
  ASSERT_TRUE(caller);
  EXPECT_EQ(caller.value()->token.id, issued.token.id);
  EXPECT_TRUE(access.authenticate("bEARER   " + issued.text + " ")) << "the scheme in any case";
}

TEST_F(AccessTest, RefusesEverythingElseAlike) {
  const IssuedToken issued = create();
  std::string wrong_secret = issued.text;
  wrong_secret.back() = wrong_secret.back() == 'a' ? 'b' : 'a';
  for (const std::string& header :
       {std::string(), std::string("Bearer"), std::string("Bearer "), "Basic " + issued.text, issued.text,
        "Bearer" + issued.text, "Bearer " + wrong_secret, "Bearer " + issued.text + "x", std::string("Bearer weir_"),
        std::string("Bearer weir__"), "Bearer weir_" + issued.token.id + "_", std::string("Bearer weir_nobody_secret"),
        "Bearer " + issued.text.substr(0, issued.text.size() - 1)}) {
    const auto caller = access.authenticate(header);
    ASSERT_FALSE(caller) << header;
    EXPECT_EQ(caller.error().code, Errc::unauthorized);
    EXPECT_EQ(caller.error().detail, "");
  }
}

TEST_F(AccessTest, StoresNoSecret) {
  const IssuedToken issued = create();
  const std::string secret = issued.text.substr(issued.text.size() - 27);
  const auto stored = store.list(storage::Table::tokens, "");
  ASSERT_EQ(stored.value().size(), 1u);
  for (const auto& [key, value] : stored.value()) {
    EXPECT_EQ(value.find(secret), std::string::npos);
    EXPECT_EQ(key.find(secret), std::string::npos);
  }
}

TEST_F(AccessTest, RefusesARevokedTokenAtOnce) {
  const IssuedToken issued = create();
  ASSERT_TRUE(access.revoke(issued.token.id));
  EXPECT_FALSE(access.authenticate("Bearer " + issued.text));
  EXPECT_EQ(access.revoke(issued.token.id).error().code, Errc::token_not_found);
  Access restarted(store, clock, random);
  ASSERT_TRUE(restarted.load(std::nullopt));
  EXPECT_FALSE(restarted.authenticate("Bearer " + issued.text));
}

TEST_F(AccessTest, RefusesAnExpiredToken) {
  NewToken wanted;
  wanted.name = "short";
  wanted.privileges = {Privilege::consume};
  wanted.lifetime = 10s;
  const IssuedToken issued = access.create(std::move(wanted)).value();
  clock.advance(9'999ms);
  EXPECT_TRUE(access.authenticate("Bearer " + issued.text));
  clock.advance(1ms);
  EXPECT_FALSE(access.authenticate("Bearer " + issued.text));
}

TEST_F(AccessTest, SurvivesARestart) {
  const IssuedToken issued = create({Privilege::consume});
  Access restarted(store, clock, random);
  ASSERT_TRUE(restarted.load(std::nullopt));
  EXPECT_FALSE(restarted.empty());
  const auto caller = restarted.authenticate("Bearer " + issued.text);
  ASSERT_TRUE(caller);
  EXPECT_TRUE(caller.value()->allows(Privilege::consume));
  EXPECT_FALSE(caller.value()->allows(Privilege::publish));
}

TEST_F(AccessTest, TakesTheAdminTokenOfTheEnvironment) {
  Access with_admin(store, clock, random);
  ASSERT_TRUE(with_admin.load("weir_looks.like~one-but0"));
  EXPECT_FALSE(with_admin.empty());
  const auto caller = with_admin.authenticate("Bearer weir_looks.like~one-but0");
  ASSERT_TRUE(caller);
  EXPECT_TRUE(caller.value()->allows(Privilege::topics_purge));
  EXPECT_FALSE(with_admin.authenticate("Bearer weir_looks.like~one-but1"));
  EXPECT_TRUE(with_admin.list().empty()) << "not stored";
  EXPECT_EQ(with_admin.load("short").error().code, Errc::config_invalid);
}

TEST_F(AccessTest, ChecksWhatItIsAskedToCreate) {
  NewToken wanted;
  wanted.lifetime = 0s;
  const auto created = access.create(std::move(wanted));
  ASSERT_FALSE(created);
  ASSERT_EQ(created.error().fields.size(), 3u);
  EXPECT_EQ(created.error().fields[0].field, "name");
  EXPECT_EQ(created.error().fields[1].field, "privileges");
  EXPECT_EQ(created.error().fields[2].field, "expires_in");
}

TEST_F(AccessTest, ExpiredTokensMakeRoomForNewOnes) {
  Access small(store, clock, random, 2);
  ASSERT_TRUE(small.load(std::nullopt));
  const auto issue = [&](std::optional<std::chrono::seconds> lifetime) {
    NewToken wanted;
    wanted.name = "t";
    wanted.privileges = {Privilege::publish};
    wanted.lifetime = lifetime;
    return small.create(std::move(wanted));
  };
  ASSERT_TRUE(issue(std::nullopt));
  ASSERT_TRUE(issue(1s));
  EXPECT_EQ(issue(1s).error().code, Errc::validation_failed);
  clock.advance(1s);
  ASSERT_TRUE(issue(std::nullopt));
  EXPECT_EQ(small.list().size(), 2u);
  EXPECT_EQ(store.list(storage::Table::tokens, "").value().size(), 2u);
}

TEST_F(AccessTest, TellsThoseWhoWaitThatTheirTokenIsGone) {
  const IssuedToken issued = create();
  const CallerPtr early = access.authenticate("Bearer " + issued.text).value();
  EXPECT_TRUE(access.still_valid(*early));
  clock.advance(2min);
  ASSERT_TRUE(access.authenticate("Bearer " + issued.text));
  ASSERT_TRUE(access.save_last_used());  // later requests get another Caller
  ASSERT_TRUE(access.revoke(issued.token.id));
  EXPECT_FALSE(access.still_valid(*early));
}

TEST_F(AccessTest, LimitsNoAdminToTopics) {
  NewToken wanted;
  wanted.name = "x";
  wanted.privileges = {Privilege::admin};
  wanted.topics = {model::TopicId{1}};
  const auto created = access.create(std::move(wanted));
  ASSERT_FALSE(created);
  EXPECT_EQ(created.error().fields.at(0).field, "topics");
}

TEST_F(AccessTest, CreatesNothingWhenTheStepBeforeFails) {
  NewToken wanted;
  wanted.name = "first";
  wanted.privileges = {Privilege::admin};
  const auto created = access.create(
      std::move(wanted), [](const IssuedToken&) -> Result<void> { return make_error(Errc::data_dir_unusable); });
  EXPECT_EQ(created.error().code, Errc::data_dir_unusable);
  EXPECT_TRUE(access.empty());
}

TEST_F(AccessTest, KeepsTheLastUseToTheMinute) {
  const IssuedToken issued = create();
  EXPECT_EQ(access.list().at(0).last_used_at, std::nullopt);
  ASSERT_TRUE(access.authenticate("Bearer " + issued.text));
  const WallTime first = clock.wall_now();
  clock.advance(59s);
  ASSERT_TRUE(access.authenticate("Bearer " + issued.text));
  EXPECT_EQ(access.list().at(0).last_used_at, first);
  clock.advance(1s);
  ASSERT_TRUE(access.authenticate("Bearer " + issued.text));
  EXPECT_EQ(access.list().at(0).last_used_at, first + 60s);
  ASSERT_TRUE(access.save_last_used());
  Access restarted(store, clock, random);
  ASSERT_TRUE(restarted.load(std::nullopt));
  EXPECT_EQ(restarted.list().at(0).last_used_at, first + 60s);
}

TEST_F(AccessTest, MayUseOnlyListedTopics) {
  Caller caller;
  EXPECT_TRUE(caller.may_use(model::TopicId{5}));
  caller.token.topics = {model::TopicId{1}, model::TopicId{5}};
  EXPECT_TRUE(caller.may_use(model::TopicId{5}));
  EXPECT_FALSE(caller.may_use(model::TopicId{2}));
}

TEST(RateWindow, CountsToTheLimitAndStartsAgain) {
  RateWindow window;
  const SteadyTime start{100h};
  for (std::uint32_t i = 0; i < 60; ++i) {
    const auto verdict = window.take(60, start + std::chrono::milliseconds{i});
    ASSERT_TRUE(verdict.allowed);
    EXPECT_EQ(verdict.remaining, 59 - i);
    EXPECT_EQ(verdict.limit, 60u);
  }
  const auto refused = window.take(60, start + 30s);
  EXPECT_FALSE(refused.allowed);
  EXPECT_EQ(refused.remaining, 0u);
  EXPECT_EQ(refused.reset, 30s);
  EXPECT_FALSE(window.take(60, start + 59s).allowed);
  EXPECT_TRUE(window.take(60, start + 60s).allowed);
}

TEST(RateWindow, AllowsExactlyTheLimitToManyThreads) {
  RateWindow window;
  std::atomic<int> allowed{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 1000; ++i) allowed += window.take(1000, SteadyTime{1h}).allowed ? 1 : 0;
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(allowed, 1000);
}

TEST(AdminToken, IsCheckedForLengthAndLetters) {
  EXPECT_FALSE(is_valid_admin_token(std::string(15, 'a')));
  EXPECT_TRUE(is_valid_admin_token(std::string(16, 'a')));
  EXPECT_TRUE(is_valid_admin_token(std::string(128, 'a')));
  EXPECT_FALSE(is_valid_admin_token(std::string(129, 'a')));
  EXPECT_TRUE(is_valid_admin_token("AZaz09._~-0123456"));
  EXPECT_FALSE(is_valid_admin_token("with space 012345"));
  EXPECT_FALSE(is_valid_admin_token("with/slash/012345"));
}

}  // namespace
}  // namespace weir::core
