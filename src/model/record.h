#pragma once

#include <concepts>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

#include "weir/base/clock.h"
#include "weir/base/result.h"

// How this module writes and reads the small JSON records that the store keeps.

namespace weir::model {

/// Reads the keys of a record one by one and remembers the first that is missing or of a wrong type or range. Unknown
/// keys are left alone: a newer version may have written them.
class RecordReader {
 public:
  RecordReader(std::string_view what, std::string_view bytes)
      : what_(what), json_(nlohmann::json::parse(bytes, nullptr, /*allow_exceptions=*/false)) {
    if (json_.is_discarded() || !json_.is_object()) problem_ = "is not a JSON object";
  }

  std::string string(const char* key) {
    const nlohmann::json* value = find(key);
    if (value == nullptr || !value->is_string()) return fail(key, "must be a string"), std::string();
    return value->get<std::string>();
  }
  std::optional<std::string> optional_string(const char* key) {
    return is_null(key) ? std::nullopt : std::optional<std::string>(string(key));
  }
  template <std::unsigned_integral Number>
  Number number(const char* key, Number min = 0) {
    const nlohmann::json* value = find(key);
    return value == nullptr ? (fail(key, "is missing"), Number{0}) : number(key, *value, min);
  }
  /// At least one, and few enough to be counted in any finer unit.
  std::chrono::seconds seconds(const char* key) {
    constexpr std::uint64_t kMax = std::numeric_limits<std::int64_t>::max() / 1'000'000'000;
    const auto count = number<std::uint64_t>(key, 1);
    if (count > kMax) fail(key, "is not an integer in its range");
    return std::chrono::seconds{static_cast<std::int64_t>(count > kMax ? 0 : count)};
  }
  WallTime time(const char* key) {
    const nlohmann::json* value = find(key);
    if (value == nullptr || !value->is_number_integer()) return fail(key, "must be an integer"), WallTime{};
    return WallTime{std::chrono::milliseconds{value->get<std::int64_t>()}};
  }
  std::optional<WallTime> optional_time(const char* key) {
    return is_null(key) ? std::nullopt : std::optional<WallTime>(time(key));
  }
  /// Calls `each` with the elements of an array.
  template <class Each>
  void array(const char* key, Each each) {
    const nlohmann::json* value = find(key);
    if (value == nullptr || !value->is_array()) return fail(key, "must be an array");
    for (const nlohmann::json& element : *value) each(element);
  }
  template <std::unsigned_integral Number>
  Number number(const char* key, const nlohmann::json& value, Number min) {
    if (value.is_number_unsigned()) {
      const auto wide = value.get<std::uint64_t>();
      if (wide >= min && wide <= std::numeric_limits<Number>::max()) return static_cast<Number>(wide);
    }
    return fail(key, "is not an integer in its range"), Number{0};
  }
  void fail(const char* key, std::string_view problem) {
    if (problem_.empty()) problem_ = std::string(key) + ' ' + std::string(problem);
  }

  /// The first mistake, if any.
  Result<void> finish() const {
    if (problem_.empty()) return ok();
    return make_error(Errc::data_corrupt, std::string(what_) + ": " + problem_);
  }

 private:
  const nlohmann::json* find(const char* key) const {
    if (!json_.is_object()) return nullptr;
    const auto found = json_.find(key);
    return found == json_.end() ? nullptr : &*found;
  }
  bool is_null(const char* key) const {
    const nlohmann::json* value = find(key);
    return value == nullptr || value->is_null();
  }

  std::string_view what_;
  nlohmann::json json_;
  std::string problem_;
};

/// Text that is not UTF-8 (a name given on a command line) is kept as far as it can be, rather than throwing.
inline std::string write_record(const nlohmann::json& record) {
  return record.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

inline nlohmann::json to_record(const std::optional<WallTime>& time) {
  return time ? nlohmann::json(time->time_since_epoch().count()) : nlohmann::json(nullptr);
}

}  // namespace weir::model
