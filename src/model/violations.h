#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "weir/base/result.h"

namespace weir::model {

/// Gathers what is wrong with an input. The first kKept are kept, the rest only counted, and paths are cut, so that the
/// answer stays small whatever the input is.
class Violations {
 public:
  static constexpr std::size_t kKept = 100;
  static constexpr std::size_t kPathBytesMax = 512;

  bool empty() const { return count_ == 0; }
  std::size_t count() const { return count_; }
  /// Whether the next one would be kept: building a path for nothing is worth avoiding.
  bool keeps_more() const { return fields_.size() < kKept; }
  void count_only() { ++count_; }
  void add(std::string path, std::string message) {
    ++count_;
    if (!keeps_more()) return;
    cut(path);
    fields_.push_back({std::move(path), std::move(message)});
  }
  void add_all(Violations&& others) {
    for (FieldError& field : others.fields_) add(std::move(field.field), std::move(field.message));
    count_ += others.count_ - others.fields_.size();
  }
  /// Needs at least one violation.
  Error to_error(Errc code) && {
    const FieldError& first = fields_.front();
    std::string detail = first.field.empty() ? first.message : first.field + ": " + first.message;
    if (count_ > kKept) detail += " (the first " + std::to_string(kKept) + " of " + std::to_string(count_) + ")";
    return {code, std::move(detail), std::move(fields_)};
  }

 private:
  static void cut(std::string& path) {
    if (path.size() <= kPathBytesMax) return;
    std::size_t size = kPathBytesMax;
    while (size > 0 && (static_cast<unsigned char>(path[size]) & 0xC0) == 0x80) --size;  // not inside a character
    path.resize(size);
    path += "…";
  }

  std::vector<FieldError> fields_;
  std::size_t count_ = 0;
};

}  // namespace weir::model
