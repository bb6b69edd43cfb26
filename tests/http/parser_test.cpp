// What is a request, what is not, and that it does not matter how its bytes arrive.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "tests/http/harness.h"
#include "tests/http/outcome.h"

namespace tokend::http::testing {
namespace {

using ::testing::ElementsAre;

Seen only_request(std::string_view stream) {
  const Outcome outcome = outcome_of(stream);
  EXPECT_EQ(outcome.requests.size(), 1U) << stream;
  EXPECT_TRUE(outcome.refusals.empty()) << stream;
  return outcome.requests.empty() ? Seen{} : outcome.requests[0];
}

std::string header_of(const Seen& request, Header name) {
  const std::string key = std::to_string(static_cast<int>(name)) + ":";
  std::size_t at = (";" + request.headers).find(";" + key);
  if (at == std::string::npos) return "(absent)";
  at += key.size();
  return request.headers.substr(at, request.headers.find(';', at) - at);
}

TEST(Parser, ReadsARequestOfTheOriginal) {
  const Seen request = only_request(
      "POST /api/v1/users.createToken?x=1&y=%20 HTTP/1.1\r\n"
      "Host: chat.example:3000\r\n"
      "X-Auth-Token: \t secret \t \r\n"
      "x-user-id:me\r\n"
      "Content-type: application/json\r\n"
      "Content-Length: 13\r\n"
      "\r\n"
      "{\"userId\":\"\"}");
  EXPECT_EQ(request.method, Method::post);
  EXPECT_EQ(request.path, "/api/v1/users.createToken");
  EXPECT_EQ(request.query, "x=1&y=%20");
  EXPECT_EQ(request.body, "{\"userId\":\"\"}");
  EXPECT_EQ(header_of(request, Header::x_auth_token), "secret");
  EXPECT_EQ(header_of(request, Header::x_user_id), "me");
  EXPECT_EQ(header_of(request, Header::content_type), "application/json");
  EXPECT_EQ(header_of(request, Header::host), "chat.example:3000");
  EXPECT_EQ(header_of(request, Header::authorization), "(absent)");
}

TEST(Parser, KnowsEveryHeaderItPromisesInAnyCase) {
  const std::vector<std::pair<std::string, Header>> names = {
      {"content-type", Header::content_type},
      {"origin", Header::origin},
      {"access-control-request-method", Header::access_control_request_method},
      {"authorization", Header::authorization},
      {"x-auth-token", Header::x_auth_token},
      {"x-user-id", Header::x_user_id},
      {"x-forwarded-for", Header::x_forwarded_for},
      {"x-real-ip", Header::x_real_ip},
      {"idempotency-key", Header::idempotency_key},
      {"host", Header::host},
  };
  ASSERT_EQ(names.size(), kHeaderCount);
  for (const auto& [lower, header] : names) {
    std::string upper = lower;
    for (char& byte : upper) {
      if (byte >= 'a' && byte <= 'z') byte = static_cast<char>(byte - 32);
    }
    for (const std::string& name : {lower, upper}) {
      const std::string host = header == Header::host ? "" : "Host: h\r\n";
      const Seen request = only_request("GET / HTTP/1.1\r\n" + host + name + ": value\r\n\r\n");
      EXPECT_EQ(header_of(request, header), "value") << name;
    }
    // A name that differs in one character only is another one.
    std::string other = lower;
    other.back() = other.back() == 'z' ? 'y' : 'z';
    const Seen request = only_request("GET / HTTP/1.1\r\nHost: h\r\n" + other + ": value\r\n\r\n");
    EXPECT_EQ(request.headers, "0:h;") << other;
  }
}

TEST(Parser, RemembersThatAHeaderWasRepeatedAndItsLastValue) {
  const Seen request = only_request(
      "GET / HTTP/1.1\r\nHost: h\r\nX-Auth-Token: a\r\nX-Auth-Token:\r\nX-Auth-Token: b\r\n\r\n");
  EXPECT_EQ(request.headers, "0:h;5+:b;");
}

TEST(Parser, EmptyValuesArePresent) {
  const Seen request = only_request(
      "GET / HTTP/1.1\r\nHost: h\r\nX-User-Id:\r\nX-Auth-Token:  \t \r\nOrigin:\r\n\r\n");
  EXPECT_EQ(request.headers, "0:h;2:;5:;6:;");
}

TEST(Parser, AcceptsWhatIsARequest) {
  for (const std::string_view stream : {
           "GET / HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET / HTTP/1.0\r\n\r\n",
           "GET / HTTP/1.0\r\nHost: h\r\n\r\n",
           "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET /?a?b HTTP/1.1\r\nHost: [::1]:80\r\n\r\n",
           "GET //x//y HTTP/1.1\r\nHost: h:\r\n\r\n",
           "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nUpgrade: x\r\nConnection: upgrade\r\nContent-Length: 2"
           "\r\n\r\nab",
           "PROPFIND / HTTP/1.1\r\nHost: h\r\n\r\n",
           "M-SEARCH / HTTP/1.1\r\nHost: h\r\n\r\n",
           "TRACE / HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: h\r\nX: \x80\xFF obs-text\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: h\r\n!#$%&'*+-.^_`|~09: tokens\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 0002\r\n\r\nab",
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: \t CHUNKED \r\n\r\n"
           "1;a=\"b\"\r\nx\r\n00\r\nTrailer: x\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: h\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\nx",
           "POST / HTTP/1.0\r\nHost: h\r\nExpect: what\r\nContent-Length: 1\r\n\r\nx",
       }) {
    const Outcome outcome = outcome_of(stream);
    EXPECT_EQ(outcome.requests.size(), 1U) << stream;
    EXPECT_THAT(outcome.statuses, ElementsAre(200)) << stream;
  }
}

// Every one of these could be read in two ways by two programs, or is no HTTP at all.
TEST(Parser, RefusesWhatIsAmbiguousOnceAndCloses) {
  const std::string h = "GET / HTTP/1.1\r\nHost: h\r\n";
  const std::string p = "POST / HTTP/1.1\r\nHost: h\r\n";
  const std::string c = p + "Transfer-Encoding: chunked\r\n\r\n";
  const std::string nul(1, '\0');
  for (const std::string& stream : std::vector<std::string>{
           // The request line.
           "GET /\r\n\r\n",
           "GET / \r\n\r\n",
           "GET  / HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET /  HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET / HTTP/1.1 \r\nHost: h\r\n\r\n",
           "GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET / HTTP/1.1\nHost: h\r\n\r\n",
           "GET / HTTP/1.1\r\r\nHost: h\r\n\r\n",
           "GET / http/1.1\r\nHost: h\r\n\r\n",
           "GET / HTTP/11\r\nHost: h\r\n\r\n",
           "GET / HTTP/1.10\r\nHost: h\r\n\r\n",
           "GET / HTTP/1.x\r\nHost: h\r\n\r\n",
           "GET / RTSP/1.0\r\nHost: h\r\n\r\n",
           "SOURCE / ICE/1.0\r\nHost: h\r\n\r\n",
           "GET /a b HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET /a#b HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET /?a#b HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET /\x80 HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET /\x7F HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET /" + nul + " HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET * HTTP/1.1\r\nHost: h\r\n\r\n",
           "OPTIONS *x HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET path HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET http:/// HTTP/1.1\r\nHost: h\r\n\r\n",
           "GET http://u@h/ HTTP/1.1\r\nHost: h\r\n\r\n",
           "G@T / HTTP/1.1\r\nHost: h\r\n\r\n",
           " GET / HTTP/1.1\r\nHost: h\r\n\r\n",
           "\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
           "\rGET / HTTP/1.1\r\nHost: h\r\n\r\n",
           "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n",
           "\x16\x03\x01\x02",
           // The host.
           "GET / HTTP/1.1\r\n\r\n",
           "GET / HTTP/1.1\r\nHost:\r\n\r\n",
           h + "Host: h\r\n\r\n",
           h + "host: i\r\n\r\n",
           "GET / HTTP/1.0\r\nHost: h\r\nHost: h\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: h, i\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: h i\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: h/x\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: u@h\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: h:8x\r\n\r\n",
           "GET / HTTP/1.1\r\nHost: [::1\r\n\r\n",
           // Headers.
           h + "X: a\n\r\n",
           h + "X: a\rb\r\n\r\n",
           h + "X: a\r\r\n\r\n",
           h + "X: a\r\n b\r\n\r\n",
           h + "X: a\r\n\tb\r\n\r\n",
           h + "X:\r\n b\r\n\r\n",
           h + "X:\r\n \r\n\r\n",
           h + "X: a\r\n \r\n\r\n",
           "GET / HTTP/1.1\r\n Host: h\r\n\r\n",
           "GET / HTTP/1.1\r\n\tHost: h\r\n\r\n",
           h + "X : a\r\n\r\n",
           h + "X\t: a\r\n\r\n",
           h + "X Y: a\r\n\r\n",
           h + ": a\r\n\r\n",
           h + "X\r\n\r\n",
           h + "X\x80: a\r\n\r\n",
           h + "X: a" + nul + "b\r\n\r\n",
           h + "X: a\x01\r\n\r\n",
           h + "X: a\x7F\r\n\r\n",
           h + "X: a\x0B\r\n\r\n",
           h + "\n",
           h + "\rX",
           // Framing.
           p + "Content-Length: 1\r\nContent-Length: 1\r\n\r\na",
           p + "Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
           p + "Content-Length: 1, 1\r\n\r\na",
           p + "Content-Length: +1\r\n\r\na",
           p + "Content-Length: -1\r\n\r\na",
           p + "Content-Length: 0x1\r\n\r\na",
           p + "Content-Length: 1 1\r\n\r\na",
           p + "Content-Length:\r\n\r\n",
           p + "Content-Length: 99999999999999999999999\r\n\r\n",
           p + "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           p + "Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n0\r\n\r\n",
           p + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           p + "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           p + "Transfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n",
           p + "Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n",
           p + "Transfer-Encoding: chunked;a=b\r\n\r\n0\r\n\r\n",
           p + "Transfer-Encoding:\r\n\r\n",
           p + "Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n",
           p + "Transfer-Encoding: x chunked\r\n\r\n0\r\n\r\n",
           "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           c + "\r\n",
           c + " 1\r\nx\r\n0\r\n\r\n",
           c + "1 \r\nx\r\n0\r\n\r\n",
           c + "1 ;a\r\nx\r\n0\r\n\r\n",
           c + "+1\r\nx\r\n0\r\n\r\n",
           c + "0x1\r\nx\r\n0\r\n\r\n",
           c + "g\r\n",
           c + "1\nx\r\n0\r\n\r\n",
           c + "1\r\nxy\r\n0\r\n\r\n",
           c + "1\r\nx\n0\r\n\r\n",
           c + "1;a\rb\r\nx\r\n0\r\n\r\n",
           c + "1;a\nb\r\nx\r\n0\r\n\r\n",
           c + "00000000000000001\r\nx\r\n0\r\n\r\n",
           c + "1;" + std::string(ChunkedDecoder::kExtensionBytesMax + 1, 'e') +
               "\r\nx\r\n0\r\n\r\n",
           c + "0\r\nX\r\n\r\n",
           c + "0\r\nX : y\r\n\r\n",
           c + "0\r\nX: y\n\r\n",
           c + "0\r\n X: y\r\n\r\n",
           c + "0\r\n\rX",
       }) {
    const Outcome outcome = outcome_of(stream);
    EXPECT_TRUE(outcome.requests.empty()) << stream;
    EXPECT_THAT(outcome.statuses, ElementsAre(400)) << stream;
    EXPECT_TRUE(outcome.finished) << stream;
  }
}

TEST(Parser, SaysWhatItDoesNotDo) {
  const std::string p = "POST / HTTP/1.1\r\nHost: h\r\n";
  const std::vector<std::pair<std::string, int>> cases = {
      {"GET / HTTP/2.0\r\nHost: h\r\n\r\n", 505},
      {"GET / HTTP/0.9\r\n\r\n", 505},
      {"GET / HTTP/1.2\r\nHost: h\r\n\r\n", 505},
      {"GET / HTTP/3.1\r\nHost: h\r\n\r\n", 505},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
      {"CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\n\r\n", 501},
      {"BREW / HTTP/1.1\r\nHost: h\r\n\r\n", 501},
      {"GETX / HTTP/1.1\r\nHost: h\r\n\r\n", 501},
      {"get / HTTP/1.1\r\nHost: h\r\n\r\n", 501},
      {"DESCRIBE / HTTP/1.1\r\nHost: h\r\n\r\n", 501},
      {std::string(100, 'A') + " / HTTP/1.1\r\nHost: h\r\n\r\n", 501},
      {p + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 501},
      {p + "Transfer-Encoding: gzip\r\n\r\n", 501},
      {p + "Transfer-Encoding: identity\r\n\r\n", 501},
      {p + "Expect: tea\r\nContent-Length: 1\r\n\r\nx", 417},
  };
  for (const auto& [stream, status] : cases) {
    const Outcome outcome = outcome_of(stream);
    EXPECT_TRUE(outcome.requests.empty()) << stream;
    EXPECT_THAT(outcome.statuses, ElementsAre(status)) << stream;
    EXPECT_TRUE(outcome.finished) << stream;
  }
}

TEST(Parser, AbsoluteFormIsServedByItsPath) {
  const auto target = [](std::string_view text) {
    const Seen request = only_request("GET " + std::string(text) + " HTTP/1.1\r\nHost: h\r\n\r\n");
    return request.path + "|" + request.query;
  };
  EXPECT_EQ(target("http://h/a/b?c"), "/a/b|c");
  EXPECT_EQ(target("HTTPS://h:8080/a"), "/a|");
  EXPECT_EQ(target("http://[::1]:80/a"), "/a|");
  EXPECT_EQ(target("http://h"), "/|");
  EXPECT_EQ(target("http://h?c/d"), "/|c/d");
  EXPECT_EQ(target("/a?http://x/y"), "/a|http://x/y");
}

TEST(Parser, UpgradeIsIgnoredAndWhatFollowsIsARequest) {
  const Outcome outcome = outcome_of(
      "GET /websocket HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n"
      "GET /next HTTP/1.1\r\nHost: h\r\n\r\n");
  ASSERT_EQ(outcome.requests.size(), 2U);
  EXPECT_EQ(outcome.requests[1].path, "/next");
}

TEST(Parser, ChunkedBodiesArriveWithoutTheirFraming) {
  const Seen request = only_request(
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      "5\r\nhello\r\n1;x=y;z\r\n,\r\n0006\r\n world\r\n000\r\nA: b\r\nC:\r\n\r\n");
  EXPECT_EQ(request.body, "hello, world");
}

// Each stream is cut in two at every position, into single bytes, and into pieces of some lengths;
// what the application sees and what the peer gets stay the same.
TEST(Parser, WhereTheBytesAreSplitMakesNoDifference) {
  const std::string h = "Host: h\r\n";
  const std::string nul(1, '\0');
  for (const std::string& stream : std::vector<std::string>{
           "\r\nPOST /api/v1/login?q HTTP/1.1\r\n" + h +
               "X-Auth-Token:  tok \r\nX:\r\nContent-Length: 4\r\n\r\nbody"
               "GET /2 HTTP/1.1\r\nhost:h\r\n\r\n\r\nGET /3 HTTP/1.1\r\nHost: h\r\n\r\n",
           "POST /c HTTP/1.1\r\n" + h +
               "Transfer-Encoding: chunked\r\n\r\n3;e=\"f\"\r\nabc\r\nA\r\n0123456789\r\n0\r\n"
               "T: u\r\n\r\nGET /2 HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /3 "
               "HTTP/1.0\r\n\r\n"
               "GET /never HTTP/1.1\r\n\r\n",
           "POST /e HTTP/1.1\r\n" + h + "Expect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
           "GET http://a.b:1/c?d HTTP/1.1\r\n" + h + "Upgrade: x\r\nConnection: upgrade\r\n\r\n",
           "GET / HTTP/1.1\r\n" + h + "\r\nBREW / HTTP/1.1\r\n" + h + "\r\n",
           "GET / HTTP/1.1\r\n" + h + "\r\nB@EW / HTTP/1.1\r\n" + h + "\r\n",
           "GET / HTTP/1.1\r\n" + h + "X: a\r\n b\r\n\r\n",
           "GET / HTTP/1.1\r\n" + h + "X:\r\n \r\n\r\n",
           "GET / HTTP/1.1\r\n" + h + "X: a" + nul + "\r\n\r\n",
           "GET / HTTP/1.7\r\n" + h + "\r\n",
           "GET / HTTP/1.1\n" + h + "\r\n",
           "POST / HTTP/1.1\r\n" + h +
               "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
           "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
           "POST / HTTP/1.1\r\n" + h + "Transfer-Encoding: chunked\r\n\r\n2\r\nabc\r\n0\r\n\r\n",
           "HEAD /h HTTP/1.1\r\n" + h + "\r\nOPTIONS * HTTP/1.1\r\n" + h + "\r\n",
           "DELETE /d HTTP/1.1\r\n" + h + "Connection: close\r\n\r\nGET /never HTTP/1.1\r\n\r\n",
       }) {
    const Outcome whole = outcome_of(stream);
    EXPECT_FALSE(whole.statuses.empty()) << stream;
    for (std::size_t split = 1; split < stream.size(); ++split) {
      ASSERT_EQ(outcome_of(stream, {split}), whole) << "split at " << split << " of\n" << stream;
    }
    for (const std::size_t piece : {1U, 2U, 3U, 7U, 16U}) {
      std::vector<std::size_t> splits;
      for (std::size_t split = piece; split < stream.size(); split += piece) {
        splits.push_back(split);
      }
      ASSERT_EQ(outcome_of(stream, splits), whole) << "pieces of " << piece << " of\n" << stream;
    }
  }
}

}  // namespace
}  // namespace tokend::http::testing
