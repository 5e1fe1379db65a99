#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <simdjson.h>

#include "schema_node.h"
#include "violations.h"

namespace weir::model {

/// Walks a parsed message along a schema. Keeps its working memory from one message to the next; not thread-safe.
/// Recursion is bounded by the levels of the schema.
class Validator {
 public:
  enum class Numbers {
    parsed,  ///< as the parser left them: a `double` may have lost the digits that make it a fraction
    tamed    ///< after tame_numbers(): what is still a `double` is a fraction
  };
  enum class Outcome {
    done,
    undecided  ///< the parsed numbers cannot tell an integer from a fraction; walk again over tamed ones
  };

  /// Adds every violation of `message` to `to`, or leaves `to` alone when undecided.
  Outcome run(const Schema::Node& root, simdjson::dom::object message, Numbers numbers, Violations& to);

  /// Gives back what an unusually wide message made it hold.
  void trim();

 private:
  using Element = simdjson::dom::element;
  using Node = Schema::Node;

  /// A step of the path to a value; the way back to the root is only walked when a path is to be shown.
  struct Step {
    const Step* parent;     ///< null at the root, which has no name
    std::string_view name;  ///< of a member; without data: an element of an array
    std::size_t place = 0;  ///< of that element
  };
  /// What a message has for a field: the last member of that name. Null counts as absent.
  struct Slot {
    Element value{};
    bool present = false;
  };

  void check(const Node& rule, Element value, const Step& step);
  void check_object(const Node& rule, simdjson::dom::object value, const Step& step);
  void check_array(const Node& rule, simdjson::dom::array value, const Step& step);
  void check_either(const Node& rule, const Node& other_rule, Element value, const Step& step);
  bool is_integer(Element value);
  void violation(const Step& step, const char* message);
  static std::string path_to(const Step& step);

  std::vector<Slot> slots_;  ///< a stack: each object being walked has one for each of its fields
  Violations* violations_ = nullptr;
  Numbers numbers_ = Numbers::parsed;
  bool undecided_ = false;
};

}  // namespace weir::model
