#pragma once

#include <gtest/gtest.h>

#include "unit/storage/contract_claims.h"
#include "unit/storage/contract_concurrency.h"
#include "unit/storage/contract_fixture.h"
#include "unit/storage/contract_keyed.h"
#include "unit/storage/contract_lifetime.h"
#include "unit/storage/contract_log.h"
#include "unit/storage/contract_model.h"
#include "unit/storage/contract_watch.h"

/// The promises of the storage port as tests. Every implementation passes all of them: in exactly one .cc of a test
/// binary write
///
///   namespace weir::storage::contract {
///   Implementation mine() { return {"Mine", [] { return std::make_unique<MyPlace>(); }}; }
///   WEIR_STORAGE_CONTRACT(Mine, mine(), 8);  // 8 seeds of random operations
///   }
///
/// Place in contract_fixture.h says what an implementation has to give.
#define WEIR_STORAGE_CONTRACT(prefix, implementation, seeds)                                                  \
  INSTANTIATE_TEST_SUITE_P(prefix, StoreContract, testing::Values(implementation), implementation_name);      \
  INSTANTIATE_TEST_SUITE_P(prefix, WatchContract, testing::Values(implementation), implementation_name);      \
  INSTANTIATE_TEST_SUITE_P(prefix, KeyedContract, testing::Values(implementation), implementation_name);      \
  INSTANTIATE_TEST_SUITE_P(prefix, StoreModel,                                                                \
                           testing::Combine(testing::Values(implementation), testing::Range(1, (seeds) + 1)), \
                           model_name)
