#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "weir/base/clock.h"
#include "weir/base/result.h"
#include "weir/storage/store.h"

#include "support/await.h"
#include "support/fake_clock.h"

namespace weir::storage::contract {

using model::value_of;
using std::chrono::milliseconds;
using test::Completion;
using test::FakeClock;
using test::kPatience;

inline constexpr TopicId kOrders{1};
inline constexpr TopicId kInvoices{2};
inline constexpr TopicId kUnknown{77};

struct StoreSettings {
  const Clock* clock = nullptr;
  milliseconds claim_window{3'600'000};
};

/// Somewhere a store keeps its data; each test gets a new one, its destructor removes what is left.
class Place {
 public:
  virtual ~Place() = default;
  /// A store on what this place holds: empty at first, later all that earlier stores left. One store at a time.
  virtual std::unique_ptr<Store> open(const StoreSettings& settings) = 0;
  /// Called again and again while a test waits: lets a store without threads of its own do its work.
  virtual void run() {}
  /// Whether several threads may call the store at once; if not, the tests make the same calls from one thread.
  virtual bool multi_threaded() const { return true; }
};

struct Implementation {
  std::string name;  ///< letters and digits
  std::function<std::unique_ptr<Place>()> make_place;
};
inline std::ostream& operator<<(std::ostream& out, const Implementation& implementation) {
  return out << implementation.name;
}
inline std::string implementation_name(const testing::TestParamInfo<Implementation>& info) {
  return info.param.name;
}

/// Remembers everything that the watcher is told, and the completions that a test adds, in the order they came.
class Recorder final : public LogWatcher {
 public:
  enum class Kind { appended, trimmed, commit_end, completion };
  struct Event {
    Kind kind{};
    TopicId topic{};
    Offset offset{};  ///< first offset, log start, or first offset of a completed append
    WallTime time{};
    bool purged = false;
    std::vector<std::string> payloads;
  };

  /// Called inside on_appended after it was recorded; set before the first append.
  std::function<void(TopicId, Offset, std::span<std::string>)> on_appended_hook;

  void on_appended(TopicId topic, Offset first, WallTime time, std::span<std::string> payloads) override {
    add({Kind::appended, topic, first, time, false, {payloads.begin(), payloads.end()}});
    if (on_appended_hook) on_appended_hook(topic, first, payloads);
    leave();
  }
  void on_trimmed(TopicId topic, Offset log_start, bool purged) override {
    add({Kind::trimmed, topic, log_start, {}, purged, {}});
    leave();
  }
  void on_commit_end() override {
    add({Kind::commit_end, {}, {}, {}, false, {}});
    leave();
  }
  void on_completion(TopicId topic, Offset offset) {
    const std::lock_guard lock(mutex_);
    events_.push_back({Kind::completion, topic, offset, {}, false, {}});
    changed_.notify_all();
  }

  std::vector<Event> events() const {
    const std::lock_guard lock(mutex_);
    return events_;
  }
  std::size_t count(Kind kind) const {
    const std::lock_guard lock(mutex_);
    return count_locked(kind);
  }
  /// True once there are `at_least` events of this kind; `run` as in Completion::wait.
  bool wait_for(Kind kind, std::size_t at_least, const std::function<void()>& run) {
    const auto deadline = std::chrono::steady_clock::now() + kPatience;
    std::unique_lock lock(mutex_);
    while (count_locked(kind) < at_least) {
      lock.unlock();
      run();
      lock.lock();
      changed_.wait_for(lock, milliseconds{2}, [&] { return count_locked(kind) >= at_least; });
      if (std::chrono::steady_clock::now() >= deadline) return false;
    }
    return true;
  }

 private:
  void add(Event event) {
    const std::lock_guard lock(mutex_);
    if (inside_) ADD_FAILURE() << "the watcher was called while it was being called";
    inside_ = true;
    events_.push_back(std::move(event));
    changed_.notify_all();
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    inside_ = false;
  }
  std::size_t count_locked(Kind kind) const {
    std::size_t n = 0;
    for (const Event& event : events_) n += event.kind == kind ? 1 : 0;
    return n;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  bool inside_ = false;
  std::vector<Event> events_;
};

inline Digest digest_of(std::uint8_t n) {
  Digest digest{};
  digest.fill(n);
  return digest;
}
inline Claim claim_of(std::uint8_t key, std::uint8_t fingerprint, std::string memo = {}) {
  return Claim{digest_of(key), digest_of(fingerprint), std::move(memo)};
}
inline Append append_of(TopicId topic, std::vector<std::string> payloads, std::optional<Claim> claim = std::nullopt) {
  Append append;
  append.topic = topic;
  for (std::string& payload : payloads) append.payloads.push_back(std::move(payload));
  if (claim) append.claim = std::make_unique<Claim>(*std::move(claim));
  return append;
}
inline std::vector<std::string> payloads_of(const MessageBatch& batch) {
  std::vector<std::string> payloads;
  for (const model::Message& message : batch.messages) payloads.push_back(message.payload);
  return payloads;
}
using Texts = std::vector<std::string>;

/// One store with a watcher and a fake clock, and the calls of the port made short: those that end in a plain value
/// wait for it and fail the test on an error, those named try_ give the Result.
class StoreHarness {
 public:
  explicit StoreHarness(const Implementation& implementation) : place_(implementation.make_place()) { open(); }

