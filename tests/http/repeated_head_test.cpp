// A head that repeats the one before it is not parsed again, and nobody but the notes on it can
// tell.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "http/parser.h"
#include "tests/http/harness.h"
#include "tests/http/outcome.h"
#include "tests/http/session_helpers.h"

namespace tokend::http::testing {
namespace {

using ::testing::ElementsAre;

std::string post(std::string_view path, std::string_view body, std::string_view more = "") {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: h\r\n" + std::string(more) +
         "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

// Counts in the notes how often it has seen their head.
class NotingApplication final : public Application {
 public:
  struct Notes {
    std::uint64_t times;
    std::array<std::uint8_t, Exchange::kNotesBytes - 8> rest;
  };
  void on_request(Exchange& exchange) noexcept override {
    Notes& notes = exchange.notes<Notes>();
    for (const std::uint8_t byte : notes.rest) EXPECT_EQ(byte, notes.times == 0 ? 0 : 0xA5);
    times.push_back(notes.times++);
    notes.rest.fill(0xA5);
    bodies.emplace_back(exchange.request().body());
    exchange.answer({200, "X: 1\r\n", "ok", false});
  }
  Answer on_refusal(Refusal refusal) noexcept override {
    return {status_of(refusal), "", "", false};
  }

  std::vector<std::uint64_t> times;
  std::vector<std::string> bodies;
};

class RepeatedHead : public ::testing::Test {
 protected:
  RepeatedHead() : factory_({}, application_, clock_, blocks_) { connect(); }
  ~RepeatedHead() override { factory_.close(*session_); }

  void connect() {
    if (session_) factory_.close(*session_);
    session_ = factory_.open(transport_);
  }
  void send(std::string bytes) {
    const std::size_t size = bytes.size();
    bytes.append(core::kReceivePaddingBytes, 'p');
    session_->on_bytes({bytes.data(), size});
    transport_.take_output();
  }
  [[nodiscard]] std::vector<std::uint64_t>& times() { return application_.times; }

  NotingApplication application_;
  core::TurnClock clock_{.monotonic_ns = 1'000'000'000'000, .wall_ms = 784'111'777'000};
  core::BlockPool blocks_{64};
  FakeTransport transport_{blocks_};
  HttpSessionFactory factory_;
  core::Session* session_ = nullptr;
};

TEST_F(RepeatedHead, FindsItsNotesAgainWhateverTheBody) {
  send(post("/a", "one"));
  send(post("/a", "two"));
  send(post("/a", "six") + post("/a", "ten"));
  EXPECT_THAT(times(), ElementsAre(0, 1, 2, 3));
  EXPECT_THAT(application_.bodies, ElementsAre("one", "two", "six", "ten"));
}

TEST_F(RepeatedHead, OnAnotherConnectionIsANewOne) {
  send(get("/a"));
  connect();
  send(get("/a"));
  EXPECT_THAT(times(), ElementsAre(0, 0));
}

TEST_F(RepeatedHead, IsOnlyTheOneBefore) {
  send(get("/a"));
  send(get("/b"));
  send(get("/a"));
  send(get("/a"));
  EXPECT_THAT(times(), ElementsAre(0, 0, 0, 1));
}

TEST_F(RepeatedHead, DiffersInAnyByte) {
  const std::string first = get("/abc", "X-Auth-Token: 0123456789\r\n");
  for (std::size_t at = 0; at < first.size(); ++at) {
    if (at != first.find("abc") && at != first.find("0123") && at != first.find("9\r\n")) continue;
    std::string other = first;
    other[at] = 'z';
    times().clear();
    send(first);
    send(other);
    send(other);
    EXPECT_THAT(times(), ElementsAre(0, 0, 1)) << at;
  }
  // And in its length: what was the whole head is only its beginning.
  times().clear();
  send(first);
  send(first);
  send(first.substr(0, first.size() - 2) + "X-User-Id: u\r\n\r\n");
  send(first);
  EXPECT_THAT(times(), ElementsAre(0, 1, 0, 0));
}

TEST_F(RepeatedHead, InPartsIsParsedAndCanBeRepeated) {
  const std::string request = get("/a");
  send(request);
  send(request.substr(0, 9));
  send(request.substr(9));
  send(request);
  EXPECT_THAT(times(), ElementsAre(0, 0, 1));
}

TEST_F(RepeatedHead, UpToItsLimit) {
  const std::string empty = get("/a", "X: \r\n");
  const std::string fits =
      get("/a", "X: " + std::string(Parser::kRepeatedHeadBytesMax - empty.size(), 'x') + "\r\n");
  ASSERT_EQ(fits.size(), Parser::kRepeatedHeadBytesMax);
  send(fits);
  send(fits);
  EXPECT_THAT(times(), ElementsAre(0, 1));
  times().clear();
  std::string one_more = fits;
  one_more.insert(one_more.find("xx"), "x");
  send(one_more);
  send(one_more);
  EXPECT_THAT(times(), ElementsAre(0, 0));
}

TEST_F(RepeatedHead, WithACodingOrAnExpectationIsParsedEachTime) {
  const std::string chunked =
      "POST /a HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n";
  send(chunked);
  send(chunked);
  const std::string expecting = post("/a", "abc", "Expect: 100-continue\r\n");
  send(expecting);
  send(expecting);
  EXPECT_THAT(times(), ElementsAre(0, 0, 0, 0));
}

// Whole, the second of two is taken for a repetition; byte by byte both are parsed.
TEST(RepeatedHeads, LeadToWhatParsingThemLeadsTo) {
  const std::vector<std::string> requests = {
      get("/a?x=1", "X-Auth-Token: t\r\nX-User-Id: u\r\n"),
      get("/a",
          "Connection: keep-alive, x\r\nAuthorization: Bearer t\r\nX-User-Id: a\r\nX-User-Id: "
          "b\r\n"),
      "GET http://h/abs?q HTTP/1.1\r\nHost: h\r\nOrigin: o\r\n\r\n",
      "GET /old HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
      "GET /old HTTP/1.0\r\n\r\n",
      "HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n",
      "OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
      get("/close"),
      get("/empty"),
      get("/end", "Connection: close\r\n"),
      post("/p", "0123456789"),
      post("/p", ""),
      "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 000\r\n\r\n",
      post("/p", "abc", "Expect: 100-continue\r\n"),
      "POST /p HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
  };
  for (const std::string& first : requests) {
    for (const std::string& second : requests) {
      // The bytes of a request as such, then another one, and what is no request at last.
      for (const std::string& stream :
           {first + first + second + second + first, first + first + second.substr(0, 20),
            first + first + "\r\n" + first + "nonsense\r\n\r\n"}) {
        std::vector<std::size_t> every_byte;
        for (std::size_t at = 1; at < stream.size(); ++at) every_byte.push_back(at);
        EXPECT_EQ(outcome_of(stream), outcome_of(stream, every_byte)) << stream;
      }
    }
  }
}

}  // namespace
}  // namespace tokend::http::testing
