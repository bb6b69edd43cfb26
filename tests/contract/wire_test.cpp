// HTTP itself as clients meet it: limits to the byte, lingering close, pipelining, requests in
// pieces, 100-continue, chunks, HTTP/1.0, half-closed peers (contract 9.6).

#include <gmock/gmock.h>

#include <thread>

#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

constexpr std::size_t kBodyBytesMax = 64 * 1024;
constexpr std::size_t kHeaderBytesMax = 16 * 1024;
constexpr std::size_t kTargetBytesMax = 8 * 1024;

constexpr const char* kJsonError =
    R"({"success":false,"error":"<text> [<text>]","errorType":"<text>"})";

class Wire : public ServerSuite<Wire> {
 public:
  static ServerSettings settings() { return {}; }

 protected:
  std::string create_token_bytes(const std::string& body, const HeaderList& more = {}) {
    HeaderList headers = headers_of(admin());
    headers.insert(headers.end(), more.begin(), more.end());
    return bytes_of({.method = "POST", .target = kCreateToken, .headers = headers, .body = body});
  }
  std::string self() { return json_pair("userId", admin().user_id); }
  std::string me_bytes() {
    return bytes_of({.method = "GET", .target = "/api/v1/me", .headers = headers_of(admin())});
  }
  // An /api/info whose request line and header section are so long.
  static std::string head_of(std::size_t bytes) {
    const std::string begin = "GET /api/info HTTP/1.1\r\nHost: a\r\nX-Filler: ";
    const std::string end = "\r\n\r\n";
    return begin + std::string(bytes - begin.size() - end.size(), 'f') + end;
  }
  static std::string target_of(std::size_t bytes) {
    const std::string path = "/api/info?";
    return "GET " + path + std::string(bytes - path.size(), 'q') + " HTTP/1.1\r\nHost: a\r\n\r\n";
  }
};

TEST_F(Wire, BodyAtTheLimitIsServedAndOneAboveIs413) {
  std::string body = self();
  body.resize(kBodyBytesMax, ' ');
  HttpClient raw = connect();
  ASSERT_TRUE(raw.send(create_token_bytes(body)));
  EXPECT_TRUE(answers(raw.read_response(), 200, kIssued));
  body += ' ';
  ASSERT_TRUE(raw.send(create_token_bytes(body)));
  const Response response = raw.read_response();
  EXPECT_TRUE(answers(response, 413,
                      R"({"success":false,"error":"<text> [error-request-too-large]",)"
                      R"("errorType":"error-request-too-large"})"));
  EXPECT_EQ(response.header("Content-Type"), "application/json");
  EXPECT_EQ(response.header("Connection"), "close");
  EXPECT_TRUE(raw.read_end());
}

