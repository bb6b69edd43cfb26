#include "store/issuing_shards.h"

#include <algorithm>
#include <utility>

namespace tokend::store {

void IssuingShards::add(const IssuingShard::Parts& parts, const IssuingShard::Limits& limits) {
  const std::size_t number = shards_.size();
  shards_.push_back(std::make_unique<IssuingShard>(number, parts, limits));
  states_.push_back(
      {.hold = {ShardNotice::Says::hold, number}, .go_on = {ShardNotice::Says::go_on, number}});
  handed_in_.resize(shards_.size() * IssuingShard::kBatches);
}

void IssuingShards::wake() noexcept {
  for (const auto& shard : shards_) shard->wake();
}

void IssuingShards::hand_in(CommitBatch& batch) noexcept {
  handed_in_[batch.number % handed_in_.size()] = &batch;
  ++handed_in_count_;
}

CommitBatch* IssuingShards::take_out(std::uint64_t number) noexcept {
  if (handed_in_count_ == 0) return nullptr;
  CommitBatch* const batch = std::exchange(handed_in_[number % handed_in_.size()], nullptr);
  handed_in_count_ -= batch != nullptr;
  return batch;
}

CommitBatch* IssuingShards::take_out_any() noexcept {
  const auto place = std::ranges::find_if(handed_in_, [](const auto* batch) { return batch; });
  return place == handed_in_.end() ? nullptr : take_out((*place)->number);
}

void IssuingShards::ask_to_hold() noexcept {
  are_asked_ = true;
  for (State& state : states_) {
    if (!state.has_left) shards_[state.hold.shard]->mailbox().post(state.hold);
  }
}

void IssuingShards::take(const ShardNotice& notice) noexcept {
  State& state = states_[notice.shard];
  // One that has left may have been asked to hold just now, and will never see that.
  (notice.says == ShardNotice::Says::hold ? state.holds : state.has_left) = true;
}

bool IssuingShards::hold() const noexcept {
  const auto holds = [](const State& state) { return state.holds || state.has_left; };
  return std::ranges::all_of(states_, holds) && handed_in_count_ == 0;
}

void IssuingShards::let_go_on() noexcept {
  are_asked_ = false;
  for (State& state : states_) {
    state.holds = false;
    if (!state.has_left) shards_[state.go_on.shard]->mailbox().post(state.go_on);
  }
}

}  // namespace tokend::store
