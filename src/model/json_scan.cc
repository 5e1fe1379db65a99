#include "weir/model/json_scan.h"

#include <algorithm>
#include <array>
#include <string>

#include <simdjson.h>

#include "json_number.h"
#include "json_text.h"

namespace weir::model {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The code unit of the four digits at `at`, or -1.
int read_hex4(const char* at, const char* end) {
  if (end - at < 4) return -1;
  int unit = 0;
  for (int i = 0; i < 4; ++i) {
    const int digit = hex_value(at[i]);
    if (digit < 0) return -1;
    unit = unit * 16 + digit;
  }
  return unit;
}

bool is_high_surrogate(int unit) {
  return unit >= 0xD800 && unit <= 0xDBFF;
}
bool is_low_surrogate(int unit) {
  return unit >= 0xDC00 && unit <= 0xDFFF;
}

std::string_view between(const char* begin, const char* end) {
  return {begin, static_cast<std::size_t>(end - begin)};
}

void append_utf8(std::string& to, std::uint32_t point) {
  const auto put = [&](std::uint32_t byte) { to.push_back(static_cast<char>(byte)); };
  if (point < 0x80) {
    put(point);
  } else if (point < 0x800) {
    put(0xC0 | point >> 6);
    put(0x80 | (point & 0x3F));
  } else if (point < 0x10000) {
    put(0xE0 | point >> 12);
    put(0x80 | (point >> 6 & 0x3F));
    put(0x80 | (point & 0x3F));
  } else {
    put(0xF0 | point >> 18);
    put(0x80 | (point >> 12 & 0x3F));
    put(0x80 | (point >> 6 & 0x3F));
    put(0x80 | (point & 0x3F));
  }
}

/// What a JSON string means; `inside` is valid and without its quotes.
std::string unescape(std::string_view inside) {
  std::string text;
  for (std::size_t i = 0; i < inside.size(); ++i) {
    if (inside[i] != '\\') {
      text.push_back(inside[i]);
      continue;
    }
    const char letter = inside[++i];
    if (letter != 'u') {
      constexpr std::string_view kLetters = "bfnrt";
      const std::size_t known = kLetters.find(letter);
      text.push_back(known == std::string_view::npos ? letter : "\b\f\n\r\t"[known]);
      continue;
    }
    const char* const end = inside.data() + inside.size();
    auto point = static_cast<std::uint32_t>(read_hex4(inside.data() + i + 1, end));
    i += 4;
    if (is_high_surrogate(static_cast<int>(point))) {
      const auto low = static_cast<std::uint32_t>(read_hex4(inside.data() + i + 3, end));
      point = 0x10000 + ((point - 0xD800) << 10) + (low - 0xDC00);
      i += 6;
    }
    append_utf8(text, point);
  }
  return text;
}

bool same_key(std::string_view quoted, std::string_view key) {
  const std::string_view inside = quoted.substr(1, quoted.size() - 2);
  if (inside == key) return inside.find('\\') == std::string_view::npos;
  return inside.size() > key.size() && inside.find('\\') != std::string_view::npos && unescape(inside) == key;
}

/// Reads one document against the grammar, with a bit for each open container instead of recursion. Notes the members
/// of the outermost object that are wanted.
class Scanner {
 public:
  Scanner(std::string_view text, std::size_t depth_max, std::span<JsonMember> wanted)
      : begin_(text.data()),
        at_(text.data()),
        end_(text.data() + text.size()),
        depth_max_(std::min(depth_max, kJsonDepthMax)),
        wanted_(wanted) {}

  Result<JsonKind> run() {
    at_ = skip_space(at_, end_);
    if (at_ == end_) return make_error(Errc::invalid_json, "not valid JSON: there is nothing in it");
    const JsonKind kind = kind_of(*at_);
    if (!document()) {
      return make_error(Errc::invalid_json, std::string(too_deep_ ? "" : "not valid JSON: ") + reason_ + " at byte " +
                                                std::to_string(at_ - begin_));
    }
    return kind;
  }

 private:
  static JsonKind kind_of(char first) {
    switch (first) {
      case '{': return JsonKind::object;
      case '[': return JsonKind::array;
      case '"': return JsonKind::string;
      case 't':
      case 'f': return JsonKind::boolean;
      case 'n': return JsonKind::null;
      default: return JsonKind::number;
    }
  }

  bool fail(const char* reason) {
    reason_ = reason;
    return false;
  }

  bool document() {
    bool more = true;
    while (more) {
      bool opened = false;
      if (!value(opened)) return false;
      if (opened) continue;
      value_ended();
      if (!after_value(more)) return false;
    }
    at_ = skip_space(at_, end_);
    return at_ == end_ || fail("something follows the document");
  }

