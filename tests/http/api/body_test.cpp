#include "http/api/body.h"

#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "core/session.h"

namespace tokend::api {
namespace {

using namespace std::string_literals;

class BodyTest : public testing::Test {
 protected:
  // The bytes stand in memory of exactly the promised size, so that AddressSanitizer sees more.
  BodyFault read(std::string_view bytes, std::string_view content_type = "application/json") {
    const std::size_t size = bytes.size() + core::kReceivePaddingBytes;
    bytes_ = std::make_unique<char[]>(size);
    std::memset(bytes_.get(), '"', size);
    std::memcpy(bytes_.get(), bytes.data(), bytes.size());
    return reader_.read(content_type, {bytes_.get(), bytes.size()}, body_);
  }
  BodyFault read_form(std::string_view bytes) {
    return read(bytes, "application/x-www-form-urlencoded");
  }

  BodyReader reader_{64 * 1024};
  Body body_;
  std::unique_ptr<char[]> bytes_;
};

TEST_F(BodyTest, EveryInvalidJsonIsRefused) {
  const std::vector<std::string> table = {
      "{", "}", "[", "]", "{]", "x", "undefined", "{a:1}", "{'a':1}", "{\"a\"}", "{\"a\":}",
      "{\"a\":1,}", "{,}", "{\"a\":1 \"b\":2}", "{\"a\":1}}", "{} {}", "{} x", "{}\0"s, "{}\f",
      "\v{}", "//\n{}", "{/**/}", "\"", "{\"a\":\"b}", "{\"a\":tru}", "{\"a\":TRUE}", "{\"a\":nul}",
      "{\"a\":truex}", "{\"a\":NaN}", "{\"a\":Infinity}", "{\"a\":01}", "{\"a\":-01}", "{\"a\":1.}",
      "{\"a\":.5}", "{\"a\":+1}", "{\"a\":1e}", "{\"a\":1e+}", "{\"a\":-}", "{\"a\":0x10}",
      "{\"a\":1_000}", "{\"a\":1e999e1}", "{\"a\":1e999x}", "{\"a\":1e999 1}", "{\"a\":1e1-1e999}",
      "{\"a\":e1e999}", "{\"a\":[1e999,-1-1]}", "{\"a\":123456789012345678901234567890.}",
      "{\"a\":0123456789012345678901234567890}", "{\"a\":\"\x01\"}", "{\"a\":\"\t\"}",
      "{\"a\":\"\n\"}", "{\"a\":\"\0\"}"s, "{\"a\":\"\\x41\"}", "{\"a\":\"\\u12\"}",
      "{\"a\":\"\\u00g1\"}", "{\"a\":\"\\'\"}", "{\"a\":\"\\\"}",
      // Not UTF-8, anywhere.
      "{\"a\":\"\x80\"}", "{\"a\":\"\xC0\x80\"}", "{\"a\":\"\xE2\x82\"}",
      "{\"a\":\"\xED\xA0\x80\"}", "{\"a\":\"\xF5\x80\x80\x80\"}", "{\"\xFF\":1}", "{\x80}",
      // Lone surrogates, in values, keys and where nobody looks.
      R"({"userId":"\ud800"})", R"({"userId":"\udc00"})", R"({"userId":"\ud800x"})",
      R"({"userId":"\ud800\n"})", R"({"userId":"\ud800\ud800"})", R"({"userId":"\ud800\u0041"})",
      R"({"userId":"\udc00\ud800"})", R"({"userId":"\ud800\ue000"})", R"({"\udfff":1})",
      R"({"a":[{"b":["\uDBFF"]}]})", R"({"userId":"\uD83D\\uDE00"})",
      // BOM, also before nothing.
      "\xEF\xBB\xBF{}", "\xEF\xBB\xBF", "\xFE\xFF\0{\0}"s,
      // JSON, but no object.
      "[]", "[{}]", "null", "true", "false", "1", "\"x\"", "-0", "1e999"};
  for (const std::string& bytes : table) {
    EXPECT_EQ(read(bytes), BodyFault::invalid_json) << testing::PrintToString(bytes);
    EXPECT_FALSE(body_.text("a").has_value());
  }
}

TEST_F(BodyTest, NumbersAreReadBesideOnesThatNobodyCanHold) {
  ASSERT_EQ(read(R"({"a":3600,"b":-1.5e2,"c":1e999,"d":[123456789012345678901234567890],"e":"1",)"
                 R"("f":1E400,"g":12345678901})"),
            BodyFault::none);
  const auto number = [&](std::string_view key) { return body_.value(key)->number(); };
  EXPECT_EQ(number("a"), 3600.0);
  EXPECT_EQ(number("b"), -150.0);
  EXPECT_EQ(number("c"), 0.5);
  EXPECT_EQ(number("e"), std::nullopt);
  EXPECT_EQ(number("g"), 12345678901.0);
  EXPECT_EQ(JsonValue().number(), std::nullopt);
}

TEST_F(BodyTest, FieldsAreCounted) {
  EXPECT_EQ(Body().size(), 0U);
  for (const auto& [bytes, size] : std::vector<std::pair<std::string, std::size_t>>{
           {"{}", 0}, {R"({"a":{"b":1,"c":2}})", 1}, {R"({"a":1,"a":[1,2,3],"b":{}})", 3}}) {
    ASSERT_EQ(read(bytes), BodyFault::none);
    EXPECT_EQ(body_.size(), size) << bytes;
  }
  ASSERT_EQ(read_form("a=1&&a=2&b"), BodyFault::none);
  EXPECT_EQ(body_.size(), 3U);
  EXPECT_EQ(JsonValue().size(), 0U);
}

TEST_F(BodyTest, EveryValidObjectIsAccepted) {
  const std::vector<std::string> table = {"{}",
                                          " \t\r\n{ \"a\" : null } \n",
                                          R"({"a":{"b":[1,2,{"c":[]}]}})",
                                          R"({"":""})",
                                          R"({"a":"\ud83d\ude00"})",
                                          R"({"a":"\uDBFF\uDFFF"})",
                                          R"({"a":"\u0000"})",
                                          R"({"a":"\"\\\/\b\f\n\r\t\u00e9"})",
                                          "{\"a\":\"\x7F\"}",
                                          "{\"a\":\"\uFEFF\"}",
                                          R"({"a":-0})",
                                          R"({"a":1.5e-10})",
                                          R"({"a":1E400})",
                                          R"({"a":-1e-400})",
                                          R"({"a":[1e999,2]})",
                                          R"({"a":123456789012345678901234567890})",
                                          R"({"a":18446744073709551616,"b":"1e999\""})"};
  for (const std::string& bytes : table) {
    EXPECT_EQ(read(bytes), BodyFault::none) << testing::PrintToString(bytes);
  }
}

