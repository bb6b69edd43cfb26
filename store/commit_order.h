#pragma once
// The order of all batches, whoever writes them: by number they become durable, and the locators of
// a later one are greater.
//
// Concurrency: take() from any thread, with a lock that is held for some nanoseconds, once for a
// batch. The committer takes its turns without locators, and only while no shard takes one.

#include <cstdint>
#include <mutex>

#include "store/locator_source.h"

namespace tokend::store {

class CommitOrder {
 public:
  explicit CommitOrder(LocatorSource& locators) noexcept : locators_(locators) {}

  struct Turn {
    std::uint64_t number;
    LocatorSource locators;  // for the operations of the batch
  };
  // `operations`: at most so many locators are needed.
  [[nodiscard]] Turn take(std::int64_t now_ms, std::uint32_t operations) noexcept {
    const std::lock_guard lock(mutex_);
    return {++number_, locators_.set_apart(now_ms, operations)};
  }
  [[nodiscard]] std::uint64_t take_alone() noexcept { return ++number_; }

 private:
  std::mutex mutex_;  // guards the next, but for take_alone()
  LocatorSource& locators_;
  std::uint64_t number_ = 0;
};

}  // namespace tokend::store
