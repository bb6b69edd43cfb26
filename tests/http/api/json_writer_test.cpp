#include "http/api/json_writer.h"

#include <gtest/gtest.h>

#include <string>

namespace tokend::api {
namespace {

using namespace std::string_literals;

std::string escaped(std::string_view text) {
  std::string out;
  append_escaped(out, text);
  return out;
}

TEST(JsonWriter, EscapesAsJsonStringifyDoes) {
  EXPECT_EQ(escaped("plain"), "plain");
  EXPECT_EQ(escaped("\"\\/"), R"(\"\\/)");
  EXPECT_EQ(escaped("\b\t\n\f\r"), R"(\b\t\n\f\r)");
  EXPECT_EQ(escaped("\0\x01\x0B\x1F"s), R"(\u0000\u0001\u000b\u001f)");
  EXPECT_EQ(escaped("\x7F é \U0001F600 \u2028"), "\x7F é \U0001F600 \u2028");
  EXPECT_EQ(escaped("a\"b\"c"), R"(a\"b\"c)");
}

TEST(JsonWriter, SeesWhatMustBeEscapedWhereverItStands) {
  for (std::size_t size = 0; size < 40; ++size) {
    const std::string clean(size, '\x7F');
    EXPECT_FALSE(needs_escape(clean)) << size;
    for (std::size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string text = clean;
        text[at] = static_cast<char>(byte);
        EXPECT_EQ(needs_escape(text), byte < 0x20 || byte == '"' || byte == '\\')
            << at << " " << byte;
      }
    }
  }
  std::string out;
  JsonWriter json(out);
  json.begin_array().text("").text("a\"b").text("plain").text("12345678\n").end_array();
  EXPECT_EQ(out, R"(["","a\"b","plain","12345678\n"])");
}

TEST(JsonWriter, PutsCommasBetweenMembersOnly) {
  std::string out = "what was there before";
  JsonWriter json(out);
  json.begin_object();
  json.key("a").begin_array().end_array();
  json.key("b").begin_array().text("x").number(-1).boolean(true).raw("null");
  json.begin_object().end_object().begin_object().key("c").boolean(false).end_object().end_array();
  json.key("d").begin_object().end_object();
  json.key("e").number(INT64_MIN).end_object();
  EXPECT_EQ(out,
            R"({"a":[],"b":["x",-1,true,null,{},{"c":false}],"d":{},"e":-9223372036854775808})");
}

}  // namespace
}  // namespace tokend::api
