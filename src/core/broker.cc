#include "weir/core/broker.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <utility>

#include "weir/base/assert.h"
#include "weir/base/digest.h"
#include "weir/model/message.h"
#include "weir/model/message_id.h"

#include "core/batch_memo.h"
#include "core/page_budget.h"
#include "core/shard.h"

namespace weir::core {

using model::Offset;
using model::TopicId;
using model::value_of;

namespace {

/// Set while this thread is inside a call into the store: a completion that comes now is on its loop already.
thread_local bool in_store_call = false;
/// Set between a commit's first append and its end, on the thread that commits: completions wait for the end.
thread_local bool in_commit = false;

class StoreCall {
 public:
  StoreCall() : before_(std::exchange(in_store_call, true)) {}
  ~StoreCall() { in_store_call = before_; }
  StoreCall(const StoreCall&) = delete;
  StoreCall& operator=(const StoreCall&) = delete;

 private:
  bool before_;
};

Error no_such_cursor(std::optional<Offset> oldest) {
  Error error = make_error(Errc::message_not_found, "the cursor does not match a message in this topic");
  error.fields.push_back({"oldest_message_id", oldest ? model::MessageId(*oldest).str() : std::string()});
  return error;
}

/// How many messages fit into a page, and how long it can be.
struct PageSize {
  std::size_t count = 0;
  std::size_t bytes = 0;
};

/// At least one message fits, whatever its size.
PageSize measure(std::span<const model::Message> messages, std::size_t count_max, std::size_t bytes_max) {
  PageSize size;
  for (; size.count < std::min(messages.size(), count_max); ++size.count) {
    const std::size_t more = model::envelope_bytes_max(messages[size.count].payload.size()) + 1;
    if (size.count > 0 && size.bytes + more > bytes_max) break;
    size.bytes += more;
  }
  return size;
}

Page render(std::span<const model::Message> messages, std::size_t bytes) {
  Page page;
  page.envelopes.reserve(bytes);
  for (const model::Message& message : messages) {
    if (!page.envelopes.empty()) page.envelopes += ',';
    model::append_envelope(page.envelopes, message.offset, message.time, message.payload);
  }
  page.count = static_cast<std::uint32_t>(messages.size());
  page.next = model::next(messages.back().offset);
  return page;
}

/// A batch between the checks and the answer.
struct BatchCall {
  std::vector<std::variant<Offset, Error>> items;
  PublishBatchDone done;
};

}  // namespace

struct Broker::Impl {
  storage::LogStore& store;
  TopicRegistry& registry;
  const Clock& clock;
  const BrokerLimits limits;
  const std::shared_ptr<TailBudget> budget;
  PageBudget pages;
  std::atomic<std::size_t> polls_waiting{0};
  std::vector<std::unique_ptr<core::Shard>> shards;

  // commit thread
  RegistryView commit_view;

  Impl(storage::LogStore& s, TopicRegistry& r, const Clock& c, BrokerLimits l)
      : store(s),
        registry(r),
        clock(c),
        limits(l),
        budget(std::make_shared<TailBudget>(l.tail_bytes_max)),
        pages(l.page_bytes_max),
        commit_view(r) {}

  /// Brings the end of a store operation to its loop: at once if it came inside the call, with the rest of its commit
  /// if it came on the commit thread, by itself otherwise.
  template <class F>
  void finish(core::Shard& shard, F&& finished) {
    if (in_store_call) {
      finished();
    } else if (in_commit) {
      shard.push(std::forward<F>(finished));
    } else {
      shard.loop().post(std::forward<F>(finished));
    }
  }

  std::unique_ptr<storage::Claim> make_claim(const IdempotencyKey& key, std::string memo) const {
    auto claim = std::make_unique<storage::Claim>();
    claim->key = sha256(key.key);
    claim->fingerprint = key.fingerprint;
    claim->memo = std::move(memo);
    return claim;
  }

  Published published(const storage::Appended& appended) const {
    return {appended.first, appended.time, store.durability(), appended.replayed};
  }

