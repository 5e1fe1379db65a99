#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::bench {

/// Reads the answers of one HTTP/1.1 connection on which never more than one request is under way. Holds nothing while
/// no answer has begun. Not thread-safe.
class AnswerReader {
 public:
  enum class State { incomplete, complete, broken };

  static constexpr std::size_t kHeadBytesMax = 16 * 1024;
  static constexpr std::size_t kBodyBytesMax = 64 * 1024 * 1024;

  /// Takes what was just received. complete: one answer is whole, and what is fed next begins another one. broken:
  /// error() says why, and the connection is of no more use; also when more came than the answer announced.
  State feed(std::string_view bytes);

  int status() const noexcept { return status_; }
  /// Valid after `complete`, until the next feed() and as long as the bytes fed last.
  std::string_view body() const noexcept { return body_; }
  const std::string& error() const noexcept { return error_; }

 private:
  bool parse_head(std::string_view head);
  State broken(std::string why);

  int status_ = 0;
  std::size_t head_bytes_ = 0;  // 0: the head is not whole yet
  std::size_t body_bytes_ = 0;
  std::string held_;  // what came of an answer that is not whole
  bool done_ = false;
  std::string_view body_;
  std::string error_;
};

}  // namespace weir::bench
