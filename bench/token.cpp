// The arithmetic of a token: random bytes, cipher, base64url, hash, record.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <array>
#include <string>

#include "core/error.h"
#include "store/token.h"

namespace tokend::bench {
namespace {

store::TokenKey make_key(store::RandomBytes& random) {
  store::TokenKey key;
  random.fill(key);
  return key;
}

void mint(benchmark::State& state) {
  store::RandomBytes random;
  store::TokenCodec codec(make_key(random));
  std::uint32_t sequence = 0;
  const auto mint_one = [&](store::TokenText& text) {
    const store::Locator locator = store::Locator::make(1'700'000'000'000, 1, ++sequence);
    std::array<std::uint8_t, 20> bytes;
    random.fill(bytes);
    codec.encode(locator, bytes, text);
    return locator;
  };
  for (int i = 0; i < 1'000; ++i) {
    store::TokenText text;
    const store::Locator locator = mint_one(text);
    CHECK(codec.decode(store::view_of(text)) == locator);
  }
  for (auto _ : state) {
    store::TokenText text;
    mint_one(text);
    benchmark::DoNotOptimize(text);
  }
}
BENCHMARK(mint);

void decode(benchmark::State& state) {
  store::RandomBytes random;
  store::TokenCodec codec(make_key(random));
  const store::Locator locator = store::Locator::make(1'700'000'000'000, 1, 7);
  std::array<std::uint8_t, 20> bytes;
  random.fill(bytes);
  store::TokenText text;
  codec.encode(locator, bytes, text);
  CHECK(codec.decode(store::view_of(text)) == locator);
  for (auto _ : state) benchmark::DoNotOptimize(codec.decode(store::view_of(text)));
}
BENCHMARK(decode);

void digest(benchmark::State& state) {
  const std::string token(store::kTokenCharacters, 'A');
  constexpr std::array<std::uint8_t, 4> kFirstBytes{0x0f, 0x00, 0x73, 0x85};  // as sha256sum says
  const store::Digest first = store::digest_of(token);
  CHECK(std::equal(kFirstBytes.begin(), kFirstBytes.end(), first.begin()));
  for (auto _ : state) benchmark::DoNotOptimize(store::digest_of(token));
}
BENCHMARK(digest);

void encode_record(benchmark::State& state) {
  store::TokenRecord record;
  record.user = store::UserId("abcdefghijkmnopqr");
  record.issuer = store::UserId("zbcdefghijkmnopqr");
  std::string bytes;
  store::encode(record, bytes);
  const auto decoded = store::decode_token_record(bytes);
  CHECK(decoded && decoded->user == record.user && decoded->issuer == record.issuer);
  for (auto _ : state) {
    bytes.clear();
    store::encode(record, bytes);
    benchmark::DoNotOptimize(bytes);
  }
}
BENCHMARK(encode_record);

}  // namespace
}  // namespace tokend::bench

BENCHMARK_MAIN();
