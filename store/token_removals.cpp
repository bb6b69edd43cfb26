#include "store/token_removals.h"

#include <endian.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>

#include "store/hash.h"

namespace tokend::store {
namespace {

Locator locator_at(std::string_view keys, std::size_t number) noexcept {
  Locator token;
  std::memcpy(&token, keys.data() + number * sizeof(token), sizeof(token));
  return token;
}

// In the order of the bytes. As numbers: to compare twelve bytes is a call.
bool is_before(const Locator& left, const Locator& right) noexcept {
  std::uint64_t high[2];
  std::memcpy(&high[0], left.bytes.data(), sizeof(high[0]));
  std::memcpy(&high[1], right.bytes.data(), sizeof(high[1]));
  if (high[0] != high[1]) return be64toh(high[0]) < be64toh(high[1]);
  std::uint32_t low[2];
  std::memcpy(&low[0], left.bytes.data() + sizeof(high[0]), sizeof(low[0]));
  std::memcpy(&low[1], right.bytes.data() + sizeof(high[1]), sizeof(low[1]));
  return be32toh(low[0]) < be32toh(low[1]);
}

}  // namespace

TokenRemovals::Set::Set(std::size_t keys_max)
    : keys_max_(keys_max),
      memory_(std::bit_ceil(2 * keys_max) * sizeof(Slot)),
      slots_(reinterpret_cast<Slot*>(memory_.data()), std::bit_ceil(2 * keys_max)) {}

// Neighbours in time, which are removed together, would fill whole stretches of the table.
std::size_t TokenRemovals::Set::home_of(const Locator& token) const noexcept {
  return mix(hash_of(token)) & (slots_.size() - 1);
}

bool TokenRemovals::Set::has_room_for(std::size_t keys) const noexcept {
  return keys_max_ - count_ >= keys;
}

bool TokenRemovals::Set::contains(std::string_view key) const noexcept {
  if (key.size() != kKeyBytes) return false;
  const Locator token = locator_at(key, 0);
  for (std::size_t at = home_of(token);; at = (at + 1) & (slots_.size() - 1)) {
    Slot& slot = slots_[at];
    if (std::atomic_ref(slot.taken).load(std::memory_order_acquire) == 0) return false;
    if (slot.token == token) return true;
  }
}

void TokenRemovals::Set::insert(std::string_view keys) noexcept {
  // Each lies somewhere else in memory: they come from there together.
  constexpr std::size_t kAhead = 8;
  const std::size_t count = keys.size() / kKeyBytes;
  for (std::size_t number = 0; number < std::min(kAhead, count); ++number) {
    __builtin_prefetch(&slots_[home_of(locator_at(keys, number))], 1);
  }
  for (std::size_t number = 0; number < count; ++number) {
    if (number + kAhead < count) {
      __builtin_prefetch(&slots_[home_of(locator_at(keys, number + kAhead))], 1);
    }
    const Locator token = locator_at(keys, number);
    std::size_t at = home_of(token);
    while (slots_[at].taken != 0 && slots_[at].token != token) at = (at + 1) & (slots_.size() - 1);
    if (slots_[at].taken != 0) continue;
    slots_[at].token = token;
    std::atomic_ref(slots_[at].taken).store(1, std::memory_order_release);
    ++count_;
  }
}

void TokenRemovals::Set::sorted(std::vector<Locator>& keys) const {
  keys.clear();
  keys.reserve(keys_max_);
  for (const Slot& slot : slots_) {
    if (slot.taken != 0) keys.push_back(slot.token);
  }
  // Not the function itself, which would be called by its address.
  std::ranges::sort(keys, [](const Locator& left, const Locator& right) noexcept {
    return is_before(left, right);
  });
}

void TokenRemovals::Set::clear() noexcept {
  std::memset(memory_.data(), 0, slots_.size_bytes());
  count_ = 0;
}

TokenRemovals::TokenRemovals(const Limits& limits) : limits_(limits), queue_(limits.sets_max) {}

core::Result<bool> TokenRemovals::add(std::string_view keys) {
  if (keys.empty()) return false;
  const std::size_t count = keys.size() / kKeyBytes;
  {
    const auto lock = queue_.lock_shared();
    Set* open = queue_.open();
    if (open && queue_.closed().empty() && open->has_room_for(count)) {
      open->insert(keys);
      return false;
    }
  }
  auto lock = queue_.lock();
  const bool seals = queue_.open() != nullptr;
  auto opened = queue_.open_next(
      lock, [&](const Set& spare) { return spare.has_room_for(count); },
      [&] { return std::make_shared<Set>(std::max(limits_.set_keys, count)); });
  if (!opened) return std::unexpected(std::move(opened).error());
  (*opened)->insert(keys);
  return seals;
}

bool TokenRemovals::contains(std::string_view key) const {
  const auto lock = queue_.lock_shared();
  return std::ranges::any_of(queue_.pieces(), [&](const auto& set) { return set->contains(key); });
}

std::shared_ptr<const TokenRemovals::Set> TokenRemovals::begin_hand_over() {
  const auto lock = queue_.lock();
  return queue_.begin();
}

}  // namespace tokend::store
