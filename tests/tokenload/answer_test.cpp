#include "tools/tokenload/answer.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace tokend::load {
namespace {

std::string answer_of(std::string_view body, std::string_view status = "200 OK",
                      std::string_view more = "") {
  return "HTTP/1.1 " + std::string(status) + "\r\nContent-Type: application/json\r\n" +
         std::string(more) + "Content-Length: " + std::to_string(body.size()) +
         "\r\nDate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n" + std::string(body);
}

TEST(AnswerFramer, ReadsAnswersOfTheLearnedLayoutAndOfOthers) {
  AnswerFramer framer;
  for (const std::string& bytes :
       {answer_of("{\"a\":1}"), answer_of("{\"b\":2}"), answer_of("{\"long\":123}"),
        answer_of("{}", "429 Too Many Requests"), answer_of("{\"c\":3}", "200 OK", "X-More: y\r\n"),
        answer_of("{\"d\":4}")}) {
    const std::string received = bytes + "HTTP/1.1 2";
    Answer answer;
    ASSERT_EQ(framer.parse(received, answer), Framing::complete) << bytes;
    EXPECT_EQ(answer.bytes, bytes.size());
    EXPECT_EQ(answer.body, bytes.substr(bytes.find("\r\n\r\n") + 4));
    EXPECT_EQ(answer.status, bytes[9] == '4' ? 429 : 200);
    EXPECT_FALSE(answer.close);
  }
}

TEST(AnswerFramer, EveryPrefixIsIncomplete) {
  const std::string bytes = answer_of("{\"a\":1}");
  AnswerFramer fresh;
  AnswerFramer learned;
  Answer answer;
  ASSERT_EQ(learned.parse(bytes, answer), Framing::complete);
  for (std::size_t length = 1; length < bytes.size(); ++length) {
    const std::string_view prefix = std::string_view(bytes).substr(0, length);
    EXPECT_EQ(fresh.parse(prefix, answer), Framing::incomplete) << length;
    EXPECT_EQ(learned.parse(prefix, answer), Framing::incomplete) << length;
  }
}

TEST(AnswerFramer, ContentLengthOfEachAnswerCounts) {
  AnswerFramer framer;
  Answer answer;
  ASSERT_EQ(framer.parse(answer_of("{\"a\":1}"), answer), Framing::complete);
  // As many digits as before, another number.
  const std::string other = answer_of("[12]") + "surplus";
  ASSERT_EQ(framer.parse(other, answer), Framing::complete);
  EXPECT_EQ(answer.body, "[12]");
}

TEST(AnswerFramer, SeesThatTheServerCloses) {
  AnswerFramer framer;
  Answer answer;
  ASSERT_EQ(framer.parse(answer_of("{}"), answer), Framing::complete);
  ASSERT_EQ(framer.parse(answer_of("{}", "200 OK", "Connection: close\r\n"), answer),
            Framing::complete);
  EXPECT_TRUE(answer.close);
}

TEST(AnswerFramer, WhatIsNoAnswerIsMalformed) {
  for (const std::string_view bytes :
       {"SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 abc\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nDate: now\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\nContent-Length: 99999999999999999999\r\n\r\n"}) {
    AnswerFramer framer;
    Answer answer;
    EXPECT_EQ(framer.parse(bytes, answer), Framing::malformed) << bytes;
  }
}

}  // namespace
}  // namespace tokend::load
