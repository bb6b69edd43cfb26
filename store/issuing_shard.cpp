#include "store/issuing_shard.h"

#include <algorithm>
#include <cstdint>
#include <utility>

#include "store/meta.h"

namespace tokend::store {

IssuingShard::IssuingShard(std::size_t number, const Parts& parts, const Limits& limits)
    : parts_(parts),
      limits_(limits),
      mailbox_(parts.waker),
      left_(ShardNotice::Says::left, number) {}

void IssuingShard::prepare() {
  if (!batches_.empty()) return;
  for (std::size_t i = 0; i < kBatches; ++i) {
    batches_.push_back(std::make_unique<CommitBatch>(parts_.database.make_batch(),
                                                     parts_.replicas.size(), &mailbox_));
    free_batches_.push_back(batches_.back().get());
  }
  for (std::size_t i = 0; i < limits_.broadcasts_max; ++i) {
    broadcasts_.push_back(std::make_unique<Broadcast>(parts_.replicas, mailbox_));
    free_broadcasts_.push_back(broadcasts_.back().get());
  }
}

bool IssuingShard::step() noexcept {
  prepare();
  take_messages();
  // Whoever was let go on and is asked to hold again in the same breath has its turn all the same.
  if (asked_to_hold_ && owed_a_batch_ && parts_.healthy.load(std::memory_order_acquire)) {
    begin_batch();
  }
  // All that was begun has been handed in, in front of this.
  const bool was_asked = asked_to_hold_ != nullptr;
  if (was_asked) parts_.committer.post(*std::exchange(asked_to_hold_, nullptr));
  if (!parts_.healthy.load(std::memory_order_acquire)) return answer_unavailable() || was_asked;
  return (!holds_ && begin_batch()) || was_asked;
}

void IssuingShard::take_messages() noexcept {
  core::MessageList list = mailbox_.take();
  while (core::Message* message = list.pop_front()) {
    if (message->deliver == &CommitBatch::arrived) {
      auto& flight = static_cast<CommitBatch&>(*message);
      operations_under_way_ -= flight.operations;
      if (flight.broadcast) free_broadcasts_.push_back(std::exchange(flight.broadcast, nullptr));
      flight.clear();
      free_batches_.push_back(&flight);
    } else if (message->deliver == &Broadcast::came_back) {
      auto& broadcast = static_cast<Broadcast&>(*message);
      broadcast.clear();
      free_broadcasts_.push_back(&broadcast);
    } else if (message->deliver == &ShardNotice::arrived) {
      holds_ = static_cast<ShardNotice&>(*message).says == ShardNotice::Says::hold;
      asked_to_hold_ = holds_ ? message : nullptr;
      if (!holds_) owed_a_batch_ = true;
    } else {
      pending_.push_back(*message);
      ++pending_count_;
    }
  }
}

bool IssuingShard::answer_unavailable() noexcept {
  const bool any = !pending_.empty();
  pending_count_ = 0;
  while (core::Message* message = pending_.pop_front()) CommitBatch::give_up(*message);
  return any;
}

bool IssuingShard::begin_batch() noexcept {
  if (pending_.empty() || free_batches_.empty() || free_broadcasts_.empty()) return false;
  // As the committer's.
  if (pending_count_ < std::min(limits_.overlapping_operations_min, operations_under_way_)) {
    return false;
  }
  CommitBatch& flight = *free_batches_.back();
  free_batches_.pop_back();
  flight.broadcast = free_broadcasts_.back();
  free_broadcasts_.pop_back();
  write_batch(flight);
  operations_under_way_ += flight.operations;
  parts_.committer.post(flight);
  return true;
}

void IssuingShard::write_batch(CommitBatch& flight) {
  const std::int64_t now_ms = parts_.clock.wall_ms();
  const std::size_t operations_max = std::min(pending_count_, limits_.batch_operations_max);
  CommitOrder::Turn turn = parts_.order.take(now_ms, static_cast<std::uint32_t>(operations_max));
  owed_a_batch_ = false;
  flight.number = turn.number;
  parts_.issuer.begin_batch(now_ms, turn.locators, writes_);
  while (flight.operations < operations_max && writes_.bytes() < limits_.batch_bytes_max) {
    auto& operation = static_cast<IssueToken&>(*pending_.pop_front());
    CHECK(operation.core < parts_.replicas.size());
    parts_.issuer.expect(pending_.front());
    const std::size_t displaced = flight.broadcast->removed_tokens.size();
    operation.result = parts_.issuer.issue(operation, *flight.broadcast);
    operation.waited = operation.result && flight.broadcast->removed_tokens.size() > displaced;
    flight.add(operation);
  }
  pending_count_ -= flight.operations;
  flight.last_locator = turn.locators.last();
  const std::size_t issued = writes_.issued();
  writes_.write(*flight.batch);
  if (issued > 0) flight.batch->put(Family::meta, kMetaLastLocator, view_of(flight.last_locator));
  parts_.issuer.sweep(issued);
}

bool IssuingShard::idle() const noexcept {
  return (pending_.empty() || free_broadcasts_.empty()) && free_batches_.size() == batches_.size();
}

void IssuingShard::leave() noexcept { parts_.committer.post(left_); }

}  // namespace tokend::store
