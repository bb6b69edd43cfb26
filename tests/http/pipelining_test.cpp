// Requests behind each other: the order of their answers, and when reading stops.

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
using ::testing::IsEmpty;

TEST(Session, AnswersKeepTheOrderOfTheirRequests) {
  Core core;
  Wire wire(core);
  wire.send(get("/later") + get("/at-once") + get("/later") + get("/keep"));
  EXPECT_THAT(wire.received(), IsEmpty());
  core.application.release(2);
  core.application.release(1);
  EXPECT_THAT(wire.received(), IsEmpty());
  core.application.release(0);
  EXPECT_TRUE(wire.transport.flush_asked);
  EXPECT_TRUE(in_order(wire.received(), {"late 3", "/at-once", "late 2", "late 1"}));
  EXPECT_THAT(statuses_of(wire, core), ElementsAre(200, 200, 200, 200));
  EXPECT_EQ(core.factory.exchanges(), 0U);
  EXPECT_EQ(core.blocks.in_use(), 0U);
}

TEST(Session, AnyOrderOfCompletionGivesTheSameBytes) {
  std::vector<std::size_t> order = {0, 1, 2, 3, 4};
  do {
    Core core;
    Wire wire(core);
    std::string requests;
    for (int index = 0; index < 5; ++index) requests += get("/later");
    wire.send(requests);
    std::vector<Exchange*> exchanges(core.application.waiting.begin(),
                                     core.application.waiting.end());
    for (const std::size_t index : order) {
      const std::string body = std::to_string(index);
      exchanges[index]->answer({200, "", body, false});
    }
    std::string bodies;
    for (std::size_t at = 0; (at = wire.received().find("\r\n\r\n", at)) != std::string::npos;) {
      bodies += wire.received()[at += 4];
    }
    ASSERT_EQ(bodies, "01234");
  } while (std::next_permutation(order.begin(), order.end()));
}

TEST(Session, FullPipelineStopsReadingAndGoesOnWhenThereIsRoom) {
  SessionLimits limits;
  limits.pipeline_depth_max = 4;
  Core core(limits);
  Wire wire(core);
  std::string requests;
  for (int index = 0; index < 10; ++index) requests += get("/later");
  wire.send(requests + "POST /later HTTP/1.1\r\nHost: h\r\nContent-Le");
  wire.send("ngth: 4\r\n\r\nbody");
  EXPECT_EQ(core.application.requests.size(), 4U);
  EXPECT_TRUE(wire.transport.paused);
  EXPECT_EQ(core.factory.kept_requests(), 1U);
  for (std::size_t answered = 1; answered <= 6; ++answered) {
    core.application.release(0);
    EXPECT_EQ(core.application.requests.size(), 4 + answered);
  }
  EXPECT_TRUE(wire.transport.paused || !core.application.waiting.empty());
  core.application.release(3);  // behind others: makes no room
  EXPECT_EQ(core.application.requests.size(), 10U);
  while (!core.application.waiting.empty()) {
    core.application.release(0);
    wire.turn();
  }
  EXPECT_FALSE(wire.transport.paused);
  ASSERT_EQ(core.application.requests.size(), 11U);
  EXPECT_EQ(core.application.requests[10].body, "body");
  EXPECT_EQ(statuses_of(wire, core).size(), 11U);
  EXPECT_EQ(core.factory.kept_requests(), 0U);
}

TEST(Session, HeldRequestsThatAreAnsweredAtOnceAllGoOut) {
  SessionLimits limits;
  limits.pipeline_depth_max = 1;
  Core core(limits);
  Wire wire(core);
  std::string requests = get("/later");
  for (int index = 0; index < 50; ++index) requests += get("/x");
  wire.send(requests);
  EXPECT_EQ(core.application.requests.size(), 1U);
  core.application.release(0);
  EXPECT_EQ(core.application.requests.size(), 51U);
  EXPECT_EQ(statuses_of(wire, core), std::vector<int>(51, 200));
}

TEST(Session, PeerThatDoesNotReadIsNotReadFrom) {
  SessionLimits limits;
  limits.output_bytes_max = 10'000;
  Core core(limits);
  Wire wire(core);
  core.application.big_bytes = 4'000;
  std::string requests;
  for (int index = 0; index < 20; ++index) requests += get("/big");
  wire.send(requests);
  EXPECT_TRUE(wire.transport.paused);
  EXPECT_EQ(core.application.requests.size(), 3U);
  EXPECT_LE(wire.transport.output().bytes(), 10'000U + 4'200U);
  wire.turn();
  EXPECT_EQ(core.application.requests.size(), 6U);
  for (int index = 0; index < 10; ++index) wire.turn();
  EXPECT_EQ(core.application.requests.size(), 20U);
  EXPECT_FALSE(wire.transport.paused);
}

}  // namespace
}  // namespace tokend::http::testing
