// What ends a connection: time, its peer, the server's stop.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "http/session.h"
#include "tests/http/harness.h"
#include "tests/http/session_helpers.h"

namespace tokend::http::testing {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;

// ---- Time.
// -----------------------------------------------------------------------------------------

constexpr std::int64_t ms(std::int64_t count) { return count * core::kNanosecondsPerMillisecond; }

TEST(Deadline, IdleConnectionIsClosedSilently) {
  Core core;
  Wire wire(core);
  EXPECT_EQ(wire.transport.deadline_ns, core.clock.monotonic_ns + ms(75'000));
  core.clock.monotonic_ns += ms(1'000);
  wire.exchange(get("/x"));
  EXPECT_EQ(wire.transport.deadline_ns, core.clock.monotonic_ns + ms(75'000));
  const std::size_t before = wire.received().size();
  wire.deadline();
  EXPECT_TRUE(wire.transport.finished);
  EXPECT_EQ(wire.received().size(), before);
  EXPECT_TRUE(core.application.refusals.empty());
}

TEST(Deadline, HeaderAndBodyEachHaveTheirTimeAndEndIn408) {
  Core core;
  const std::int64_t start = core.clock.monotonic_ns;
  Wire wire(core);
  wire.send("POST /x HTTP/1.1\r\n");
  EXPECT_EQ(wire.transport.deadline_ns, start + ms(10'000));
  core.clock.monotonic_ns += ms(9'000);
  wire.send("Host: h\r\n");  // does not buy time
  EXPECT_EQ(wire.transport.deadline_ns, start + ms(10'000));
  wire.send("Content-Length: 4\r\n\r\n");
  EXPECT_EQ(wire.transport.deadline_ns, start + ms(39'000));
  core.clock.monotonic_ns += ms(5'000);
  wire.send("b");
  EXPECT_EQ(wire.transport.deadline_ns, start + ms(39'000));
  wire.deadline();
  EXPECT_THAT(wire.received(), StartsWith("HTTP/1.1 408 "));
  EXPECT_TRUE(wire.transport.finished);

  Wire slow(core);
  slow.send("GET");
  slow.deadline();
  EXPECT_THAT(slow.received(), StartsWith("HTTP/1.1 408 "));
}

TEST(Deadline, AnswerThatIsBeingMadeHasNone) {
  Core core;
  Wire wire(core);
  wire.send(get("/later"));
  EXPECT_EQ(wire.transport.deadline_ns, core::kNoDeadline);
  wire.deadline();
  EXPECT_FALSE(wire.transport.finished);
  // A request in parts behind it does.
  wire.send("GET /y");
  EXPECT_EQ(wire.transport.deadline_ns, core.clock.monotonic_ns + ms(10'000));
  wire.deadline();
  EXPECT_FALSE(wire.transport.finished);
  core.application.release(0);
  EXPECT_THAT(statuses_of(wire, core), ElementsAre(200, 408));
  EXPECT_TRUE(wire.transport.finished);
}

TEST(Deadline, EmptyLinesAreNotTheBeginningOfARequest) {
  Core core;
  Wire wire(core);
  wire.send("\r\n");
  EXPECT_EQ(wire.transport.deadline_ns, core.clock.monotonic_ns + ms(75'000));
  wire.deadline();
  EXPECT_THAT(wire.received(), IsEmpty());
  EXPECT_TRUE(wire.transport.finished);
}

// ---- The end.
// --------------------------------------------------------------------------------------

TEST(End, HalfClosedClientStillGetsItsAnswers) {
  Core core;
  Wire wire(core);
  wire.send(get("/later") + get("/later"));
  wire.send_end();
  EXPECT_FALSE(wire.transport.finished);
  core.application.release(1);
  core.application.release(0);
  EXPECT_THAT(statuses_of(wire, core), ElementsAre(200, 200));
  EXPECT_TRUE(wire.transport.finished);
}

TEST(End, HeldRequestsOfAHalfClosedClientAreServed) {
  SessionLimits limits;
  limits.pipeline_depth_max = 1;
  Core core(limits);
  Wire wire(core);
  wire.send(get("/later") + get("/later") + get("/x"));
  wire.send_end();
  core.application.release(0);
  EXPECT_FALSE(wire.transport.finished);
  core.application.release(0);
  wire.turn();
  EXPECT_THAT(statuses_of(wire, core), ElementsAre(200, 200, 200));
  EXPECT_TRUE(wire.transport.finished);
}

TEST(End, IdleConnectionEndsWithItsPeerAndAnUnfinishedRequestIs400) {
  Core core;
  Wire idle(core);
  idle.send_end();
  EXPECT_TRUE(idle.transport.finished);
  EXPECT_THAT(idle.received(), IsEmpty());
  Wire unfinished(core);
  unfinished.send("GET / HTTP/1.1\r\nHo");
  unfinished.send_end();
  EXPECT_THAT(unfinished.received(), StartsWith("HTTP/1.1 400 "));
  EXPECT_TRUE(unfinished.transport.finished);
}

TEST(Drain, IdleConnectionIsFinishedAtOnce) {
  Core core;
  Wire fresh(core);
  fresh.drain();
  EXPECT_TRUE(fresh.transport.finished);
  Wire used(core);
  used.exchange(get("/x"));
  used.drain();
  EXPECT_TRUE(used.transport.finished);
}

TEST(Drain, OutstandingAnswersGoOutAndTheLastSaysClose) {
  Core core;
  Wire wire(core);
  wire.send(get("/later") + get("/later"));
  wire.drain();
  EXPECT_FALSE(wire.transport.finished);
  wire.send(get("/never"));
  core.application.release(0);
  core.application.release(0);
  EXPECT_TRUE(in_order(wire.received(), {"late 1", "Connection: close", "late 2"}));
  EXPECT_EQ(core.application.requests.size(), 2U);
  EXPECT_TRUE(wire.transport.finished);
}

TEST(Drain, HeldRequestsAreNotExecuted) {
  SessionLimits limits;
  limits.pipeline_depth_max = 1;
  Core core(limits);
  Wire wire(core);
  wire.send(get("/later") + get("/never"));
  wire.drain();
  core.application.release(0);
  EXPECT_THAT(statuses_of(wire, core), ElementsAre(200));
  EXPECT_EQ(core.application.requests.size(), 1U);
  EXPECT_TRUE(wire.transport.finished);
  EXPECT_EQ(core.factory.kept_requests(), 0U);
}

TEST(Drain, RequestThatHasBegunIsTheLast) {
  Core core;
  Wire wire(core);
  wire.send("GET /x HTTP/1.1\r\n");
  wire.drain();
  EXPECT_FALSE(wire.transport.finished);
  wire.send("Host: h\r\n\r\n" + get("/never"));
  EXPECT_THAT(statuses_of(wire, core), ElementsAre(200));
  EXPECT_THAT(wire.received(), HasSubstr("Connection: close\r\n"));
  EXPECT_TRUE(wire.transport.finished);
}

}  // namespace
}  // namespace tokend::http::testing
