#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "weir/base/clock.h"
#include "weir/base/executor.h"
#include "weir/base/result.h"
#include "weir/core/broker.h"
#include "weir/core/topic_registry.h"
#include "weir/model/topic.h"
#include "weir/storage/store.h"

namespace weir::core {

struct TopicLimits {
  std::chrono::seconds retention_default{604'800};
  std::chrono::seconds retention_max{7'776'000};
  std::size_t topics_max = 0;  ///< per workspace; 0: unlimited
  std::size_t name_characters_max = 255;
  std::size_t description_bytes_max = 64 * 1024;
  std::size_t schema_bytes_max = 256 * 1024;
  model::Schema::UnknownFields unknown_fields = model::Schema::UnknownFields::keep;
};

struct NewTopic {
  model::WorkspaceId workspace = model::kDefaultWorkspace;
  std::string name;
  std::string schema;  ///< JSON text
  std::optional<std::string> description;
  std::optional<std::chrono::seconds> retention;
};

/// What to change; absent members stay.
struct TopicPatch {
  std::optional<std::string> name;
  std::optional<std::string> schema;
  std::optional<std::optional<std::string>> description;  ///< an inner empty clears it
  std::optional<std::chrono::seconds> retention;
};

struct TopicQuery {
  enum class Sort : std::uint8_t { id, name, activity };
  model::WorkspaceId workspace = model::kDefaultWorkspace;
  std::string name_contains;  ///< bytes; empty: all
  Sort sort = Sort::id;
  std::vector<model::TopicId> only;  ///< a token's topics; empty: all
};

/// Topic management: create, change, find, purge, delete. Changes run one after the other on `worker` (they block for
/// the disk); `done` runs on the loop that was given. Validation errors: validation_failed with `fields` by key
/// ("name", "schema", "retention", "description").
class Topics {
 public:
  template <class T>
  using Done = UniqueFunction<void(Result<T>), 64>;

  /// All references must outlive the object. `worker` runs one task at a time.
  Topics(storage::Store& store, TopicRegistry& registry, Broker& broker, const Clock& clock, Executor& worker,
         std::vector<Loop*> loops, TopicLimits limits);
  ~Topics();

  /// Reads all topics and logs from the store and fills the registry; drops logs whose topic is gone (a deletion or
  /// creation that a crash cut short). Call once, before anything else. Blocks.
  /// Errors: data_corrupt (`detail` names the topic), storage_failed.
  Result<void> load();

  /// Null: unknown, deleted, or of another workspace. Any loop thread.
  TopicEntryPtr find(std::size_t loop, model::WorkspaceId workspace, model::TopicId id);
  std::vector<TopicEntryPtr> list(std::size_t loop, const TopicQuery& query);

  void create(std::size_t loop, NewTopic topic, Done<TopicEntryPtr> done);
  /// Errors: topic_not_found, validation_failed. An empty or ineffective patch succeeds and keeps updated_at.
  void update(std::size_t loop, model::WorkspaceId workspace, model::TopicId id, TopicPatch patch,
              Done<TopicEntryPtr> done);
  /// Errors: topic_not_found. Durable when done; waiting polls go on waiting.
  void purge(std::size_t loop, model::WorkspaceId workspace, model::TopicId id, Done<void> done);
  /// Errors: topic_not_found. From the answer on the topic is unknown; waiting polls are told.
  void erase(std::size_t loop, model::WorkspaceId workspace, model::TopicId id, Done<void> done);
  /// Exact counts as a reader sees them now. Errors: topic_not_found.
  void stats(std::size_t loop, model::WorkspaceId workspace, model::TopicId id, Done<storage::LogStats> done);

  /// Gives the disk space of expired messages back, topic by topic. Runs on the worker; returns how many topics were
  /// trimmed by `done`. Does nothing, and says so in the log, while the wall clock is more than an hour ahead of where
  /// the monotonic clock says it should be (a clock set wrong must not delete).
  void reclaim_expired(UniqueFunction<void(std::size_t trimmed), 64> done);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace weir::core
