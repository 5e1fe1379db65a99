#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <boost/container/small_vector.hpp>

#include "weir/base/clock.h"
#include "weir/base/digest.h"
#include "weir/base/result.h"
#include "weir/base/unique_function.h"
#include "weir/model/ids.h"
#include "weir/model/message.h"

/// The storage port: durable, ordered logs (this file) and small keyed state (keyed_store.h).
/// Every implementation passes tests/unit/storage/contract.h.
namespace weir::storage {

using model::Offset;
using model::TopicId;

/// What an acknowledged append survives.
enum class Durability : std::uint8_t {
  os,          ///< the end of the process; a crash of the host may lose a tail
  fsync,       ///< a crash of the host and a power cut too
  replicated,  ///< the loss of a machine too
};

/// The payloads of one append; one of them needs no allocation of its own.
using Payloads = boost::container::small_vector<std::string, 1>;

/// Makes an append repeatable: the first append with `key` in a topic within the window stores, later ones get its
/// answer.
struct Claim {
  Digest key{};          ///< digest of the client's idempotency key
  Digest fingerprint{};  ///< digest of the request's body: the same key with another one is a conflict
  std::string memo;      ///< the caller's note, given back with a repeated answer
};

/// Of an append that no network loop made.
inline constexpr std::uint32_t kNoLoop = UINT32_MAX;

struct Append {
  TopicId topic{};
  Payloads payloads;             ///< may be empty only with a claim: nothing becomes readable, no publish is counted
  std::unique_ptr<Claim> claim;  ///< null: none
  std::uint32_t loop = kNoLoop;  ///< the calling network loop, as in end_round()
};

struct Appended {
  Offset first{};  ///< of the first payload; the others follow without a gap
  std::uint32_t count = 0;
  WallTime time{};        ///< one time for the whole append: the clock's, or that of the topic's last message (also a
                          ///< trimmed or purged one) if that is later
  bool replayed = false;  ///< a claim was known: nothing was stored now, the values are those of the first time
  std::string memo;       ///< of the claim, when replayed
};

struct Read {
  TopicId topic{};
  Offset from{};                    ///< inclusive
  WallTime not_before{};            ///< older messages are skipped (exact retention, since_time)
  std::uint32_t count_max = 50;     ///< at least 1
  std::size_t bytes_max = 1 << 20;  ///< of payload; at least one message is returned if there is any
};

struct MessageBatch {
  std::vector<model::Message> messages;  ///< in order, without a gap between them
  Offset log_end{};                      ///< of the topic when it was read
};

struct LogStats {
  Offset log_start{};   ///< first offset that is physically kept
  Offset first_live{};  ///< first offset at or after the `not_before` that was asked for; log_end if none
  Offset log_end{};
  std::uint64_t retained_messages = 0;    ///< log_end - first_live
  std::uint64_t retained_bytes = 0;       ///< of their payloads
  std::uint64_t published_total = 0;      ///< since creation or the last purge
  std::optional<WallTime> last_activity;  ///< time of the last publish; empty if none since the last purge
};

/// A log as found at start.
struct LogInfo {
  TopicId topic{};
  Offset log_start{};
  Offset log_end{};
  std::optional<WallTime> last_activity;
};

struct Health {
  enum class State : std::uint8_t { ok, full, failed } state = State::ok;
  std::string reason;  ///< for operators; empty when ok
};

/// Told of everything that becomes readable, in log order, before the append's own completion.
/// Called on the store's commit thread, one call at a time. Must not block and must not call back into the store's
/// blocking functions.
class LogWatcher {
 public:
  virtual ~LogWatcher() = default;
  /// `payloads` are readable from now on. The watcher may move them away.
  virtual void on_appended(TopicId topic, Offset first, WallTime time, std::span<std::string> payloads) = 0;
  /// Everything before `log_start` is gone (purge, retention); `purged` also resets the statistics.
  virtual void on_trimmed(TopicId topic, Offset log_start, bool purged) = 0;
  /// The completions of one commit have been called: the time to wake other threads, once for all of them.
  virtual void on_commit_end() = 0;
};

/// Inline storage large enough for the core's callbacks: an append allocates nothing for its completion.
using AppendDone = UniqueFunction<void(Result<Appended>), 112>;
using ReadDone = UniqueFunction<void(Result<MessageBatch>), 112>;
template <class T>
using Done = UniqueFunction<void(Result<T>), 64>;

/// Durable, ordered storage of messages. Safe to call from any thread after open; completions come on threads of the
/// store, exactly once each, also when the store is closed (shutting_down), and must not block.
class LogStore {
 public:
  virtual ~LogStore() = default;

