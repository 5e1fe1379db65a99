#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/result.h"
#include "weir/core/access.h"
#include "weir/core/topics.h"
#include "weir/model/ids.h"
#include "weir/model/token.h"

/// Tokens and statistics as the admin door reads and shows them. All functions are pure.
namespace weir::api::admin {

/// What a create call gave, and everything that is wrong with it.
struct TokenInput {
  core::NewToken given;            ///< only what is valid; the workspace is the caller's business
  std::vector<FieldError> errors;  ///< by key
};

/// `{"name":…,"privileges":[…],"topics":[ids],"expires_in":seconds}`; the last two may be absent or null.
/// Errors: invalid_json; bad_request (not an object).
Result<TokenInput> parse_token(std::string_view body, std::size_t depth_max);

/// `{"data":{…,"token":"weir_…"}}`: the only answer that holds the secret.
std::string render_issued(const core::IssuedToken& issued);
/// `{"count":n,"data":[…]}`.
std::string render_tokens(const std::vector<model::Token>& tokens);

/// `{"data":{…}}`.
std::string render_stats(model::TopicId topic, const storage::LogStats& stats);

}  // namespace weir::api::admin
