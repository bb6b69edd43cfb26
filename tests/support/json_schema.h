#pragma once
// JSON Schema (draft 2020-12), as much of it as http/api/openapi.json uses. A keyword that is not
// known here is a violation whatever the value, so that nothing goes unchecked unseen.
//
// Known: $ref (within the document), type, const, enum, properties, required, additionalProperties,
// items, maxItems, pattern, minimum, oneOf, anyOf; description, format and default say nothing of a
// value.
//
// Concurrency: any thread. The document must outlive it.

#include <simdjson.h>

#include <map>
#include <mutex>
#include <regex>
#include <string>
#include <string_view>

namespace tokend::tests {

class JsonSchema {
 public:
  using Element = simdjson::dom::element;

  // References are looked up in `document`.
  explicit JsonSchema(Element document) : document_(document) {}

  // Why `value` does not fit `schema`; empty when it does.
  [[nodiscard]] std::string violation(Element schema, Element value) const;
  // Why `schema` is none that can be checked, whatever the value; empty when it is. References are
  // looked up but not followed.
  [[nodiscard]] std::string defect(Element schema) const;

 private:
  // One keyword of a schema and the value that it is asked of.
  struct Case {
    simdjson::dom::object schema;  // that the keyword stands in
    Element operand;               // what stands behind the keyword
    Element value;
    std::string_view place;  // of the value, for messages
    int depth;
  };
  using Check = std::string (JsonSchema::*)(const Case&) const;
  enum class Holds { nothing, schema, list_of_schemas, schemas_by_name };
  struct Keyword {
    std::string_view name;
    Check check;  // nullptr: says nothing of a value
    Holds holds;
  };
  static const Keyword kKeywords[];
  static const Keyword* keyword_of(std::string_view name);

  [[nodiscard]] std::string defect_below(Holds holds, Element operand) const;
  [[nodiscard]] std::string violation_at(Element schema, Element value, std::string_view place,
                                         int depth) const;
  [[nodiscard]] std::string check_reference(const Case& asked) const;
  [[nodiscard]] std::string check_type(const Case& asked) const;
  [[nodiscard]] std::string check_const(const Case& asked) const;
  [[nodiscard]] std::string check_enum(const Case& asked) const;
  [[nodiscard]] std::string check_properties(const Case& asked) const;
  [[nodiscard]] std::string check_required(const Case& asked) const;
  [[nodiscard]] std::string check_additional(const Case& asked) const;
  [[nodiscard]] std::string check_items(const Case& asked) const;
  [[nodiscard]] std::string check_items_max(const Case& asked) const;
  [[nodiscard]] std::string check_pattern(const Case& asked) const;
  [[nodiscard]] std::string check_minimum(const Case& asked) const;
  [[nodiscard]] std::string check_one_of(const Case& asked) const;
  [[nodiscard]] std::string check_any_of(const Case& asked) const;
  // How many of the operand's schemas the value fits; why not the others is added to `problems`.
  [[nodiscard]] int count_fitting(const Case& asked, std::string& problems) const;
  [[nodiscard]] bool finds(std::string_view pattern, std::string_view text) const;

  Element document_;
  // Compiling one takes longer than asking it.
  mutable std::mutex mutex_;
  mutable std::map<std::string, std::regex, std::less<>> patterns_;
};

// By value, because a loop over what a result holds outlives the result. Each trips a CHECK when
// the element is of another type.
[[nodiscard]] simdjson::dom::object members_of(simdjson::dom::element element);
[[nodiscard]] simdjson::dom::array elements_of(simdjson::dom::element element);

// What `reference` ("#/…") names in the document.
[[nodiscard]] simdjson::simdjson_result<simdjson::dom::element> find_reference(
    simdjson::dom::element document, std::string_view reference);

}  // namespace tokend::tests
