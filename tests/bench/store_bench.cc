// How fast the store alone is: durable appends with many in flight beside one sync of the same bytes, reads that are
// warm and cold, retention and purge of a large topic.
#include <atomic>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>

#include <benchmark/benchmark.h>
#include <fcntl.h>
#include <unistd.h>

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
constexpr std::uint64_t kPageMessages = 50;

/// Text that does not compress, so that a table is as large as a user's would be; another for each `seed`.
std::string payload(std::size_t bytes, std::uint64_t seed) {
  std::string text(bytes, ' ');
  for (char& letter : text) {
    seed = seed * 6364136223846793005u + 1442695040888963407u;
    letter = static_cast<char>('0' + (seed >> 58));
  }
  return text;
}

class OpenStore {
 public:
  explicit OpenStore(storage::Durability durability, std::size_t block_cache_bytes = 128 << 20) {
    options_.data_dir = folder_.path() / "data";
    options_.durability = durability;
    options_.block_cache_bytes = block_cache_bytes;
    open();
    if (!store_->create_log(kTopic)) std::abort();
  }
  RocksStore* operator->() { return store_.get(); }

  void close() { store_.reset(); }
  void open() { store_ = RocksStore::open(options_).value(); }
  /// The kernel forgets what it holds of the store's files, as after a restart of the host; the block cache is that of
  /// a store just opened.
  void forget() {
    close();
    for (const auto& entry : std::filesystem::recursive_directory_iterator(folder_.path())) {
      if (!entry.is_regular_file()) continue;
      const int fd = ::open(entry.path().c_str(), O_RDONLY | O_CLOEXEC);
      if (fd < 0 || ::fsync(fd) != 0 || ::posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED) != 0) std::abort();
      ::close(fd);
    }
    open();
  }

 private:
  test::TempDir folder_;
  Options options_;
  std::unique_ptr<RocksStore> store_;
};

/// Waits for one completion.
class Waiter {
 public:
  void done() {
    const std::lock_guard lock(mutex_);
    done_ = true;
    changed_.notify_one();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return done_; });
    done_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool done_ = false;
};

/// Keeps `in_flight` appends under way: each completion starts the next one.
class Publisher {
 public:
  Publisher(OpenStore& store, std::size_t payloads, std::size_t payload_bytes) : store_(store) {
    for (std::size_t i = 0; i < payloads; ++i) texts_.push_back(payload(payload_bytes, i));
  }

  void run(std::int64_t appends, std::int64_t in_flight) {
    to_start_ = appends;
    to_end_ = appends;
    for (std::int64_t i = 0; i < std::min(in_flight, appends); ++i) start();
    ended_.wait();
  }

 private:
  void start() {
    if (to_start_.fetch_sub(1) <= 0) return;
    Append append;
    append.topic = kTopic;
    append.payloads = texts_;
    store_->append(std::move(append), [this](Result<Appended> result) {
      if (!result) std::abort();
      start();
      if (to_end_.fetch_sub(1) == 1) ended_.done();
    });
  }

  OpenStore& store_;
  storage::Payloads texts_;
  std::atomic<std::int64_t> to_start_{0};
  std::atomic<std::int64_t> to_end_{0};
  Waiter ended_;
};

void append_messages(benchmark::State& state, storage::Durability durability, std::size_t bytes) {
  OpenStore store(durability);
  const std::int64_t in_flight = state.range(0);
  const std::int64_t appends = std::max<std::int64_t>(in_flight * 20, 2000 / state.range(1));
  for (auto _ : state) Publisher(store, static_cast<std::size_t>(state.range(1)), bytes).run(appends, in_flight);
  state.SetItemsProcessed(state.iterations() * appends * state.range(1));
}
BENCHMARK_CAPTURE(append_messages, fsync, storage::Durability::fsync, kPayloadBytes)
    ->ArgNames({"in_flight", "payloads"})
    ->ArgsProduct({{1, 4, 16, 64, 256, 1024, 4096}, {1}})
    ->ArgsProduct({{4, 16, 64}, {100}})  // what batch publish can reach at most
    ->UseRealTime();
BENCHMARK_CAPTURE(append_messages, fsync_1KiB, storage::Durability::fsync, std::size_t{1024})
    ->ArgNames({"in_flight", "payloads"})
    ->ArgsProduct({{1, 4, 16, 64, 256, 1024, 4096}, {1}})
    ->UseRealTime();
BENCHMARK_CAPTURE(append_messages, os, storage::Durability::os, kPayloadBytes)
    ->ArgNames({"in_flight", "payloads"})
    ->ArgsProduct({{64, 1024}, {1}})
    ->UseRealTime();

