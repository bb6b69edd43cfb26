#pragma once
// Keeps what was read before an invalidation out of the caches after it. Every invalidation moves
// the epoch of its key; a read that leaves for a worker remembers the epoch, and its answer fills a
// cache only if the epoch has not moved. Keys share epochs by hash: a collision costs one more
// read, never a stale entry.
//
// And keeps out what a floor has revoked (store/revocation_floors.h): its record is there until it
// is removed, and may be read at any time.
//
// Concurrency: one core's; every call on its thread. Cold path only: hits never come here.

#include <array>
#include <cstddef>
#include <cstdint>

#include "store/revocation_floors.h"

namespace tokend::store {

class MissGuard {
 public:
  MissGuard() = default;
  virtual ~MissGuard() = default;
  MissGuard(const MissGuard&) = delete;
  MissGuard& operator=(const MissGuard&) = delete;

  void invalidate(std::uint64_t key_hash) noexcept { ++epochs_[bucket(key_hash)]; }
  void invalidate_all() noexcept { ++epoch_of_all_; }
  [[nodiscard]] std::uint64_t epoch(std::uint64_t key_hash) const noexcept {
    return epochs_[bucket(key_hash)] + epoch_of_all_;
  }
  // Virtual so that a test can take the guard away and see that its absence is noticed.
  [[nodiscard]] virtual bool is_current(std::uint64_t key_hash,
                                        std::uint64_t epoch_at_read) const noexcept {
    return epoch(key_hash) == epoch_at_read;
  }
  // Whether a record that was read may enter the cache. Virtual for the same reason.
  [[nodiscard]] virtual bool admits(const RevocationFloors& floors, const Locator& token,
                                    const TokenRecord& record) const noexcept {
    return !floors.revokes(token, record);
  }

 private:
  static constexpr std::size_t kBuckets = 4096;
  static std::size_t bucket(std::uint64_t key_hash) noexcept { return key_hash % kBuckets; }

  std::array<std::uint64_t, kBuckets> epochs_{};
  std::uint64_t epoch_of_all_ = 0;
};

}  // namespace tokend::store
