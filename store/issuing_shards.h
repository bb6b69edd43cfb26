#pragma once
// The committer's shards: their batches put in order, and all of them held while it writes one of
// its own (store/issuing_shard.h).
//
// Concurrency: the committer's thread, but for mailbox_of(), which is any's once all were added.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/mailbox.h"
#include "store/commit_batch.h"
#include "store/issuing_shard.h"
#include "store/token.h"

namespace tokend::store {

class IssuingShards {
 public:
  // Before threads run.
  void add(const IssuingShard::Parts& parts, const IssuingShard::Limits& limits);
  [[nodiscard]] bool empty() const noexcept { return shards_.empty(); }
  [[nodiscard]] std::span<const std::unique_ptr<IssuingShard>> all() const noexcept {
    return shards_;
  }
  // Not empty.
  [[nodiscard]] core::Mailbox& mailbox_of(const UserId& user) const noexcept {
    return shards_[shard_of(user, shards_.size())]->mailbox();
  }
  // So that each looks once more at whether the store is healthy.
  void wake() noexcept;

  // ---- Their batches. ----
  void hand_in(CommitBatch& batch) noexcept;
  // Takes out the one of this number, the least that is still to come; nullptr: it is not there.
  [[nodiscard]] CommitBatch* take_out(std::uint64_t number) noexcept;
  // After a failure, also behind one that is still to come; nullptr: there is none.
  [[nodiscard]] CommitBatch* take_out_any() noexcept;
  [[nodiscard]] std::size_t handed_in() const noexcept { return handed_in_count_; }

  // ---- Holding. ----
  void ask_to_hold() noexcept;
  [[nodiscard]] bool are_asked() const noexcept { return are_asked_; }
  // What a shard says to it.
  void take(const ShardNotice& notice) noexcept;
  // They read and change nothing, and all that they began has been taken out.
  [[nodiscard]] bool hold() const noexcept;
  void let_go_on() noexcept;
  // After a failure: they see for themselves that nothing is written any more.
  void forget_asking() noexcept { are_asked_ = false; }

 private:
  struct State {
    ShardNotice hold;
    ShardNotice go_on;
    bool holds = false;
    bool has_left = false;
  };
  std::vector<std::unique_ptr<IssuingShard>> shards_;
  std::vector<State> states_;
  bool are_asked_ = false;
  // By their numbers, modulo as many as there are: those still to come are consecutive.
  std::vector<CommitBatch*> handed_in_;
  std::size_t handed_in_count_ = 0;
};

}  // namespace tokend::store