  /// Reads a scalar or an empty container whole, or opens a container up to its first value (`opened`).
  bool value(bool& opened) {
    at_ = skip_space(at_, end_);
    if (at_ == end_) return fail("the document ends where a value should stand");
    if (depth_ < begins_.size()) begins_[depth_] = at_;
    switch (*at_) {
      case '{': return open(true, opened);
      case '[': return open(false, opened);
      case '"': return string();
      case 't': return literal("true");
      case 'f': return literal("false");
      case 'n': return literal("null");
      default:
        if (*at_ != '-' && !is_digit(*at_)) return fail("expected a value");
        return scan_number(at_, end_) || fail("malformed number");
    }
  }

  bool open(bool object, bool& opened) {
    if (depth_ == depth_max_) {
      too_deep_ = true;
      depth_reason_ = "nested deeper than " + std::to_string(depth_max_) + " levels";
      return fail(depth_reason_.c_str());
    }
    ++at_;
    at_ = skip_space(at_, end_);
    if (at_ != end_ && *at_ == (object ? '}' : ']')) {
      ++at_;
      return true;
    }
    set_object(depth_++, object);
    opened = true;
    return !object || key();
  }

  bool key() {
    at_ = skip_space(at_, end_);
    if (at_ == end_ || *at_ != '"') return fail("expected a key in quotes");
    const char* const begin = at_;
    if (!string()) return false;
    if (depth_ == 1 && !wanted_.empty()) member_begins(between(begin, at_));
    at_ = skip_space(at_, end_);
    if (at_ == end_ || *at_ != ':') return fail("expected ':' behind the key");
    ++at_;
    return true;
  }

  /// Closes what ends here; `more` is whether another value follows.
  bool after_value(bool& more) {
    while (depth_ > 0) {
      const bool object = is_object(depth_ - 1);
      at_ = skip_space(at_, end_);
      if (at_ != end_ && *at_ == ',') {
        ++at_;
        return !object || key();
      }
      if (at_ == end_ || *at_ != (object ? '}' : ']'))
        return fail(object ? "expected ',' or '}'" : "expected ',' or ']'");
      ++at_;
      --depth_;
      value_ended();
    }
    more = false;
    return true;
  }

  void member_begins(std::string_view quoted) {
    const auto found =
        std::find_if(wanted_.begin(), wanted_.end(), [&](const JsonMember& one) { return same_key(quoted, one.key); });
    if (found == wanted_.end()) return;
    member_ = &*found;
    member_->elements.clear();
  }

  /// Behind a value that stands in the container of level depth_.
  void value_ended() {
    if (member_ == nullptr || depth_ >= begins_.size()) return;
    const std::string_view text = between(begins_[depth_], at_);
    if (depth_ == 1) {
      member_->value = text;
      member_ = nullptr;
    } else if (!is_object(1) && member_->elements.size() < member_->elements_max) {
      member_->elements.push_back(text);
    }
  }

  bool literal(std::string_view word) {
    for (const char c : word) {
      if (at_ == end_ || *at_ != c) return fail("unknown word");
      ++at_;
    }
    return true;
  }

  bool string() {
    ++at_;
    for (;;) {
      at_ = skip_plain(at_, end_);
      if (at_ == end_) return fail("the document ends inside a string");
      if (*at_ == '"') break;
      if (*at_ != '\\') return fail("control character in a string");
      if (!escape()) return false;
    }
    ++at_;
    return true;
  }

  bool escape() {
    if (end_ - at_ < 2) return fail("the document ends inside a string");
    const char letter = at_[1];
    if (letter != 'u') {
      if (std::string_view("\"\\/bfnrt").find(letter) == std::string_view::npos) return fail("unknown escape");
      at_ += 2;
      return true;
    }
    const int unit = read_hex4(at_ + 2, end_);
    if (unit < 0) return fail("malformed \\u escape");
    if (is_low_surrogate(unit)) return fail("escaped surrogate without its other half");
    if (!is_high_surrogate(unit)) {
      at_ += 6;
      return true;
    }
    const bool pair = end_ - at_ >= 12 && at_[6] == '\\' && at_[7] == 'u' && is_low_surrogate(read_hex4(at_ + 8, end_));
    if (!pair) return fail("escaped surrogate without its other half");
    at_ += 12;
    return true;
  }

  void set_object(std::size_t level, bool object) {
    const std::uint64_t bit = std::uint64_t{1} << (level % 64);
    if (object) {
      objects_[level / 64] |= bit;
    } else {
      objects_[level / 64] &= ~bit;
    }
  }
  bool is_object(std::size_t level) const { return (objects_[level / 64] >> (level % 64) & 1) != 0; }

