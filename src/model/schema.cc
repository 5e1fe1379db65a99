#include "weir/model/schema.h"

#include <optional>
#include <unordered_set>

#include <nlohmann/json.hpp>

#include "weir/model/json_scan.h"

#include "json_number.h"
#include "schema_node.h"
#include "violations.h"

namespace weir::model {
namespace {

using Json = nlohmann::json;
using Node = Schema::Node;
using Type = Node::Type;

constexpr std::size_t kLevelsMax = 64;
/// Of the JSON text: a level of fields takes at most three, and forms put small trees of their own into a field.
constexpr std::size_t kJsonDepth = 256;
constexpr const char* kTypes =
    "must be one of string, integer, number, boolean, date, date_time, timestamp, object, array";

std::string at(const std::string& path, std::size_t index) {
  return path + '[' + std::to_string(index) + ']';
}

/// An attribute that is there and not null: forms write null for what they leave out.
const Json* attribute(const Json& field, const char* key) {
  const auto found = field.find(key);
  return found == field.end() || found->is_null() ? nullptr : &*found;
}

std::optional<Type> parse_type(const std::string& word) {
  if (word == "string") return Type::string;
  if (word == "integer") return Type::integer;
  if (word == "number") return Type::number;
  if (word == "boolean") return Type::boolean;
  if (word == "date") return Type::date;
  if (word == "date_time" || word == "timestamp") return Type::date_time;
  if (word == "object") return Type::object;
  if (word == "array") return Type::array;
  return std::nullopt;
}

/// A date field is often declared as date_time with the control of a date, in one of three sizes.
bool has_date_control(const Json& field) {
  const Json* control = attribute(field, "control_type");
  if (control == nullptr || !control->is_string()) return false;
  const auto& word = control->get_ref<const std::string&>();
  return word == "date" || word == "small-date" || word == "medium-date";
}

class Compiler {
 public:
  explicit Compiler(bool reject_unknown) : reject_unknown_(reject_unknown) {}

  /// `fields` is the array of field objects at `path`, on the level `level`, from 1.
  void compile_fields(const Json& fields, const std::string& path, std::size_t level, Node& to) {
    to.reject_unknown = reject_unknown_;
    if (level > kLevelsMax) {
      mistakes_.add(path, "nested deeper than " + std::to_string(kLevelsMax) + " levels");
      return;
    }
    std::unordered_set<std::string> names;
    for (std::size_t i = 0; i < fields.size(); ++i) compile_field(fields[i], at(path, i), level, names, to);
    to.sort_index();
  }

  Violations& mistakes() { return mistakes_; }

 private:
  void compile_field(const Json& json, const std::string& path, std::size_t level,
                     std::unordered_set<std::string>& names, Node& to) {
    if (!json.is_object()) {
      mistakes_.add(path, "must be a field object");
      return;
    }
    SchemaField field;
    field.name = compile_name(json, path);
    if (!field.name.empty() && !names.insert(field.name).second) {
      mistakes_.add(path + ".name", "another field of this level has this name");
    }
    if (const Json* optional = attribute(json, "optional")) {
      if (optional->is_boolean()) {
        field.required = !optional->get<bool>();
      } else {
        mistakes_.add(path + ".optional", "must be true or false");
      }
    }
    compile_rule(json, path, level, field.rule);

    const auto place = static_cast<std::uint32_t>(to.fields.size());
    const Json* toggle = attribute(json, "toggle_field");
    if (toggle == nullptr) {
      to.fields.push_back(std::move(field));
    } else if (!toggle->is_object()) {
      mistakes_.add(path + ".toggle_field", "must be a field object");
    } else {
      SchemaField other = compile_toggle(*toggle, path + ".toggle_field", level);
      if (other.name == field.name) {
        field.other_rule = std::make_unique<Node>(std::move(other.rule));
        to.fields.push_back(std::move(field));
      } else {
        if (!other.name.empty() && !names.insert(other.name).second) {
          mistakes_.add(path + ".toggle_field.name", "another field of this level has this name");
        }
        field.partner = place + 1;
        other.partner = place;
        to.fields.push_back(std::move(field));
        to.fields.push_back(std::move(other));
      }
    }
  }

