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

bool IssuingShard::step() noexcept {
  if (!maker_.is_prepared()) {
    maker_.prepare(parts_.database, parts_.replicas, {kBatches, limits_.broadcasts_max}, mailbox_,
                   &mailbox_);
  }
  take_messages();
  // Whoever was let go on and is asked to hold again in the same breath has its turn all the same.
  if (asked_to_hold_ && owed_a_batch_ && parts_.healthy.load(std::memory_order_acquire)) {
    begin_batch();
  }
  // All that was begun has been handed in, in front of this.
  const bool was_asked = asked_to_hold_ != nullptr;
  if (was_asked) parts_.committer.post(*std::exchange(asked_to_hold_, nullptr));
  if (!parts_.healthy.load(std::memory_order_acquire))
    return maker_.answer_unavailable() || was_asked;
  return (!holds_ && begin_batch()) || was_asked;
}

void IssuingShard::take_messages() noexcept {
  core::MessageList list = mailbox_.take();
  while (core::Message* message = list.pop_front()) {
    if (message->deliver == &CommitBatch::arrived) {
      maker_.reclaim(static_cast<CommitBatch&>(*message));
    } else if (message->deliver == &ShardNotice::arrived) {
      holds_ = static_cast<ShardNotice&>(*message).says == ShardNotice::Says::hold;
      asked_to_hold_ = holds_ ? message : nullptr;
      if (!holds_) owed_a_batch_ = true;
    } else {
      maker_.take(*message);
    }
  }
}

bool IssuingShard::begin_batch() noexcept {
  if (!maker_.is_due(limits_.overlapping_operations_min) || !maker_.has_batch()) return false;
  CommitBatch& flight = maker_.begin();
  write_batch(flight);
  maker_.end(flight);
  parts_.committer.post(flight);
  return true;
}

void IssuingShard::write_batch(CommitBatch& flight) {
  const std::int64_t now_ms = parts_.clock.wall_ms();
  const std::size_t operations_max = std::min(maker_.pending(), limits_.batch_operations_max);
  CommitOrder::Turn turn = parts_.order.take(now_ms, static_cast<std::uint32_t>(operations_max));
  owed_a_batch_ = false;
  flight.number = turn.number;
  parts_.issuer.begin_batch(now_ms, turn.locators, writes_);
  while (flight.operations < operations_max && writes_.bytes() < limits_.batch_bytes_max) {
    auto& operation = static_cast<IssueToken&>(*maker_.next());
    CHECK(operation.core < parts_.replicas.size());
    parts_.issuer.expect(maker_.front());
    const std::size_t displaced = flight.broadcast->removed_tokens.size();
    operation.result = parts_.issuer.issue(operation, *flight.broadcast);
    operation.waited = operation.result && flight.broadcast->removed_tokens.size() > displaced;
    flight.add(operation);
  }
  flight.last_locator = turn.locators.last();
  const std::size_t issued = writes_.issued();
  writes_.write(*flight.batch);
  if (issued > 0) flight.batch->put(Family::meta, kMetaLastLocator, view_of(flight.last_locator));
  parts_.issuer.sweep(issued);
}

bool IssuingShard::idle() const noexcept {
  return (maker_.pending() == 0 || !maker_.has_broadcast()) && maker_.has_all_batches();
}

void IssuingShard::leave() noexcept { parts_.committer.post(left_); }

}  // namespace tokend::store
