#include "api/workato/schema_errors.h"

#include <charconv>
#include <cstddef>
#include <optional>

#include "weir/model/json_scan.h"

#include "api/json_input.h"

namespace weir::api::workato {
namespace {

constexpr std::string_view kRoot = "schema";

/// The names of the fields that `path` ("schema[0].properties[2].type") leads through, joined by dots.
std::string names_on(std::string_view schema, std::string_view path) {
  std::string names;
  std::optional<std::string_view> at = schema;
  path.remove_prefix(kRoot.size());
  while (at && !path.empty()) {
    if (path.front() == '[') {
      const std::size_t close = path.find(']');
      std::size_t index = 0;
      if (close == std::string_view::npos || at->empty() || at->front() != '[') break;
      std::from_chars(path.data() + 1, path.data() + close, index);
      const auto elements = model::array_elements(*at, index + 1);
      if (index >= elements.size()) break;
      at = elements[index];
      path.remove_prefix(close + 1);
    } else {
      const std::size_t end = path.find_first_of(".[", 1);
      if (at->empty() || at->front() != '{') break;
      at = model::last_member(*at, path.substr(1, end == std::string_view::npos ? end : end - 1));
      path.remove_prefix(end == std::string_view::npos ? path.size() : end);
    }
    if (!at || at->empty() || at->front() != '{') continue;
    const auto raw = model::last_member(*at, "name");
    const auto name = raw ? json_string(*raw) : std::nullopt;
    if (!name || name->empty()) continue;
    if (!names.empty()) names += '.';
    names += excerpt(*name);
  }
  return names;
}

}  // namespace

std::vector<std::string> schema_error_texts(std::string_view schema, const std::vector<FieldError>& mistakes) {
  // Finding names means reading the schema again for each mistake: the first ones are helped with.
  constexpr std::size_t kNamedMax = 20;
  std::vector<std::string> texts;
  for (const FieldError& mistake : mistakes) {
    if (!std::string_view(mistake.field).starts_with(kRoot) || mistake.field.size() == kRoot.size()) {
      texts.push_back(mistake.message);
      continue;
    }
    std::string text = mistake.field;
    const std::string names = texts.size() < kNamedMax ? names_on(schema, mistake.field) : std::string();
    if (!names.empty()) text += " (" + names + ")";
    texts.push_back(text + ": " + mistake.message);
  }
  return texts;
}

}  // namespace weir::api::workato
