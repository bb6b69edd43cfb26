// The invariants of ARCHITECTURE.md under random schedules, crashes and failing disks. Every seed
// is printed with its failure and replays exactly: TOKEND_SIMULATION_SEED=N runs that one alone,
// TOKEND_SIMULATION_RUNS=N so many.

#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <string>

#include "tests/simulation/oracle.h"
#include "tests/simulation/traffic.h"
#include "tests/simulation/world.h"

namespace tokend::simulation {
namespace {

constexpr std::size_t kTokensPerUserMax = 4;
constexpr std::size_t kStepsOfARun = 4'000;
constexpr std::uint64_t kRuns = 60;
constexpr std::size_t kShards = 3;

std::uint64_t number_from_environment(const char* name, std::uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

struct Outcome {
  std::string fault;  // the first one; empty when all was right
  std::uint64_t overtaken_reads = 0;
  std::size_t tokens = 0;
  std::size_t most_under_way = 0;
  std::size_t repetitions = 0;
  std::size_t loads_ended = 0;
};

Outcome run(std::uint64_t seed, Mutation mutation) {
  // Every other machine has its tokens issued by shards.
  World world({.seed = seed,
               .tokens_per_user_max = kTokensPerUserMax,
               .shards = seed % 2 == 0 ? 0 : kShards,
               .mutation = mutation});
  Oracle oracle(kTokensPerUserMax);
  Traffic traffic(world, oracle, {});
  Dice& dice = world.dice();
  for (std::size_t step = 0; step < kStepsOfARun && traffic.faults().empty(); ++step) {
    if (dice.one_in(2)) traffic.ask();
    world.step();
    if (dice.one_in(1'500)) world.fail_next_commit();
    if (!world.healthy()) traffic.expect_no_success();
    if (dice.one_in(world.healthy() ? 1'000 : 40)) {
      world.crash();
      traffic.forget_under_way();
      world.boot();
      // Else everything goes on beside the rest of the start.
      if (dice.one_in(2)) traffic.ask_everything();
    }
  }
  if (traffic.faults().empty() && world.healthy()) traffic.ask_everything();
  world.crash();
  return {traffic.faults().empty() ? std::string() : traffic.faults().front(),
          world.overtaken_reads(),
          oracle.tokens.size(),
          world.most_under_way(),
          traffic.repetitions(),
          world.loads_ended()};
}

TEST(Simulation, InvariantsHoldUnderRandomSchedulesCrashesAndFailingDisks) {
  const std::uint64_t first = number_from_environment("TOKEND_SIMULATION_SEED", 1);
  const std::uint64_t runs = number_from_environment(
      "TOKEND_SIMULATION_RUNS", std::getenv("TOKEND_SIMULATION_SEED") ? 1 : kRuns);
  std::uint64_t overtaken_reads = 0;
  std::size_t tokens = 0;
  std::size_t most_under_way = 0;
  std::size_t repetitions = 0;
  std::size_t loads_ended = 0;
  for (std::uint64_t seed = first; seed < first + runs; ++seed) {
    const Outcome outcome = run(seed, Mutation::none);
    ASSERT_EQ(outcome.fault, "") << "replay with TOKEND_SIMULATION_SEED=" << seed;
    overtaken_reads += outcome.overtaken_reads;
    tokens += outcome.tokens;
    repetitions += outcome.repetitions;
    loads_ended += outcome.loads_ended;
    most_under_way = std::max(most_under_way, outcome.most_under_way);
  }
  // A simulation in which nothing happens proves nothing.
  if (runs == kRuns) {
    EXPECT_GT(tokens, 60 * runs);
    EXPECT_GT(repetitions, 20 * runs);
    EXPECT_GT(loads_ended, runs) << "hardly ever was anything loaded while it served";
    EXPECT_GT(overtaken_reads, runs / 4) << "the race of invariant 3 hardly came up";
    EXPECT_GE(most_under_way, 3U) << "no crash fell between several batches";
  }
  RecordProperty("first_seed", std::to_string(first));
}

// How many of the runs notice what was broken, by a fault that begins like this.
std::size_t runs_that_notice(Mutation mutation, const std::string& fault) {
  std::size_t noticed = 0;
  for (std::uint64_t seed = 1; seed <= kRuns; ++seed) {
    const std::string noticed_fault = run(seed, mutation).fault;
    noticed += !noticed_fault.empty() && noticed_fault.starts_with(fault);
  }
  return noticed;
}

TEST(Simulation, NoticesThatTheGuardOfCacheMissesIsGone) {
  EXPECT_GE(runs_that_notice(Mutation::no_miss_guard, "a revoked token was accepted"), 1U);
}

TEST(Simulation, NoticesThatNoFloorIsAskedAtAFill) {
  EXPECT_GE(runs_that_notice(Mutation::no_floor_check, "a revoked token was accepted"), 1U);
}

TEST(Simulation, NoticesADiskThatLiesAboutItsSyncs) {
  EXPECT_GE(runs_that_notice(Mutation::lying_disk, ""), kRuns / 2);
}

TEST(Simulation, SameSeedSameRun) {
  const Outcome first = run(7, Mutation::none);
  const Outcome second = run(7, Mutation::none);
  EXPECT_EQ(first.tokens, second.tokens);
  EXPECT_EQ(first.overtaken_reads, second.overtaken_reads);
}

}  // namespace
}  // namespace tokend::simulation
