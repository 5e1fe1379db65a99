#include "storage/memory/memory_disk.h"

#include <algorithm>
#include <iterator>

namespace weir::storage {

std::shared_ptr<MemoryDisk> make_memory_disk() {
  return std::make_shared<MemoryDisk>();
}

Offset MemoryDisk::Log::first_live(WallTime not_before) const {
  const auto found = std::lower_bound(messages.begin(), messages.end(), not_before,
                                      [](const Message& message, WallTime time) { return message.time < time; });
  return model::advance(start, static_cast<std::uint64_t>(std::distance(messages.begin(), found)));
}

void MemoryDisk::Log::trim(Offset before) {
  const Offset new_start = std::clamp(before, start, end());
  const auto dropped = static_cast<std::ptrdiff_t>(model::value_of(new_start) - model::value_of(start));
  messages.erase(messages.begin(), messages.begin() + dropped);
  start = new_start;
}

}  // namespace weir::storage
