#include "validate.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "weir/model/time.h"

namespace weir::model {

using simdjson::dom::element_type;

Validator::Outcome Validator::run(const Schema::Node& root, simdjson::dom::object message, Numbers numbers,
                                  Violations& to) {
  Violations found;
  violations_ = &found;
  numbers_ = numbers;
  undecided_ = false;
  check_object(root, message, Step{nullptr, {}});
  violations_ = nullptr;
  if (undecided_) return Outcome::undecided;
  to = std::move(found);
  return Outcome::done;
}

void Validator::trim() {
  slots_.clear();
  slots_.shrink_to_fit();
}

void Validator::check(const Node& rule, Element value, const Step& step) {
  const element_type type = value.type();
  switch (rule.type) {
    case Node::Type::string:
      if (type != element_type::STRING) violation(step, "must be a string");
      return;
    case Node::Type::integer:
      if (!is_integer(value)) violation(step, "must be an integer");
      return;
    case Node::Type::number:
      if (type != element_type::INT64 && type != element_type::UINT64 && type != element_type::DOUBLE) {
        violation(step, "must be a number");
      }
      return;
    case Node::Type::boolean:
      if (type != element_type::BOOL) violation(step, "must be true or false");
      return;
    case Node::Type::date:
      if (type != element_type::STRING || !is_schema_date_time(std::string_view(value))) {
        violation(step, "must be a date, like 2026-03-02");
      }
      return;
    case Node::Type::date_time:
      if (type != element_type::STRING || !is_schema_date_time(std::string_view(value))) {
        violation(step, "must be a date and time, like 2026-03-02T08:15:30Z");
      }
      return;
    case Node::Type::object:
      if (type != element_type::OBJECT) {
        violation(step, "must be an object");
      } else {
        check_object(rule, simdjson::dom::object(value), step);
      }
      return;
    case Node::Type::array:
      if (type != element_type::ARRAY) {
        violation(step, "must be an array");
      } else if (rule.element != nullptr) {
        check_array(*rule.element, simdjson::dom::array(value), step);
      }
      return;
  }
}

void Validator::check_object(const Node& rule, simdjson::dom::object value, const Step& step) {
  if (rule.fields.empty()) return;
  const std::size_t base = slots_.size();
  slots_.resize(base + rule.fields.size());
  std::size_t guess = 0;
  for (const simdjson::dom::key_value_pair member : value) {
    const std::size_t place = rule.find(member.key, guess);
    if (place != Node::kNotFound) {
      slots_[base + place] = Slot{member.value, !member.value.is_null()};
      guess = place + 1;
    } else if (rule.reject_unknown) {
      violation(Step{&step, member.key}, "unknown field");
    }
  }
  for (std::size_t i = 0; i < rule.fields.size(); ++i) {
    const SchemaField& field = rule.fields[i];
    const Slot slot = slots_[base + i];  // a copy: the checks below may move the stack
    const Step here{&step, field.name};
    if (slot.present) {
      if (field.other_rule == nullptr) {
        check(field.rule, slot.value, here);
      } else {
        check_either(field.rule, *field.other_rule, slot.value, here);
      }
    } else if (field.required && (field.partner == SchemaField::kNoPartner || !slots_[base + field.partner].present)) {
      violation(here, "required field is missing");
    }
  }
  slots_.resize(base);
}

void Validator::check_array(const Node& rule, simdjson::dom::array value, const Step& step) {
  std::size_t place = 0;
  for (const Element element : value) check(rule, element, Step{&step, {}, place++});
}

void Validator::check_either(const Node& rule, const Node& other_rule, Element value, const Step& step) {
  Violations* const outer = violations_;
  Violations first;
  violations_ = &first;
  check(rule, value, step);
  if (!first.empty()) {
    Violations second;
    violations_ = &second;
    check(other_rule, value, step);
    if (!second.empty()) outer->add_all(std::move(first));
  }
  violations_ = outer;
}

bool Validator::is_integer(Element value) {
  const element_type type = value.type();
  if (type != element_type::DOUBLE) return type == element_type::INT64 || type == element_type::UINT64;
  if (numbers_ == Numbers::tamed) return false;
  const double number(value);
  if (number != std::floor(number)) return false;
  undecided_ = true;  // 5.0, but 9007199254740993.5 and 1e-400 look the same by now
  return true;
}

void Validator::violation(const Step& step, const char* message) {
  if (violations_->keeps_more()) {
    violations_->add(path_to(step), message);
  } else {
    violations_->count_only();
  }
}

std::string Validator::path_to(const Step& step) {
  std::vector<const Step*> steps;
  for (const Step* at = &step; at->parent != nullptr; at = at->parent) steps.push_back(at);
  std::string path;
  for (auto at = steps.rbegin(); at != steps.rend() && path.size() <= Violations::kPathBytesMax; ++at) {
    if ((*at)->name.data() == nullptr) {
      path += '[' + std::to_string((*at)->place) + ']';
      continue;
    }
    if (!path.empty()) path += '.';
    path += (*at)->name.substr(0, Violations::kPathBytesMax + 1);  // one too many, so that it shows as cut
  }
  return path;
}

}  // namespace weir::model
