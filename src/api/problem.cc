#include "weir/api/problem.h"

#include <algorithm>
#include <utility>

#include "weir/base/log.h"

#include "api/json_input.h"

namespace weir::api {
namespace {

constexpr std::string_view kCursorUnknown = "after_message_id does not match a message in this topic";

std::string or_default(const std::string& detail, std::string_view otherwise) {
  return detail.empty() ? std::string(otherwise) : detail;
}

void append_head(std::string& to, std::string_view code, std::string_view message) {
  to += "{\"message\":";
  append_json_string(to, message);
  to += ",\"code\":";
  append_json_string(to, code);
}

}  // namespace

void append_json_string(std::string& to, std::string_view text) {
  static constexpr char kHex[] = "0123456789abcdef";
  to += '"';
  for (std::size_t i = 0; i < text.size();) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (c == '"' || c == '\\') {
      to += '\\';
      to += text[i++];
    } else if (c < 0x20 || c == 0x7F) {
      switch (c) {
        case '\n': to += "\\n"; break;
        case '\r': to += "\\r"; break;
        case '\t': to += "\\t"; break;
        case '\b': to += "\\b"; break;
        case '\f': to += "\\f"; break;
        default:
          to += "\\u00";
          to += kHex[c >> 4];
          to += kHex[c & 15];
      }
      ++i;
    } else if (const std::size_t length = utf8_length(text.substr(i)); length != 0) {
      to.append(text, i, length);
      i += length;
    } else {
      to += "\xEF\xBF\xBD";
      ++i;
    }
  }
  to += '"';
}

void append_field_errors(std::string& to, const std::vector<FieldError>& fields) {
  // A few dozen entries at most in practice; a schema of the largest size could hold thousands, so no search per entry
  // over all earlier ones: only runs of one field are gathered, and the others are found by a sorted index.
  std::vector<std::size_t> order(fields.size());
  for (std::size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return fields[a].field < fields[b].field; });
  std::vector<std::vector<std::size_t>> members(fields.size());  // by the first entry of each field
  for (std::size_t i = 0, first = 0; i < order.size(); ++i) {
    if (i == 0 || fields[order[i]].field != fields[order[i - 1]].field) first = order[i];
    members[first].push_back(order[i]);
  }
  to += '{';
  bool any = false;
  for (const std::vector<std::size_t>& group : members) {
    if (group.empty()) continue;
    if (any) to += ',';
    any = true;
    append_json_string(to, fields[group.front()].field);
    to += ":[";
    for (std::size_t i = 0; i < group.size(); ++i) {
      if (i != 0) to += ',';
      append_json_string(to, fields[group[i]].message);
    }
    to += ']';
  }
  to += '}';
}

Problem to_problem(const Error& error) {
  switch (error.code) {
    case Errc::bad_request: return {400, "invalid_parameter", or_default(error.detail, "Bad request")};
    case Errc::invalid_json: return {400, "invalid_json", or_default(error.detail, "The body is not valid JSON")};
    case Errc::schema_violation:
      return {400, "schema_violation", or_default(error.detail, "The message does not comply with the topic's schema")};
    case Errc::validation_failed: return {400, "invalid_parameter", or_default(error.detail, "Validation failed")};
    case Errc::message_too_large:
      return {413, "payload_too_large", or_default(error.detail, "The message is too large")};
    case Errc::message_not_found: return {400, "message_not_found", std::string(kCursorUnknown)};
    case Errc::topic_not_found:
    case Errc::token_not_found: return {404, "not_found", "Not found"};
    case Errc::unauthorized: return {401, "unauthorized", "Unauthorized"};
    case Errc::forbidden: return {403, "forbidden", "Forbidden"};
    case Errc::idempotency_conflict:
      return {422, "idempotency_conflict", "This Idempotency-Key was used before with another request"};
    case Errc::conflict: return {409, "conflict", "Changed by someone else meanwhile; read it again and retry"};
    case Errc::overloaded: return {503, "unavailable", "Too much work is waiting; try again", 1};
    case Errc::shutting_down: return {503, "unavailable", "The server is shutting down", 1};
    case Errc::storage_full: return {507, "storage_full", "No storage space is left; nothing was stored", 5};
    case Errc::storage_failed:
      return {503, "unavailable", "The storage failed; whether the request took effect is unknown", 30};
    case Errc::data_corrupt:
    case Errc::config_invalid:
    case Errc::data_dir_unusable:
    case Errc::internal: return {500, "internal_error", "Server error", 0, true};
  }
  __builtin_unreachable();
}

http::Response plain_error(std::uint16_t status, std::string_view code, std::string_view message) {
  http::Response response;
  response.status = status;
  append_head(response.body, code, message);
  response.body += '}';
  return response;
}

http::Response error_answer(const Error& error, Random& random) {
  const Problem problem = to_problem(error);
  http::Response response;
  response.status = problem.status;
  append_head(response.body, problem.code, problem.message);
  if (error.code == Errc::message_not_found) {
    response.body += ",\"oldest_message_id\":";
    std::string_view oldest;
    for (const FieldError& field : error.fields) {
      if (field.field == "oldest_message_id") oldest = field.message;
    }
    if (oldest.empty()) {
      response.body += "null";
    } else {
      append_json_string(response.body, oldest);
    }
  } else if (problem.hidden) {
    const std::string id = random_uuid(random);
    log::logger("api").error("request failed id={} code={} detail={}", id, static_cast<int>(error.code), error.detail);
    response.body += ",\"id\":";
    append_json_string(response.body, id);
  } else if (!error.fields.empty()) {
    response.body += ",\"errors\":";
    append_field_errors(response.body, error.fields);
  }
  response.body += '}';
  if (error.code == Errc::unauthorized) response.headers += "WWW-Authenticate: Bearer\r\n";
  if (problem.retry_after_s != 0) {
    response.headers += "Retry-After: " + std::to_string(problem.retry_after_s) + "\r\n";
  }
  return response;
}

}  // namespace weir::api