  void append(storage::Append&& append, storage::AppendDone&& done) {
    const StoreCall guard;
    store.append(std::move(append), std::move(done));
  }

  void publish_checked(core::Shard& shard, TopicId topic, std::string_view body, const IdempotencyKey* key,
                       PublishDone done) {
    // Here and below a reference that is used before anything else can look at the topics: a count that every loop
    // changes for every publish to a topic would travel between the cores.
    const TopicEntryPtr& entry = shard.topics().find(topic);
    if (!entry) return done(make_error(Errc::topic_not_found));
    auto payload = shard.checker().check(entry->schema, body);
    if (!payload) return done(std::move(payload).error());

    storage::Append unit;
    unit.topic = topic;
    unit.loop = static_cast<std::uint32_t>(shard.loop().index());
    unit.payloads.push_back(std::move(payload).value());
    if (key != nullptr) unit.claim = make_claim(*key, {});
    append(std::move(unit), [this, &shard, done = std::move(done)](Result<storage::Appended> appended) mutable {
      Result<Published> result =
          appended ? Result<Published>(published(appended.value())) : Result<Published>(std::move(appended).error());
      finish(shard, [done = std::move(done), result = std::move(result)]() mutable { done(std::move(result)); });
    });
  }

  void publish_batch_checked(core::Shard& shard, TopicId topic, std::span<const std::string_view> bodies,
                             const IdempotencyKey* key, PublishBatchDone done) {
    const TopicEntryPtr& entry = shard.topics().find(topic);
    if (!entry) return done(make_error(Errc::topic_not_found));
    auto call = std::make_unique<BatchCall>();
    call->done = std::move(done);
    call->items.reserve(bodies.size());
    storage::Append unit;
    unit.topic = topic;
    unit.loop = static_cast<std::uint32_t>(shard.loop().index());
    for (const std::string_view body : bodies) {
      auto payload = shard.checker().check(entry->schema, body);
      if (payload) {
        call->items.emplace_back(Offset{});  // known after the append
        unit.payloads.push_back(std::move(payload).value());
      } else {
        call->items.emplace_back(std::move(payload).error());
      }
    }
    if (key != nullptr) {
      unit.claim = make_claim(*key, encode_batch_memo(call->items));
    } else if (unit.payloads.empty()) {
      PublishedBatch nothing{std::move(call->items), store.durability(), false};
      return call->done(std::move(nothing));
    }
    append(std::move(unit), [this, &shard, call = std::move(call)](Result<storage::Appended> appended) mutable {
      finish(shard, [this, call = std::move(call), appended = std::move(appended)]() mutable {
        if (!appended) return call->done(std::move(appended).error());
        call->done(batch_result(std::move(call->items), appended.value()));
      });
    });
  }

  /// Gives the stored items their offsets. A replayed batch takes its items from the memo of the first time.
  Result<PublishedBatch> batch_result(std::vector<std::variant<Offset, Error>> items,
                                      const storage::Appended& appended) const {
    if (appended.replayed) {
      WEIR_TRY(items, decode_batch_memo(appended.memo));
    }
    Offset offset = appended.first;
    for (auto& item : items) {
      if (auto* stored = std::get_if<Offset>(&item)) *stored = std::exchange(offset, model::next(offset));
    }
    return PublishedBatch{std::move(items), store.durability(), appended.replayed};
  }

  /// Looks for the answer of an earlier publish with this key; `then(Result<optional<Appended>>)` runs on the loop.
  template <class Then>
  void find_claim(core::Shard& shard, TopicId topic, const IdempotencyKey& key, Then then) {
    const StoreCall guard;
    store.find_claim(topic, sha256(key.key), key.fingerprint,
                     [this, &shard, then = std::move(then)](Result<std::optional<storage::Appended>> found) mutable {
                       finish(shard,
                              [then = std::move(then), found = std::move(found)]() mutable { then(std::move(found)); });
                     });
  }

  // --- reads below the tail

  /// What a cold read has to judge besides reading.
  struct ColdRead {
    std::optional<Offset> cursor;  ///< must name a live message, or be forgiven by the policy
    CursorPolicy policy = CursorPolicy::strict;
    WallTime since{WallTime::min()};
  };

