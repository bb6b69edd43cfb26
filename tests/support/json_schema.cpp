#include "tests/support/json_schema.h"

#include <algorithm>
#include <iterator>

#include "core/error.h"

namespace tokend::tests {
namespace {

using simdjson::dom::array;
using simdjson::dom::element;
using simdjson::dom::element_type;
using simdjson::dom::object;

// References that go round in circles end here.
constexpr int kDepthMax = 64;
// std::regex takes a frame of the stack for each byte.
constexpr std::size_t kPatternTextBytesMax = 4096;
constexpr std::size_t kShownBytesMax = 200;

std::string shown(element value) {
  std::string text = simdjson::minify(value);
  if (text.size() > kShownBytesMax) text = text.substr(0, kShownBytesMax) + "…";
  return text;
}

std::string problem(std::string_view place, std::string_view what, element value) {
  return std::string(place)
      .append(": ")
      .append(what)
      .append(": ")
      .append(shown(value))
      .append("\n");
}

bool is_number(element value) {
  return value.type() == element_type::INT64 || value.type() == element_type::UINT64 ||
         value.type() == element_type::DOUBLE;
}

bool has_type(element value, std::string_view type) {
  switch (value.type()) {
    case element_type::OBJECT: return type == "object";
    case element_type::ARRAY: return type == "array";
    case element_type::STRING: return type == "string";
    case element_type::BOOL: return type == "boolean";
    case element_type::NULL_VALUE: return type == "null";
    case element_type::INT64:
    case element_type::UINT64: return type == "integer" || type == "number";
    case element_type::DOUBLE: return type == "number";
  }
  return false;
}

bool is_type(std::string_view name) {
  constexpr std::string_view kTypes[] = {"object", "array",   "string", "boolean",
                                         "null",   "integer", "number"};
  return std::ranges::find(kTypes, name) != std::end(kTypes);
}

// A type's name or a list of such.
bool is_type_operand(element operand) {
  std::string_view name;
  if (!operand.get(name)) return is_type(name);
  array names;
  if (operand.get(names)) return false;
  for (const element one : names) {
    if (one.get(name) || !is_type(name)) return false;
  }
  return names.size() > 0;
}

bool equal(element left, element right);

bool equal(object left, object right) {
  if (left.size() != right.size()) return false;
  for (const auto& [key, value] : left) {
    element other;
    if (right.at_key(key).get(other) || !equal(value, other)) return false;
  }
  return true;
}

bool equal(array left, array right) {
  if (left.size() != right.size()) return false;
  std::size_t index = 0;
  for (const element value : left) {
    if (!equal(value, right.at(index++).value_unsafe())) return false;
  }
  return true;
}

bool equal(element left, element right) {
  if (is_number(left) && is_number(right)) {
    return left.get_double().value_unsafe() == right.get_double().value_unsafe();
  }
  if (left.type() != right.type()) return false;
  switch (left.type()) {
    case element_type::OBJECT: return equal(members_of(left), members_of(right));
    case element_type::ARRAY: return equal(elements_of(left), elements_of(right));
    case element_type::STRING:
      return left.get_string().value_unsafe() == right.get_string().value_unsafe();
    case element_type::BOOL:
      return left.get_bool().value_unsafe() == right.get_bool().value_unsafe();
    default: return left.is_null();
  }
}

}  // namespace

object members_of(element of) {
  object members;
  CHECK(of.get(members) == simdjson::SUCCESS);
  return members;
}

array elements_of(element of) {
  array elements;
  CHECK(of.get(elements) == simdjson::SUCCESS);
  return elements;
}

simdjson::simdjson_result<element> find_reference(element document, std::string_view reference) {
  if (!reference.starts_with("#/")) return simdjson::INVALID_JSON_POINTER;
  return document.at_pointer(reference.substr(1));
}

const JsonSchema::Keyword JsonSchema::kKeywords[] = {
    {"$ref", &JsonSchema::check_reference, Holds::nothing},
    {"type", &JsonSchema::check_type, Holds::nothing},
    {"const", &JsonSchema::check_const, Holds::nothing},
    {"enum", &JsonSchema::check_enum, Holds::nothing},
    {"properties", &JsonSchema::check_properties, Holds::schemas_by_name},
    {"required", &JsonSchema::check_required, Holds::nothing},
    {"additionalProperties", &JsonSchema::check_additional, Holds::nothing},
    {"items", &JsonSchema::check_items, Holds::schema},
    {"maxItems", &JsonSchema::check_items_max, Holds::nothing},
    {"pattern", &JsonSchema::check_pattern, Holds::nothing},
    {"minimum", &JsonSchema::check_minimum, Holds::nothing},
    {"oneOf", &JsonSchema::check_one_of, Holds::list_of_schemas},
    {"anyOf", &JsonSchema::check_any_of, Holds::list_of_schemas},
    {"description", nullptr, Holds::nothing},
    {"format", nullptr, Holds::nothing},
    {"default", nullptr, Holds::nothing},
};

const JsonSchema::Keyword* JsonSchema::keyword_of(std::string_view name) {
  const auto* const found = std::ranges::find(kKeywords, name, &Keyword::name);
  return found == std::end(kKeywords) ? nullptr : found;
}

std::string JsonSchema::violation(element schema, element value) const {
  return violation_at(schema, value, "$", 0);
}

std::string JsonSchema::violation_at(element schema, element value, std::string_view place,
                                     int depth) const {
  object keywords;
  if (schema.get(keywords)) return problem(place, "the schema is no object", schema);
  if (depth > kDepthMax) return problem(place, "the schema goes too deep", schema);
  std::string problems;
  for (const auto& [name, operand] : keywords) {
    const Keyword* const keyword = keyword_of(name);
    if (!keyword)
      return problem(place, "a keyword that is not known: " + std::string(name), schema);
    if (!keyword->check) continue;
    problems += (this->*keyword->check)({keywords, operand, value, place, depth + 1});
  }
  return problems;
}

std::string JsonSchema::defect(element schema) const {
  object keywords;
  if (schema.get(keywords)) return problem("schema", "is no object", schema);
  std::string problems;
  for (const auto& [name, operand] : keywords) {
    const Keyword* const keyword = keyword_of(name);
    if (!keyword) {
      problems += problem("schema", "a keyword that is not known: " + std::string(name), schema);
      continue;
    }
    std::string_view text;
    if (name == "$ref" && (operand.get(text) || find_reference(document_, text).error())) {
      problems += problem("schema", "a reference to nothing", schema);
    }
    if (name == "type" && !is_type_operand(operand)) {
      problems += problem("schema", "a type that is not known", schema);
    }
    problems += defect_below(keyword->holds, operand);
  }
  return problems;
}

std::string JsonSchema::defect_below(Holds holds, element operand) const {
  std::string problems;
  array list;
  object by_name;
  switch (holds) {
    case Holds::nothing: break;
    case Holds::schema: return defect(operand);
    case Holds::list_of_schemas:
      if (operand.get(list)) return problem("schema", "no list of schemas", operand);
      for (const element part : list) problems += defect(part);
      break;
    case Holds::schemas_by_name:
      if (operand.get(by_name)) return problem("schema", "no object of schemas", operand);
      for (const auto& member : by_name) problems += defect(member.value);
      break;
  }
  return problems;
}

std::string JsonSchema::check_reference(const Case& asked) const {
  std::string_view reference;
  element schema;
  if (asked.operand.get(reference) || find_reference(document_, reference).get(schema)) {
    return problem(asked.place, "a reference to nothing", asked.operand);
  }
  return violation_at(schema, asked.value, asked.place, asked.depth);
}

std::string JsonSchema::check_type(const Case& asked) const {
  if (!is_type_operand(asked.operand)) {
    return problem(asked.place, "a type that is not known", asked.operand);
  }
  bool fits = false;
  array types;
  if (asked.operand.get(types)) {
    fits = has_type(asked.value, asked.operand.get_string().value_unsafe());
  } else {
    for (const element type : types) {
      fits |= has_type(asked.value, type.get_string().value_unsafe());
    }
  }
  return fits ? "" : problem(asked.place, "not of type " + shown(asked.operand), asked.value);
}

std::string JsonSchema::check_const(const Case& asked) const {
  return equal(asked.operand, asked.value)
             ? ""
             : problem(asked.place, "not " + shown(asked.operand), asked.value);
}

std::string JsonSchema::check_enum(const Case& asked) const {
  array values;
  if (asked.operand.get(values)) return problem(asked.place, "no list", asked.operand);
  for (const element value : values) {
    if (equal(value, asked.value)) return "";
  }
  return problem(asked.place, "none of " + shown(asked.operand), asked.value);
}

std::string JsonSchema::check_properties(const Case& asked) const {
  object properties;
  object members;
  if (asked.operand.get(properties)) return problem(asked.place, "no object", asked.operand);
  if (asked.value.get(members)) return "";
  std::string problems;
  for (const auto& [key, value] : members) {
    element schema;
    if (properties.at_key(key).get(schema)) continue;
    const std::string place = std::string(asked.place).append(".").append(key);
    problems += violation_at(schema, value, place, asked.depth);
  }
  return problems;
}

std::string JsonSchema::check_required(const Case& asked) const {
  array names;
  object members;
  if (asked.operand.get(names)) return problem(asked.place, "no list", asked.operand);
  if (asked.value.get(members)) return "";
  std::string problems;
  for (const element name : names) {
    std::string_view key;
    if (name.get(key) || members.at_key(key).error()) {
      problems += problem(asked.place, "lacks " + shown(name), asked.value);
    }
  }
  return problems;
}

std::string JsonSchema::check_additional(const Case& asked) const {
  bool allowed = true;
  object members;
  if (asked.operand.get(allowed) || allowed) {
    return problem(asked.place, "additionalProperties other than false", asked.operand);
  }
  if (asked.value.get(members)) return "";
  object properties;
  const bool none = asked.schema.at_key("properties").get(properties) != simdjson::SUCCESS;
  std::string problems;
  for (const auto& [key, value] : members) {
    if (none || properties.at_key(key).error()) {
      problems += problem(asked.place, "has " + std::string(key) + " besides", value);
    }
  }
  return problems;
}

std::string JsonSchema::check_items(const Case& asked) const {
  array elements;
  if (asked.value.get(elements)) return "";
  std::string problems;
  std::size_t index = 0;
  for (const element value : elements) {
    const std::string place = std::string(asked.place) + "[" + std::to_string(index++) + "]";
    problems += violation_at(asked.operand, value, place, asked.depth);
  }
  return problems;
}

std::string JsonSchema::check_items_max(const Case& asked) const {
  std::uint64_t max = 0;
  array elements;
  if (asked.operand.get(max)) return problem(asked.place, "no number", asked.operand);
  if (asked.value.get(elements) || elements.size() <= max) return "";
  return problem(asked.place, "more elements than " + std::to_string(max), asked.value);
}

std::string JsonSchema::check_pattern(const Case& asked) const {
  std::string_view pattern;
  std::string_view text;
  if (asked.operand.get(pattern)) return problem(asked.place, "no pattern", asked.operand);
  if (asked.value.get(text)) return "";
  if (text.size() <= kPatternTextBytesMax && finds(pattern, text)) return "";
  return problem(asked.place, "does not match " + shown(asked.operand), asked.value);
}

std::string JsonSchema::check_minimum(const Case& asked) const {
  double least = 0;
  double number = 0;
  if (asked.operand.get(least)) return problem(asked.place, "no number", asked.operand);
  if (asked.value.get(number) || number >= least) return "";
  return problem(asked.place, "less than " + shown(asked.operand), asked.value);
}

std::string JsonSchema::check_one_of(const Case& asked) const {
  std::string problems;
  const int count = count_fitting(asked, problems);
  if (count == 1) return "";
  return problem(asked.place, "fits " + std::to_string(count) + " of oneOf, not 1", asked.value) +
         problems;
}

std::string JsonSchema::check_any_of(const Case& asked) const {
  std::string problems;
  if (count_fitting(asked, problems) > 0) return "";
  return problem(asked.place, "fits nothing of anyOf", asked.value) + problems;
}

int JsonSchema::count_fitting(const Case& asked, std::string& problems) const {
  array schemas;
  if (asked.operand.get(schemas)) return 0;
  int count = 0;
  for (const element schema : schemas) {
    const std::string found = violation_at(schema, asked.value, asked.place, asked.depth);
    count += found.empty();
    problems += found;
  }
  return count;
}

bool JsonSchema::finds(std::string_view pattern, std::string_view text) const {
  const std::lock_guard lock(mutex_);
  auto found = patterns_.find(pattern);
  if (found == patterns_.end()) {
    found = patterns_.emplace(pattern, std::regex(std::string(pattern))).first;
  }
  return std::regex_search(text.begin(), text.end(), found->second);
}

}  // namespace tokend::tests
