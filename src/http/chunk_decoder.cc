#include <algorithm>

#include "http/hex.h"
#include "http/request_parser.h"

namespace weir::http {

namespace {

// Printable, tab, or part of a longer character.
bool is_text(char c) noexcept {
  return c == '\t' || (static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
}

}  // namespace

// Fields that would change the framing, the routing or the caller's rights do not come after the body.
bool ChunkDecoder::trailer_forbidden() const noexcept {
  for (const std::string_view name : {"content-length", "transfer-encoding", "host", "authorization", "trailer"}) {
    if (same_name(trailer_name_, name)) return true;
  }
  return trailer_name_.empty();
}

ChunkDecoder::Outcome ChunkDecoder::decode(std::string_view& bytes, std::string* body, std::uint64_t body_bytes_max) {
  // 15 digits cannot overflow, and no body of ours comes near.
  constexpr std::uint8_t kDigitsMax = 15;
  while (state_ != State::done) {
    if (bytes.empty()) return Outcome::need_more;
    if (state_ == State::data) {
      const auto taken = static_cast<std::size_t>(std::min<std::uint64_t>(left_, bytes.size()));
      if (body != nullptr) body->append(bytes.substr(0, taken));
      bytes.remove_prefix(taken);
      left_ -= taken;
      decoded_ += taken;
      if (left_ == 0) state_ = State::data_cr;
      continue;
    }
    const char c = bytes.front();
    bytes.remove_prefix(1);
    switch (state_) {
      case State::size_first:
        left_ = 0;
        digits_ = 0;
        if (hex_digit(c) < 0) return Outcome::malformed;
        [[fallthrough]];
      case State::size:
        if (const int digit = hex_digit(c); digit >= 0) {
          if (++digits_ > kDigitsMax) return Outcome::malformed;
          left_ = left_ * 16 + static_cast<std::uint64_t>(digit);
          state_ = State::size;
        } else if (c == ';') {
          state_ = State::extension;
        } else if (c == '\r') {
          state_ = State::size_lf;
        } else {
          return Outcome::malformed;
        }
        break;
      case State::extension:
        if (c == '\r') {
          state_ = State::size_lf;
        } else if (!is_text(c) || ++extension_bytes_ > kExtensionBytesMax) {
          return Outcome::malformed;
        }
        break;
      case State::size_lf:
        if (c != '\n') return Outcome::malformed;
        if (left_ > body_bytes_max || decoded_ > body_bytes_max - left_) return Outcome::too_large;
        state_ = left_ == 0 ? State::trailer_first : State::data;
        break;
      case State::data_cr:
        if (c != '\r') return Outcome::malformed;
        state_ = State::data_lf;
        break;
      case State::data_lf:
        if (c != '\n') return Outcome::malformed;
        state_ = State::size_first;
        break;
      case State::trailer_first:
        if (c == '\r') {
          state_ = State::end_lf;
          break;
        }
        trailer_name_.clear();
        [[fallthrough]];
      case State::trailer_name:
        if (++trailer_bytes_ > kTrailerBytesMax) return Outcome::malformed;
        if (c == ':') {
          if (trailer_forbidden()) return Outcome::malformed;
          state_ = State::trailer_value;
        } else if (!is_text(c) || c == ' ' || c == '\t' || static_cast<unsigned char>(c) > 0x7f) {
          return Outcome::malformed;
        } else {
          trailer_name_.push_back(c);
          state_ = State::trailer_name;
        }
        break;
      case State::trailer_value:
        if (c == '\r') {
          state_ = State::trailer_lf;
        } else if (!is_text(c) || ++trailer_bytes_ > kTrailerBytesMax) {
          return Outcome::malformed;
        }
        break;
      case State::trailer_lf:
        if (c != '\n') return Outcome::malformed;
        state_ = State::trailer_first;
        break;
      case State::end_lf:
        if (c != '\n') return Outcome::malformed;
        state_ = State::done;
        break;
      case State::data:
      case State::done: break;
    }
  }
  return Outcome::complete;
}

}  // namespace weir::http
