#include "weir/core/topic_registry.h"

namespace weir::core {

namespace {
const TopicEntryPtr kNoTopic;
}

const TopicEntryPtr& TopicRegistry::Snapshot::find(model::TopicId id) const noexcept {
  const std::uint64_t index = value_of(id);
  const std::uint64_t chunk = index / kChunk;
  if (chunk >= chunks_.size() || !chunks_[chunk]) return kNoTopic;
  return (*chunks_[chunk])[index % kChunk];
}

TopicRegistry::TopicRegistry() : snapshot_(std::make_shared<Snapshot>()) {}

std::shared_ptr<const TopicRegistry::Snapshot> TopicRegistry::snapshot() const {
  const std::lock_guard lock(mutex_);
  return snapshot_;
}

void TopicRegistry::set(model::TopicId id, TopicEntryPtr entry) {
  auto changed = std::make_shared<Snapshot>(*snapshot());
  const std::uint64_t index = value_of(id);
  const std::uint64_t chunk = index / Snapshot::kChunk;
  if (chunk >= changed->chunks_.size()) changed->chunks_.resize(chunk + 1);
  auto copy = changed->chunks_[chunk] ? std::make_shared<Snapshot::Chunk>(*changed->chunks_[chunk])
                                      : std::make_shared<Snapshot::Chunk>();
  TopicEntryPtr& place = (*copy)[index % Snapshot::kChunk];
  changed->size_ += static_cast<std::size_t>(entry != nullptr) - static_cast<std::size_t>(place != nullptr);
  place = std::move(entry);
  changed->chunks_[chunk] = std::move(copy);

  const std::lock_guard lock(mutex_);
  snapshot_ = std::move(changed);
  version_.fetch_add(1, std::memory_order_release);
}

void TopicRegistry::load(std::vector<TopicEntryPtr> entries) {
  auto loaded = std::make_shared<Snapshot>();
  std::vector<std::shared_ptr<Snapshot::Chunk>> chunks;
  for (TopicEntryPtr& entry : entries) {
    const std::uint64_t index = value_of(entry->topic.id);
    const std::uint64_t chunk = index / Snapshot::kChunk;
    if (chunk >= chunks.size()) chunks.resize(chunk + 1);
    if (!chunks[chunk]) chunks[chunk] = std::make_shared<Snapshot::Chunk>();
    (*chunks[chunk])[index % Snapshot::kChunk] = std::move(entry);
    ++loaded->size_;
  }
  loaded->chunks_.assign(chunks.begin(), chunks.end());

  const std::lock_guard lock(mutex_);
  snapshot_ = std::move(loaded);
  version_.fetch_add(1, std::memory_order_release);
}

const TopicEntryPtr& RegistryView::find(model::TopicId id) {
  return snapshot().find(id);
}

const TopicRegistry::Snapshot& RegistryView::snapshot() {
  // The version is read first: at worst the snapshot is newer than it says and is fetched once more.
  const std::uint64_t version = registry_.version();
  if (version != version_) {
    snapshot_ = registry_.snapshot();
    version_ = version;
  }
  return *snapshot_;
}

}  // namespace weir::core
