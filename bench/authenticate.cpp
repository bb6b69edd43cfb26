// What it costs to know who asks, when the core's caches know it.

#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "bench/store_world.h"

namespace tokend::bench {
namespace {

struct Asked {
  store::Authenticate operation;
  bool done = false;
  store::UserId user;

  void ask(store::Store& store, std::string_view token, std::string_view user_id) noexcept {
    operation.token = token;
    operation.user_id = user_id;
    operation.then<&Asked::on_done>(*this);
    store.authenticate(operation);
  }
  void on_done() noexcept {
    done = true;
    if (operation.result) user = operation.caller.id;
  }
};

// Range: how many different tokens take turns.
void authenticate_hit(benchmark::State& state) {
  StoreWorld world;
  const auto count = static_cast<std::size_t>(state.range(0));
  const std::vector<store::UserId> users = world.create_users(count);
  std::vector<std::string> tokens;
  for (std::size_t i = 0; i < count; ++i) {
    Issue issue;
    std::size_t done = 0;
    issue.ask(world, users[i], done);
    world.settle();
    CHECK(done == 1 && issue.operation.result.has_value());
    tokens.emplace_back(store::view_of(issue.operation.token));
  }
  for (std::size_t i = 0; i < count; ++i) {
    Asked right;
    right.ask(world.store(), tokens[i], users[i].view());
    CHECK(right.done && right.operation.result.has_value() && right.user == users[i]);
    Asked wrong;
    wrong.ask(world.store(), tokens[i], world.admin().view());
    CHECK(wrong.done && !wrong.operation.result.has_value());
  }
  const std::uint64_t misses_before = world.store().counters().token_misses;
  std::size_t next = 0;
  for (auto _ : state) {
    Asked asked;
    asked.ask(world.store(), tokens[next], users[next].view());
    CHECK(asked.done && asked.operation.result.has_value());
    if (++next == count) next = 0;
  }
  CHECK(world.store().counters().token_misses == misses_before);
}
BENCHMARK(authenticate_hit)->Arg(1)->Arg(1'000);

void authenticate_forged(benchmark::State& state) {
  StoreWorld world;
  const std::string forged(store::kTokenCharacters, 'A');
  for (auto _ : state) {
    Asked asked;
    asked.ask(world.store(), forged, world.admin().view());
    CHECK(asked.done && !asked.operation.result.has_value());
  }
}
BENCHMARK(authenticate_forged);

}  // namespace
}  // namespace tokend::bench

BENCHMARK_MAIN();
