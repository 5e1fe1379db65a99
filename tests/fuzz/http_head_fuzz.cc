#include <algorithm>
#include <cstdint>
#include <string>

#include "weir/base/assert.h"

#include "http/request_parser.h"

using namespace weir::http;  // NOLINT: one file, one target

namespace {

struct Scanned {
  HeadScanner::Outcome outcome = HeadScanner::Outcome::need_more;
  std::size_t head_bytes = 0;
};

// Shows the scanner the bytes as a connection does: ever more of them, `step` at a time, until it has decided.
Scanned scan(std::string_view bytes, std::size_t step, const HeadLimits& limits) {
  HeadScanner scanner;
  Scanned scanned;
  for (std::size_t end = 0; end < bytes.size() && scanned.outcome == HeadScanner::Outcome::need_more;) {
    end = std::min(bytes.size(), end + step);
    Refusal refusal{.status = 0};
    scanned.outcome = scanner.scan(bytes.substr(0, end), limits, refusal);
    WEIR_ASSERT((scanned.outcome == HeadScanner::Outcome::refused) == (refusal.status >= 400));
  }
  if (scanned.outcome == HeadScanner::Outcome::complete) scanned.head_bytes = scanner.head_bytes();
  return scanned;
}

bool within(std::string_view part, std::string_view whole) {
  return part.empty() || (part.data() >= whole.data() && part.data() + part.size() <= whole.data() + whole.size());
}

std::size_t count(const ParsedHead& head, std::string_view name) {
  return static_cast<std::size_t>(std::count_if(head.fields.begin(), head.fields.end(),
                                                [&](const auto& field) { return same_name(field.first, name); }));
}

}  // namespace

// The first byte says how the rest comes in. However it is cut the scanner decides the same, and what the parser then
// takes is one request only: one length or encoding, one of each field that stands alone, and nothing outside the head.
extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  constexpr HeadLimits kLimits{.header_bytes_max = 1024, .header_fields_max = 16, .target_bytes_max = 256};
  const std::size_t step = 1 + data[0] % 64;
  const std::string bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Scanned whole = scan(bytes, bytes.size(), kLimits);
  const Scanned pieces = scan(bytes, step, kLimits);
  WEIR_ASSERT(whole.outcome == pieces.outcome && whole.head_bytes == pieces.head_bytes);
  if (whole.outcome != HeadScanner::Outcome::complete) return 0;
  WEIR_ASSERT(whole.head_bytes <= kLimits.header_bytes_max);
  WEIR_ASSERT(bytes.compare(whole.head_bytes - 4, 4, "\r\n\r\n") == 0);

  static ParsedHead head;  // what the last request left must not show
  const std::string_view text = std::string_view(bytes).substr(0, whole.head_bytes);
  if (const auto refusal = parse_head(text, head)) {
    WEIR_ASSERT(refusal->status == 400 || refusal->status == 505);
    return 0;
  }
  WEIR_ASSERT(head.fields.size() <= kLimits.header_fields_max && head.target.size() <= kLimits.target_bytes_max);
  WEIR_ASSERT(within(head.target, text) && within(head.query, text) && (within(head.path, text) || head.path == "/"));
  WEIR_ASSERT(head.asterisk ? head.path == "*" : head.path.starts_with('/'));
  WEIR_ASSERT(!(head.chunked && head.content_length));
  WEIR_ASSERT(count(head, "content-length") == (head.content_length ? 1U : 0U));
  WEIR_ASSERT(count(head, "transfer-encoding") == (head.chunked ? 1U : 0U));
  WEIR_ASSERT(count(head, "host") == 1 || (head.http10 && count(head, "host") == 0));
  for (const char* name : {"authorization", "content-type", "idempotency-key", "expect"}) {
    WEIR_ASSERT(count(head, name) <= 1);
  }
  for (const auto& [name, value] : head.fields) {
    WEIR_ASSERT(within(name, text) && within(value, text) && head.has_header(name));
    WEIR_ASSERT(value.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos);
  }
  (void)parse_query(head.query);
  return 0;
}