  /// A page, or where to go on when the store had nothing (more).
  struct Verdict {
    std::shared_ptr<const Page> page;
    Offset go_on{};
  };

  void read_store(core::Shard& shard, WaitingPoll& poll, ColdRead cold) {
    const TopicEntryPtr entry = shard.topics().find(poll.topic);
    if (!entry) return shard.answer(poll, make_error(Errc::topic_not_found));
    storage::Read read;
    read.topic = poll.topic;
    read.from = cold.cursor ? *cold.cursor : poll.from;
    read.not_before = std::max(entry->topic.oldest_readable(clock.wall_now()), cold.since);
    read.count_max = poll.count_max + (cold.cursor ? 1 : 0);
    read.bytes_max = poll.bytes_max;
    const PollTicket ticket = core::Shard::ticket_of(poll);
    // Who wants the same joins the read that is under way: one page for all, as in the tail.
    const bool plain = !cold.cursor && cold.since == WallTime::min();
    if (plain && shard.join_read(poll)) return;
    const std::uint64_t shared_read = plain ? shard.begin_read(poll) : 0;
    const std::uint32_t count_max = poll.count_max;
    const StoreCall guard;
    store.read(read, [this, &shard, ticket, shared_read, cold, count_max, bytes_max = poll.bytes_max,
                      log = entry->log](Result<storage::MessageBatch> batch) mutable {
      auto verdict = batch ? judge(std::move(batch).value(), cold, count_max, bytes_max, *log)
                           : Result<Verdict>(std::move(batch).error());
      // The polls are looked up again: their clients may have gone meanwhile.
      finish(shard, [this, &shard, ticket, shared_read, verdict = std::move(verdict)] {
        if (shared_read == 0) return conclude(shard, ticket, verdict);
        for (const PollTicket waiting : shard.end_read(shared_read)) conclude(shard, waiting, verdict);
      });
    });
  }

  /// On the store's reader thread: rendering a large page must not hold up a loop.
  Result<Verdict> judge(storage::MessageBatch batch, const ColdRead& cold, std::uint32_t count_max,
                        std::size_t bytes_max, TopicLog& log) {
    std::span<const model::Message> messages = batch.messages;
    if (!messages.empty() && model::next(messages.back().offset) == batch.log_end) log.adopt(messages);
    if (cold.cursor) {
      const Offset cursor = *cold.cursor;
      if (!messages.empty() && messages.front().offset == cursor) {
        messages = messages.subspan(1);
        if (messages.empty()) return Verdict{nullptr, model::next(cursor)};
      } else {
        const Offset resume = messages.empty() ? batch.log_end : messages.front().offset;
        const bool nothing_missing = model::next(cursor) == resume;
        const bool accepted = cursor < batch.log_end && (cold.policy == CursorPolicy::earliest ||
                                                         (cold.policy == CursorPolicy::lossless && nothing_missing));
        if (!accepted) {
          return no_such_cursor(messages.empty() ? std::nullopt : std::optional(messages.front().offset));
        }
      }
    }
    if (messages.empty()) return Verdict{nullptr, batch.log_end};
    const PageSize size = measure(messages, count_max, bytes_max);
    auto page = pages.make(size.bytes, [&] { return render(messages.first(size.count), size.bytes); });
    if (!page) return pages_overloaded();
    return Verdict{std::move(page), {}};
  }

  void conclude(core::Shard& shard, PollTicket ticket, const Result<Verdict>& verdict) {
    WaitingPoll* const poll = shard.find(ticket);
    if (poll == nullptr) return;
    if (!verdict) return shard.answer(*poll, verdict.error());
    if (verdict.value().page) return shard.answer(*poll, verdict.value().page);
    poll->from = verdict.value().go_on;
    if (!shard.read_tail_or_park(*poll)) read_store(shard, *poll, {});
  }

