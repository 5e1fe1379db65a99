#include "weir/core/topic_log.h"

#include <algorithm>

#include "weir/base/assert.h"

namespace weir::core {

using model::Offset;
using model::value_of;

namespace {

constexpr std::size_t kSegmentBytesMin = 2 * 1024;
constexpr std::size_t kSegmentBytesMax = 256 * 1024;

}  // namespace

TailSegment::TailSegment(Offset first, std::size_t capacity) : first_(first), capacity_(capacity) {
  bytes_.reserve(capacity);
}

bool TailSegment::has_room(std::size_t payload_bytes) const noexcept {
  return bytes_.size() + model::envelope_bytes_max(payload_bytes) + 1 <= capacity_;
}

void TailSegment::append(WallTime time, std::string_view payload) {
  model::append_envelope(bytes_, end(), time, payload);
  bytes_ += ',';
  WEIR_ASSERT(bytes_.size() <= capacity_);  // readers hold pointers into it
  entries_.push_back({time, bytes_.size()});
}

std::size_t TailSegment::first_not_before(WallTime time, std::size_t from) const noexcept {
  const auto found = std::partition_point(entries_.begin() + static_cast<std::ptrdiff_t>(from), entries_.end(),
                                          [&](const Entry& entry) { return entry.time < time; });
  return static_cast<std::size_t>(found - entries_.begin());
}

TailBudget::Place TailBudget::add(model::TopicId topic, std::size_t bytes) {
  used_.fetch_add(bytes, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  return oldest_first_.insert(oldest_first_.end(), topic);
}

void TailBudget::remove(Place place, std::size_t bytes) {
  used_.fetch_sub(bytes, std::memory_order_relaxed);
  const std::lock_guard lock(mutex_);
  oldest_first_.erase(place);
}

std::optional<model::TopicId> TailBudget::over_budget() {
  if (used() <= bytes_max_) return std::nullopt;
  const std::lock_guard lock(mutex_);
  if (oldest_first_.empty()) return std::nullopt;
  return oldest_first_.front();
}

std::string TailRead::render() const {
  std::size_t bytes = 0;
  for (const Slice& slice : slices) bytes += slice.size;
  std::string envelopes;
  envelopes.reserve(bytes);
  for (const Slice& slice : slices) envelopes.append(slice.data, slice.size);
  if (!envelopes.empty()) envelopes.pop_back();  // the comma after the last message
  return envelopes;
}

TopicLog::TopicLog(model::TopicId id, Offset log_start, Offset log_end, std::optional<WallTime> last_activity,
                   std::shared_ptr<TailBudget> budget)
    : id_(id), budget_(std::move(budget)), log_start_(log_start), end_(log_end), last_activity_(last_activity) {}

TopicLog::~TopicLog() {
  drop_all();
}

TailRead TopicLog::read(const TailQuery& query, std::optional<std::size_t> wait_on_loop) {
  TailRead result;
  const std::lock_guard lock(mutex_);
  if (deleted_) {
    result.outcome = TailRead::Outcome::gone;
    return result;
  }
  const Offset tail_start = segments_.empty() ? end_ : segments_.front()->first();
  Offset from = std::max(query.from, log_start_);
  if (query.check_cursor && (query.from <= std::max(tail_start, log_start_) || query.from > end_)) {
    result.outcome = TailRead::Outcome::below_tail;
    return result;
  }
  if (from < tail_start) {
    // Times never decrease: if the first message here is already too old, so is everything before it.
    if (segments_.empty() || segments_.front()->time_of(0) >= query.not_before) {
      result.outcome = TailRead::Outcome::below_tail;
      return result;
    }
    from = tail_start;
  }

  // The segment that holds `from` (or, for a cursor to check, the message before it).
  const Offset wanted = query.check_cursor ? Offset{value_of(from) - 1} : from;
  auto segment = std::upper_bound(segments_.begin(), segments_.end(), wanted,
                                  [](Offset offset, const auto& candidate) { return offset < candidate->end(); });
  if (query.check_cursor) {
    const std::size_t index = value_of(wanted) - value_of((*segment)->first());
    if ((*segment)->time_of(index) < query.not_before) {
      result.outcome = TailRead::Outcome::below_tail;
      return result;
    }
    if (from == (*segment)->end()) ++segment;
  }

  std::size_t bytes = 0;
  for (; segment != segments_.end() && result.count < query.count_max; ++segment) {
    const TailSegment& here = **segment;
    std::size_t begin = value_of(from) - value_of(here.first());
    if (result.count == 0) begin = here.first_not_before(query.not_before, begin);
    std::size_t end = begin;
    while (end < here.size() && result.count < query.count_max) {
      const std::size_t message_bytes = here.end_of(end) - here.begin_of(end);
      if (result.count > 0 && bytes + message_bytes > query.bytes_max) break;
      bytes += message_bytes;
      ++end;
      ++result.count;
    }
    if (end > begin) {
      const std::size_t at = here.begin_of(begin);
      result.slices.push_back({*segment, here.data() + at, here.end_of(end - 1) - at});
    }
    from = model::advance(here.first(), end);
    if (end < here.size()) break;
  }

  result.next = from;
  if (result.count > 0) {
    result.outcome = TailRead::Outcome::messages;
  } else {
    result.outcome = TailRead::Outcome::empty;
    result.next = std::max(from, end_);
    if (wait_on_loop) waiting_loops_ |= std::uint64_t{1} << *wait_on_loop;
  }
  return result;
}

std::uint64_t TopicLog::append(Offset first, WallTime time, std::span<std::string> payloads) {
  const std::lock_guard lock(mutex_);
  if (first != end_) {
    // The store went on somewhere else (it recovered, or another node wrote): what is between is read from the store.
    drop_all();
    end_ = first;
  }
  for (const std::string& payload : payloads) {
    segment_for(payload.size()).append(time, payload);
    end_ = model::next(end_);
  }
  last_activity_ = time;
  return std::exchange(waiting_loops_, 0);
}

void TopicLog::trim(Offset log_start, bool purged) {
  const std::lock_guard lock(mutex_);
  log_start_ = std::max(log_start_, log_start);
  end_ = std::max(end_, log_start_);
  while (!segments_.empty() && segments_.front()->end() <= log_start_) drop_front();
  if (purged) last_activity_.reset();
}

std::uint64_t TopicLog::mark_deleted() {
  const std::lock_guard lock(mutex_);
  deleted_ = true;
  drop_all();
  return std::exchange(waiting_loops_, 0);
}

void TopicLog::evict_oldest() {
  const std::lock_guard lock(mutex_);
  if (!segments_.empty()) drop_front();
}

void TopicLog::adopt(std::span<const model::Message> messages) {
  if (messages.empty()) return;
  std::size_t bytes = 0;
  for (const model::Message& message : messages) bytes += model::envelope_bytes_max(message.payload.size()) + 1;
  if (bytes > kSegmentBytesMax || !budget_->has_room(bytes))
    return;  // not worth holding: the store has it in its cache
  auto segment = std::make_shared<TailSegment>(messages.front().offset, bytes);
  for (const model::Message& message : messages) segment->append(message.time, message.payload);

  const std::lock_guard lock(mutex_);
  if (deleted_ || !segments_.empty() || segment->end() != end_ || segment->first() < log_start_) return;
  segment->budget_place = budget_->add(id_, bytes);
  segments_.push_back(std::move(segment));
}

Offset TopicLog::end() const {
  const std::lock_guard lock(mutex_);
  return end_;
}

bool TopicLog::empty() const {
  const std::lock_guard lock(mutex_);
  return log_start_ == end_;
}

std::optional<WallTime> TopicLog::last_activity() const {
  const std::lock_guard lock(mutex_);
  return last_activity_;
}

TailSegment& TopicLog::segment_for(std::size_t payload_bytes) {
  if (segments_.empty() || !segments_.back()->has_room(payload_bytes)) {
    // Quiet topics stay small, busy ones get room for many messages at once.
    const std::size_t last = segments_.empty() ? kSegmentBytesMin / 2 : segments_.back()->capacity();
    const std::size_t capacity = std::max(std::clamp(last * 2, kSegmentBytesMin, kSegmentBytesMax),
                                          model::envelope_bytes_max(payload_bytes) + 1);
    segments_.push_back(std::make_shared<TailSegment>(end_, capacity));
    segments_.back()->budget_place = budget_->add(id_, capacity);
  }
  return *segments_.back();
}

void TopicLog::drop_front() {
  budget_->remove(segments_.front()->budget_place, segments_.front()->capacity());
  segments_.pop_front();
}

void TopicLog::drop_all() {
  while (!segments_.empty()) drop_front();
}

}  // namespace weir::core
