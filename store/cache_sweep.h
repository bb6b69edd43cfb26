#pragma once
// What floors have revoked leaves a core's token cache, a slice of the cache in each turn: to look
// at a million entries at once would hold the loop up for milliseconds (bench_cache,
// sweep_a_slice).
//
// Operation: the sweep goes round the cache. A Broadcast that comes while it is at some set is
// acknowledged when it is there again, so one that comes while another is waited for neither waits
// for a round of its own nor begins anew. No hit pays for it: until its entry has been looked at a
// revoked token is taken, and its revocation has not been answered.
// What enters the cache in the meantime lies above the floors, or they let it in at no fill.
//
// An entry has no room for its issuer, only for a tag of it. Where that is the same as a revoked
// issuer's, an entry goes that need not: it is read again.
//
// Concurrency: one core's.

#include <bitset>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "store/broadcast.h"
#include "store/cache.h"
#include "store/revocation_floors.h"

namespace tokend::store {

class CacheSweep {
 public:
  // 3 MB of entries.
  static constexpr std::size_t kSetsPerTurn = 4096;

  explicit CacheSweep(TokenCache& cache) : cache_(cache) {}

  [[nodiscard]] bool idle() const noexcept { return waiting_.empty(); }
  // Acknowledges the broadcast once what its floors revoked has left the cache.
  void add(Broadcast& broadcast);
  // A slice. Not while idle().
  void go_on() noexcept;

 private:
  struct Waiting {
    Broadcast* broadcast;
    std::uint64_t swept;  // when so many sets have been looked at
  };

  TokenCache& cache_;
  std::vector<Waiting> waiting_;  // in the order of their coming
  std::size_t position_ = 0;
  std::uint64_t swept_ = 0;

  // What goes: all floors of those that wait together, so rather more than they say.
  Locator everyone_;
  Locator issuers_;  // the highest
  std::bitset<UINT16_MAX + 1> tags_;
};

}  // namespace tokend::store