TEST_F(Wire, ChunkedBodyHasTheSameLimit) {
  const auto chunked = [&](std::size_t bytes) {
    std::string body = self();
    body.resize(bytes, ' ');
    HttpClient raw = connect();
    std::string sent = "POST " + std::string(kCreateToken) + " HTTP/1.1\r\nHost: a\r\n";
    for (const auto& [name, value] : headers_of(admin())) sent += name + ": " + value + "\r\n";
    sent += "Transfer-Encoding: chunked\r\n\r\n";
    for (std::size_t offset = 0; offset < body.size(); offset += 10'000) {
      const std::string part = body.substr(offset, 10'000);
      char size[16];
      std::snprintf(size, sizeof(size), "%zx\r\n", part.size());
      sent += size + part + "\r\n";
    }
    sent += "0\r\n\r\n";
    EXPECT_TRUE(raw.send(sent));
    return raw.read_response();
  };
  EXPECT_TRUE(answers(chunked(self().size()), 200, kIssued));
  EXPECT_TRUE(answers(chunked(kBodyBytesMax), 200, kIssued));
  EXPECT_TRUE(answers(chunked(kBodyBytesMax + 1), 413, kJsonError));
}

TEST_F(Wire, HeaderSectionAtTheLimitIsServedAndAboveIs431) {
  HttpClient raw = connect();
  ASSERT_TRUE(raw.send(head_of(kHeaderBytesMax)));
  EXPECT_EQ(raw.read_response().status, 200);
  ASSERT_TRUE(raw.send(head_of(kHeaderBytesMax + 1)));
  const Response response = raw.read_response();
  EXPECT_TRUE(answers(response, 431, kJsonError));
  EXPECT_EQ(response.header("Content-Type"), "application/json");
  EXPECT_TRUE(raw.read_end());
}

TEST_F(Wire, TargetAtTheLimitIsServedAndOneAboveIs414) {
  HttpClient raw = connect();
  ASSERT_TRUE(raw.send(target_of(kTargetBytesMax)));
  EXPECT_EQ(raw.read_response().status, 200);
  ASSERT_TRUE(raw.send(target_of(kTargetBytesMax + 1)));
  const Response response = raw.read_response();
  EXPECT_TRUE(answers(response, 414, kJsonError));
  EXPECT_EQ(response.header("Content-Type"), "application/json");
  EXPECT_TRUE(raw.read_end());
  HttpClient second = connect();
  second.send(target_of(100'000));
  EXPECT_EQ(second.read_response().status, 414);
}

TEST_F(Wire, LimitsAnswerBehindTheAnswersThatAreOwed) {
  HttpClient raw = connect();
  ASSERT_TRUE(raw.send(create_token_bytes(self()) + me_bytes() +
                       create_token_bytes(std::string(kBodyBytesMax + 1, ' '))));
  EXPECT_EQ(raw.read_response().status, 200);
  EXPECT_EQ(raw.read_response().status, 200);
  EXPECT_EQ(raw.read_response().status, 413);
  EXPECT_TRUE(raw.read_end());
}

// The answer must not be lost to the reset that bytes for a closed socket cause.
TEST_F(Wire, RefusalReachesAClientThatIsStillSending) {
  for (int time = 0; time < 5; ++time) {
    HttpClient raw = connect();
    ASSERT_TRUE(raw.send("POST " + std::string(kCreateToken) +
                         " HTTP/1.1\r\nHost: a\r\nContent-Length: 4000000\r\n\r\n"));
    const std::string part(50'000, 'x');
    for (int count = 0; count < 40; ++count) {
      if (!raw.send(part)) break;
      std::this_thread::sleep_for(std::chrono::milliseconds(2));
    }
    EXPECT_TRUE(answers(raw.read_response(), 413, kJsonError));
  }
}

TEST_F(Wire, MalformedRequestGetsOne400AndTheEnd) {
  for (const char* bytes :
       {"nonsense\r\n\r\n", "GET /health HTTP/1.1\r\n\r\n", "GET /health\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: a\r\nbad header\r\n\r\n",
        "POST /api/v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nContent-Length: "
        "3\r\n\r\n{}",
        "POST /api/v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n",
        "POST /api/v1/login HTTP/1.1\r\nHost: a\r\nContent-Length: -1\r\n\r\n",
        "GET  /health HTTP/1.1\r\nHost: a\r\n\r\n"}) {
    HttpClient raw = connect();
    // Whatever stands behind is not a request any more.
    raw.send(std::string(bytes) + "GET /health HTTP/1.1\r\nHost: a\r\n\r\n");
    const Response response = raw.read_response();
    EXPECT_TRUE(answers(response, 400, kJsonError)) << bytes;
    EXPECT_EQ(response.header("Content-Type"), "application/json") << bytes;
    EXPECT_TRUE(raw.read_end()) << bytes;
  }
}

TEST_F(Wire, UnknownVersionIs505) {
  HttpClient raw = connect();
  raw.send("GET /health HTTP/1.2\r\nHost: a\r\n\r\n");
  EXPECT_EQ(raw.read_response().status, 505);
  EXPECT_TRUE(raw.read_end());
}

TEST_F(Wire, SixteenMixedRequestsInOneWriteAreAnsweredInOrder) {
  const Person person = make_user();
  for (int time = 0; time < 10; ++time) {
    std::string bytes;
    std::vector<std::pair<int, std::string>> expected;
    const auto add = [&](const std::string& request, int status, const std::string& body) {
      bytes += request;
      expected.emplace_back(status, body);
    };
    // Answers from memory, from the disk's sync, from a worker and from no handler at all.
    for (int round = 0; round < 2; ++round) {
      add(create_token_bytes(self()), 200, kIssued);
      add(me_bytes(), 200, R"({"_id":"<id>",<any>})");
      add(bytes_of({.method = "POST",
                    .target = "/api/v1/login",
                    .body = R"({"user":")" + person.username + R"(","password":")" +
                            person.password + "\"}"}),
          200, R"({"status":"success",<any>})");
      add(bytes_of({.method = "GET", .target = "/health"}), 200, "ok");
      add(create_token_bytes(json_pair("username", person.username)), 200, kIssued);
      add(bytes_of({.method = "GET", .target = "/nothing"}), 404, kNotFound);
      add(bytes_of({.method = "GET",
                    .target = "/api/v1/users.list?count=3",
                    .headers = headers_of(admin())}),
          200, R"({"users":[<any>)");
      add(create_token_bytes("{"), 400, kInvalidJson);
    }
    ASSERT_EQ(expected.size(), 16U);
    HttpClient raw = connect();
    ASSERT_TRUE(raw.send(bytes));
    for (std::size_t index = 0; index < expected.size(); ++index) {
      const Response response = raw.read_response();
      server().remember_secret(string_field(response.body, "authToken"));
      EXPECT_TRUE(answers(response, expected[index].first, expected[index].second)) << index;
    }
    EXPECT_TRUE(raw.is_silent_for(Milliseconds(20)));
  }
}

TEST_F(Wire, MoreRequestsThanThePipelineHoldsAreAllAnswered) {
  constexpr int kRequests = 500;
  HttpClient raw = connect();
  const Person person = make_user();
  std::string bytes;
  for (int index = 0; index < kRequests; ++index) {
    bytes += index % 5 == 0 ? create_token_bytes(json_pair("userId", person.id)) : me_bytes();
  }
  std::thread sender([&] { raw.send(bytes); });
  int served = 0;
  for (int index = 0; index < kRequests; ++index) served += raw.read_response().status == 200;
  sender.join();
  EXPECT_EQ(served, kRequests);
}

TEST_F(Wire, RequestByteByByteIsTheSameRequest) {
  HttpClient raw = connect();
  ASSERT_TRUE(raw.send_byte_by_byte(create_token_bytes(self())));
  EXPECT_TRUE(answers(raw.read_response(), 200, kIssued));
  ASSERT_TRUE(raw.send_byte_by_byte(me_bytes()));
  EXPECT_EQ(raw.read_response().status, 200);
}

TEST_F(Wire, RequestSplitAnywhereIsTheSameRequest) {
  const std::string bytes = create_token_bytes(self()) + me_bytes();
  HttpClient raw = connect();
  for (std::size_t split = 1; split < bytes.size(); split += 7) {
    ASSERT_TRUE(raw.send(bytes.substr(0, split)));
    std::this_thread::sleep_for(std::chrono::microseconds(300));
    ASSERT_TRUE(raw.send(bytes.substr(split)));
    ASSERT_TRUE(answers(raw.read_response(), 200, kIssued)) << split;
    ASSERT_EQ(raw.read_response().status, 200) << split;
  }
}

TEST_F(Wire, ExpectContinueIsAnsweredBeforeTheBody) {
  const std::string bytes = create_token_bytes(self(), {{"Expect", "100-continue"}});
  const auto head = bytes.find("\r\n\r\n") + 4;
  HttpClient raw = connect();
  ASSERT_TRUE(raw.send(bytes.substr(0, head)));
  EXPECT_EQ(raw.read_response().status, 100);
  ASSERT_TRUE(raw.send(bytes.substr(head)));
  EXPECT_TRUE(answers(raw.read_response(), 200, kIssued));
}

TEST_F(Wire, ExpectContinueOfATooLargeBodyIsRefusedAtOnce) {
  HttpClient raw = connect();
  ASSERT_TRUE(raw.send("POST " + std::string(kCreateToken) +
                       " HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
                       "Content-Length: 100000\r\n\r\n"));
  EXPECT_EQ(raw.read_response().status, 413);
}

TEST_F(Wire, ChunkedBodyWithExtensionsAndTrailersIsRead) {
  HttpClient raw = connect();
  std::string bytes = "POST " + std::string(kCreateToken) + " HTTP/1.1\r\nHost: a\r\n";
  for (const auto& [name, value] : headers_of(admin())) bytes += name + ": " + value + "\r\n";
  bytes += "Transfer-Encoding: chunked\r\n\r\n";
  for (const char byte : self()) bytes += std::string("1;x=y\r\n") + byte + "\r\n";
  bytes += "0\r\nTrailer: x\r\n\r\n";
  ASSERT_TRUE(raw.send(bytes + me_bytes()));
  EXPECT_TRUE(answers(raw.read_response(), 200, kIssued));
  EXPECT_EQ(raw.read_response().status, 200);
}

TEST_F(Wire, Http10ClosesUnlessAskedToKeepAlive) {
  HttpClient closing = connect();
  ASSERT_TRUE(closing.send("GET /health HTTP/1.0\r\n\r\n"));
  EXPECT_TRUE(answers(closing.read_response(), 200, "ok"));
  EXPECT_TRUE(closing.read_end());

  HttpClient keeping = connect();
  for (int time = 0; time < 2; ++time) {
    ASSERT_TRUE(keeping.send("GET /health HTTP/1.0\r\nConnection: keep-alive\r\n\r\n"));
    const Response response = keeping.read_response();
    EXPECT_TRUE(answers(response, 200, "ok"));
    EXPECT_THAT(response.header("Connection"), testing::StrCaseEq("keep-alive"));
  }
}

TEST_F(Wire, ConnectionIsKeptAliveUntilTheClientSaysClose) {
  HttpClient raw = connect();
  for (int time = 0; time < 50; ++time) {
    ASSERT_TRUE(raw.send(me_bytes()));
    const Response response = raw.read_response();
    ASSERT_EQ(response.status, 200);
    EXPECT_EQ(response.count("Connection"), 0U);
  }
  ASSERT_TRUE(
      raw.send("GET /health HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
               "GET /health HTTP/1.1\r\nHost: a\r\n\r\n"));
  const Response last = raw.read_response();
  EXPECT_EQ(last.status, 200);
  EXPECT_EQ(last.header("Connection"), "close");
  EXPECT_TRUE(raw.read_end()) << "what stands behind `close` is not executed";
}

TEST_F(Wire, HalfClosedClientStillGetsItsAnswers) {
  HttpClient raw = connect();
  ASSERT_TRUE(raw.send(create_token_bytes(self()) + create_token_bytes(self()) + me_bytes()));
  raw.finish_sending();
  EXPECT_TRUE(answers(raw.read_response(), 200, kIssued));
  EXPECT_TRUE(answers(raw.read_response(), 200, kIssued));
  EXPECT_EQ(raw.read_response().status, 200);
  EXPECT_TRUE(raw.read_end());
}

TEST_F(Wire, ClientThatLeavesInTheMiddleHarmsNobody) {
  for (int time = 0; time < 50; ++time) {
    HttpClient raw = connect();
    const std::string bytes = create_token_bytes(self());
    raw.send(bytes.substr(0, bytes.size() - static_cast<std::size_t>(time)));
  }
  EXPECT_TRUE(client().authenticates(admin()));
}

TEST_F(Wire, AbsoluteFormOfTheTargetIsTaken) {
  HttpClient raw = connect();
  ASSERT_TRUE(raw.send("GET http://localhost/health HTTP/1.1\r\nHost: localhost\r\n\r\n"));
  EXPECT_TRUE(answers(raw.read_response(), 200, "ok"));
}

}  // namespace
}  // namespace tokend::tests
