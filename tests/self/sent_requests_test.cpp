#include "tests/support/sent_requests.h"

#include <gtest/gtest.h>

#include <string>

namespace tokend::tests {
namespace {

std::string taken(SentRequests& sent) {
  const auto asked = sent.take();
  return asked ? asked->method + " " + asked->path : "nothing";
}

TEST(SentRequests, AreTakenInOrder) {
  SentRequests sent;
  sent.add("GET /a?b=/c HTTP/1.1\r\nHost: x\r\n\r\nHEAD http://host:1/d HTTP/1.1\r\n\r\n");
  EXPECT_EQ(taken(sent), "GET /a");
  EXPECT_EQ(taken(sent), "HEAD /d");
  EXPECT_EQ(taken(sent), "nothing");
}

TEST(SentRequests, AreTakenAsSoonAsTheirHeadIsWhole) {
  SentRequests sent;
  sent.add("POST /a HTTP/1.1\r\nContent-Length: 3\r\n\r");
  EXPECT_EQ(taken(sent), "nothing");
  sent.add("\n");
  EXPECT_EQ(taken(sent), "POST /a");
  sent.add("GETGET /b HTTP/1.1\r\n\r\n");
  EXPECT_EQ(taken(sent), "GET /b");
}

TEST(SentRequests, BodiesAreNoRequestsHoweverTheyArrive) {
  const std::string bytes =
      "POST /a HTTP/1.1\r\ncontent-length:4\r\n\r\n\r\n\r\n"
      "POST /b HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n"
      "A;x=y\r\nGET /x\r\n\r\n\r\n0\r\nTrailer: x\r\n\r\n"
      "\r\nGET /c HTTP/1.1\r\n\r\n";
  SentRequests whole;
  whole.add(bytes);
  SentRequests pieces;
  for (const char byte : bytes) pieces.add(std::string(1, byte));
  for (SentRequests* sent : {&whole, &pieces}) {
    EXPECT_EQ(taken(*sent), "POST /a");
    EXPECT_EQ(taken(*sent), "POST /b");
    EXPECT_EQ(taken(*sent), "GET /c");
    EXPECT_EQ(taken(*sent), "nothing");
  }
}

}  // namespace
}  // namespace tokend::tests
