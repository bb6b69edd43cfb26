// What a durable token costs in the store: minting, the rules, one batch, one sync, the way home.
// The figure for one token is the time divided by the batch (items per second says it).

#include <benchmark/benchmark.h>

#include <memory>
#include <set>
#include <string>
#include <vector>

#include "bench/store_world.h"

namespace tokend::bench {
namespace {

constexpr std::size_t kUsers = 2'000;

void check(StoreWorld& world, const std::vector<store::UserId>& users) {
  constexpr std::size_t kTokens = 100;
  const auto issues = std::make_unique<Issue[]>(kTokens);
  std::size_t done = 0;
  for (std::size_t i = 0; i < kTokens; ++i) issues[i].ask(world, users[i], done);
  world.settle();
  CHECK(done == kTokens);
  std::set<std::string> different;
  for (std::size_t i = 0; i < kTokens; ++i) {
    const store::IssueToken& issue = issues[i].operation;
    CHECK(issue.result.has_value());
    different.emplace(store::view_of(issue.token));
    CHECK(store::digest_of(store::view_of(issue.token)) == issue.digest);
  }
  CHECK(different.size() == kTokens);
}

void commit_batch(benchmark::State& state) {
  StoreWorld world;
  const std::vector<store::UserId> users = world.create_users(kUsers);
  check(world, users);

  const auto batch = static_cast<std::size_t>(state.range(0));
  std::size_t user = 0;
  for (auto _ : state) {
    // New objects each time, as each request has its own.
    const auto issues = std::make_unique<Issue[]>(batch);
    std::size_t done = 0;
    for (std::size_t i = 0; i < batch; ++i) {
      issues[i].ask(world, users[user], done);
      if (++user == users.size()) user = 0;
    }
    world.settle();
    CHECK(done == batch && issues[batch - 1].operation.result.has_value());
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}
BENCHMARK(commit_batch)->Arg(1)->Arg(64)->Arg(256)->UseRealTime()->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace tokend::bench

BENCHMARK_MAIN();
