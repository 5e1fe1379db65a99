#include "weir/core/access_view.h"

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>

#include "weir/storage/memory_store.h"

#include "support/fake_clock.h"

namespace weir::core {
namespace {

using namespace std::chrono_literals;
using model::Privilege;

class AccessViewTest : public ::testing::Test {
 protected:
  AccessViewTest() { EXPECT_TRUE(access.load(std::nullopt)); }

  IssuedToken create(std::optional<std::chrono::seconds> lifetime = std::nullopt) {
    NewToken wanted;
    wanted.name = "shop";
    wanted.privileges = {Privilege::publish};
    wanted.lifetime = lifetime;
    return access.create(std::move(wanted)).value();
  }
  /// The id of the token behind the text, asked twice so that the second answer is a remembered one.
  static std::string who(AccessView& view, const std::string& text) {
    const CallerPtr first = view.authenticate("Bearer " + text);
    const CallerPtr second = view.authenticate("Bearer " + text);
    EXPECT_EQ(first, second);
    return second ? second->token.id : std::string();
  }

  weir::test::FakeClock clock;
  SeededRandom random{1};
  std::shared_ptr<storage::MemoryDisk> disk = storage::make_memory_disk();
  storage::MemoryStore store{{disk, &clock}};
  Access access{store, clock, random};
  AccessView view{access};
};

TEST_F(AccessViewTest, AnswersAsAccessDoes) {
  const IssuedToken one = create();
  const IssuedToken other = create();
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(who(view, one.text), one.token.id);
    EXPECT_EQ(who(view, other.text), other.token.id) << "they alternate";
  }
  std::string wrong = one.text;
  wrong.back() = wrong.back() == 'a' ? 'b' : 'a';
  EXPECT_FALSE(view.authenticate("Bearer " + wrong));
  EXPECT_FALSE(view.authenticate("Bearer " + one.text + "x"));
  EXPECT_FALSE(view.authenticate("Bearer " + one.text.substr(0, one.text.size() - 1)));
  EXPECT_FALSE(view.authenticate(one.text));
  EXPECT_FALSE(view.authenticate(""));
  EXPECT_EQ(who(view, one.text), one.token.id) << "who was refused pushed nobody out";
}

TEST_F(AccessViewTest, KnowsMoreTokensThanItRemembers) {
  std::vector<IssuedToken> tokens;
  for (int i = 0; i < 600; ++i) tokens.push_back(create());
  for (int round = 0; round < 2; ++round) {
    for (const IssuedToken& token : tokens) ASSERT_EQ(who(view, token.text), token.token.id);
  }
}

TEST_F(AccessViewTest, RefusesARevokedTokenAtOnceWhereverItWasKnown) {
  const IssuedToken revoked = create();
  const IssuedToken kept = create();
  std::vector<AccessView> loops(4, AccessView(access));
  for (AccessView& loop : loops) {
    ASSERT_EQ(who(loop, revoked.text), revoked.token.id);
    ASSERT_EQ(who(loop, kept.text), kept.token.id);
  }
  ASSERT_TRUE(access.revoke(revoked.token.id));
  for (AccessView& loop : loops) {
    EXPECT_FALSE(loop.authenticate("Bearer " + revoked.text));
    EXPECT_EQ(who(loop, kept.text), kept.token.id);
  }
}

TEST_F(AccessViewTest, RefusesAKnownTokenOnceItHasExpired) {
  const IssuedToken issued = create(10s);
  clock.advance(9'999ms);
  EXPECT_EQ(who(view, issued.text), issued.token.id);
  clock.advance(1ms);
  EXPECT_FALSE(view.authenticate("Bearer " + issued.text));
  EXPECT_FALSE(view.authenticate("Bearer " + issued.text));
}

TEST_F(AccessViewTest, SeesChangedPrivileges) {
  const IssuedToken issued = create();
  ASSERT_TRUE(view.authenticate("Bearer " + issued.text)->allows(Privilege::publish));
  // Nothing changes a token yet; what a restart or another process would find is what counts here.
  model::Token changed = issued.token;
  changed.privileges = {Privilege::consume};
  std::vector<storage::KeyedWrite> changes;
  changes.push_back({storage::Table::tokens, changed.id, model::encode_token(changed)});
  ASSERT_TRUE(store.write(std::move(changes)));
  ASSERT_TRUE(access.load(std::nullopt));
  const CallerPtr& caller = view.authenticate("Bearer " + issued.text);
  ASSERT_TRUE(caller);
  EXPECT_FALSE(caller->allows(Privilege::publish));
  EXPECT_TRUE(caller->allows(Privilege::consume));
}

TEST_F(AccessViewTest, CountsARememberedCallAsAUse) {
  const IssuedToken issued = create();
  ASSERT_TRUE(view.authenticate("Bearer " + issued.text));
  clock.advance(60s);
  ASSERT_TRUE(view.authenticate("Bearer " + issued.text));
  EXPECT_EQ(access.list().at(0).last_used_at, clock.wall_now());
  ASSERT_TRUE(access.save_last_used());
  clock.advance(60s);
  ASSERT_TRUE(view.authenticate("Bearer " + issued.text));
  EXPECT_EQ(access.list().at(0).last_used_at, clock.wall_now());
}

// On every thread, from the moment that revoke() has returned, while other changes make the views forget.
TEST_F(AccessViewTest, LetsNobodyInAfterARevocation) {
  constexpr int kTokens = 50;
  std::vector<IssuedToken> tokens;
  for (int i = 0; i < kTokens; ++i) tokens.push_back(create());
  std::atomic<int> revoked{0};  // tokens before this one
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      AccessView mine(access);
      for (int gone = 0; gone < kTokens;) {
        gone = revoked.load();
        for (int i = 0; i < kTokens; ++i) {
          const bool let_in = mine.authenticate("Bearer " + tokens[static_cast<std::size_t>(i)].text) != nullptr;
          if (let_in && i < gone) ++wrong;
        }
      }
    });
  }
  for (int i = 0; i < kTokens; ++i) {
    ASSERT_TRUE(access.revoke(tokens[static_cast<std::size_t>(i)].token.id));
    revoked.store(i + 1);
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace weir::core
