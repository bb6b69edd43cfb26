// The order of answers, keep-alive, limits, and connections that die.

#include "http/session.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "tests/http/harness.h"
#include "tests/http/session_helpers.h"
#include "tests/support/allocation_count.h"

namespace tokend::http::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

// ---- The answer's bytes.
// ---------------------------------------------------------------------------

TEST(Session, AnswerIsExactlyThis) {
  Core core;
  Wire wire(core);
  EXPECT_EQ(wire.exchange(get("/x")),
            "HTTP/1.1 200 OK\r\nX: 1\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
            "Content-Length: 2\r\n\r\n/x");
  EXPECT_FALSE(wire.transport.finished);
}

TEST(Session, HeadHasTheHeadersOfGetAndNoBody) {
  Core core;
  Wire wire(core);
  const std::string with_body = wire.exchange(get("/x"));
  const std::string head = wire.exchange("HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_EQ(head + "/x", with_body);
}

TEST(Session, NoContentHasNoLength) {
  Core core;
  Wire wire(core);
  EXPECT_EQ(wire.exchange(get("/empty")),
            "HTTP/1.1 204 No Content\r\nX: 1\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n\r\n");
}

TEST(Session, DateFollowsTheWallClockBothWays) {
  Core core;
  Wire wire(core);
  core.clock.wall_ms += 999;
  EXPECT_THAT(wire.exchange(get("/x")), HasSubstr("Date: Sun, 06 Nov 1994 08:49:37 GMT\r\n"));
  core.clock.wall_ms += 1;
  EXPECT_THAT(wire.exchange(get("/x")), HasSubstr("Date: Sun, 06 Nov 1994 08:49:38 GMT\r\n"));
  core.clock.wall_ms = 951'782'399'999;
  EXPECT_THAT(wire.exchange(get("/x")), HasSubstr("Date: Mon, 28 Feb 2000 23:59:59 GMT\r\n"));
  core.clock.wall_ms = 951'782'400'000;
  EXPECT_THAT(wire.exchange(get("/x")), HasSubstr("Date: Tue, 29 Feb 2000 00:00:00 GMT\r\n"));
}

TEST(Session, AnswersLargerThanABlockArriveWhole) {
  Core core;
  Wire wire(core);
  core.application.big_bytes = 100'000;
  const std::string answer = wire.exchange(get("/big"));
  EXPECT_THAT(answer, HasSubstr("Content-Length: 100000\r\n\r\n"));
  EXPECT_TRUE(answer.ends_with(std::string(100'000, 'b')));
}

// ---- Keep-alive.
// -----------------------------------------------------------------------------------

TEST(Session, ConnectionStaysOpenAsItsVersionSays) {
  struct Case {
    std::string_view version;
    std::string_view connection;
    bool stays;
    std::string_view header;
  };
  for (const Case& test : {
           Case{"1.1", "", true, ""},
           Case{"1.1", "Connection: keep-alive\r\n", true, ""},
           Case{"1.1", "Connection: Close\r\n", false, "Connection: close\r\n"},
           Case{"1.1", "Connection: x, close ,y\r\n", false, "Connection: close\r\n"},
           Case{"1.1", "Connection: keep-alive\r\nConnection: close\r\n", false,
                "Connection: close\r\n"},
           Case{"1.1", "Connection: closed\r\n", true, ""},
           Case{"1.0", "", false, "Connection: close\r\n"},
           Case{"1.0", "Connection: Keep-Alive\r\n", true, "Connection: keep-alive\r\n"},
           Case{"1.0", "Connection: keep-alive, close\r\n", false, "Connection: close\r\n"},
       }) {
    Core core;
    Wire wire(core);
    std::string request("GET / HTTP/");
    request.append(test.version).append("\r\nHost: h\r\n").append(test.connection).append("\r\n");
    const std::string answer = wire.exchange(request);
    EXPECT_EQ(wire.transport.finished, !test.stays) << request;
    if (test.header.empty()) {
      EXPECT_THAT(answer, Not(HasSubstr("Connection:"))) << request;
    } else {
      EXPECT_THAT(answer, HasSubstr(test.header)) << request;
    }
  }
}

TEST(Session, NothingBehindConnectionCloseIsExecuted) {
  Core core;
  Wire wire(core);
  wire.send(get("/later") + get("/later", "Connection: close\r\n") + get("/never"));
  wire.send(get("/never") + "nonsense\r\n");
  core.application.release(1);
  core.application.release(0);
  EXPECT_EQ(core.application.requests.size(), 2U);
  EXPECT_THAT(statuses_of(wire, core), ElementsAre(200, 200));
  EXPECT_TRUE(core.application.refusals.empty());
  EXPECT_TRUE(wire.transport.finished);
}

TEST(Session, HandlerThatClosesLeavesThoseBehindWithoutAnAnswer) {
  Core core;
  Wire wire(core);
  wire.send(get("/later") + get("/later") + get("/later") + get("/later"));
  core.application.release(3);
  core.application.release(1, true);
  EXPECT_FALSE(wire.transport.finished);
  wire.send(get("/never"));
  core.application.release(0);
  EXPECT_TRUE(in_order(wire.received(), {"late 3", "Connection: close", "late 2"}));
  EXPECT_THAT(wire.received(), Not(HasSubstr("late 1")));
  EXPECT_TRUE(wire.transport.finished);
  core.application.release(0);  // answers into nothing
  EXPECT_EQ(core.application.requests.size(), 4U);
  EXPECT_EQ(core.factory.exchanges(), 0U);
}

// ---- Errors.
// ---------------------------------------------------------------------------------------

TEST(Session, OwedAnswersGoBeforeTheRefusal) {
  Core core;
  Wire wire(core);
  wire.send(get("/later") + get("/x") + "GET / HTTP/1.1\r\nX : y\r\n\r\n" + get("/never"));
  wire.send(get("/never"));
  EXPECT_THAT(wire.received(), IsEmpty());
  EXPECT_FALSE(wire.transport.finished);
  core.application.release(0);
  EXPECT_THAT(statuses_of(wire, core), ElementsAre(200, 200, 400));
  EXPECT_TRUE(in_order(wire.received(), {"late 1", "/x", "400", "Connection: close", "refused"}));
  EXPECT_EQ(wire.received().find("Connection: close"), wire.received().rfind("Connection: close"));
  EXPECT_EQ(core.application.requests.size(), 2U);
  EXPECT_TRUE(wire.transport.finished);
}

TEST(Session, RefusalOfAHeadRequestHasNoBody) {
  Core core;
  Wire wire(core);
  const std::string answer = wire.exchange("HEAD / HTTP/1.1\r\n\r\n");
  EXPECT_THAT(answer, StartsWith("HTTP/1.1 400 "));
  EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
}

TEST(Session, FullExchangePoolIs503ForAConnectionThatIsOwedNothing) {
  SessionLimits limits;
  limits.exchanges_max = 2;
  Core core(limits);
  Wire first(core);
  Wire second(core);
  first.send(get("/later") + get("/later") + get("/later"));
  EXPECT_TRUE(first.transport.paused);
  EXPECT_THAT(second.exchange(get("/x")), HasSubstr("HTTP/1.1 503 Service Unavailable\r\n"
                                                    "Retry-After: 1\r\n"));
  EXPECT_TRUE(second.transport.finished);
  EXPECT_THAT(core.application.refusals, ElementsAre(Refusal::overloaded));
  core.application.release(0);
  EXPECT_FALSE(first.transport.paused);
  EXPECT_EQ(core.application.requests.size(), 3U);
  core.application.release(0);
  core.application.release(0);
  EXPECT_THAT(statuses_of(first, core), ElementsAre(200, 200, 200));
}

// Also where the head is the one before it, which is not parsed again.
TEST(Session, ARefusedHeadRequestGetsNoBody) {
  SessionLimits limits;
  limits.exchanges_max = 2;
  Core core(limits);
  Wire first(core);
  const std::string head = "HEAD /x HTTP/1.1\r\nHost: h\r\n\r\n";
  for (const bool repeated : {false, true}) {
    Wire second(core);
    if (repeated) {
      EXPECT_THAT(second.exchange(head), StartsWith("HTTP/1.1 200 OK\r\n"));
    }
    first.send(get("/later") + get("/later"));
    const std::string answer = second.exchange(head);
    EXPECT_THAT(answer, StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
    EXPECT_TRUE(answer.ends_with("\r\n\r\n")) << answer;
    core.application.release(0);
    core.application.release(0);
  }
}

TEST(Session, FullBufferPoolIs503ForARequestInParts) {
  SessionLimits limits;
  limits.kept_requests_max = 1;
  Core core(limits);
  Wire first(core);
  Wire second(core);
  first.send("GET /x HT");
  second.send("GET /x HT");
  EXPECT_THAT(second.received(), StartsWith("HTTP/1.1 503 "));
  EXPECT_TRUE(second.transport.finished);
  EXPECT_THAT(first.exchange("TP/1.1\r\nHost: h\r\n\r\n"), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(core.factory.kept_requests(), 0U);
  Wire third(core);
  EXPECT_THAT(third.exchange(get("/x")), StartsWith("HTTP/1.1 200 "));
}

TEST(Session, ConnectionsBeyondTheLimitAreNotOpened) {
  SessionLimits limits;
  limits.connections_max = 1;
  Core core(limits);
  Wire first(core);
  FakeTransport transport(core.blocks);
  EXPECT_EQ(core.factory.open(transport), nullptr);
  first.close();
  core::Session* session = core.factory.open(transport);
  ASSERT_NE(session, nullptr);
  core.factory.close(*session);
}

TEST(Session, BrokenOutputAbortsTheConnection) {
  Core core({}, 3);
  Wire wire(core);
  core.application.big_bytes = 100'000;
  wire.send(get("/later") + get("/big"));
  EXPECT_FALSE(wire.transport.aborted);
  core.application.release(0);
  EXPECT_TRUE(wire.transport.aborted);
  EXPECT_FALSE(wire.transport.finished);
}

// ---- Kept requests and connections that die.
// -------------------------------------------------------

TEST(Session, KeptRequestOutlivesItsBytes) {
  for (const std::size_t piece : {1000U, 10U}) {
    Core core;
    Wire wire(core);
    wire.send_in_pieces(
        "POST /keep?q HTTP/1.1\r\nHost: h\r\nX-User-Id: me\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n" +
            get("/x"),
        piece);
    ASSERT_TRUE(core.application.kept_ok);
    EXPECT_EQ(core.factory.kept_requests(), 1U);
    EXPECT_EQ(seen(core.application.waiting[0]->request()), core.application.requests[0]);
    EXPECT_EQ(core.application.requests[0].body, "abcde");
    core.application.release(0);
    EXPECT_EQ(core.factory.kept_requests(), 0U);
    EXPECT_THAT(statuses_of(wire, core), ElementsAre(200, 200));
  }
}

TEST(Session, KeepingFailsAtTheLimit) {
  SessionLimits limits;
  limits.kept_requests_max = 1;
  Core core(limits);
  Wire wire(core);
  wire.send(get("/keep"));
  EXPECT_TRUE(core.application.kept_ok);
  wire.send(get("/keep"));
  EXPECT_FALSE(core.application.kept_ok);
  core.application.release(0);
  wire.send(get("/keep"));
  EXPECT_TRUE(core.application.kept_ok);
  core.application.release(0);
  core.application.release(0);
}

TEST(Session, ExchangesOutliveTheirConnection) {
  Core core;
  Wire wire(core);
  wire.send(get("/later") + get("/keep") + get("/x") + get("/later"));
  const Seen kept = core.application.requests[1];
  wire.close();
  EXPECT_EQ(core.factory.sessions(), 0U);
  EXPECT_EQ(core.factory.exchanges(), 3U);  // the answered one is gone
  EXPECT_EQ(seen(core.application.waiting[1]->request()), kept);
  core.application.release(1);
  core.application.release(1);
  core.application.release(0);
  EXPECT_EQ(core.factory.exchanges(), 0U);
  EXPECT_EQ(core.factory.kept_requests(), 0U);
  EXPECT_EQ(core.blocks.in_use(), 0U);
}

TEST(Session, StateIsDestroyedOnceInsideAnswer) {
  struct State {
    explicit State(int& count) : destroyed(count) {}
    ~State() { ++destroyed; }
    int& destroyed;
    // Longer than what a string holds in itself, so that use after its end is seen.
    std::string body = "a body that belongs to the state and is longer than small";
  };
  int destroyed = 0;
  Core core;
  Wire wire(core);
  wire.send(get("/later") + get("/later") + get("/later"));
  const std::vector<Exchange*> exchanges(core.application.waiting.begin(),
                                         core.application.waiting.end());
  core.application.waiting.clear();
  for (const std::size_t index : {1U, 0U}) {
    State& state = exchanges[index]->emplace<State>(destroyed);
    exchanges[index]->answer({200, "", state.body, false});
    EXPECT_EQ(destroyed, index == 1 ? 1 : 2);
  }
  State& state = exchanges[2]->emplace<State>(destroyed);
  wire.close();
  EXPECT_EQ(destroyed, 2);
  exchanges[2]->answer({200, "", state.body, false});
  EXPECT_EQ(destroyed, 3);
}

// ---- Memory.
// ---------------------------------------------------------------------------------------

TEST(Session, NothingIsAllocatedForARequest) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "the sanitizer's allocator is not counted";
#endif
  class Constant final : public Application {
   public:
    void on_request(Exchange& exchange) noexcept override {
      if (exchange.request().path() == "/later") {
        waiting = &exchange;
      } else {
        exchange.answer({200, "X: 1\r\n", "{}", false});
      }
    }
    Answer on_refusal(Refusal refusal) noexcept override {
      return {status_of(refusal), "", "", false};
    }
    Exchange* waiting = nullptr;
  };
  Core core;
  Constant application;
  HttpSessionFactory factory(core.limits, application, core.clock, core.blocks);
  FakeTransport transport(core.blocks);
  core::Session* session = factory.open(transport);
  const std::string whole =
      get("/later") + get("/x") +
      "POST /c HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
  std::string buffer(whole.size() + core::kReceivePaddingBytes, 'p');
  const auto round = [&] {
    for (const std::size_t split : {whole.size(), std::size_t{10}}) {
      std::memcpy(buffer.data(), whole.data(), whole.size());
      session->on_bytes({buffer.data(), split});
      if (split < whole.size()) session->on_bytes({buffer.data() + split, whole.size() - split});
      application.waiting->answer({200, "", "later", false});
      while (!transport.output().empty()) {
        transport.output().consume(transport.output().bytes());
      }
      session->on_output_sent();
    }
  };
  round();
  const std::size_t before = tests::allocation_count();
  for (int count = 0; count < 100; ++count) round();
  EXPECT_EQ(tests::allocation_count(), before);
  factory.close(*session);
  EXPECT_GT(before, 0U);  // the counter counts
}

}  // namespace
}  // namespace tokend::http::testing