  /// The alternative to a field. Whether one of the two must be there is said by the field, not by its toggle.
  SchemaField compile_toggle(const Json& json, const std::string& path, std::size_t level) {
    SchemaField toggle;
    toggle.name = compile_name(json, path);
    compile_rule(json, path, level, toggle.rule);
    return toggle;
  }

  /// Empty after a mistake.
  std::string compile_name(const Json& json, const std::string& path) {
    const Json* name = attribute(json, "name");
    if (name == nullptr) {
      mistakes_.add(path + ".name", "is missing");
    } else if (!name->is_string() || name->get_ref<const std::string&>().empty()) {
      mistakes_.add(path + ".name", "must be a string of at least one character");
    } else {
      return name->get<std::string>();
    }
    return {};
  }

  /// What `type` or `of` names; `otherwise` when it is left out. A mistake gives a string, to go on with.
  Type compile_type(const Json& json, const char* key, const std::string& path, Type otherwise) {
    const Json* word = attribute(json, key);
    if (word == nullptr) return otherwise;
    if (!word->is_string()) {
      mistakes_.add(path + '.' + key, "must be a string");
      return Type::string;
    }
    const std::optional<Type> type = parse_type(word->get_ref<const std::string&>());
    if (!type) mistakes_.add(path + '.' + key, kTypes);
    return type.value_or(Type::string);
  }

  void compile_rule(const Json& json, const std::string& path, std::size_t level, Node& to) {
    to.type = compile_type(json, "type", path, Type::string);
    if (to.type == Type::date_time && has_date_control(json)) to.type = Type::date;
    if (to.type == Type::object) {
      compile_properties(json, path, level, to);
    } else if (to.type == Type::array) {
      to.element = std::make_unique<Node>();
      to.element->type = compile_type(json, "of", path, Type::object);
      if (to.element->type == Type::object) compile_properties(json, path, level, *to.element);
    }
  }

  void compile_properties(const Json& json, const std::string& path, std::size_t level, Node& to) {
    const Json* properties = attribute(json, "properties");
    if (properties == nullptr) return;
    if (properties->is_array()) {
      compile_fields(*properties, path + ".properties", level + 1, to);
    } else {
      mistakes_.add(path + ".properties", "must be an array of field objects");
    }
  }

  const bool reject_unknown_;
  Violations mistakes_;
};

Error wrong(std::string message) {
  Violations mistakes;
  mistakes.add("schema", std::move(message));
  return std::move(mistakes).to_error(Errc::validation_failed);
}

}  // namespace

Schema::Schema() {
  static const auto kAnyObject = std::make_shared<const Node>();
  root_ = kAnyObject;
}

Result<Schema> Schema::compile(std::string_view json, UnknownFields unknown, std::size_t bytes_max) {
  if (json.size() > bytes_max) return wrong("must be at most " + std::to_string(bytes_max) + " bytes");
  const Result<JsonKind> kind = check_json(json, kJsonDepth);
  if (!kind) return wrong(kind.error().detail);
  if (kind.value() != JsonKind::array) return wrong("must be an array of field objects");

  // Numbers decide nothing here, but the parser would refuse one like 1e400 in somebody's `default`.
  const Json fields = Json::parse(tame_numbers(json), nullptr, /*allow_exceptions=*/false);
  if (fields.is_discarded()) return wrong("not valid JSON");
  auto root = std::make_shared<Node>();
  Compiler compiler(unknown == UnknownFields::reject);
  compiler.compile_fields(fields, "schema", 1, *root);
  if (!compiler.mistakes().empty()) return std::move(compiler.mistakes()).to_error(Errc::validation_failed);
  return Schema(std::move(root));
}

}  // namespace weir::model
