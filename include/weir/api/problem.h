#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "weir/base/random.h"
#include "weir/base/result.h"
#include "weir/http/message.h"

/// How the JSON doors word what went wrong. Every function is thread-safe.
namespace weir::api {

/// The HTTP side of an Error.
struct Problem {
  std::uint16_t status = 500;
  std::string_view code;       ///< stable, for programs; a literal
  std::string message;         ///< for people
  unsigned retry_after_s = 0;  ///< 0: no Retry-After
  bool hidden = false;         ///< a defect or damage of ours: the detail goes to the log, not to the client
};

/// Never quotes the detail of a hidden problem.
Problem to_problem(const Error& error);

/// `{"message":…,"code":…}`, with `"errors":{field:[text…]}` for offending fields, `"oldest_message_id"` for a cursor
/// that names no message, and `"id"` (a UUID under which the detail is logged) for a hidden problem. Always valid JSON,
/// whatever bytes the error holds.
http::Response error_answer(const Error& error, Random& random);

/// `{"message":…,"code":…}` for what has no Errc.
http::Response plain_error(std::uint16_t status, std::string_view code, std::string_view message);

/// Appends `text` as a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& to, std::string_view text);
/// Appends `{"field":["text",…],…}`, fields in order of their first appearance.
void append_field_errors(std::string& to, const std::vector<FieldError>& fields);

}  // namespace weir::api
