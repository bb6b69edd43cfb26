// The token cache: found, not found, put beyond its size, and swept.

#include <benchmark/benchmark.h>

#include <bitset>
#include <cstdint>
#include <random>
#include <vector>

#include "core/error.h"
#include "store/cache.h"
#include "store/cache_sweep.h"

namespace tokend::bench {
namespace {

constexpr std::size_t kEntries = 1U << 20;  // the default of a core

store::TokenCache::Entry entry_of(std::uint32_t number) {
  store::TokenCache::Entry entry{};
  entry.locator = store::Locator::make(1'700'000'000'000, 1, number);
  entry.user = store::UserId("abcdefghijkmnopqr");
  entry.expires_ms = number;
  return entry;
}

// Range: how many different tokens are asked for, in random order; few of them stay in the
// processor's caches, many do not.
void find_hit(benchmark::State& state) {
  const auto count = static_cast<std::uint32_t>(state.range(0));
  store::TokenCache cache(kEntries);
  for (std::uint32_t i = 0; i < count; ++i) cache.put(entry_of(i));
  constexpr std::size_t kAsked = 1U << 16;
  std::mt19937 random(1);
  std::uniform_int_distribution<std::uint32_t> any(0, count - 1);
  std::vector<store::Locator> asked;
  while (asked.size() < kAsked) {
    const store::TokenCache::Entry entry = entry_of(any(random));
    const store::TokenCache::Entry* found = cache.find(entry.locator);
    // A full set may have displaced one of so many.
    if (!found) continue;
    CHECK(found->locator == entry.locator && found->expires_ms == entry.expires_ms);
    asked.push_back(entry.locator);
  }
  std::size_t next = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(cache.find(asked[next]));
    next = (next + 1) % kAsked;
  }
}
BENCHMARK(find_hit)->Arg(1'000)->Arg(500'000);

void find_miss(benchmark::State& state) {
  store::TokenCache cache(kEntries);
  for (std::uint32_t i = 0; i < 1'000; ++i) cache.put(entry_of(i));
  const store::Locator absent = store::Locator::make(1'600'000'000'000, 1, 0);
  CHECK(cache.find(absent) == nullptr);
  for (auto _ : state) benchmark::DoNotOptimize(cache.find(absent));
}
BENCHMARK(find_miss);

void put_into_full(benchmark::State& state) {
  store::TokenCache cache(kEntries);
  std::uint32_t number = 0;
  while (number < 2 * kEntries) cache.put(entry_of(number++));
  CHECK(cache.find(entry_of(number - 1).locator) != nullptr);
  for (auto _ : state) cache.put(entry_of(number++));
}
BENCHMARK(put_into_full);

// What a turn of a core does of a sweep (store/cache_sweep.h), in a full cache of which nothing
// goes.
void sweep_a_slice(benchmark::State& state) {
  store::TokenCache cache(kEntries);
  for (std::uint32_t number = 0; number < kEntries; ++number) cache.put(entry_of(number));
  const store::Locator below = entry_of(kEntries).locator;
  std::bitset<UINT16_MAX + 1> tags;
  tags.set(7);
  std::size_t position = 0;
  for (auto _ : state) {
    cache.sweep(position, store::CacheSweep::kSetsPerTurn,
                [&](const store::TokenCache::Entry& entry) noexcept {
                  return entry.locator < below && tags[entry.issuer_tag];
                });
    position = (position + store::CacheSweep::kSetsPerTurn) % cache.sets();
  }
}
BENCHMARK(sweep_a_slice)->Unit(benchmark::kMicrosecond);

}  // namespace
}  // namespace tokend::bench

BENCHMARK_MAIN();
