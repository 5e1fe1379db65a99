#include "http/request_parser.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include <boost/beast/http/basic_parser.hpp>

namespace weir::http {

namespace {

namespace bhttp = boost::beast::http;

constexpr bool is_token_char(char c) noexcept {
  if ((c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z')) return true;
  switch (c) {
    case '!':
    case '#':
    case '$':
    case '%':
    case '&':
    case '\'':
    case '*':
    case '+':
    case '-':
    case '.':
    case '^':
    case '_':
    case '`':
    case '|':
    case '~': return true;
    default: return false;
  }
}

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
}

Refusal bad(std::string_view reason) {
  return {400, "bad_request", "Bad request: " + std::string(reason)};
}

Refusal target_too_long(const HeadLimits& limits) {
  return {414, "uri_too_long",
          "The request target is longer than " + std::to_string(limits.target_bytes_max) + " bytes"};
}

Refusal head_too_long(const HeadLimits& limits) {
  return {431, "headers_too_large",
          "The request line and header fields are longer than " + std::to_string(limits.header_bytes_max) + " bytes"};
}

// The longest method that anybody registered has 17 letters.
constexpr std::size_t kMethodBytesMax = 64;

// What is wrong with a request line as far as it is known, if anything.
std::optional<Refusal> check_request_line(std::string_view line, const HeadLimits& limits) {
  const std::size_t space = line.find(' ');
  if (space == std::string_view::npos) {
    if (line.size() > kMethodBytesMax) return bad("the request line has no method");
    return std::nullopt;
  }
  if (space > kMethodBytesMax) return bad("the method is too long");
  const std::size_t target = std::min(line.find(' ', space + 1), line.size()) - (space + 1);
  if (target > limits.target_bytes_max) return target_too_long(limits);
  return std::nullopt;
}

Method method_of(bhttp::verb verb) noexcept {
  switch (verb) {
    case bhttp::verb::get: return Method::get;
    case bhttp::verb::head: return Method::head;
    case bhttp::verb::post: return Method::post;
    case bhttp::verb::put: return Method::put;
    case bhttp::verb::delete_: return Method::delete_;
    case bhttp::verb::options: return Method::options;
    case bhttp::verb::patch: return Method::patch;
    default: return Method::other;
  }
}

std::string_view view(boost::beast::string_view text) noexcept {
  return {text.data(), text.size()};
}

// Beast splits and validates; what it lets pass and we do not is counted here and judged in parse_head().
class HeadParser final : public bhttp::basic_parser<true> {
 public:
  explicit HeadParser(ParsedHead& out) : out_(out) {
    skip(true);  // bodies are read by the connection
    body_limit(boost::none);
  }

  int lengths = 0;
  int encodings = 0;
  std::optional<std::string_view> host;
  std::string_view length;
  std::string_view encoding;
  std::optional<std::string_view> expectation;
  int version = 0;

 private:
  using error_code = boost::beast::error_code;
  using text = boost::beast::string_view;

  void on_request_impl(bhttp::verb method, text method_text, text target, int http_version, error_code&) override {
    out_.method = method_of(method);
    out_.method_text = view(method_text);
    out_.target = view(target);
    version = http_version;
  }
  void on_field_impl(bhttp::field name, text name_text, text value, error_code&) override {
    if (name == bhttp::field::host) {
      host = view(value);
    } else if (name == bhttp::field::content_length) {
      ++lengths;
      length = view(value);
    } else if (name == bhttp::field::transfer_encoding) {
      ++encodings;
      encoding = view(value);
    } else if (name == bhttp::field::expect) {
      expectation = view(value);
    }
    out_.fields.emplace_back(view(name_text), view(value));
  }
  void on_response_impl(int, text, int, error_code&) override {}
  void on_header_impl(error_code&) override {}
  void on_body_init_impl(const boost::optional<std::uint64_t>&, error_code&) override {}
  std::size_t on_body_impl(text, error_code&) override { return 0; }
  void on_chunk_header_impl(std::uint64_t, text, error_code&) override {}
  std::size_t on_chunk_body_impl(std::uint64_t, text, error_code&) override { return 0; }
  void on_finish_impl(error_code&) override {}

  ParsedHead& out_;
};

Refusal refusal_of(bhttp::error error, std::string_view head) {
  switch (error) {
    case bhttp::error::bad_version: {
      const std::string_view line = head.substr(0, head.find('\r'));
      const std::string_view version = line.substr(line.rfind(' ') + 1);
      const auto digit = [](char c) { return c >= '0' && c <= '9'; };
      if (version.size() == 8 && version.starts_with("HTTP/") && digit(version[5]) && version[6] == '.' &&
          digit(version[7]) && version.substr(5) != "1.0" && version.substr(5) != "1.1") {
        return {505, "http_version_not_supported", "Only HTTP/1.1 and HTTP/1.0 are spoken here"};
      }
      return bad("the request line does not end in a version of HTTP");
    }
    case bhttp::error::bad_method: return bad("the method is malformed");
    case bhttp::error::bad_target: return bad("the request target is malformed");
    case bhttp::error::bad_field: return bad("a header field's name is malformed");
    case bhttp::error::bad_value: return bad("a header field's value is malformed");
    case bhttp::error::bad_content_length: return bad("Content-Length is malformed");
    case bhttp::error::bad_transfer_encoding: return bad("Transfer-Encoding is malformed");
    default: return bad("the request head is malformed");
  }
}

bool valid_host(std::string_view host) noexcept {
  return std::all_of(host.begin(), host.end(), [](char c) {
    return c > ' ' && c < 0x7f && c != '/' && c != '\\' && c != '?' && c != '#' && c != '@' && c != ',' && c != '"';
  });
}

// Sets path and query from the target in any of its forms.
std::optional<Refusal> split_target(ParsedHead& head) {
  std::string_view target = head.target;
  for (const char c : target) {
    if (c <= ' ' || c >= 0x7f) return bad("the request target has characters that must be percent-encoded");
    if (c == '#') return bad("the request target has a fragment");
  }
  if (target == "*") {
    if (head.method != Method::options) return bad("the target * is for OPTIONS only");
    head.asterisk = true;
    head.path = target;
    head.query = {};
    return std::nullopt;
  }
  if (head.method_text == "CONNECT") return bad("CONNECT is not served");
  if (target[0] != '/') {
    const std::size_t scheme = target.find("://");
    if (scheme == std::string_view::npos ||
        (!same_name(target.substr(0, scheme), "http") && !same_name(target.substr(0, scheme), "https"))) {
      return bad("the request target is neither a path nor a URL of HTTP");
    }
    target.remove_prefix(scheme + 3);
    const std::size_t end = std::min(target.find_first_of("/?"), target.size());
    if (end == 0 || !valid_host(target.substr(0, end))) return bad("the URL in the request line has no valid host");
    target.remove_prefix(end);
  }
  const std::size_t question = std::min(target.find('?'), target.size());
  head.path = target.substr(0, question);
  if (head.path.empty()) head.path = "/";
  head.query = question < target.size() ? target.substr(question + 1) : std::string_view{};
  return std::nullopt;
}

// The framing of the body: where two readers could disagree, nobody gets to read it.
std::optional<Refusal> check_framing(const HeadParser& parser, ParsedHead& head) {
  head.content_length.reset();
  head.chunked = false;
  if (parser.encodings > 0) {
    if (head.http10) return bad("Transfer-Encoding is not part of HTTP/1.0");
    if (parser.lengths > 0) return bad("both Content-Length and Transfer-Encoding are given");
    if (parser.encodings > 1 || !same_name(parser.encoding, "chunked")) {
      return bad("Transfer-Encoding must be exactly: chunked");
    }
    head.chunked = true;
    return std::nullopt;
  }
  if (parser.lengths == 0) return std::nullopt;
  if (parser.lengths > 1) return bad("Content-Length is given more than once");
  std::uint64_t length = 0;
  const char* const end = parser.length.data() + parser.length.size();
  const auto [stop, error] = std::from_chars(parser.length.data(), end, length);
  if (error != std::errc{} || stop != end) return bad("Content-Length is not a number of bytes");
  head.content_length = length;
  return std::nullopt;
}

// Of two such fields one reader takes the first and another the last: a proxy in front may have judged the other one.
std::optional<Refusal> check_repeated(const ParsedHead& head) {
  static constexpr std::string_view kOnce[] = {"Host", "Authorization", "Content-Type", "Idempotency-Key", "Expect"};
  std::array<bool, std::size(kOnce)> seen{};
  for (const auto& [name, value] : head.fields) {
    for (std::size_t i = 0; i < std::size(kOnce); ++i) {
      if (name.size() != kOnce[i].size() || !same_name(name, kOnce[i])) continue;  // nearly all differ in length
      if (std::exchange(seen[i], true)) return bad(std::string(kOnce[i]) + " is given more than once");
    }
  }
  return std::nullopt;
}

}  // namespace

bool same_name(std::string_view a, std::string_view b) noexcept {
  return a.size() == b.size() &&
         std::equal(a.begin(), a.end(), b.begin(), [](char x, char y) { return lower(x) == lower(y); });
}

HeadScanner::Outcome HeadScanner::scan(std::string_view bytes, const HeadLimits& limits, Refusal& refusal) {
  const auto refuse = [&](Refusal why) {
    refusal = std::move(why);
    return Outcome::refused;
  };
  if (bytes.empty()) return Outcome::need_more;
  if (!started() && !is_token_char(bytes[0])) return refuse(bad("this is not HTTP"));
  for (;;) {
    const std::string_view rest = bytes.substr(line_start_);
    const std::size_t feed = rest.find('\n');
    const bool whole = feed != std::string_view::npos;
    const std::string_view line = rest.substr(0, whole ? feed : rest.size());
    const std::size_t carriage = line.find('\r');
    if (carriage != std::string_view::npos ? carriage + 1 != line.size() : whole) {
      return refuse(bad("lines must end in CR LF, and neither stands alone"));
    }
    const std::string_view content = line.substr(0, carriage);
    if (lines_ == 0) {
      if (auto why = check_request_line(content, limits)) return refuse(std::move(*why));
    } else if (!content.empty() && (content[0] == ' ' || content[0] == '\t')) {
      return refuse(bad("header fields must not be folded over lines"));
    } else if (lines_ > limits.header_fields_max && !content.empty()) {
      return refuse({431, "headers_too_large",
                     "There are more than " + std::to_string(limits.header_fields_max) + " header fields"});
    }
    // The bytes of this head as far as they have come: all of an unfinished line, no more than its own line ends.
    const std::size_t head = line_start_ + line.size() + (whole ? 1 : 0);
    if (head > limits.header_bytes_max) return refuse(head_too_long(limits));
    if (!whole) return Outcome::need_more;
    line_start_ = static_cast<std::uint32_t>(head);
    if (content.empty() && lines_ > 0) return Outcome::complete;
    ++lines_;
  }
}

std::string_view ParsedHead::header(std::string_view name) const {
  const auto* field = find(name);
  return field == nullptr ? std::string_view{} : field->second;
}

bool ParsedHead::has_header(std::string_view name) const {
  return find(name) != nullptr;
}

const std::pair<std::string_view, std::string_view>* ParsedHead::find(std::string_view name) const {
  for (const auto& field : fields) {
    if (field.first.size() == name.size() && same_name(field.first, name)) return &field;
  }
  return nullptr;
}

std::optional<Refusal> parse_head(std::string_view bytes, ParsedHead& head) {
  head.fields.clear();
  head.captures.clear();
  head.asterisk = head.expect_continue = head.expect_unknown = false;
  if (std::memchr(bytes.data(), '\0', bytes.size()) != nullptr) return bad("there is a NUL in the request head");

  HeadParser parser(head);
  parser.header_limit(static_cast<std::uint32_t>(bytes.size()) + 4);
  boost::beast::error_code error;
  const std::size_t taken = parser.put({bytes.data(), bytes.size()}, error);
  if (error) return refusal_of(static_cast<bhttp::error>(error.value()), bytes);
  if (!parser.is_done() || taken != bytes.size()) return bad("the request head is malformed");

  head.http10 = parser.version == 10;
  head.keep_alive = parser.keep_alive();
  if (auto why = check_framing(parser, head)) return why;
  if (auto why = check_repeated(head)) return why;
  if (!parser.host && !head.http10) return bad("Host is missing");
  if (!valid_host(parser.host.value_or(""))) return bad("Host is malformed");
  if (auto why = split_target(head)) return why;
  if (parser.expectation && !head.http10) {
    head.expect_continue = same_name(*parser.expectation, "100-continue");
    head.expect_unknown = !head.expect_continue;
  }
  return std::nullopt;
}

}  // namespace weir::http
