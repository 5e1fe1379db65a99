#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/http/message.h"

namespace weir::http {

/// Why a request is not served. The connection ends with it unless the message's end is certain.
struct Refusal {
  std::uint16_t status = 400;
  std::string_view code = "bad_request";
  std::string message;
};

struct HeadLimits {
  std::size_t header_bytes_max = 0;  ///< request line, fields and the empty line
  std::size_t header_fields_max = 0;
  std::size_t target_bytes_max = 0;
};

/// Finds the end of a head while it comes in, refusing early what can never become a good one: line ends other than
/// CRLF, folded lines, heads over a limit. Looks at each line once (an unfinished one again when more has come).
class HeadScanner {
 public:
  enum class Outcome : std::uint8_t { need_more, complete, refused };
  /// `bytes`: all there is from the first byte of the request line on. `refusal` is set when refused.
  Outcome scan(std::string_view bytes, const HeadLimits& limits, Refusal& refusal);
  /// After complete: the length of the head with its empty line.
  std::size_t head_bytes() const noexcept { return line_start_; }
  bool started() const noexcept { return lines_ != 0 || line_start_ != 0; }
  void reset() noexcept { *this = {}; }

 private:
  std::uint32_t line_start_ = 0;
  std::uint32_t lines_ = 0;
};

/// A parsed head; the views point into the bytes that were parsed.
class ParsedHead final : public RequestHead {
 public:
  std::string_view header(std::string_view name) const override;
  bool has_header(std::string_view name) const override;

  std::string_view method_text;
  bool http10 = false;
  bool keep_alive = false;
  bool chunked = false;
  bool asterisk = false;         ///< OPTIONS *
  bool expect_continue = false;  ///< Expect: 100-continue
  bool expect_unknown = false;   ///< any other expectation
  std::vector<std::pair<std::string_view, std::string_view>> fields;

 private:
  friend std::optional<Refusal> parse_head(std::string_view head, ParsedHead& out);
  const std::pair<std::string_view, std::string_view>* find(std::string_view name) const;
};

/// Parses a whole head as found by HeadScanner into `out` (reused between requests). What two parsers could read
/// differently is refused: see docs/protocols/workato.md, "HTTP".
std::optional<Refusal> parse_head(std::string_view head, ParsedHead& out);

/// Names compare without regard to case (ASCII).
bool same_name(std::string_view a, std::string_view b) noexcept;

/// Decodes a chunked body, strictly: hexadecimal sizes of up to 15 digits, CRLF line ends, extensions and trailer
/// fields bounded and ignored. Any cut of the input gives the same result.
class ChunkDecoder {
 public:
  enum class Outcome : std::uint8_t { need_more, complete, malformed, too_large };
  /// Takes from `bytes` (cut by what was taken) and appends to `*body` unless null. `too_large` when the decoded
  /// bytes would pass `body_bytes_max`.
  Outcome decode(std::string_view& bytes, std::string* body, std::uint64_t body_bytes_max);
  std::uint64_t decoded_bytes() const noexcept { return decoded_; }

  static constexpr std::uint32_t kExtensionBytesMax = 4096;  ///< over a whole body
  static constexpr std::uint32_t kTrailerBytesMax = 8192;

 private:
  enum class State : std::uint8_t {
    size_first,
    size,
    extension,
    size_lf,
    data,
    data_cr,
    data_lf,
    trailer_first,
    trailer_name,
    trailer_value,
    trailer_lf,
    end_lf,
    done
  };
  bool trailer_forbidden() const noexcept;

  State state_ = State::size_first;
  std::uint8_t digits_ = 0;
  std::uint64_t left_ = 0;
  std::uint64_t decoded_ = 0;
  std::uint32_t extension_bytes_ = 0;
  std::uint32_t trailer_bytes_ = 0;
  std::string trailer_name_;
};

}  // namespace weir::http
