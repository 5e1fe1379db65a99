#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "weir/base/clock.h"
#include "weir/http/message.h"

namespace weir::http {

/// "Sat, 21 Nov 2026 12:00:00 GMT", formatted once a second. One per loop.
class DateCache {
 public:
  std::string_view at(WallTime now);

 private:
  std::int64_t second_ = -1;
  char text_[32] = {};
};

/// What the server adds to a response.
struct Framing {
  std::string_view date;
  std::string_view request_id;
  std::string_view headers;  ///< further lines, from the admission
  bool close = false;
  bool say_keep_alive = false;  ///< HTTP/1.0 clients that asked for it need to hear it
};

/// 503 with the code `unavailable` and when to come back.
Response unavailable_response(std::string_view message);

/// Appends the status line, all fields and the empty line.
void append_head(std::string& out, const Response& response, const Framing& framing);

/// False for answers that never have a body (1xx, 204, 304).
bool has_body(std::uint16_t status) noexcept;

/// The reason phrase.
std::string_view reason(std::uint16_t status) noexcept;

}  // namespace weir::http