TEST_F(BodyTest, NumbersBeyondAnyTypeDoNotDisturbWhatStandsBesideThem) {
  ASSERT_EQ(read(R"({"x":1e999,"userId":"1e999 \" -5","y":[-1E+999]})"), BodyFault::none);
  EXPECT_EQ(body_.text("userId"), "1e999 \" -5");
}

TEST_F(BodyTest, NothingAndBlanksAreAnEmptyObject) {
  for (const std::string blank : {"", " ", "\r\n\t  "}) {
    for (const char* type : {"application/json", "", "application/json; charset=utf-8"}) {
      EXPECT_EQ(read(blank, type), BodyFault::none) << testing::PrintToString(blank);
      EXPECT_FALSE(body_.text("userId").has_value());
    }
  }
}

TEST_F(BodyTest, SixtyFourLevelsAreAcceptedAndSixtyFiveAreNot) {
  // Whatever stands in the innermost level, nothing included.
  const auto arrays = [](std::size_t depth, std::string_view innermost) {
    std::string json = "{\"a\":" + std::string(depth - 1, '[');
    json += innermost;
    return json + std::string(depth - 1, ']') + "}";
  };
  const auto objects = [](std::size_t depth, std::string_view innermost) {
    std::string json;
    for (std::size_t level = 1; level < depth; ++level) json += "{\"a\":";
    (json += '{') += innermost;
    return json + std::string(depth, '}');
  };
  for (const char* innermost : {"", " ", "1", "\"x\"", "\"[{\\\"[{\"", "null,null", "1e999"}) {
    EXPECT_EQ(read(arrays(64, innermost)), BodyFault::none) << innermost;
    EXPECT_EQ(read(arrays(65, innermost)), BodyFault::invalid_json) << innermost;
  }
  for (const char* innermost : {"", " ", "\"a\":1", "\"{[\":\"\\\\\"", "\"a\":1,\"b\":1e999"}) {
    EXPECT_EQ(read(objects(64, innermost)), BodyFault::none) << innermost;
    EXPECT_EQ(read(objects(65, innermost)), BodyFault::invalid_json) << innermost;
  }
}

TEST_F(BodyTest, BracketsBesideEachOtherAreNotNested) {
  std::string list = "{\"a\":[{}";
  for (int index = 0; index < 200; ++index) list += ",[],{\"[\":\"{{\\\"\"}";
  EXPECT_EQ(read(list + "]}"), BodyFault::none);
}

TEST_F(BodyTest, OfRepeatedKeysTheLastWins) {
  ASSERT_EQ(read(R"({"a":"first","b":"x","a":"last"})"), BodyFault::none);
  EXPECT_EQ(body_.text("a"), "last");
  ASSERT_EQ(read(R"({"a":"first","a":5})"), BodyFault::none);
  EXPECT_FALSE(body_.text("a").has_value());
  ASSERT_EQ(read(R"({"a":"first","\u0061":"escaped"})"), BodyFault::none);
  EXPECT_EQ(body_.text("a"), "escaped");
}

TEST_F(BodyTest, OnlyStringsAreText) {
  ASSERT_EQ(read(R"({"n":1,"b":true,"z":null,"a":["x"],"o":{"x":"y"},"s":" \u00e9\n"})"),
            BodyFault::none);
  for (const char* key : {"n", "b", "z", "a", "o", "absent"}) {
    EXPECT_FALSE(body_.text(key).has_value()) << key;
  }
  EXPECT_EQ(body_.text("s"), " é\n");
  EXPECT_EQ(body_.name("s"), "é");
  EXPECT_EQ(body_.boolean("b"), true);
  EXPECT_FALSE(body_.boolean("s").has_value());
}

