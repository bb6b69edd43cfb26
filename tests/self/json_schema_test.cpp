// What the contract tests' validator takes and what it refuses.

#include "tests/support/json_schema.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace tokend::tests {
namespace {

using simdjson::dom::element;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

// A document whose schemas a test names, and values for them.
class Schemas {
 public:
  explicit Schemas(std::string_view text) : document_(parse(parser_, text)), schema_(document_) {}

  // Of `json` by the document's member `name`.
  [[nodiscard]] std::string violation(std::string_view name, std::string_view json) const {
    simdjson::dom::parser parser;
    return schema_.violation(schema_of(name), parse(parser, json));
  }
  [[nodiscard]] std::string defect(std::string_view name) const {
    return schema_.defect(schema_of(name));
  }

 private:
  static element parse(simdjson::dom::parser& parser, std::string_view text) {
    return parser.parse(text.data(), text.size()).value();
  }
  [[nodiscard]] element schema_of(std::string_view name) const {
    return document_.at_key(name).value();
  }

  simdjson::dom::parser parser_;
  element document_;
  JsonSchema schema_;
};

std::string violation(std::string_view schema, std::string_view json) {
  return Schemas(R"({"s":)" + std::string(schema) + "}").violation("s", json);
}

struct Row {
  const char* schema;
  std::vector<const char*> right;
  std::vector<const char*> wrong;
};

TEST(JsonSchema, TellsRightValuesFromWrongOnes) {
  const std::vector<Row> table = {
      {R"({"type":"object"})", {"{}"}, {"[]", "null", "1"}},
      {R"({"type":"array"})", {"[]"}, {"{}", "\"\""}},
      {R"({"type":"string"})", {"\"\""}, {"1", "null"}},
      {R"({"type":"boolean"})", {"true", "false"}, {"\"true\"", "0"}},
      {R"({"type":"null"})", {"null"}, {"false", "\"\"", "0"}},
      {R"({"type":"integer"})", {"1", "-1", "18446744073709551615"}, {"1.5", "\"1\""}},
      {R"({"type":"number"})", {"1", "1.5"}, {"\"1\"", "null"}},
      {R"({"type":["string","null"]})", {"\"\"", "null"}, {"1", "{}"}},
      {R"({"const":{"a":[1,null],"b":false}})",
       {R"({"a":[1,null],"b":false})", R"({"b":false,"a":[1,null]})"},
       {R"({"a":[1,null]})", R"({"a":[1,null],"b":true})", R"({"a":[1,null],"b":false,"c":0})",
        R"({"a":[null,1],"b":false})", R"({"a":[1],"b":false})", "null"}},
      {R"({"const":""})", {"\"\""}, {"\"a\"", "null", "[]"}},
      {R"({"const":[]})", {"[]"}, {"[1]", "{}"}},
      {R"({"enum":["a",1]})", {"\"a\"", "1"}, {"\"b\"", "2", "\"1\""}},
      {R"({"properties":{"a":{"type":"string"}}})",
       {"{}", R"({"a":"","b":1})", "1"},
       {R"({"a":1})"}},
      {R"({"required":["a","b"]})", {R"({"a":1,"b":null})", "1"}, {"{}", R"({"a":1})"}},
      {R"({"properties":{"a":{}},"additionalProperties":false})",
       {"{}", R"({"a":1})", "1"},
       {R"({"b":1})", R"({"a":1,"b":1})"}},
      {R"({"items":{"type":"string"}})", {"[]", R"(["a","b"])", "1"}, {"[1]", R"(["a",null])"}},
      {R"({"maxItems":1})", {"[]", "[1]"}, {"[1,2]"}},
      {R"({"pattern":"^[a-z]{2}$"})", {"\"ab\"", "1"}, {"\"a\"", "\"abc\"", "\"AB\""}},
      {R"({"pattern":"b"})", {"\"abc\""}, {"\"ac\""}},
      {R"({"minimum":1})", {"1", "1.5", "\"\""}, {"0", "-1", "0.5"}},
      {R"({"oneOf":[{"type":"integer"},{"type":"string"}]})", {"1", "\"\""}, {"null", "{}"}},
      {R"({"oneOf":[{"type":"integer"},{"minimum":5}]})", {"1"}, {"7"}},
      {R"({"anyOf":[{"type":"integer"},{"minimum":5}]})", {"1", "7", "5.5"}, {"1.5"}},
      {R"({"description":"d","format":"f","default":1})", {"{}", "1"}, {}},
  };
  for (const Row& row : table) {
    for (const char* json : row.right) {
      EXPECT_THAT(violation(row.schema, json), IsEmpty()) << row.schema << " " << json;
    }
    for (const char* json : row.wrong) {
      EXPECT_FALSE(violation(row.schema, json).empty()) << row.schema << " " << json;
    }
  }
}

TEST(JsonSchema, FollowsReferencesAndAsksTheirNeighbours) {
  const Schemas schemas(R"({"s":{"$ref":"#/parts/text","enum":["a","b",1]},
                            "parts":{"text":{"type":"string"}},
                            "lost":{"$ref":"#/parts/none"},"far":{"$ref":"https://x/y"},
                            "round":{"$ref":"#/round"}})");
  EXPECT_THAT(schemas.violation("s", "\"a\""), IsEmpty());
  EXPECT_THAT(schemas.violation("s", "1"), HasSubstr("not of type"));
  EXPECT_THAT(schemas.violation("s", "\"c\""), HasSubstr("none of"));
  for (const char* name : {"lost", "far"}) {
    EXPECT_THAT(schemas.violation(name, "1"), HasSubstr("a reference to nothing"));
    EXPECT_THAT(schemas.defect(name), HasSubstr("a reference to nothing"));
  }
  EXPECT_THAT(schemas.violation("round", "1"), HasSubstr("too deep"));
}

