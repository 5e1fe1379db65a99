#include <memory>

#include <gtest/gtest.h>

#include "weir/base/executor.h"
#include "weir/storage/memory_store.h"

#include "unit/storage/contract.h"

namespace weir::storage::contract {
namespace {

/// Every call completes before it returns; any thread may call.
class InlinePlace final : public Place {
 public:
  std::unique_ptr<Store> open(const StoreSettings& settings) override {
    MemoryStore::Options options;
    options.disk = disk_;
    options.clock = settings.clock;
    options.claim_window = settings.claim_window;
    return std::make_unique<MemoryStore>(std::move(options));
  }

 private:
  std::shared_ptr<MemoryDisk> disk_ = make_memory_disk();
};

/// Every call is a task of an executor that the test runs: group commit on one thread.
class QueuedPlace final : public Place {
 public:
  std::unique_ptr<Store> open(const StoreSettings& settings) override {
    MemoryStore::Options options;
    options.disk = disk_;
    options.clock = settings.clock;
    options.executor = &executor_;
    options.claim_window = settings.claim_window;
    return std::make_unique<MemoryStore>(std::move(options));
  }
  void run() override { executor_.run_all(); }
  bool multi_threaded() const override { return false; }

 private:
  std::shared_ptr<MemoryDisk> disk_ = make_memory_disk();
  ManualExecutor executor_;
};

Implementation inline_memory() {
  return {"Inline", [] { return std::make_unique<InlinePlace>(); }};
}
Implementation queued_memory() {
  return {"Queued", [] { return std::make_unique<QueuedPlace>(); }};
}

WEIR_STORAGE_CONTRACT(InlineMemory, inline_memory(), 20);
WEIR_STORAGE_CONTRACT(QueuedMemory, queued_memory(), 20);

}  // namespace
}  // namespace weir::storage::contract
