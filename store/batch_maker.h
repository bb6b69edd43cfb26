#pragma once
// What whoever writes batches, the committer or a shard, has for it: the operations that wait for
// one, and a fixed number of batches and of broadcasts, of which each batch takes one.
//
// Concurrency: one thread's. Memory is taken at prepare(), so that nothing is allocated afterwards.

#include <algorithm>
#include <cstddef>
#include <memory>
#include <utility>
#include <vector>

#include "core/mailbox.h"
#include "store/broadcast.h"
#include "store/commit_batch.h"
#include "store/database.h"
#include "store/write_operation.h"

namespace tokend::store {

class BatchMaker {
 public:
  struct Room {
    std::size_t batches;
    std::size_t broadcasts;
  };
  // Once, when all replicas are known. `mailbox` is where broadcasts come back to, and `home` what
  // the batches get (CommitBatch::home).
  void prepare(const Database& database, const std::vector<Replica*>& replicas, const Room& room,
               core::Mailbox& mailbox, core::Mailbox* home) {
    for (std::size_t i = 0; i < room.batches; ++i) {
      batches_.push_back(
          std::make_unique<CommitBatch>(database.make_batch(), replicas.size(), home));
      free_batches_.push_back(batches_.back().get());
    }
    for (std::size_t i = 0; i < room.broadcasts; ++i) {
      broadcasts_.push_back(std::make_unique<Broadcast>(replicas, mailbox));
      free_broadcasts_.push_back(broadcasts_.back().get());
    }
  }
  [[nodiscard]] bool is_prepared() const noexcept { return !batches_.empty(); }

  // Of the mailbox: a broadcast that came back is free again, anything else waits for a batch.
  void take(core::Message& message) noexcept {
    if (message.deliver != &Broadcast::came_back) {
      pending_.push_back(message);
      ++pending_count_;
      return;
    }
    auto& broadcast = static_cast<Broadcast&>(message);
    broadcast.clear();
    free_broadcasts_.push_back(&broadcast);
  }
  [[nodiscard]] std::size_t pending() const noexcept { return pending_count_; }
  // The oldest of them; none: nullptr.
  [[nodiscard]] core::Message* front() const noexcept { return pending_.front(); }
  [[nodiscard]] Write* next() noexcept {
    core::Message* const message = pending_.pop_front();
    pending_count_ -= message != nullptr;
    return static_cast<Write*>(message);
  }

  // There is something to write and a broadcast for it. A batch costs what a dozen operations cost,
  // so a small one waits for the end of a sync that is under way, unless it is as large as what
  // that sync carries, or as `overlapping_operations_min`.
  [[nodiscard]] bool is_due(std::size_t overlapping_operations_min) const noexcept {
    return pending_count_ > 0 && has_broadcast() &&
           pending_count_ >= std::min(overlapping_operations_min, operations_under_way_);
  }
  [[nodiscard]] bool has_batch() const noexcept { return !free_batches_.empty(); }
  [[nodiscard]] bool has_broadcast() const noexcept { return !free_broadcasts_.empty(); }
  [[nodiscard]] bool has_all_batches() const noexcept {
    return free_batches_.size() == batches_.size();
  }

  // With one of each.
  [[nodiscard]] CommitBatch& begin() noexcept {
    CommitBatch& batch = *free_batches_.back();
    free_batches_.pop_back();
    batch.broadcast = free_broadcasts_.back();
    free_broadcasts_.pop_back();
    return batch;
  }
  // It has been written, and is under way.
  void end(const CommitBatch& batch) noexcept { operations_under_way_ += batch.operations; }
  // It was answered.
  void reclaim(CommitBatch& batch) noexcept {
    operations_under_way_ -= batch.operations;
    // Else it comes back by itself.
    if (batch.broadcast) free_broadcasts_.push_back(std::exchange(batch.broadcast, nullptr));
    batch.clear();
    free_batches_.push_back(&batch);
  }

  // Nothing is written any more. False: nobody waited.
  bool answer_unavailable() noexcept {
    const bool any = pending_count_ > 0;
    while (Write* const operation = next()) CommitBatch::give_up(*operation);
    return any;
  }

 private:
  core::MessageList pending_;
  std::size_t pending_count_ = 0;
  std::size_t operations_under_way_ = 0;
  // The free ones are stacks.
  std::vector<std::unique_ptr<CommitBatch>> batches_;
  std::vector<CommitBatch*> free_batches_;
  std::vector<std::unique_ptr<Broadcast>> broadcasts_;
  std::vector<Broadcast*> free_broadcasts_;
};

}  // namespace tokend::store