TEST(JsonSchema, TellsWhereAValueIsWrong) {
  EXPECT_THAT(violation(R"({"properties":{"a":{"items":{"type":"string"}}}})", R"({"a":["",1]})"),
              HasSubstr("$.a[1]: not of type \"string\": 1"));
}

TEST(JsonSchema, AKeywordThatIsNotKnownIsAViolation) {
  EXPECT_THAT(violation(R"({"minLength":1})", "\"long enough\""), HasSubstr("minLength"));
  EXPECT_THAT(violation(R"({"type":"text"})", "\"\""), HasSubstr("a type that is not known"));
  EXPECT_THAT(violation(R"({"additionalProperties":{}})", "1"), Not(IsEmpty()));
  EXPECT_THAT(violation("true", "1"), Not(IsEmpty()));
}

TEST(JsonSchema, AKeywordThatIsNotKnownIsADefectWhereverItStands) {
  for (const char* schema :
       {R"({"minLength":1})", R"({"items":{"minLength":1}})", R"({"oneOf":[{},{"minLength":1}]})",
        R"({"anyOf":[{"properties":{"a":{"minLength":1}}}]})"}) {
    EXPECT_THAT(Schemas(R"({"s":)" + std::string(schema) + "}").defect("s"), HasSubstr("minLength"))
        << schema;
  }
  EXPECT_THAT(Schemas(R"({"s":{"type":"string","items":{"enum":[1]}}})").defect("s"), IsEmpty());
}

TEST(JsonSchema, ATextTooLongForAPatternIsAViolation) {
  EXPECT_THAT(violation(R"({"pattern":"^a*$"})", "\"" + std::string(4096, 'a') + "\""), IsEmpty());
  EXPECT_THAT(violation(R"({"pattern":"^a*$"})", "\"" + std::string(4097, 'a') + "\""),
              Not(IsEmpty()));
}

}  // namespace
}  // namespace tokend::tests
