#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

#include "weir/api/guard.h"
#include "weir/base/result.h"
#include "weir/core/broker.h"
#include "weir/http/message.h"

namespace weir::api::workato {

struct Door;

/// The text of each message in a batch's body, as views into it.
/// Errors: invalid_json; bad_request (not an object, no list, both `payloads` and its alias `payload`, an empty list,
/// more than `messages_max`).
Result<std::vector<std::string_view>> parse_batch(std::string_view body, std::size_t messages_max,
                                                  std::size_t depth_max);

/// `{"is_partial_error":…,"message_ids":{"0":{…},…}}`.
http::Response render_batch(const core::PublishedBatch& batch);

http::Admission begin_batch(const Door& door, const http::RequestHead& head, const core::CallerPtr& caller);

}  // namespace weir::api::workato
