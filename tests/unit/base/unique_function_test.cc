#include "weir/base/unique_function.h"

#include <array>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

namespace weir {
namespace {

/// Counts what happens to a target; `Bytes` of ballast decide whether it lives inside.
template <std::size_t Bytes, bool ThrowingMove = false>
struct Counted {
  struct Counts {
    int constructed = 0;
    int moved = 0;
    int destroyed = 0;
    int called = 0;
    const void* at = nullptr;
  };

  explicit Counted(Counts& all) : counts(&all) { ++counts->constructed; }
  Counted(Counted&& other) noexcept(!ThrowingMove) : counts(other.counts) {
    ++counts->constructed;
    ++counts->moved;
  }
  ~Counted() { ++counts->destroyed; }
  int operator()(int value) {
    ++counts->called;
    counts->at = this;
    return value + 1;
  }

  Counts* counts;
  std::array<char, Bytes - sizeof(Counts*)> ballast{};
};

using Function = UniqueFunction<int(int)>;

template <class Pointer>
bool lies_inside(const Function& function, Pointer* target) {
  const auto* begin = reinterpret_cast<const char*>(&function);
  const auto* place = reinterpret_cast<const char*>(target);
  return place >= begin && place < begin + sizeof(function);
}

TEST(UniqueFunction, KeepsTargetsOfUpToTheInlineSizeInside) {
  Counted<48>::Counts counts;
  {
    Function function = Counted<48>(counts);
    EXPECT_EQ(function(1), 2);
    EXPECT_TRUE(lies_inside(function, counts.at));
    Function moved = std::move(function);
    EXPECT_FALSE(function);  // NOLINT(bugprone-use-after-move)
    EXPECT_EQ(moved(2), 3);
    EXPECT_TRUE(lies_inside(moved, counts.at));
  }
  EXPECT_EQ(counts.called, 2);
  EXPECT_EQ(counts.moved, 2);
  EXPECT_EQ(counts.constructed, counts.destroyed);
}

TEST(UniqueFunction, KeepsLargerTargetsOnTheHeapAndNeverMovesThem) {
  Counted<49>::Counts counts;
  {
    Function function = Counted<49>(counts);
    Function moved = std::move(function);
    EXPECT_EQ(moved(1), 2);
    EXPECT_FALSE(lies_inside(moved, counts.at));
  }
  EXPECT_EQ(counts.moved, 1);
  EXPECT_EQ(counts.constructed, counts.destroyed);
}

TEST(UniqueFunction, KeepsTargetsWhoseMoveMayThrowOnTheHeap) {
  Counted<16, true>::Counts counts;
  {
    Function function = Counted<16, true>(counts);
    Function moved = std::move(function);
    EXPECT_EQ(moved(1), 2);
    EXPECT_FALSE(lies_inside(moved, counts.at));
  }
  EXPECT_EQ(counts.moved, 1);
  EXPECT_EQ(counts.constructed, counts.destroyed);
}

TEST(UniqueFunction, AssignmentDestroysTheOldTargetOnce) {
  Counted<16>::Counts old_counts;
  Counted<64>::Counts new_counts;
  Function function = Counted<16>(old_counts);
  function = Counted<64>(new_counts);
  EXPECT_EQ(old_counts.constructed, old_counts.destroyed);
  EXPECT_EQ(function(4), 5);
  Function& alias = function;
  function = std::move(alias);
  EXPECT_EQ(function(5), 6);
  function = nullptr;
  EXPECT_FALSE(function);
  EXPECT_EQ(new_counts.constructed, new_counts.destroyed);
}

TEST(UniqueFunction, ResetDestroysTheTargetAndIsIdempotent) {
  auto shared = std::make_shared<int>(7);
  UniqueFunction<int()> function = [shared] { return *shared; };
  EXPECT_EQ(shared.use_count(), 2);
  EXPECT_EQ(function(), 7);
  function.reset();
  function.reset();
  EXPECT_EQ(shared.use_count(), 1);
  EXPECT_FALSE(function);
}

TEST(UniqueFunction, PassesArgumentsOnWithoutCopies) {
  UniqueFunction<std::string(std::unique_ptr<int>, std::string&)> function = [](std::unique_ptr<int> number,
                                                                                std::string& text) {
    text += "!";
    return text + std::to_string(*number);
  };
  std::string text = "a";
  EXPECT_EQ(function(std::make_unique<int>(3), text), "a!3");
  EXPECT_EQ(text, "a!");
}

TEST(UniqueFunction, HoldsMoveOnlyTargets) {
  UniqueFunction<int()> function = [number = std::make_unique<int>(9)] { return *number; };
  UniqueFunction<int()> moved = std::move(function);
  EXPECT_EQ(moved(), 9);
}

TEST(UniqueFunction, EmptyOnesMoveToEmptyOnes) {
  UniqueFunction<void()> empty;
  UniqueFunction<void()> moved = std::move(empty);
  EXPECT_FALSE(moved);
  moved = UniqueFunction<void()>(nullptr);
  EXPECT_FALSE(moved);
}

}  // namespace
}  // namespace weir
