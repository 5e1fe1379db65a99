#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "weir/base/clock.h"
#include "weir/model/ids.h"

namespace weir::simulation {

using model::Offset;
using model::TopicId;

/// What one topic must look like: the plainest description of the promises, without storage, tails or waiting.
struct ModelTopic {
  struct Message {
    std::string payload;
    WallTime time;
    bool expired_once = false;  ///< its space may have been reclaimed, so a clock set back need not bring it back
  };
  std::map<std::uint64_t, Message> messages;  ///< by offset; everything that was acknowledged and not purged
  std::uint64_t end = 0;                      ///< no acknowledged offset is at or above it
  std::chrono::seconds retention{};
  /// Payloads whose publish was never answered (a crash): each may be there once, or not.
  std::set<std::string> unknown;

  /// Offsets that a reader must see now.
  std::vector<std::uint64_t> live(WallTime now) const;
  /// To be called whenever the clock or the retention has changed.
  void note_expired(WallTime now);
};

/// An idempotency key and what its first use answered.
struct ModelClaim {
  TopicId topic{};
  std::string body;
  std::optional<std::uint64_t> offset;  ///< empty: never answered
  WallTime time{};
};

struct Model {
  std::map<TopicId, ModelTopic> topics;
  std::set<TopicId> deleted;
  std::map<std::string, ModelClaim> claims;

  /// Books an answered publish. Returns what is wrong with it, or nothing.
  std::string published(TopicId topic, std::uint64_t offset, WallTime time, const std::string& payload);
};

/// A message as a page shows it.
struct PageMessage {
  std::uint64_t offset = 0;
  std::string payload;
  WallTime time{};
};
/// Takes a page's envelopes apart; empty if they are not of the agreed form.
std::optional<std::vector<PageMessage>> parse_page(const std::string& envelopes);

}  // namespace weir::simulation