  /// A cursor beyond the log end never named a message. The answer still tells where the topic starts.
  void refuse_cursor(core::Shard& shard, WaitingPoll& poll, const TopicEntry& entry) {
    storage::Read read;
    read.topic = poll.topic;
    read.not_before = entry.topic.oldest_readable(clock.wall_now());
    read.count_max = 1;
    const PollTicket ticket = core::Shard::ticket_of(poll);
    const StoreCall guard;
    store.read(read, [this, &shard, ticket](Result<storage::MessageBatch> batch) {
      Error error = !batch                           ? std::move(batch).error()
                    : batch.value().messages.empty() ? no_such_cursor(std::nullopt)
                                                     : no_such_cursor(batch.value().messages.front().offset);
      finish(shard, [&shard, ticket, error = std::move(error)]() mutable {
        if (WaitingPoll* waiting = shard.find(ticket)) shard.answer(*waiting, std::move(error));
      });
    });
  }
};

Broker::Broker(storage::LogStore& store, TopicRegistry& registry, const Clock& clock, std::vector<Loop*> loops,
               BrokerLimits limits)
    : impl_(std::make_unique<Impl>(store, registry, clock, limits)) {
  WEIR_ASSERT(!loops.empty() && loops.size() <= kLoopsMax);
  for (Loop* loop : loops) {
    auto shard =
        std::make_unique<core::Shard>(*loop, registry, clock, limits.payload, impl_->pages, impl_->polls_waiting);
    shard->read_store = [impl = impl_.get(), place = shard.get()](WaitingPoll& poll) {
      impl->read_store(*place, poll, {});
    };
    impl_->shards.push_back(std::move(shard));
  }
}

Broker::~Broker() = default;

void Broker::publish(std::size_t loop, TopicId topic, std::string_view body, std::optional<IdempotencyKey> key,
                     PublishDone done) {
  core::Shard& shard = *impl_->shards[loop];
  if (!key) return impl_->publish_checked(shard, topic, body, nullptr, std::move(done));
  // A retry must get its first answer even if the schema has changed since: look before checking.
  auto then = [impl = impl_.get(), &shard, topic, text = std::string(body), claim_key = *key,
               done = std::move(done)](Result<std::optional<storage::Appended>> found) mutable {
    if (!found) return done(std::move(found).error());
    if (found.value()) return done(impl->published(*found.value()));
    impl->publish_checked(shard, topic, text, &claim_key, std::move(done));
  };
  impl_->find_claim(shard, topic, *key, std::move(then));
}

void Broker::publish_batch(std::size_t loop, TopicId topic, std::span<const std::string_view> items,
                           std::optional<IdempotencyKey> key, PublishBatchDone done) {
  core::Shard& shard = *impl_->shards[loop];
  if (!key) return impl_->publish_batch_checked(shard, topic, items, nullptr, std::move(done));
  std::vector<std::string> texts(items.begin(), items.end());
  auto then = [impl = impl_.get(), &shard, topic, texts = std::move(texts), claim_key = *key,
               done = std::move(done)](Result<std::optional<storage::Appended>> found) mutable {
    if (!found) return done(std::move(found).error());
    if (found.value()) return done(impl->batch_result({}, *found.value()));
    const std::vector<std::string_view> views(texts.begin(), texts.end());
    impl->publish_batch_checked(shard, topic, views, &claim_key, std::move(done));
  };
  impl_->find_claim(shard, topic, *key, std::move(then));
}

PollTicket Broker::poll(std::size_t loop, const Poll& poll, PollDone done) {
  core::Shard& shard = *impl_->shards[loop];
  const TopicEntryPtr entry = shard.topics().find(poll.topic);
  if (!entry) {
    done(make_error(Errc::topic_not_found));
    return PollTicket::answered;
  }
  const WallTime now = impl_->clock.wall_now();
  TailQuery query;
  query.not_before = entry->topic.oldest_readable(now);
  query.count_max = poll.count_max;
  query.bytes_max = poll.bytes_max;
  Impl::ColdRead cold;
  if (const auto* after = std::get_if<AfterMessage>(&poll.start)) {
    query.from = model::next(after->offset);
    query.check_cursor = true;
    cold.cursor = after->offset;
    cold.policy = poll.policy;
  } else if (const auto* since = std::get_if<SinceTime>(&poll.start)) {
    if (since->time >= now) {
      query.from = entry->log->end();  // only what comes from now on
    } else {
      cold.since = since->time + std::chrono::milliseconds{1};
      query.not_before = std::max(query.not_before, cold.since);
    }
  }

  const bool full = impl_->polls_waiting.load(std::memory_order_relaxed) >= impl_->limits.polls_waiting_max;
  const bool may_wait = poll.timeout > std::chrono::milliseconds{0} && !shard.released();
  const TailRead read = entry->log->read(query, may_wait && !full ? std::optional(loop) : std::nullopt);
  switch (read.outcome) {
    case TailRead::Outcome::messages:
      if (auto page = shard.make_page(read)) {
        done(std::move(page));
      } else {
        done(pages_overloaded());
      }
      return PollTicket::answered;
    case TailRead::Outcome::gone: done(make_error(Errc::topic_not_found)); return PollTicket::answered;
    case TailRead::Outcome::empty: {
      if (!may_wait) {
        done(empty_page());
        return PollTicket::answered;
      }
      if (full) {
        done(make_error(Errc::overloaded, "too many polls are waiting"));
        return PollTicket::answered;
      }
      WaitingPoll& waiting = shard.enlist(poll, read.next, std::move(done));
      shard.park(waiting, read.next);
      return core::Shard::ticket_of(waiting);
    }
    case TailRead::Outcome::below_tail: {
      if (may_wait && full) {
        done(make_error(Errc::overloaded, "too many polls are waiting"));
        return PollTicket::answered;
      }
      WaitingPoll& waiting = shard.enlist(poll, query.from, std::move(done));
      const PollTicket ticket = core::Shard::ticket_of(waiting);
      if (cold.cursor && *cold.cursor >= entry->log->end()) {
        impl_->refuse_cursor(shard, waiting, *entry);
      } else {
        impl_->read_store(shard, waiting, cold);
      }
      return shard.find(ticket) != nullptr ? ticket : PollTicket::answered;
    }
  }
  WEIR_ASSERT(false);
  return PollTicket::answered;
}

void Broker::cancel(std::size_t loop, PollTicket ticket) {
  core::Shard& shard = *impl_->shards[loop];
  if (WaitingPoll* poll = shard.find(ticket)) shard.forget(*poll);
}

void Broker::release_polls(std::size_t loop) {
  impl_->shards[loop]->release_all();
}

std::size_t Broker::polls_waiting() const {
  return impl_->polls_waiting.load(std::memory_order_relaxed);
}

void Broker::on_topic_deleted(TopicLog& log, TopicId topic) {
  std::uint64_t loops = log.mark_deleted();
  for (; loops != 0; loops &= loops - 1) {
    impl_->shards[static_cast<std::size_t>(std::countr_zero(loops))]->post_wake(topic);
  }
}

std::shared_ptr<TailBudget> Broker::tail_budget() {
  return impl_->budget;
}

void Broker::on_appended(TopicId topic, Offset first, WallTime time, std::span<std::string> payloads) {
  in_commit = true;
  const TopicEntryPtr& entry = impl_->commit_view.find(topic);
  if (!entry) return;  // deleted since
  std::uint64_t loops = entry->log->append(first, time, payloads);
  for (; loops != 0; loops &= loops - 1) {
    impl_->shards[static_cast<std::size_t>(std::countr_zero(loops))]->wake(topic);
  }
}

void Broker::on_trimmed(TopicId topic, Offset log_start, bool purged) {
  const TopicEntryPtr& entry = impl_->commit_view.find(topic);
  if (entry) entry->log->trim(log_start, purged);
}

void Broker::on_commit_end() {
  in_commit = false;
  while (const auto topic = impl_->budget->over_budget()) {
    const TopicEntryPtr& entry = impl_->commit_view.find(*topic);
    if (!entry) break;  // being deleted: its memory goes with it
    entry->log->evict_oldest();
  }
  for (const auto& shard : impl_->shards) shard->flush();
}

}  // namespace weir::core
