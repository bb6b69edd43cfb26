// Expect: 100-continue (RFC 9110, 10.1.1).

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "http/session.h"
#include "tests/http/harness.h"
#include "tests/http/session_helpers.h"

namespace tokend::http::testing {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kContinue = "HTTP/1.1 100 Continue\r\n\r\n";

std::string expecting(std::string_view framing) {
  std::string request("POST /x HTTP/1.1\r\nHost: h\r\nExpect: 100-continue\r\n");
  return request.append(framing).append("\r\n\r\n");
}

TEST(Expect, ContinueIsSentWhenTheClientWaits) {
  for (const std::string_view framing : {"Content-Length: 4", "Transfer-Encoding: chunked"}) {
    Core core;
    Wire wire(core);
    EXPECT_EQ(wire.exchange(expecting(framing)), kContinue);
    const bool chunked = framing.starts_with('T');
    EXPECT_THAT(wire.exchange(chunked ? "4\r\nbo" : "bo"), IsEmpty());
    EXPECT_THAT(wire.exchange(chunked ? "dy\r\n0\r\n\r\n" : "dy"), StartsWith("HTTP/1.1 200 "));
    EXPECT_EQ(core.application.requests.at(0).body, "body");
  }
}

TEST(Expect, ContinueIsNotSentWhenTheBodyIsThere) {
  Core core;
  Wire wire(core);
  EXPECT_THAT(wire.exchange(expecting("Content-Length: 4") + "b"), IsEmpty());
  EXPECT_THAT(wire.exchange("ody"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(wire.exchange(expecting("Content-Length: 0")), StartsWith("HTTP/1.1 200 "));
}

TEST(Expect, ContinueWaitsForTheAnswersBeforeIt) {
  Core core;
  Wire wire(core);
  EXPECT_THAT(wire.exchange(get("/later") + expecting("Content-Length: 4")), IsEmpty());
  core.application.release(0);
  EXPECT_TRUE(wire.received().ends_with(kContinue));
  EXPECT_TRUE(in_order(wire.received(), {"late 1", kContinue}));

  Core other;
  Wire impatient(other);
  impatient.send(get("/later") + expecting("Content-Length: 4"));
  impatient.send("b");  // did not wait
  other.application.release(0);
  EXPECT_THAT(impatient.received(), Not(HasSubstr(kContinue)));
}

TEST(Expect, TooLargeABodyIs413InsteadOfContinue) {
  Core core;
  Wire wire(core);
  EXPECT_THAT(wire.exchange(expecting("Content-Length: 65537")), StartsWith("HTTP/1.1 413 "));
  EXPECT_TRUE(wire.transport.finished);
}

}  // namespace
}  // namespace tokend::http::testing