  const char* const begin_;
  const char* at_;
  const char* const end_;
  const std::size_t depth_max_;
  const std::span<JsonMember> wanted_;
  JsonMember* member_ = nullptr;         // whose value is being read; null: not a wanted one
  std::array<const char*, 3> begins_{};  // of the values being read, by level
  std::size_t depth_ = 0;
  std::array<std::uint64_t, kJsonDepthMax / 64> objects_;  // written before it is read
  const char* reason_ = "";
  std::string depth_reason_;
  bool too_deep_ = false;
};

/// Length of the well-formed UTF-8 character at `at`, 0 when there is none (Unicode 15, table 3-7).
std::size_t utf8_length(const unsigned char* at, const unsigned char* end) {
  const auto follows = [&](int i, unsigned char low, unsigned char high) {
    return end - at > i && at[i] >= low && at[i] <= high;
  };
  const unsigned char lead = at[0];
  if (lead < 0x80) return 1;
  if (lead >= 0xC2 && lead <= 0xDF) return follows(1, 0x80, 0xBF) ? 2 : 0;
  if (lead >= 0xE0 && lead <= 0xEF) {
    const unsigned char low = lead == 0xE0 ? 0xA0 : 0x80;
    const unsigned char high = lead == 0xED ? 0x9F : 0xBF;
    return follows(1, low, high) && follows(2, 0x80, 0xBF) ? 3 : 0;
  }
  if (lead >= 0xF0 && lead <= 0xF4) {
    const unsigned char low = lead == 0xF0 ? 0x90 : 0x80;
    const unsigned char high = lead == 0xF4 ? 0x8F : 0xBF;
    return follows(1, low, high) && follows(2, 0x80, 0xBF) && follows(3, 0x80, 0xBF) ? 4 : 0;
  }
  return 0;
}

std::size_t first_bad_utf8(std::string_view text) {
  const auto* const begin = reinterpret_cast<const unsigned char*>(text.data());
  const auto* const end = begin + text.size();
  const auto* at = begin;
  while (at != end) {
    const std::size_t length = utf8_length(at, end);
    if (length == 0) break;
    at += length;
  }
  return static_cast<std::size_t>(at - begin);
}

/// The end of the value that begins at `at`, in valid JSON.
const char* skip_value(const char* at, const char* end) {
  std::size_t depth = 0;
  while (at != end) {
    const char c = *at;
    if (c == '"') {
      at += skip_string({at, static_cast<std::size_t>(end - at)});
      if (depth == 0) return at;
      continue;
    }
    if (c == '{' || c == '[') {
      ++depth;
    } else if (c == '}' || c == ']') {
      if (depth == 0) return at;  // the container around a scalar
      if (--depth == 0) return at + 1;
    } else if (depth == 0 && (c == ',' || is_space(c))) {
      return at;
    }
    ++at;
  }
  return at;
}

/// Behind the opening bracket of valid JSON and the white space there.
const char* enter(const char* at, const char* end) {
  at = skip_space(at, end);
  return at == end ? end : skip_space(at + 1, end);
}

/// Behind the comma, if one stands here, and the white space around it.
const char* next_item(const char* at, const char* end) {
  at = skip_space(at, end);
  return at != end && *at == ',' ? skip_space(at + 1, end) : at;
}

}  // namespace

Result<JsonKind> check_json(std::string_view text, std::size_t depth_max) {
  return check_json(text, depth_max, {});
}

Result<JsonKind> check_json(std::string_view text, std::size_t depth_max, std::span<JsonMember> wanted) {
  if (text.starts_with(kByteOrderMark)) {
    return make_error(Errc::invalid_json, "not valid JSON: it begins with a byte order mark");
  }
  if (!simdjson::validate_utf8(text.data(), text.size())) {
    return make_error(Errc::invalid_json, "not valid UTF-8 at byte " + std::to_string(first_bad_utf8(text)));
  }
  return Scanner(text, depth_max, wanted).run();
}

std::optional<std::string_view> last_member(std::string_view object, std::string_view key) {
  std::optional<std::string_view> found;
  const char* const end = object.data() + object.size();
  const char* at = enter(object.data(), end);
  while (at != end && *at == '"') {
    const char* const key_end = at + skip_string(between(at, end));
    const bool matches = same_key(between(at, key_end), key);
    at = enter(key_end, end);  // over the colon
    const char* const value_end = skip_value(at, end);
    if (matches) found = between(at, value_end);
    at = next_item(value_end, end);
  }
  return found;
}

std::vector<std::string_view> array_elements(std::string_view array, std::size_t count_max) {
  std::vector<std::string_view> elements;
  const char* const end = array.data() + array.size();
  const char* at = enter(array.data(), end);
  while (at != end && *at != ']' && elements.size() < count_max) {
    const char* const value_end = skip_value(at, end);
    elements.push_back(between(at, value_end));
    at = next_item(value_end, end);
  }
  return elements;
}

}  // namespace weir::model
