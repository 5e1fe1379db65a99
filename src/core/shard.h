#pragma once

#include <atomic>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <unordered_map>
#include <vector>

#include <boost/intrusive/list.hpp>

#include "weir/base/executor.h"
#include "weir/core/broker.h"
#include "weir/core/topic_log.h"
#include "weir/model/payload.h"

namespace weir::core {

class PageBudget;
class Shard;

/// A poll that has no answer yet: parked in its topic's list, or reading from the store. About 180 bytes, nothing else
/// is held for a parked poll here.
struct WaitingPoll final
    : Timer,
      boost::intrusive::list_base_hook<boost::intrusive::link_mode<boost::intrusive::auto_unlink>> {
  Shard* shard = nullptr;
  std::uint32_t index = 0;
  std::uint32_t generation = 0;
  std::uint32_t count_max = 0;
  model::TopicId topic{};
  model::Offset from{};
  std::size_t bytes_max = 0;
  SteadyTime deadline{};
  PollDone done;  // empty: this place is free

  void on_deadline() override;
};

/// The core's part on one network loop: its polls, its view of the topics, its parser, and what other threads have
/// finished for it. Everything here runs on the loop's thread, but for push() and wake() as they say.
class Shard {
 public:
  /// A finished publish on its way back to the loop; large enough that a completion allocates nothing.
  using Finished = UniqueFunction<void(), 240>;

  Shard(Loop& loop, const TopicRegistry& registry, const Clock& clock, model::PayloadLimits limits, PageBudget& pages,
        std::atomic<std::size_t>& polls_waiting);
  ~Shard();

  Loop& loop() noexcept { return loop_; }
  RegistryView& topics() noexcept { return topics_; }
  model::PayloadChecker& checker() noexcept { return checker_; }
  bool released() const noexcept { return released_; }

  // --- polls
  /// Makes a place for a poll that cannot be answered at once; nothing happens to it until one of the next calls.
  WaitingPoll& enlist(const Poll& poll, model::Offset from, PollDone done);
  /// Parks it at `from`, after a read that found nothing and asked to be told (TopicLog::read).
  void park(WaitingPoll& poll, model::Offset from);
  static PollTicket ticket_of(const WaitingPoll& poll) noexcept;
  /// Null for a ticket whose poll has been answered or cancelled.
  WaitingPoll* find(PollTicket ticket) noexcept;
  /// Reads the tail for `poll`: answers it, or leaves it parked until append, deletion or deadline.
  /// False: the messages are below the tail, the caller has to ask the store.
  bool read_tail_or_park(WaitingPoll& poll);
  /// Forgets the poll, then answers it: the callback may start or cancel others.
  void answer(WaitingPoll& poll, Result<std::shared_ptr<const Page>> result);
  void forget(WaitingPoll& poll);
  void release_all();
  /// Null when the budget is spent.
  std::shared_ptr<const Page> make_page(const TailRead& read);

  // --- reads from the store that several polls share
  /// True: somebody is reading just this already; the poll gets what that read gives.
  bool join_read(const WaitingPoll& poll);
  /// Lets others join; returns its number, never 0.
  std::uint64_t begin_read(const WaitingPoll& poll);
  /// Those who wait for it.
  std::vector<PollTicket> end_read(std::uint64_t number);

  // --- commit thread only
  void push(Finished finished) { finished_.push_back(std::move(finished)); }
  void wake(model::TopicId topic) { woken_.push_back(topic); }
  /// Hands over all that was pushed and woken in one task.
  void flush();

  /// Any thread: looks at those who wait for `topic`, on the loop.
  void post_wake(model::TopicId topic);

  /// For polls that must go back to the store after a wake-up (their messages have left the tail): set by the broker.
  UniqueFunction<void(WaitingPoll&)> read_store;

 private:
  using List = boost::intrusive::list<WaitingPoll, boost::intrusive::constant_time_size<false>>;

  /// A wake-up of many polls is cut into slices so that the loop serves others in between.
  static constexpr std::size_t kWakeSlice = 256;

  void wake_topic(model::TopicId topic);
  void wake_slice();
  void drain();

  Loop& loop_;
  const Clock& clock_;
  RegistryView topics_;
  model::PayloadChecker checker_;
  PageBudget& pages_;
  std::atomic<std::size_t>& polls_waiting_;

  std::deque<WaitingPoll> polls_;  // by index; addresses stay
  std::vector<std::uint32_t> free_polls_;
  std::unordered_map<model::TopicId, List> parked_;
  List waking_;  // told of an append, not yet looked at
  bool wake_slice_posted_ = false;
  bool in_wake_slice_ = false;
  bool released_ = false;

  struct SharedRead {
    std::uint64_t number = 0;
    model::TopicId topic{};
    model::Offset from{};
    std::uint32_t count_max = 0;
    std::size_t bytes_max = 0;
    std::vector<PollTicket> polls{};
  };
  std::vector<SharedRead> shared_reads_;  // few: as many as the readers' queue holds of different ones
  std::uint64_t last_read_ = 0;

  /// The page that the last poll of a wake-up got: those who wait at the same place share it. Kept for one slice only,
  /// so that it cannot outlive a purge or a deletion.
  struct LastPage {
    model::TopicId topic{};
    model::Offset from{};
    std::uint32_t count_max = 0;
    std::size_t bytes_max = 0;
    std::shared_ptr<const Page> page;
  } last_page_;

  // commit thread
  std::vector<Finished> finished_;
  std::vector<model::TopicId> woken_;

  // from the commit thread to the loop; the vectors travel in a circle and keep their capacity
  std::mutex inbox_mutex_;
  std::vector<Finished> inbox_finished_;        // guarded by inbox_mutex_
  std::vector<model::TopicId> inbox_woken_;     // guarded by inbox_mutex_
  bool drain_posted_ = false;                   // guarded by inbox_mutex_
  std::vector<Finished> draining_finished_;     // loop
  std::vector<model::TopicId> draining_woken_;  // loop
};

/// The page of a poll that found nothing in time.
std::shared_ptr<const Page> empty_page();

}  // namespace weir::core
