// The simulation of bench/scaling against what queueing theory knows of such nets.
#include "bench/scaling/model.h"

#include <gtest/gtest.h>

namespace {

using tokend::scaling::Costs;
using tokend::scaling::Outcome;
using tokend::scaling::Scenario;
using tokend::scaling::simulate;

// Enough processors that no thread waits for one; a loop on each.
Scenario wide(double rate) { return {.processors = 32, .rate = rate}; }

// Without what depends on the length of batches, or on chance.
Costs plain() {
  Costs costs;
  costs.loop_cross = 0;
  costs.committer_cross = 0;
  costs.post = 0;
  costs.wake = 0;
  costs.committer_batch = 0;
  costs.disk_spread = 0;
  return costs;
}

TEST(Scaling, AllThatIsOfferedBelowSaturationIsIssued) {
  const Outcome outcome = simulate(wide(400'000), plain());
  EXPECT_NEAR(outcome.tokens_per_second, 400'000, 8'000);
}

// The utilisation law: the rate times the time of service.
TEST(Scaling, AThreadIsBusyForItsRateTimesItsCost) {
  const Costs costs = plain();
  const Outcome outcome = simulate(wide(400'000), costs);
  EXPECT_NEAR(outcome.committer_busy, 400'000 * costs.committer_token / 1e9, 0.02);
  EXPECT_NEAR(outcome.keeper_busy, 400'000 * costs.keeper_token / 1e9, 0.02);
}

// Little's law, in an open loop and, where the number is given, in a closed one.
TEST(Scaling, RequestsInFlightAreTheRateTimesTheLatency) {
  const Outcome open = simulate(wide(400'000), Costs{});
  EXPECT_NEAR(open.in_flight_mean, open.tokens_per_second * open.latency_us_mean / 1e6,
              0.03 * open.in_flight_mean);

  const Outcome closed = simulate({.processors = 4, .in_flight = 200}, Costs{});
  EXPECT_NEAR(closed.in_flight_mean, 800, 0.5);
  EXPECT_NEAR(closed.tokens_per_second * closed.latency_us_mean / 1e6, 800, 24);
}

TEST(Scaling, OneProcessorIssuesNoMoreThanTheSumOfAllCostsAllows) {
  const Costs costs = plain();
  const double sum = costs.loop_token + costs.committer_token + costs.keeper_token;
  const Outcome outcome = simulate({.processors = 1}, costs);
  EXPECT_LE(outcome.tokens_per_second, 1.01 * 1e9 / sum);
  EXPECT_GE(outcome.tokens_per_second, 0.9 * 1e9 / sum);
  EXPECT_STREQ(outcome.saturated(), "processors");
}

TEST(Scaling, ASaturatedCommitterIssuesWhatItsCostAllows) {
  Costs costs = plain();
  costs.loop_token = 100;
  const double capacity = 1e9 / costs.committer_token;
  const Outcome one = simulate({.processors = 16, .in_flight = 4096}, costs);
  EXPECT_LE(one.tokens_per_second, 1.01 * capacity);
  EXPECT_GE(one.tokens_per_second, 0.94 * capacity);
  EXPECT_STREQ(one.saturated(), "committer");
}

// Two shards twice what one costs, as long as the rest of the committer's work allows it.
TEST(Scaling, ShardsShareTheWorkUntilTheCommitterIsSaturated) {
  Costs costs = plain();
  costs.loop_token = 100;
  costs.shard_batch = costs.shard_cross = 0;
  costs.commit_batch = costs.commit_cross = 0;
  costs.keeper_token = 10;
  costs.shard_token = 1000;
  costs.commit_token = 300;
  const Outcome two = simulate({.processors = 16, .shards = 2, .in_flight = 4096}, costs);
  EXPECT_NEAR(two.tokens_per_second, 2e6, 0.1e6);
  EXPECT_STREQ(two.saturated(), "shards");
  EXPECT_NEAR(two.committer_busy, 0.6, 0.05);
  const Outcome many = simulate({.processors = 32, .shards = 16, .in_flight = 4096}, costs);
  EXPECT_NEAR(many.tokens_per_second, 1e9 / costs.commit_token, 0.1 * 1e9 / costs.commit_token);
  EXPECT_STREQ(many.saturated(), "committer");
}

TEST(Scaling, ALoneRequestGoesThroughAShardToo) {
  const Costs costs = plain();
  const Outcome outcome = simulate({.processors = 1, .shards = 2, .in_flight = 1}, costs);
  const double way = 2 * costs.loop_turn + costs.loop_token + costs.shard_batch +
                     costs.shard_token + costs.commit_batch + costs.commit_token +
                     costs.disk_write + 4 * costs.disk_kib + costs.disk_delay;
  EXPECT_NEAR(outcome.latency_us_p50, way / 1e3, 0.1);
}

TEST(Scaling, AKeeperThatIsSlowerThanTheCommitterHoldsItBack) {
  Costs costs = plain();
  costs.keeper_token = 4'000;
  const Outcome outcome = simulate({.processors = 16, .seconds = 1}, costs);
  EXPECT_NEAR(outcome.tokens_per_second, 1e9 / costs.keeper_token, 0.05 * 250'000);
  EXPECT_STREQ(outcome.saturated(), "keeper");
}

// One request at a time waits for nobody: its latency is the sum of its way.
TEST(Scaling, ALoneRequestTakesTheSumOfItsWay) {
  const Costs costs = plain();
  const Outcome outcome = simulate({.processors = 1, .in_flight = 1}, costs);
  const double way = 2 * costs.loop_turn + costs.loop_token + costs.committer_token +
                     costs.disk_write + 4 * costs.disk_kib + costs.disk_delay;
  EXPECT_NEAR(outcome.latency_us_p50, way / 1e3, 0.1);
  EXPECT_DOUBLE_EQ(outcome.batch_tokens_mean, 1);
}

// Four writes are under way at most, and the disk does one at a time.
TEST(Scaling, ASlowDiskIsBusyAndMakesBatchesGrow) {
  Costs slow = plain();
  slow.disk_write = 2e6;
  const Outcome outcome = simulate(wide(400'000), slow);
  EXPECT_STREQ(outcome.saturated(), "disk");
  EXPECT_LE(outcome.disk_busy, 1);
  EXPECT_GT(outcome.batch_tokens_mean, 2 * simulate(wide(400'000), plain()).batch_tokens_mean);
}

TEST(Scaling, TheSameSeedGivesTheSameRun) {
  const Scenario scenario{.processors = 4, .rate = 200'000, .seed = 7};
  const Outcome first = simulate(scenario, Costs{});
  const Outcome second = simulate(scenario, Costs{});
  EXPECT_DOUBLE_EQ(first.latency_us_mean, second.latency_us_mean);
  Scenario other = scenario;
  other.seed = 8;
  EXPECT_NE(simulate(other, Costs{}).latency_us_mean, first.latency_us_mean);
}

}  // namespace
