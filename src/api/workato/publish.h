#pragma once

#include <optional>
#include <string_view>

#include "weir/api/guard.h"
#include "weir/base/result.h"
#include "weir/core/broker.h"
#include "weir/http/message.h"

namespace weir::api::workato {

struct Door;

/// Whether a publish may come as this Content-Type says: anything is read as JSON, but a multipart form cannot be, nor
/// another charset than UTF-8. Empty when it may, else the refusal (415, 400).
std::optional<http::Response> refuse_content_type(std::string_view content_type);

/// The Idempotency-Key header; empty if there is none. The fingerprint is still to be set.
/// Errors: bad_request unless 1 to 255 printable ASCII bytes.
Result<std::optional<core::IdempotencyKey>> parse_idempotency_key(const http::RequestHead& head);

/// What a retry must repeat: `kind` of call and the body.
Digest fingerprint_of(std::string_view kind, std::string_view body);

/// Weir-Durability, and Idempotent-Replayed for a repeated answer.
std::string_view publish_headers(storage::Durability durability, bool replayed) noexcept;

/// Exactly `{"message_id":"…"}`.
http::Response render_published(const core::Published& published);

/// What is done with the body of a publish, single or batch.
using PublishCall = void (*)(const Door& door, std::size_t loop, model::TopicId topic,
                             std::optional<core::IdempotencyKey> key, std::string_view body, http::Responder responder);
/// The checks of the head that both kinds share: topic, content type, idempotency key.
http::Admission begin_publishing(const Door& door, const http::RequestHead& head, const core::CallerPtr& caller,
                                 PublishCall call);
http::Admission begin_publish(const Door& door, const http::RequestHead& head, const core::CallerPtr& caller);

}  // namespace weir::api::workato
