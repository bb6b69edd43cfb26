#pragma once
// Where locators come from: strictly increasing, whatever the clock does. The committer's; parts of
// it are whoever's they were set apart for.

#include <cstdint>

#include "store/token.h"

namespace tokend::store {

class LocatorSource {
 public:
  LocatorSource(std::uint16_t shard, std::int64_t not_before_ms) noexcept
      : last_ms_(not_before_ms),
        shard_(shard) {}

  // Every later locator will be greater than this one.
  void raise_above(const Locator& locator) noexcept {
    if (locator >= last()) {
      last_ms_ = locator.issued_ms();
      sequence_ = locator.sequence();
    }
  }
  // The least that next() may ever return from now on: the bound below which everything that was
  // ever issued lies.
  [[nodiscard]] Locator bound() const noexcept {
    return sequence_ == UINT32_MAX ? Locator::make(last_ms_ + 1, shard_, 0)
                                   : Locator::make(last_ms_, shard_, sequence_ + 1);
  }
  [[nodiscard]] Locator next(std::int64_t now_ms) noexcept {
    if (now_ms > last_ms_ || sequence_ == UINT32_MAX) {
      last_ms_ = now_ms > last_ms_ ? now_ms : last_ms_ + 1;
      sequence_ = 0;
    } else {
      ++sequence_;
    }
    return last();
  }
  // The `count` locators behind the next one, for somebody else's next() with the same moment; they
  // come from no other source, and what next() returns here from now on is greater.
  [[nodiscard]] LocatorSource set_apart(std::int64_t now_ms, std::uint32_t count) noexcept {
    static_cast<void>(next(now_ms));
    if (count > UINT32_MAX - sequence_) {
      ++last_ms_;
      sequence_ = 0;
    }
    const LocatorSource apart = *this;
    sequence_ += count;
    return apart;
  }
  [[nodiscard]] Locator last() const noexcept { return Locator::make(last_ms_, shard_, sequence_); }

 private:
  std::int64_t last_ms_;
  std::uint32_t sequence_ = 0;
  std::uint16_t shard_;
};

}  // namespace tokend::store
