#include "unit/storage/contract.h"

#include <memory>

#include <gtest/gtest.h>

#include "weir/storage_rocksdb/rocks_store.h"

#include "support/fault_file_system.h"
#include "support/temp_dir.h"

namespace weir::storage::contract {
namespace {

using storage_rocksdb::Options;
using storage_rocksdb::RocksStore;

/// A data folder; the store commits on a thread of its own, or when run() is called.
class RocksPlace final : public Place {
 public:
  RocksPlace(bool commit_on_caller, Durability durability)
      : commit_on_caller_(commit_on_caller), durability_(durability) {}

  std::unique_ptr<Store> open(const StoreSettings& settings) override {
    Options options;
    options.data_dir = folder_.path() / "data";
    options.durability = durability_;
    options.claim_window = settings.claim_window;
    options.clock = settings.clock;
    options.commit_on_caller = commit_on_caller_;
    options.block_cache_bytes = 1 << 20;
    options.file_system = file_system_;
    options.memtable_bytes = 1 << 20;  // so that the larger tests read tables as well
    auto store = RocksStore::open(std::move(options));
    if (!store) {
      ADD_FAILURE() << store.error().detail;
      return nullptr;
    }
    store_ = store.value().get();
    return std::move(store).value();
  }
  void run() override {
    if (commit_on_caller_) store_->commit_pending();
  }
  bool multi_threaded() const override { return !commit_on_caller_; }

 private:
  const bool commit_on_caller_;
  const Durability durability_;
  test::TempDir folder_;
  std::shared_ptr<test::FaultFileSystem> file_system_ = std::make_shared<test::FaultFileSystem>();  // no faults: speed
  RocksStore* store_ = nullptr;  // the one that was opened last; run() is called only while it is open
};

Implementation rocks(const char* name, bool commit_on_caller, Durability durability) {
  return {name, [=] { return std::make_unique<RocksPlace>(commit_on_caller, durability); }};
}

WEIR_STORAGE_CONTRACT(RocksThread, rocks("Thread", false, Durability::fsync), 5);
WEIR_STORAGE_CONTRACT(RocksCaller, rocks("Caller", true, Durability::os), 5);

}  // namespace
}  // namespace weir::storage::contract
