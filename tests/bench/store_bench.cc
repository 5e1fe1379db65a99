// How fast the store alone is: durable appends with many in flight, and reads.
#include <atomic>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>

#include <benchmark/benchmark.h>

#include "weir/storage_rocksdb/rocks_store.h"

#include "support/temp_dir.h"

namespace weir::storage_rocksdb {
namespace {

using storage::Append;
using storage::Appended;
using storage::MessageBatch;
using storage::Offset;
using storage::TopicId;

constexpr TopicId kTopic{1};
constexpr std::size_t kPayloadBytes = 200;

class OpenStore {
 public:
  explicit OpenStore(storage::Durability durability) {
    Options options;
    options.data_dir = folder_.path() / "data";
    options.durability = durability;
    store_ = RocksStore::open(std::move(options)).value();
    if (!store_->create_log(kTopic)) std::abort();
  }
  RocksStore* operator->() { return store_.get(); }

 private:
  test::TempDir folder_;
  std::unique_ptr<RocksStore> store_;
};

/// Keeps `in_flight` appends under way: each completion starts the next one.
class Publisher {
 public:
  Publisher(OpenStore& store, std::size_t payloads) : store_(store), payloads_(payloads) {}

  void run(std::int64_t appends, std::int64_t in_flight) {
    to_start_ = appends;
    to_end_ = appends;
    for (std::int64_t i = 0; i < std::min(in_flight, appends); ++i) start();
    std::unique_lock lock(mutex_);
    ended_.wait(lock, [this] { return to_end_.load() == 0; });
  }

 private:
  void start() {
    if (to_start_.fetch_sub(1) <= 0) return;
    Append append;
    append.topic = kTopic;
    for (std::size_t i = 0; i < payloads_; ++i) append.payloads.emplace_back(kPayloadBytes, 'x');
    store_->append(std::move(append), [this](Result<Appended> result) {
      if (!result) std::abort();
      start();
      if (to_end_.fetch_sub(1) == 1) {
        const std::lock_guard lock(mutex_);
        ended_.notify_one();
      }
    });
  }

  OpenStore& store_;
  const std::size_t payloads_;
  std::atomic<std::int64_t> to_start_{0};
  std::atomic<std::int64_t> to_end_{0};
  std::mutex mutex_;
  std::condition_variable ended_;
};

void append_messages(benchmark::State& state, storage::Durability durability) {
  OpenStore store(durability);
  const std::int64_t in_flight = state.range(0);
  const auto payloads = static_cast<std::size_t>(state.range(1));
  const std::int64_t appends = std::max<std::int64_t>(in_flight * 20, 20'000 / state.range(1));
  for (auto _ : state) Publisher(store, payloads).run(appends, in_flight);
  state.SetItemsProcessed(state.iterations() * appends * static_cast<std::int64_t>(payloads));
}
BENCHMARK_CAPTURE(append_messages, fsync, storage::Durability::fsync)
    ->ArgNames({"in_flight", "payloads"})
    ->Args({1, 1})
    ->Args({16, 1})
    ->Args({64, 1})
    ->Args({256, 1})
    ->Args({1024, 1})
    ->Args({4, 100})
    ->UseRealTime();
BENCHMARK_CAPTURE(append_messages, os, storage::Durability::os)
    ->ArgNames({"in_flight", "payloads"})
    ->Args({64, 1})
    ->Args({1024, 1})
    ->UseRealTime();

void read_page(benchmark::State& state) {
  OpenStore store(storage::Durability::os);
  constexpr std::uint64_t kMessages = 200'000;
  Publisher(store, 100).run(kMessages / 100, 8);
  if (!store->flush_and_compact()) std::abort();
  std::uint64_t from = 0;
  for (auto _ : state) {
    std::mutex mutex;
    std::condition_variable changed;
    bool done = false;
    store->read({kTopic, Offset{from % (kMessages - 50)}, {}, 50, 1 << 20}, [&](Result<MessageBatch> batch) {
      if (!batch || batch.value().messages.size() != 50) std::abort();
      const std::lock_guard lock(mutex);
      done = true;
      changed.notify_one();
    });
    std::unique_lock lock(mutex);
    changed.wait(lock, [&] { return done; });
    from += 7919;
  }
  state.SetItemsProcessed(state.iterations() * 50);
}
BENCHMARK(read_page)->UseRealTime();

}  // namespace
}  // namespace weir::storage_rocksdb

BENCHMARK_MAIN();