  void open() {
    StoreSettings settings;
    settings.clock = &clock_;
    settings.claim_window = kClaimWindow;
    store_ = place_->open(settings);
    store_->set_watcher(&watcher_);
  }
  void reopen() {
    store_->close();
    store_.reset();
    open();
  }

  void create(TopicId topic) {
    const auto created = store_->create_log(topic);
    ASSERT_TRUE(created) << created.error().detail;
  }
  std::function<void()> runner() {
    return [this] { place_->run(); };
  }
  template <class T>
  Result<T> wait(const Completion<T>& completion) {
    return completion.wait(runner());
  }

  Completion<Appended> start_append(TopicId topic, Texts payloads, std::optional<Claim> claim = std::nullopt) {
    Completion<Appended> end;
    store_->append(append_of(topic, std::move(payloads), std::move(claim)), end.callback());
    return end;
  }
  Completion<void> start_purge(TopicId topic) {
    Completion<void> end;
    store_->purge(topic, end.callback());
    return end;
  }
  Completion<void> start_trim(TopicId topic, std::uint64_t before) {
    Completion<void> end;
    store_->trim(topic, Offset{before}, end.callback());
    return end;
  }
  Completion<void> start_drop(TopicId topic) {
    Completion<void> end;
    store_->drop_log(topic, end.callback());
    return end;
  }
  Completion<MessageBatch> start_read(const Read& read) {
    Completion<MessageBatch> end;
    store_->read(read, end.callback());
    return end;
  }

  Result<Appended> try_append(TopicId topic, Texts payloads, std::optional<Claim> claim = std::nullopt) {
    return wait(start_append(topic, std::move(payloads), std::move(claim)));
  }
  Result<MessageBatch> try_read(const Read& read) { return wait(start_read(read)); }
  Result<LogStats> try_stats(TopicId topic, WallTime not_before = {}) {
    Completion<LogStats> end;
    store_->stats(topic, not_before, end.callback());
    return wait(end);
  }
  Result<std::optional<Appended>> try_find(TopicId topic, std::uint8_t key, std::uint8_t fingerprint) {
    Completion<std::optional<Appended>> end;
    store_->find_claim(topic, digest_of(key), digest_of(fingerprint), end.callback());
    return wait(end);
  }

  Appended append(TopicId topic, Texts payloads, std::optional<Claim> claim = std::nullopt) {
    return value(try_append(topic, std::move(payloads), std::move(claim)));
  }
  MessageBatch read(TopicId topic, std::uint64_t from = 0, std::uint32_t count_max = 1000,
                    std::size_t bytes_max = 1 << 30, WallTime not_before = {}) {
    return value(try_read(Read{topic, Offset{from}, not_before, count_max, bytes_max}));
  }
  LogStats stats(TopicId topic, WallTime not_before = {}) { return value(try_stats(topic, not_before)); }
  void purge(TopicId topic) { succeed(wait(start_purge(topic))); }
  void trim(TopicId topic, std::uint64_t before) { succeed(wait(start_trim(topic, before))); }
  void drop(TopicId topic) { succeed(wait(start_drop(topic))); }
  std::vector<LogInfo> logs() { return value(store_->logs()); }

  /// Calls `work(0)` … `work(count - 1)`, each on its own thread where the store allows it.
  void in_parallel(std::size_t count, const std::function<void(std::size_t)>& work) {
    if (!place_->multi_threaded()) {
      for (std::size_t i = 0; i < count; ++i) work(i);
      return;
    }
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < count; ++i) threads.emplace_back(work, i);
    for (std::thread& thread : threads) thread.join();
  }

  template <class T>
  static T value(Result<T> result) {
    if (result) return std::move(result).value();
    ADD_FAILURE() << "error " << static_cast<int>(result.error().code) << " " << result.error().detail;
    return T{};
  }
  static void succeed(const Result<void>& result) { EXPECT_TRUE(result) << result.error().detail; }

  static constexpr milliseconds kClaimWindow{3'600'000};

 protected:
  // In this order: the store goes first, then what it uses.
  FakeClock clock_;
  Recorder watcher_;
  std::unique_ptr<Place> place_;
  std::unique_ptr<Store> store_;
};

/// The suite; contract_*.h hold its tests. Starts with two empty logs, kOrders and kInvoices.
class StoreContract : public testing::TestWithParam<Implementation>, protected StoreHarness {
 protected:
  StoreContract() : StoreHarness(GetParam()) {}
  void SetUp() override {
    create(kOrders);
    create(kInvoices);
  }
};

#define WEIR_EXPECT_ERROR(result, expected_code)                      \
  do {                                                                \
    const auto& weir_result = (result);                               \
    ASSERT_FALSE(weir_result) << "must fail with " << #expected_code; \
    EXPECT_EQ(weir_result.error().code, expected_code);               \
  } while (false)

}  // namespace weir::storage::contract
