#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <boost/container/small_vector.hpp>

#include "weir/base/clock.h"
#include "weir/model/ids.h"
#include "weir/model/message.h"

namespace weir::core {

/// Loops that can wait for one topic: a bit each.
inline constexpr std::size_t kLoopsMax = 64;

/// Consecutive messages in their JSON form, each followed by a comma, in memory that never moves: the writer appends
/// behind what readers were given, so readers need the log's mutex to find their bytes but not to copy them.
class TailSegment {
 public:
  TailSegment(model::Offset first, std::size_t capacity);

  bool has_room(std::size_t payload_bytes) const noexcept;
  void append(WallTime time, std::string_view payload);

  model::Offset first() const noexcept { return first_; }
  model::Offset end() const noexcept { return model::advance(first_, entries_.size()); }
  std::size_t capacity() const noexcept { return capacity_; }
  WallTime time_of(std::size_t index) const noexcept { return entries_[index].time; }
  std::size_t size() const noexcept { return entries_.size(); }
  /// Bytes [begin_of(i), end_of(i)) are message i and its comma.
  std::size_t begin_of(std::size_t index) const noexcept { return index == 0 ? 0 : entries_[index - 1].end; }
  std::size_t end_of(std::size_t index) const noexcept { return entries_[index].end; }
  /// Index of the first message at or after index `from` whose time is `time` or later; size() if none.
  std::size_t first_not_before(WallTime time, std::size_t from) const noexcept;
  const char* data() const noexcept { return bytes_.data(); }

  /// Where the budget counts it; of its TopicLog alone.
  std::list<model::TopicId>::iterator budget_place{};

 private:
  struct Entry {
    WallTime time;
    std::size_t end;
  };
  model::Offset first_;
  std::size_t capacity_;
  std::string bytes_;  // reserved once, never reallocated
  std::vector<Entry> entries_;
};

/// Memory of all tails together: which segments were made first, and how much they hold.
class TailBudget {
 public:
  explicit TailBudget(std::size_t bytes_max) : bytes_max_(bytes_max) {}
  using Place = std::list<model::TopicId>::iterator;
  Place add(model::TopicId topic, std::size_t bytes);
  void remove(Place place, std::size_t bytes);
  /// The topic whose oldest segment is the oldest of all and should go next; empty while within the budget.
  std::optional<model::TopicId> over_budget();
  bool has_room(std::size_t bytes) const noexcept { return used() + bytes <= bytes_max_; }
  std::size_t used() const noexcept { return used_.load(std::memory_order_relaxed); }

 private:
  const std::size_t bytes_max_;
  std::atomic<std::size_t> used_{0};
  std::mutex mutex_;
  std::list<model::TopicId> oldest_first_;  // guarded by mutex_; one entry a segment
};

/// What a reader asks of the tail.
struct TailQuery {
  model::Offset from{};
  /// The message before `from` must be there and no older than `not_before`; else the store has to judge (below_tail).
  bool check_cursor = false;
  WallTime not_before{};  ///< older messages are skipped
  std::uint32_t count_max = 50;
  std::size_t bytes_max = 0;  ///< of envelopes; at least one message is given
};

struct TailRead {
  enum class Outcome : std::uint8_t {
    messages,
    empty,       ///< nothing there yet; wait at `next`
    below_tail,  ///< ask the store
    gone,        ///< the topic was deleted
  } outcome = Outcome::empty;
  model::Offset next{};  ///< where to go on
  std::uint32_t count = 0;
  struct Slice {
    std::shared_ptr<const TailSegment> segment;  // keeps the bytes
    const char* data;
    std::size_t size;
  };
  boost::container::small_vector<Slice, 2> slices{};

  /// The envelopes, comma-separated, without the last comma.
  std::string render() const;
};

/// The readable end of one topic: where its log ends, its newest messages, and who waits for more.
/// Thread-safe; the lock is held for a few lines and never while bytes are copied.
class TopicLog {
 public:
  TopicLog(model::TopicId id, model::Offset log_start, model::Offset log_end, std::optional<WallTime> last_activity,
           std::shared_ptr<TailBudget> budget);
  ~TopicLog();
  TopicLog(const TopicLog&) = delete;
  TopicLog& operator=(const TopicLog&) = delete;

  /// Reads, or, in the same step when there is nothing (outcome empty) and `wait_on_loop` is given, remembers that the
  /// loop wants to be told of the next append: nothing can slip between.
  TailRead read(const TailQuery& query, std::optional<std::size_t> wait_on_loop);

  /// The loops to wake after an append, as bits; they must ask again.
  std::uint64_t append(model::Offset first, WallTime time, std::span<std::string> payloads);
  void trim(model::Offset log_start, bool purged);
  /// After this every read says `gone`; returns the loops to wake.
  std::uint64_t mark_deleted();
  /// Frees the oldest segment, if there is one.
  void evict_oldest();
  /// Takes messages that were read from the store as the tail, if the tail is empty, they reach the log end and the
  /// budget has room.
  void adopt(std::span<const model::Message> messages);

  model::Offset end() const;
  /// Nothing is kept, as far as the store has said.
  bool empty() const;
  std::optional<WallTime> last_activity() const;

 private:
  TailSegment& segment_for(std::size_t payload_bytes);
  void drop_front();
  void drop_all();

  const model::TopicId id_;
  const std::shared_ptr<TailBudget> budget_;  // shared: a log may outlive the broker

  mutable std::mutex mutex_;
  // guarded by mutex_
  model::Offset log_start_;
  model::Offset end_;
  std::optional<WallTime> last_activity_;
  std::uint64_t waiting_loops_ = 0;
  bool deleted_ = false;
  std::deque<std::shared_ptr<TailSegment>> segments_;  // contiguous; the last one ends at end_
};

}  // namespace weir::core
