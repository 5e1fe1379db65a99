#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <boost/outcome/basic_result.hpp>
#include <boost/outcome/policy/terminate.hpp>
#include <boost/outcome/try.hpp>

namespace weir {

/// What went wrong, in the words of the core; no HTTP here. Each door decides how it says it.
enum class Errc : std::uint8_t {
  bad_request,        ///< a parameter is missing, of the wrong type or out of its range
  invalid_json,       ///< not JSON, not UTF-8, or nested too deeply
  schema_violation,   ///< JSON that does not comply with the topic's schema; `fields` holds every offending path
  validation_failed,  ///< management input; `fields` holds the offending keys
  message_too_large,  ///< one message is over `limits.message_bytes_max`
  message_not_found,  ///< a cursor that names no retained message; `detail` may hold the oldest id
  topic_not_found,
  token_not_found,
  unauthorized,          ///< no valid token
  forbidden,             ///< a valid token without the right
  idempotency_conflict,  ///< a known idempotency key with another body
  conflict,              ///< compare-and-set lost; read again and decide again
  overloaded,            ///< a queue or budget is full; nothing was done, trying again later may succeed
  shutting_down,         ///< nothing was done
  storage_full,          ///< no space on the device; nothing was stored, works again when space returns
  storage_failed,        ///< whether it was stored is unknown; nothing is acknowledged until a restart
  data_corrupt,          ///< a checksum or format error; the damaged data was not served
  config_invalid,
  data_dir_unusable,  ///< held by another process, foreign, damaged or of a newer format
  internal,           ///< a defect of ours
};

/// One offending field or path and what is wrong with it.
struct FieldError {
  std::string field;
  std::string message;
  friend bool operator==(const FieldError&, const FieldError&) = default;
};

/// `detail` is for the caller of the API: no paths of this machine, no stack, no secrets.
struct Error {
  Errc code = Errc::internal;
  std::string detail;
  std::vector<FieldError> fields{};
};

/// A value or an Error. Dropping one does not build; reading the wrong side ends the process.
/// Use only has_value(), bool, value(), error(), so that a move to std::expected stays in this file.
template <class T = void>
using Result = BOOST_OUTCOME_V2_NAMESPACE::basic_result<T, Error, BOOST_OUTCOME_V2_NAMESPACE::policy::terminate>;

/// The value of a successful Result<void>.
inline auto ok() {
  return BOOST_OUTCOME_V2_NAMESPACE::success();
}

inline Error make_error(Errc code, std::string detail = {}) {
  return Error{code, std::move(detail), {}};
}

}  // namespace weir

/// WEIR_TRY(auto x, f()) or WEIR_TRY(f()): the value, or return the error from this function.
#define WEIR_TRY(...) BOOST_OUTCOME_TRY(__VA_ARGS__)
