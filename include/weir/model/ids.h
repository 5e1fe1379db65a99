#pragma once

#include <cstdint>
#include <functional>

namespace weir::model {

/// Position of a message in one topic: dense, starts at 0, never reused, not even after a purge.
enum class Offset : std::uint64_t {};
constexpr std::uint64_t value_of(Offset offset) noexcept {
  return static_cast<std::uint64_t>(offset);
}
constexpr Offset next(Offset offset) noexcept {
  return Offset{value_of(offset) + 1};
}
constexpr Offset advance(Offset offset, std::uint64_t by) noexcept {
  return Offset{value_of(offset) + by};
}

/// Topic id, from 1 and dense over the life of a data folder; never reused.
enum class TopicId : std::uint64_t {};
constexpr std::uint64_t value_of(TopicId id) noexcept {
  return static_cast<std::uint64_t>(id);
}

/// Tenant. Tokens and topics belong to one; a foreign id behaves as an unknown one.
enum class WorkspaceId : std::uint32_t {};
inline constexpr WorkspaceId kDefaultWorkspace{1};

}  // namespace weir::model

template <>
struct std::hash<weir::model::TopicId> {
  std::size_t operator()(weir::model::TopicId id) const noexcept { return std::hash<std::uint64_t>{}(value_of(id)); }
};