/// What the disk asks for one append at a time: the bytes of its log record, written and synced, nothing else.
void one_fdatasync(benchmark::State& state) {
  const test::TempDir folder;
  const int fd = ::open((folder.path() / "log").c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
  const std::string record = payload(static_cast<std::size_t>(state.range(0)) + 60, 1);  // its headers and key
  for (auto _ : state) {
    if (::write(fd, record.data(), record.size()) < 0 || ::fdatasync(fd) != 0) std::abort();
  }
  ::close(fd);
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK(one_fdatasync)->ArgName("bytes")->Arg(kPayloadBytes)->Arg(1024)->UseRealTime();

void fill(OpenStore& store, std::uint64_t messages) {
  Publisher(store, 100, kPayloadBytes).run(static_cast<std::int64_t>(messages / 100), 8);
}

void read_one_page(OpenStore& store, std::uint64_t from) {
  Waiter waiter;
  store->read({kTopic, Offset{from}, {}, kPageMessages, 1 << 20}, [&](Result<MessageBatch> batch) {
    if (!batch || batch.value().messages.size() != kPageMessages) std::abort();
    waiter.done();
  });
  waiter.wait();
}

constexpr std::uint64_t kStored = 1'000'000;
enum class Page { newest, oldest, anywhere };

/// kStored messages in tables. Filled by the first row that reads and kept for the others: a row's function runs
/// several times until it has run long enough. main() ends it.
std::unique_ptr<OpenStore> filled_store;

OpenStore& filled() {
  if (!filled_store) {
    filled_store = std::make_unique<OpenStore>(storage::Durability::os);
    fill(*filled_store, kStored);
    if (!(*filled_store)->flush_and_compact()) std::abort();
  }
  return *filled_store;
}

/// Pages that are in the store's memory or the kernel's.
void read_warm(benchmark::State& state, Page page) {
  OpenStore& store = filled();
  std::uint64_t random = 7919;
  for (auto _ : state) {
    std::uint64_t from = page == Page::newest ? kStored - kPageMessages : 0;
    if (page == Page::anywhere) from = (random += 7919 * kPageMessages) % (kStored - kPageMessages);
    read_one_page(store, from);
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kPageMessages));
}
BENCHMARK_CAPTURE(read_warm, newest, Page::newest)->UseRealTime();
BENCHMARK_CAPTURE(read_warm, oldest, Page::oldest)->UseRealTime();
BENCHMARK_CAPTURE(read_warm, anywhere, Page::anywhere)->UseRealTime();

/// Pages that nobody holds any more: block cache and kernel forget before each group of pages far apart.
void read_cold(benchmark::State& state) {
  constexpr std::uint64_t kPages = 100;
  OpenStore& store = filled();
  for (auto _ : state) {
    state.PauseTiming();
    store.forget();
    read_one_page(store, 0);  // the index and the file itself
    state.ResumeTiming();
    for (std::uint64_t page = 1; page < kPages; ++page) read_one_page(store, page * (kStored / kPages));
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>((kPages - 1) * kPageMessages));
}
BENCHMARK(read_cold)->Iterations(5)->UseRealTime();

/// One call that drops `messages` of a topic, and an append that follows it; the space comes back in the background.
void drop(benchmark::State& state, bool purge) {
  const auto messages = static_cast<std::uint64_t>(state.range(0));
  OpenStore store(storage::Durability::fsync);
  std::uint64_t end = 0;
  for (auto _ : state) {
    state.PauseTiming();
    fill(store, messages);
    end += messages;
    state.ResumeTiming();
    Waiter waiter;
    const auto done = [&](Result<void> result) {
      if (!result) std::abort();
      waiter.done();
    };
    if (purge) {
      store->purge(kTopic, done);
    } else {
      store->trim(kTopic, Offset{end}, done);
    }
    waiter.wait();
    Publisher(store, 1, kPayloadBytes).run(1, 1);
    ++end;
  }
  state.SetItemsProcessed(state.iterations());
}
BENCHMARK_CAPTURE(drop, trim, false)->ArgName("messages")->Arg(1'000'000)->Iterations(3)->UseRealTime();
BENCHMARK_CAPTURE(drop, purge, true)->ArgName("messages")->Arg(1'000'000)->Iterations(3)->UseRealTime();

/// The open of a store whose `messages` are in no table yet: it reads them from the log, and writes no table of them,
/// so that each open has as much to do as the one before.
void open_unflushed(benchmark::State& state) {
  OpenStore store(storage::Durability::os);
  fill(store, static_cast<std::uint64_t>(state.range(0)));
  for (auto _ : state) {
    state.PauseTiming();
    store.close();
    state.ResumeTiming();
    store.open();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(open_unflushed)->ArgName("messages")->Arg(200'000)->Iterations(5)->UseRealTime();

}  // namespace

int run_benchmarks(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  filled_store.reset();  // its folder goes with it
  return 0;
}

}  // namespace weir::storage_rocksdb

int main(int argc, char** argv) {
  return weir::storage_rocksdb::run_benchmarks(argc, argv);
}
