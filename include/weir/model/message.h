#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "weir/base/clock.h"
#include "weir/model/ids.h"

namespace weir::model {

/// One entry of a topic's log.
struct Message {
  Offset offset{};
  WallTime time{};      ///< given by the store; never decreases along the offsets
  std::string payload;  ///< JSON bytes as published, insignificant white space aside
};

/// Appends `{"message_id":"…","payload":…,"time":"…"}`: how every JSON door shows a message.
void append_envelope(std::string& to, Offset offset, WallTime time, std::string_view payload);
/// How many bytes append_envelope() adds for a payload of this size, at most.
constexpr std::size_t envelope_bytes_max(std::size_t payload_bytes) {
  return payload_bytes + 80;
}

}  // namespace weir::model
