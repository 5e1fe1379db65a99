#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "weir/base/config.h"

namespace weir::config {

/// How a whole number is written.
enum class Notation : std::uint8_t {
  plain,    ///< 100000
  bytes,    ///< 65536 or "64KiB"
  seconds,  ///< decimal seconds of a value kept in milliseconds: 0.25
};

struct Number {
  std::uint64_t (*get)(const Config&);
  void (*set)(Config&, std::uint64_t);
  std::uint64_t min;
  std::uint64_t max;
  Notation notation;
};

struct Text {
  std::string& (*at)(Config&);
  std::vector<std::string_view> choices;  ///< empty: `fits` decides
  bool (*fits)(std::string_view) = nullptr;
  std::string_view bounds{};  ///< what `fits` wants, in words
};

struct Boolean {
  bool& (*at)(Config&);
};

/// One key: the only place that knows its name, where its value is kept, what it may be, and what it is for.
struct Row {
  std::string_view name;
  std::variant<Number, Text, Boolean> kind;
  std::string_view unit;
  std::string_view help;
};

/// Every key, grouped by section, in the order of the file. The defaults are those of a `Config{}`.
std::span<const Row> table();

/// Puts `text` into `config`, or says what is wrong with it ("must be 1 to 50, not \"0\""); then `config` is unchanged.
std::optional<std::string> assign(const Row& row, std::string_view text, Config& config);

/// `text` in quotes for a message: shortened when long, without control characters.
std::string quoted(std::string_view text);

/// As the file would hold it.
std::string default_text(const Row& row);
std::string bounds_text(const Row& row);

}  // namespace weir::config
