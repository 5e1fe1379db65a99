#include "weir/model/payload.h"

#include <cstring>
#include <utility>

#include <simdjson.h>

#include "weir/base/assert.h"
#include "weir/model/json_scan.h"

#include "json_number.h"
#include "validate.h"
#include "violations.h"

namespace weir::model {
namespace {

/// Buffers that grew beyond a message of this size are given back after it; they take ten times as much.
constexpr std::size_t kKeptMessageBytes = 4u << 20;

/// The kernel that minifies fastest. simdjson prefers icelake where the processor has it, whose minify() took four to
/// six times as long as haswell's on the machines where we measured (the parsers are equally fast).
const simdjson::implementation& minifier() {
  static const simdjson::implementation* const kChosen = [] {
    const simdjson::implementation* haswell = simdjson::get_available_implementations()["haswell"];
    if (haswell != nullptr && haswell->supported_by_runtime_system()) return haswell;
    const simdjson::implementation* active = simdjson::get_active_implementation();
    return active;
  }();
  return *kChosen;
}

/// Whether `\ud…` stands in the text: only then can there be half a surrogate pair, which simdjson lets pass at times.
bool may_escape_surrogate(std::string_view text) {
  const char* at = text.data();
  const char* const end = at + text.size();
  while (at != end) {
    at = static_cast<const char*>(std::memchr(at, '\\', static_cast<std::size_t>(end - at)));
    if (at == nullptr || end - at < 3) return false;
    if (at[1] == 'u' && (at[2] == 'd' || at[2] == 'D')) return true;
    at += 2;
  }
  return false;
}

}  // namespace

struct PayloadChecker::Impl {
  explicit Impl(PayloadLimits given) : limits(given) { limits.depth_max = std::min(limits.depth_max, kJsonDepthMax); }

  Result<std::string> check(const Schema& schema, std::string_view body);
  Result<void> check_tamed(const Schema& schema, std::string_view body);
  Result<Validator::Outcome> validate(const Schema& schema, simdjson::dom::element message, Validator::Numbers numbers);
  Result<std::string> minify(std::string_view body);
  void trim();

  PayloadLimits limits;
  simdjson::dom::parser parser;
  Validator validator;
  std::unique_ptr<std::uint8_t[]> minified;
  std::size_t minified_bytes = 0;
  bool prepared = false;
};

Result<std::string> PayloadChecker::Impl::check(const Schema& schema, std::string_view body) {
  if (body.size() > limits.message_bytes_max) {
    return make_error(Errc::message_too_large, "message has " + std::to_string(body.size()) + " bytes, at most " +
                                                   std::to_string(limits.message_bytes_max) + " are allowed");
  }
  if (!prepared) {
    // simdjson does not count an empty container as a level, so this depth refuses at times what we accept (and then
    // check_tamed() decides), but never accepts what we refuse.
    if (parser.allocate(parser.capacity(), limits.depth_max)) return make_error(Errc::overloaded, "out of memory");
    prepared = true;
  }
  simdjson::dom::element message;
  // Newer versions of simdjson skip a byte order mark; no JSON begins with its first byte.
  const bool is_plain = !body.starts_with('\xEF') && !may_escape_surrogate(body);
  const bool parsed = is_plain && parser.parse(body.data(), body.size()).get(message) == simdjson::SUCCESS;
  auto outcome = Validator::Outcome::undecided;
  if (parsed) {
    WEIR_TRY(outcome, validate(schema, message, Validator::Numbers::parsed));
  }
  if (outcome == Validator::Outcome::undecided) {
    WEIR_TRY(check_tamed(schema, body));
  }
  return minify(body);
}

/// The slow way, for what the parser refuses or cannot tell: the grammar is checked by our own scanner, which knows no
/// bounds of numbers and gives the place of a mistake, then the parser gets numbers that it can hold.
Result<void> PayloadChecker::Impl::check_tamed(const Schema& schema, std::string_view body) {
  WEIR_TRY(check_json(body, limits.depth_max));
  const std::string tame = tame_numbers(body);
  simdjson::dom::element message;
  prepared = false;  // the next message is measured with the tighter depth again
  auto failed = parser.allocate(parser.capacity(), limits.depth_max + 1);
  if (!failed) failed = parser.parse(tame).get(message);
  if (failed == simdjson::MEMALLOC) return make_error(Errc::overloaded, "out of memory");
  if (failed) return make_error(Errc::invalid_json, std::string("not valid JSON: ") + simdjson::error_message(failed));
  WEIR_TRY(validate(schema, message, Validator::Numbers::tamed));
  return ok();
}

Result<Validator::Outcome> PayloadChecker::Impl::validate(const Schema& schema, simdjson::dom::element message,
                                                          Validator::Numbers numbers) {
  simdjson::dom::object object;
  if (message.get(object)) return make_error(Errc::schema_violation, "message must be a JSON object");
  Violations violations;
  const auto outcome = validator.run(schema.root(), object, numbers, violations);
  if (!violations.empty()) return std::move(violations).to_error(Errc::schema_violation);
  return outcome;
}

Result<std::string> PayloadChecker::Impl::minify(std::string_view body) {
  // By way of a buffer of ours: minify() needs padding behind the end, and the message shall hold no more than it
  // needs.
  const std::size_t needed = body.size() + simdjson::SIMDJSON_PADDING;
  if (minified_bytes < needed) {
    minified.reset(new std::uint8_t[needed]);
    minified_bytes = needed;
  }
  std::size_t size = 0;
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(body.data());
  const auto failed = minifier().minify(bytes, body.size(), minified.get(), size);
  WEIR_ASSERT(!failed);  // it parsed
  return std::string(reinterpret_cast<const char*>(minified.get()), size);
}

void PayloadChecker::Impl::trim() {
  if (parser.capacity() <= kKeptMessageBytes && minified_bytes <= kKeptMessageBytes) return;
  parser = simdjson::dom::parser();
  prepared = false;
  minified.reset();
  minified_bytes = 0;
  validator.trim();
}

PayloadChecker::PayloadChecker(PayloadLimits limits) : impl_(std::make_unique<Impl>(limits)) {}
PayloadChecker::~PayloadChecker() = default;
PayloadChecker::PayloadChecker(PayloadChecker&&) noexcept = default;

Result<std::string> PayloadChecker::check(const Schema& schema, std::string_view body) {
  Result<std::string> stored = impl_->check(schema, body);
  impl_->trim();
  return stored;
}

}  // namespace weir::model
