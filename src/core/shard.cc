#include "core/shard.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "weir/base/assert.h"

#include "core/page_budget.h"

namespace weir::core {

std::shared_ptr<const Page> empty_page() {
  static const std::shared_ptr<const Page> page = std::make_shared<const Page>();
  return page;
}

void WaitingPoll::on_deadline() {
  // A last look: what came just before the deadline may not have been handed over yet.
  if (!shard->read_tail_or_park(*this)) shard->answer(*this, empty_page());
}

Shard::Shard(Loop& loop, const TopicRegistry& registry, const Clock& clock, model::PayloadLimits limits,
             PageBudget& pages, std::atomic<std::size_t>& polls_waiting)
    : loop_(loop), clock_(clock), topics_(registry), checker_(limits), pages_(pages), polls_waiting_(polls_waiting) {}

Shard::~Shard() = default;

WaitingPoll& Shard::enlist(const Poll& poll, model::Offset from, PollDone done) {
  std::uint32_t index = 0;
  if (free_polls_.empty()) {
    index = static_cast<std::uint32_t>(polls_.size());
    polls_.emplace_back();
    polls_.back().shard = this;
    polls_.back().index = index;
  } else {
    index = free_polls_.back();
    free_polls_.pop_back();
  }
  WaitingPoll& waiting = polls_[index];
  ++waiting.generation;
  waiting.count_max = poll.count_max;
  waiting.topic = poll.topic;
  waiting.from = from;
  waiting.bytes_max = poll.bytes_max;
  waiting.deadline = clock_.steady_now() + poll.timeout;
  waiting.done = std::move(done);
  polls_waiting_.fetch_add(1, std::memory_order_relaxed);
  return waiting;
}

void Shard::park(WaitingPoll& poll, model::Offset from) {
  poll.from = from;
  parked_[poll.topic].push_back(poll);
  if (!poll.armed()) loop_.timers().arm(poll, poll.deadline);
}

PollTicket Shard::ticket_of(const WaitingPoll& poll) noexcept {
  return PollTicket{(std::uint64_t{poll.index} + 1) << 32 | poll.generation};
}

WaitingPoll* Shard::find(PollTicket ticket) noexcept {
  const auto bits = static_cast<std::uint64_t>(ticket);
  const std::uint64_t place = bits >> 32;
  if (place == 0 || place > polls_.size()) return nullptr;
  WaitingPoll& poll = polls_[place - 1];
  return poll.done && poll.generation == static_cast<std::uint32_t>(bits) ? &poll : nullptr;
}

bool Shard::read_tail_or_park(WaitingPoll& poll) {
  if (last_page_.page && last_page_.topic == poll.topic && last_page_.from == poll.from &&
      last_page_.count_max == poll.count_max && last_page_.bytes_max == poll.bytes_max) {
    answer(poll, last_page_.page);
    return true;
  }
  const TopicEntryPtr& entry = topics_.find(poll.topic);
  if (!entry) {
    answer(poll, make_error(Errc::topic_not_found));
    return true;
  }
  const bool may_wait = !released_ && poll.deadline > clock_.steady_now();
  TailQuery query;
  query.from = poll.from;
  query.not_before = entry->topic.oldest_readable(clock_.wall_now());
  query.count_max = poll.count_max;
  query.bytes_max = poll.bytes_max;
  const TailRead read = entry->log->read(query, may_wait ? std::optional(loop_.index()) : std::nullopt);
  switch (read.outcome) {
    case TailRead::Outcome::messages: {
      auto page = make_page(read);
      if (!page) {
        answer(poll, pages_overloaded());
        return true;
      }
      if (in_wake_slice_) last_page_ = {poll.topic, poll.from, poll.count_max, poll.bytes_max, page};
      answer(poll, std::move(page));
      return true;
    }
    case TailRead::Outcome::gone: answer(poll, make_error(Errc::topic_not_found)); return true;
    case TailRead::Outcome::below_tail: return false;
    case TailRead::Outcome::empty:
      if (may_wait) {
        park(poll, read.next);
      } else {
        answer(poll, empty_page());
      }
      return true;
  }
  WEIR_ASSERT(false);
  return true;
}

void Shard::answer(WaitingPoll& poll, Result<std::shared_ptr<const Page>> result) {
  PollDone done = std::move(poll.done);
  forget(poll);
  done(std::move(result));
}

void Shard::forget(WaitingPoll& poll) {
  poll.disarm();
  if (poll.is_linked()) {
    poll.unlink();
    const auto list = parked_.find(poll.topic);
    if (list != parked_.end() && list->second.empty()) parked_.erase(list);
  }
  poll.done.reset();
  free_polls_.push_back(poll.index);
  polls_waiting_.fetch_sub(1, std::memory_order_relaxed);
}

std::shared_ptr<const Page> Shard::make_page(const TailRead& read) {
  std::size_t bytes = 0;
  for (const TailRead::Slice& slice : read.slices) bytes += slice.size;
  return pages_.make(bytes, [&] { return Page{read.render(), read.count, read.next}; });
}

bool Shard::join_read(const WaitingPoll& poll) {
  for (SharedRead& read : shared_reads_) {
    if (read.topic == poll.topic && read.from == poll.from && read.count_max == poll.count_max &&
        read.bytes_max == poll.bytes_max) {
      read.polls.push_back(ticket_of(poll));
      return true;
    }
  }
  return false;
}

std::uint64_t Shard::begin_read(const WaitingPoll& poll) {
  shared_reads_.push_back({++last_read_, poll.topic, poll.from, poll.count_max, poll.bytes_max, {ticket_of(poll)}});
  return last_read_;
}

std::vector<PollTicket> Shard::end_read(std::uint64_t number) {
  const auto read = std::find_if(shared_reads_.begin(), shared_reads_.end(),
                                 [&](const SharedRead& candidate) { return candidate.number == number; });
  WEIR_ASSERT(read != shared_reads_.end());
  std::vector<PollTicket> polls = std::move(read->polls);
  shared_reads_.erase(read);
  return polls;
}

void Shard::release_all() {
  released_ = true;
  // By index: an answer may enlist again on its connection's next request, which is then answered at once.
  for (std::size_t i = 0; i < polls_.size(); ++i) {
    if (polls_[i].done && polls_[i].is_linked()) answer(polls_[i], empty_page());
  }
}

void Shard::flush() {
  if (finished_.empty() && woken_.empty()) return;
  bool post = false;
  {
    const std::lock_guard lock(inbox_mutex_);
    if (inbox_finished_.empty()) {
      inbox_finished_.swap(finished_);
    } else {
      std::move(finished_.begin(), finished_.end(), std::back_inserter(inbox_finished_));
    }
    inbox_woken_.insert(inbox_woken_.end(), woken_.begin(), woken_.end());
    post = !std::exchange(drain_posted_, true);
  }
  finished_.clear();
  woken_.clear();
  if (post) loop_.post([this] { drain(); });
}

void Shard::post_wake(model::TopicId topic) {
  loop_.post([this, topic] { wake_topic(topic); });
}

void Shard::drain() {
  {
    const std::lock_guard lock(inbox_mutex_);
    draining_finished_.swap(inbox_finished_);
    draining_woken_.swap(inbox_woken_);
    drain_posted_ = false;
  }
  // A callback may make the store commit on this thread and post another drain, never run one: the vectors are ours.
  for (Finished& finished : draining_finished_) finished();
  draining_finished_.clear();
  for (const model::TopicId topic : draining_woken_) wake_topic(topic);
  draining_woken_.clear();
}

void Shard::wake_topic(model::TopicId topic) {
  const auto list = parked_.find(topic);
  if (list == parked_.end()) return;
  List woken;
  woken.swap(list->second);
  parked_.erase(list);
  waking_.splice(waking_.end(), woken);
  if (!wake_slice_posted_) wake_slice();
}

void Shard::wake_slice() {
  wake_slice_posted_ = false;
  in_wake_slice_ = true;
  for (std::size_t i = 0; i < kWakeSlice && !waking_.empty(); ++i) {
    WaitingPoll& poll = waking_.front();
    waking_.pop_front();
    if (!read_tail_or_park(poll)) read_store(poll);
  }
  in_wake_slice_ = false;
  last_page_ = {};
  if (!waking_.empty()) {
    wake_slice_posted_ = true;
    loop_.post([this] { wake_slice(); });
  }
}

}  // namespace weir::core