TEST_F(BodyTest, BlankNamesAreAbsent) {
  ASSERT_EQ(read("{\"a\":\"\",\"b\":\" \\t\u3000\"}"), BodyFault::none);
  EXPECT_FALSE(body_.name("a").has_value());
  EXPECT_FALSE(body_.name("b").has_value());
  EXPECT_EQ(body_.text("a"), "");
}

TEST_F(BodyTest, ObjectsAndArraysCanBeWalked) {
  ASSERT_EQ(read(R"({"o":{"k":"first","k":"v"},"a":["x",1,{"y":true}]})"), BodyFault::none);
  const auto object = body_.value("o");
  ASSERT_TRUE(object && object->is_object());
  EXPECT_EQ(object->member("k")->text(), "v");
  EXPECT_FALSE(object->member("absent").has_value());
  std::vector<std::string> seen;
  EXPECT_TRUE(body_.value("a")->each([&](JsonValue element) {
    seen.emplace_back(element.text().value_or("?"));
    return true;
  }));
  EXPECT_EQ(seen, (std::vector<std::string>{"x", "?", "?"}));
  EXPECT_FALSE(body_.value("a")->each([](JsonValue) { return false; }));
  EXPECT_FALSE(object->each([](JsonValue) { return true; }));
}

TEST_F(BodyTest, ContentTypesAreMatchedWithoutCaseAndWithParameters) {
  for (const char* type : {"", "application/json", "Application/JSON", "application/json;charset=x",
                           "application/json ; a=b", "APPLICATION/json; charset=\"utf-8\""}) {
    ASSERT_EQ(read(R"({"a":"b"})", type), BodyFault::none) << type;
    EXPECT_EQ(body_.text("a"), "b") << type;
  }
  for (const char* type :
       {"application/x-www-form-urlencoded", "Application/X-WWW-Form-Urlencoded; charset=UTF-8"}) {
    ASSERT_EQ(read("a=b", type), BodyFault::none) << type;
    EXPECT_EQ(body_.text("a"), "b") << type;
  }
  for (const char* type : {"text/plain", "application/jsonx", "application/json-patch+json",
                           "multipart/form-data; boundary=x", "application", "; charset=utf-8",
                           "application/json, text/plain", "x application/json"}) {
    EXPECT_EQ(read("{}", type), BodyFault::unsupported_media_type) << type;
    EXPECT_EQ(read("", type), BodyFault::unsupported_media_type) << type;
  }
}

TEST_F(BodyTest, FormsAreDecoded) {
  ASSERT_EQ(
      read_form("username=a+b%20c%2B&empty=&bare&&=x&e=%C3%a9&t=true&f=false&k%3D=v=w&a=1&a=2"),
      BodyFault::none);
  EXPECT_EQ(body_.text("username"), "a b c+");
  EXPECT_EQ(body_.text("empty"), "");
  EXPECT_EQ(body_.text("bare"), "");
  EXPECT_EQ(body_.text(""), "x");
  EXPECT_EQ(body_.text("e"), "é");
  EXPECT_EQ(body_.text("k="), "v=w");
  EXPECT_EQ(body_.text("a"), "2");
  EXPECT_EQ(body_.boolean("t"), true);
  EXPECT_EQ(body_.boolean("f"), false);
  EXPECT_FALSE(body_.boolean("a").has_value());
  EXPECT_FALSE(body_.text("absent").has_value());
  EXPECT_FALSE(body_.value("a").has_value());
  EXPECT_EQ(read_form(""), BodyFault::none);
  EXPECT_FALSE(body_.text("a").has_value());
}

TEST_F(BodyTest, MalformedFormsAreRefused) {
  for (const char* form :
       {"a=%", "a=%4", "a=%zz", "%g0=a", "a=%C3", "a=%ED%A0%80", "a=\xFF", "ok=1&\x80=2"}) {
    EXPECT_EQ(read_form(form), BodyFault::invalid_form) << form;
    EXPECT_FALSE(body_.text("ok").has_value());
  }
}

TEST_F(BodyTest, AThousandFieldsAreAcceptedAndOneMoreIsNot) {
  std::string form;
  for (std::size_t index = 0; index < kFormFieldsMax; ++index) form += "a=b&";
  EXPECT_EQ(read_form(form), BodyFault::none);
  EXPECT_EQ(read_form(form + "a=b"), BodyFault::invalid_form);
}

TEST_F(BodyTest, ABodyOfTheLargestSizeIsRead) {
  const std::string frame = R"({"a":""})";
  const std::string filling(64 * 1024 - frame.size(), 'x');
  ASSERT_EQ(read(R"({"a":")" + filling + R"("})"), BodyFault::none);
  EXPECT_EQ(body_.text("a"), filling);
  ASSERT_EQ(read_form("a=" + filling), BodyFault::none);
  EXPECT_EQ(body_.text("a"), filling);
}

}  // namespace
}  // namespace tokend::api
