#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/base/config.h"
#include "weir/base/result.h"
#include "weir/core/topics.h"
#include "weir/model/topic.h"

/// Topics as this door reads and shows them. All functions are pure.
namespace weir::api::workato {

/// Decoded query keys and values, in order; of a key given twice the last counts.
using Query = std::vector<std::pair<std::string, std::string>>;

struct TopicRules {
  std::uint32_t retention_seconds_max = 7'776'000;
  std::size_t name_characters_max = 255;
  std::size_t description_bytes_max = 65'536;
  std::size_t schema_bytes_max = 262'144;
};
TopicRules topic_rules(const Config& config);

/// What a create or update call gave, and everything that is wrong with it.
struct TopicInput {
  core::TopicPatch given;          ///< only what is valid
  std::vector<FieldError> errors;  ///< by key
};

/// `name`, `retention` and `description` may also come in the query; the body wins. The schema is kept as sent.
/// On create a null counts as absent, on update only `description` may be null (which clears it).
/// Errors: invalid_json; bad_request (not an object).
Result<TopicInput> parse_topic_create(std::string_view body, const Query& query, const TopicRules& rules);
Result<TopicInput> parse_topic_update(std::string_view body, const Query& query, const TopicRules& rules);

/// What a list call asks for.
struct ListRequest {
  core::TopicQuery query;  ///< workspace and `only` are the caller's business
  bool include_schema = false;
  std::size_t page = 1;
  std::size_t per_page = 0;  ///< 0: everything
};
/// Errors: bad_request, `detail` names the key, what is allowed and what was sent.
Result<ListRequest> parse_topic_list(const Query& query);

/// `{"data":{…}}`.
std::string render_topic(const model::Topic& topic, std::chrono::minutes zone);
/// `{"count":n,"data":[…]}`: the count is of all topics, the data of the page.
std::string render_topic_list(const std::vector<core::TopicEntryPtr>& topics, const ListRequest& request,
                              std::chrono::minutes zone);

}  // namespace weir::api::workato
