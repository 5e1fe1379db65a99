#pragma once

#include "weir/storage/keyed_store.h"
#include "weir/storage/log_store.h"

namespace weir::storage {

/// Both halves of the port over one set of files: what app/ opens and hands to the core.
class Store : public LogStore, public KeyedStore {
 public:
  /// Refuses new work, finishes what is queued, syncs. Blocks. Idempotent.
  virtual void close() = 0;
};

}  // namespace weir::storage