  /// Must be called before the first append; null for none. Not thread-safe.
  virtual void set_watcher(LogWatcher* watcher) = 0;

  /// The logs found at start, in topic order. Blocks.
  virtual Result<std::vector<LogInfo>> logs() = 0;
  /// Makes an empty log; durable when it returns. Blocks. Idempotent for a log that never had a message.
  /// Errors: conflict (it had one, nothing was changed), storage_full, storage_failed, shutting_down.
  virtual Result<void> create_log(TopicId topic) = 0;
  /// Removes a log with its claims; its id is never reused by the caller. Ordered with the appends: those given before
  /// complete normally, later ones fail with topic_not_found. Unknown topics succeed. Durable when done.
  /// Errors: storage_full, storage_failed, shutting_down.
  virtual void drop_log(TopicId topic, Done<void> done) = 0;

  /// Appends the payloads as one unit: all of them become readable, contiguous and in order, or none.
  /// Appends to one topic take offsets in the order of the calls. Once `done` has a value the unit is durable as
  /// durability() says and readable by everyone; nothing is readable before it is durable.
  /// Errors: topic_not_found, bad_request (no payload and no claim), idempotency_conflict, overloaded (queue full),
  /// data_corrupt (the claim that is stored cannot be read), shutting_down: nothing was stored.
  /// storage_full: nothing was stored, as a rule. If the write itself found the device full, all of the unit may turn
  /// out to be stored when the store recovers; readers then get it once, at its place, before anything later. Who tries
  /// again without a claim may so store it twice.
  /// storage_failed: unknown whether it was stored, and every later append fails the same way until a restart (or only
  /// the claim could not be read: nothing was stored).
  virtual void append(Append append, AppendDone done) = 0;
  /// Tells that `loop` has handled all the requests that were ready, or a bounded part of them: a store may let appends
  /// wait for it, so that what the loops take in together shares one sync. Called on the loop, often. A hint, and never
  /// a condition: for a loop whose round is long, or that stops calling, the appends of all wait once in that round,
  /// and no longer than a limit of the store's (the durable one: `round_wait_max`, 10 ms, and what the threads'
  /// scheduling adds) besides the commit that is being written.
  virtual void end_round(std::uint32_t loop) { static_cast<void>(loop); }

  /// Reads messages at or after `from` with a time of `not_before` or later; empty if there are none yet.
  /// A `from` before the log start reads from the log start.
  /// Errors: topic_not_found, data_corrupt, storage_failed, overloaded, shutting_down.
  virtual void read(Read read, ReadDone done) = 0;

  /// Counts as a reader with `not_before` sees them. Errors: as read.
  virtual void stats(TopicId topic, WallTime not_before, Done<LogStats> done) = 0;

  /// The answer of an earlier append with this claim key; empty if there is none within the window.
  /// Errors: idempotency_conflict (another fingerprint), as read.
  virtual void find_claim(TopicId topic, const Digest& key, const Digest& fingerprint,
                          Done<std::optional<Appended>> done) = 0;

  /// Drops everything before the current log end and resets the statistics; the offsets go on. Ordered with the appends
  /// as drop_log is; its claims and the floor of its times stay. Durable when done.
  /// Errors: topic_not_found, storage_full, storage_failed, shutting_down.
  virtual void purge(TopicId topic, Done<void> done) = 0;
  /// Gives the disk space of everything before `before` back (retention); lazily, readers have stopped seeing it long
  /// since. Never moves the log start backwards, nor beyond the log end. Errors: as purge.
  virtual void trim(TopicId topic, Offset before, Done<void> done) = 0;

  virtual Durability durability() const = 0;
  virtual Health health() const = 0;
};

}  // namespace weir::storage
