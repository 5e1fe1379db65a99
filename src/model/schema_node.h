#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "weir/model/schema.h"

namespace weir::model {

struct SchemaField;

/// A schema compiled: the rule for one value and, below it, for its members or elements.
struct Schema::Node {
  enum class Type : std::uint8_t { string, integer, number, boolean, date, date_time, object, array };

  Type type = Type::object;
  bool reject_unknown = false;       ///< object with fields: members beyond them are a violation
  std::vector<SchemaField> fields;   ///< object: in the order of the schema; none: any object complies
  std::vector<std::uint32_t> index;  ///< places in `fields`, sorted by length of the name, then bytes
  std::unique_ptr<Node> element;     ///< array: the rule of each element; none: any element complies

  static constexpr std::size_t kNotFound = std::numeric_limits<std::size_t>::max();
  /// The place in `fields` of that name, or kNotFound. `guess`: the place to try first; messages tend to keep the
  /// schema's order.
  std::size_t find(std::string_view name, std::size_t guess) const noexcept;
  void sort_index();
};

/// A member of an object. A `toggle_field` of another name is a member of its own, bound to its field by `partner`; one
/// of the same name is a second rule for the same member.
struct SchemaField {
  static constexpr std::uint32_t kNoPartner = std::numeric_limits<std::uint32_t>::max();

  std::string name;
  Schema::Node rule;
  std::unique_ptr<Schema::Node> other_rule;  ///< complies as well when `rule` does not
  std::uint32_t partner = kNoPartner;        ///< place of the member that may stand in for this one
  bool required = false;
};

inline bool name_before(std::string_view a, std::string_view b) noexcept {
  return a.size() != b.size() ? a.size() < b.size() : a < b;
}

inline std::size_t Schema::Node::find(std::string_view name, std::size_t guess) const noexcept {
  if (guess < fields.size() && fields[guess].name == name) return guess;
  const auto place = std::lower_bound(index.begin(), index.end(), name, [this](std::uint32_t i, std::string_view key) {
    return name_before(fields[i].name, key);
  });
  return place != index.end() && fields[*place].name == name ? *place : kNotFound;
}

inline void Schema::Node::sort_index() {
  index.resize(fields.size());
  for (std::uint32_t i = 0; i < index.size(); ++i) index[i] = i;
  std::sort(index.begin(), index.end(),
            [this](std::uint32_t a, std::uint32_t b) { return name_before(fields[a].name, fields[b].name); });
}

}  // namespace weir::model
