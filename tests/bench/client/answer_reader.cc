#include "answer_reader.h"

#include <cctype>
#include <charconv>
#include <utility>

namespace weir::bench {
namespace {

bool same_word(std::string_view left, std::string_view right) {
  if (left.size() != right.size()) return false;
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (std::tolower(static_cast<unsigned char>(left[i])) != std::tolower(static_cast<unsigned char>(right[i])))
      return false;
  }
  return true;
}

template <class Number>
bool to_number(std::string_view text, Number& number) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() && end == text.data() + text.size();
}

}  // namespace

AnswerReader::State AnswerReader::feed(std::string_view bytes) {
  if (done_) {
    done_ = false;
    head_bytes_ = 0;
    std::string().swap(held_);  // an idle connection holds nothing
  }
  std::string_view text = bytes;
  if (!held_.empty()) {
    held_ += bytes;
    text = held_;
  }
  if (head_bytes_ == 0) {
    const std::size_t end = text.substr(0, kHeadBytesMax).find("\r\n\r\n");
    if (end == std::string_view::npos) {
      if (text.size() >= kHeadBytesMax) return broken("the head of an answer does not end");
      if (held_.empty()) held_ = bytes;
      return State::incomplete;
    }
    if (!parse_head(text.substr(0, end + 2))) return State::broken;
    head_bytes_ = end + 4;
  }
  const std::size_t whole = head_bytes_ + body_bytes_;
  if (text.size() > whole) return broken("more bytes came than one answer has");
  if (text.size() < whole) {
    if (held_.empty()) held_ = bytes;
    held_.reserve(whole);
    return State::incomplete;
  }
  body_ = text.substr(head_bytes_);
  done_ = true;
  return State::complete;
}

bool AnswerReader::parse_head(std::string_view head) {
  std::size_t line_end = head.find("\r\n");
  const std::string_view first = head.substr(0, line_end);
  if (first.size() < 12 || !first.starts_with("HTTP/1.1 ") || !to_number(first.substr(9, 3), status_)) {
    broken("not an HTTP/1.1 answer: " + std::string(first.substr(0, 80)));
    return false;
  }
  bool has_length = status_ == 204 || status_ == 304;
  body_bytes_ = 0;
  for (head.remove_prefix(line_end + 2); !head.empty(); head.remove_prefix(line_end + 2)) {
    line_end = head.find("\r\n");
    const std::string_view line = head.substr(0, line_end);
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !same_word(line.substr(0, colon), "content-length")) continue;
    std::string_view value = line.substr(colon + 1);
    while (!value.empty() && value.front() == ' ') value.remove_prefix(1);
    if (!to_number(value, body_bytes_) || body_bytes_ > kBodyBytesMax) {
      broken("a Content-Length that cannot be: " + std::string(value.substr(0, 40)));
      return false;
    }
    has_length = true;
  }
  if (!has_length) broken("an answer without Content-Length");
  return has_length;
}

AnswerReader::State AnswerReader::broken(std::string why) {
  error_ = std::move(why);
  return State::broken;
}

}  // namespace weir::bench
