#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "weir/base/clock.h"
#include "weir/base/executor.h"
#include "weir/base/result.h"
#include "weir/base/unique_function.h"
#include "weir/core/topic_registry.h"
#include "weir/model/ids.h"
#include "weir/model/payload.h"
#include "weir/storage/log_store.h"

namespace weir::core {

class TailBudget;
class TopicLog;

/// Makes a publish repeatable: the client's key and a digest of what it sent.
struct IdempotencyKey {
  std::string key;       ///< 1 to 255 bytes, as the client sent it
  Digest fingerprint{};  ///< of everything that must be the same in a retry
};

struct Published {
  model::Offset offset{};
  WallTime time{};
  storage::Durability durability{};
  bool replayed = false;  ///< a retry with a known idempotency key: nothing was stored now
};

struct PublishedBatch {
  /// One for each item in order: where it went, or why it was refused.
  std::vector<std::variant<model::Offset, Error>> items;
  storage::Durability durability{};
  bool replayed = false;
};

/// Messages in their JSON form, ready to be sent; shared by all who wait for the same ones.
struct Page {
  std::string envelopes;  ///< `{"message_id":…},{…}`: comma-separated, no brackets
  std::uint32_t count = 0;
  model::Offset next{};  ///< one past the last
};

/// What to do with a cursor whose message has expired or was purged.
enum class CursorPolicy : std::uint8_t {
  strict,    ///< refuse
  lossless,  ///< go on if nothing between it and the oldest retained message is missing, else refuse
  earliest,  ///< go on at the oldest retained message
};

struct FromOldest {};
struct AfterMessage {
  model::Offset offset;
};
struct SinceTime {
  WallTime time;  ///< strictly after; the future counts as now
};

struct Poll {
  model::TopicId topic{};
  std::variant<FromOldest, AfterMessage, SinceTime> start;
  CursorPolicy policy = CursorPolicy::strict;
  std::uint32_t count_max = 50;
  std::size_t bytes_max = 50 << 20;      ///< of envelopes; at least one message is given
  std::chrono::milliseconds timeout{0};  ///< zero: answer at once
};

using PublishDone = UniqueFunction<void(Result<Published>), 48>;
using PublishBatchDone = UniqueFunction<void(Result<PublishedBatch>), 48>;
using PollDone = UniqueFunction<void(Result<std::shared_ptr<const Page>>), 48>;

/// A poll under way, for cancel(). Zero: it has already been answered.
enum class PollTicket : std::uint64_t { answered = 0 };

struct BrokerLimits {
  std::size_t tail_bytes_max = 64 << 20;      ///< memory for the newest messages, over all topics
  std::size_t polls_waiting_max = 1'000'000;  ///< over all loops; more: overloaded
  std::size_t page_bytes_max = 512 << 20;     ///< pages that clients have not taken yet; more: overloaded
  model::PayloadLimits payload;
};

/// The core: publishes and reads for every door. One for the process, with a part for each network loop: the functions
/// that take `loop` must be called on that loop's thread and call `done` there, exactly once (poll: unless cancelled),
/// possibly before they return.
class Broker final : public storage::LogWatcher {
 public:
  /// `loops` in index order. All references must outlive the broker, and it must outlive the store's last completion.
  Broker(storage::LogStore& store, TopicRegistry& registry, const Clock& clock, std::vector<Loop*> loops,
         BrokerLimits limits);
  ~Broker() override;

  /// Checks one message against the topic's schema and appends it. Durable when done (see Published::durability).
  /// Errors: topic_not_found, those of PayloadChecker::check, idempotency_conflict, overloaded, storage_full,
  /// storage_failed, shutting_down.
  void publish(std::size_t loop, model::TopicId topic, std::string_view body, std::optional<IdempotencyKey> key,
               PublishDone done);
  /// The same for several messages (JSON texts): the good ones are appended as one unit, the others reported.
  /// Item errors: those of PayloadChecker::check. Call errors: the rest of publish()'s.
  void publish_batch(std::size_t loop, model::TopicId topic, std::span<const std::string_view> items,
                     std::optional<IdempotencyKey> key, PublishBatchDone done);

  /// Reads, or waits for, messages. Nothing arriving in time: a page with count 0.
  /// Errors: topic_not_found (also when deleted while waiting); message_not_found, `fields` has one entry
  /// "oldest_message_id" (its message empty when nothing is retained); overloaded; data_corrupt; storage_failed.
  PollTicket poll(std::size_t loop, const Poll& poll, PollDone done);
  /// Forgets a waiting poll (its client has gone): `done` is destroyed uncalled. Unknown tickets are ignored.
  void cancel(std::size_t loop, PollTicket ticket);
  /// Answers every poll that waits on this loop with an empty page, and later ones at once: shutdown.
  void release_polls(std::size_t loop);
  /// Polls that wait now, over all loops. Any thread.
  std::size_t polls_waiting() const;

  /// The topic was removed from the registry: answers those who wait for it. Any thread.
  void on_topic_deleted(TopicLog& log, model::TopicId topic);
  /// The budget that topic logs of this broker share.
  std::shared_ptr<TailBudget> tail_budget();

  // storage::LogWatcher, on the store's commit thread:
  void on_appended(model::TopicId topic, model::Offset first, WallTime time, std::span<std::string> payloads) override;
  void on_trimmed(model::TopicId topic, model::Offset log_start, bool purged) override;
  void on_commit_end() override;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::core
