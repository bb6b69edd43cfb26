#pragma once
// Hashes for tables in memory; never stored. Tables are bounded or keyed by ids that the server
// makes, so nothing depends on them being hard to collide.

#include <cstdint>
#include <cstring>
#include <string_view>

#include "store/token.h"

namespace tokend::store {

[[nodiscard]] inline std::uint64_t mix(std::uint64_t value) noexcept {
  value ^= value >> 32;
  value *= 0xd6e8feb86659fd93ULL;
  value ^= value >> 32;
  value *= 0xd6e8feb86659fd93ULL;
  return value ^ (value >> 32);
}

// The tokens of one millisecond, of which a batch is full, have consecutive hashes: in a table that
// goes by the low bits they are neighbours, and the next one's place is on its way from memory
// before it is asked for.
[[nodiscard]] inline std::uint64_t hash_of(const Locator& locator) noexcept {
  std::uint64_t time_and_shard;
  std::memcpy(&time_and_shard, locator.bytes.data(), sizeof(time_and_shard));
  return mix(time_and_shard ^ 0x9e3779b97f4a7c15ULL) + locator.sequence();
}

[[nodiscard]] inline std::uint64_t hash_of(std::string_view text) noexcept {
  std::uint64_t hash = 0x9e3779b97f4a7c15ULL ^ text.size();
  while (text.size() >= sizeof(std::uint64_t)) {
    std::uint64_t word;
    std::memcpy(&word, text.data(), sizeof(word));
    hash = mix(hash ^ word);
    text.remove_prefix(sizeof(word));
  }
  std::uint64_t rest = 0;
  std::memcpy(&rest, text.data(), text.size());
  return mix(hash ^ rest);
}

// In few steps, that wait for one another as little as can be: several are made for every token
// that is issued. The bytes behind an id's end are zeros.
[[nodiscard]] inline std::uint64_t hash_of(const UserId& id) noexcept {
  static_assert(sizeof(UserId) == 4 * sizeof(std::uint64_t));
  std::uint64_t words[4];
  std::memcpy(words, &id, sizeof(words));
  return mix((words[0] * 0x9e3779b97f4a7c15ULL) ^ (words[1] * 0xc2b2ae3d27d4eb4fULL) ^
             (words[2] * 0x165667b19e3779f9ULL) ^ (words[3] * 0xd6e8feb86659fd93ULL));
}

// Sixteen bits of an id, likewise.
[[nodiscard]] inline std::uint16_t tag_of(const UserId& id) noexcept {
  std::uint64_t words[4];
  std::memcpy(words, &id, sizeof(words));
  const std::uint64_t mixed = words[0] ^ (words[1] * 3) ^ (words[2] * 5) ^ (words[3] * 7);
  return static_cast<std::uint16_t>((mixed * 0xd6e8feb86659fd93ULL) >> 48);
}

}  // namespace tokend::store
