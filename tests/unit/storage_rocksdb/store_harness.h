#pragma once

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "weir/storage_rocksdb/rocks_store.h"

#include "support/await.h"
#include "support/fake_clock.h"
#include "support/fault_file_system.h"
#include "support/temp_dir.h"

namespace weir::storage_rocksdb::test {

using model::value_of;
using std::chrono::milliseconds;
using storage::Append;
using storage::Appended;
using storage::Claim;
using storage::Durability;
using storage::Health;
using storage::LogStats;
using storage::MessageBatch;
using storage::Offset;
using storage::Read;
using storage::TopicId;
using weir::test::Completion;
using weir::test::FakeClock;
using weir::test::FaultFileSystem;
using weir::test::TempDir;

inline constexpr TopicId kTopic{1};

/// One data folder, a file system with faults below it and one store at a time; it commits when the test waits for
/// something, on the thread of the test, so that a test decides what is in one commit.
class StoreHarness {
 public:
  StoreHarness() {
    options_.data_dir = folder_.path() / "data";
    options_.commit_on_caller = true;
    options_.file_system = file_system_;
    options_.clock = &clock_;
    options_.block_cache_bytes = 1 << 20;
    options_.reclaim_compact_bytes = 0;
  }
  ~StoreHarness() { store_.reset(); }

  Result<void> try_open() {
    WEIR_TRY(store_, RocksStore::open(options_));
    return ok();
  }
  void open() {
    const auto opened = try_open();
    ASSERT_TRUE(opened) << opened.error().detail;
  }
  /// As the end of the process: nothing is finished or synced. The lock goes with the object.
  void reopen() {
    store_.reset();
    open();
  }
  std::filesystem::path data() const { return options_.data_dir; }
  std::filesystem::path files() const { return options_.data_dir / "store"; }

  template <class T>
  Result<T> wait(const Completion<T>& completion) {
    return completion.wait([this] {
      if (options_.commit_on_caller) store_->commit_pending();
    });
  }
  Completion<Appended> start_append(TopicId topic, std::vector<std::string> payloads) {
    Append append;
    append.topic = topic;
    for (std::string& payload : payloads) append.payloads.push_back(std::move(payload));
    Completion<Appended> end;
    store_->append(std::move(append), end.callback());
    return end;
  }
  Result<Appended> append(TopicId topic, std::vector<std::string> payloads) {
    return wait(start_append(topic, std::move(payloads)));
  }
  Result<Appended> append(const std::string& payload) { return append(kTopic, {payload}); }
  Result<void> trim(TopicId topic, std::uint64_t before) {
    Completion<void> end;
    store_->trim(topic, Offset{before}, end.callback());
    return wait(end);
  }
  Result<MessageBatch> try_read(TopicId topic, std::uint64_t from = 0) {
    Completion<MessageBatch> end;
    store_->read(Read{topic, Offset{from}, {}, 1'000'000, 1 << 30}, end.callback());
    return wait(end);
  }
  /// Payloads in order; fails the test when the offsets are not dense from `from` on.
  std::vector<std::string> read(TopicId topic = kTopic, std::uint64_t from = 0) {
    const auto batch = try_read(topic, from);
    if (!batch) {
      ADD_FAILURE() << batch.error().detail;
      return {};
    }
    std::vector<std::string> payloads;
    for (const auto& message : batch.value().messages) {
      EXPECT_EQ(value_of(message.offset), from + payloads.size());
      payloads.push_back(message.payload);
    }
    return payloads;
  }
  /// The files of the engine that end so, oldest first.
  std::vector<std::filesystem::path> files_ending(const std::string& extension) const {
    std::vector<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(files())) {
      if (entry.path().extension() == extension) found.push_back(entry.path());
    }
    std::sort(found.begin(), found.end());
    return found;
  }
  /// Name and bytes of every file below the data folder, the lock aside.
  std::map<std::string, std::string> contents() const {
    std::map<std::string, std::string> all;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(data())) {
      if (entry.is_regular_file() && entry.path() != data() / "LOCK")
        all[entry.path().string()] = bytes_of(entry.path());
    }
    return all;
  }
  static std::string bytes_of(const std::filesystem::path& path) {
    std::ifstream file(path, std::ios::binary);
    std::string bytes(std::filesystem::file_size(path), '\0');  // in one go: logs are megabytes, and read often
    file.read(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    EXPECT_EQ(static_cast<std::size_t>(file.gcount()), bytes.size()) << path;
    return bytes;
  }
  static void write_bytes(const std::filesystem::path& path, const std::string& bytes) {
    std::ofstream file(path, std::ios::binary | std::ios::trunc);
    file << bytes;
    ASSERT_TRUE(file.flush().good()) << path;
  }

 protected:
  TempDir folder_;
  FakeClock clock_;
  std::shared_ptr<FaultFileSystem> file_system_ = std::make_shared<FaultFileSystem>();
  Options options_;
  std::unique_ptr<RocksStore> store_;
};

#define WEIR_EXPECT_REFUSED(result, expected_code)                                      \
  do {                                                                                  \
    const auto& weir_refused = (result);                                                \
    ASSERT_FALSE(weir_refused) << "must fail with " << #expected_code;                  \
    EXPECT_EQ(weir_refused.error().code, expected_code) << weir_refused.error().detail; \
  } while (false)

}  // namespace weir::storage_rocksdb::test
