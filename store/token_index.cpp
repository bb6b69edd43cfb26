#include "store/token_index.h"

#include <algorithm>

#include "core/error.h"
#include "store/hash.h"

namespace tokend::store {
namespace {

// A huge page of them.
constexpr std::size_t kFirstSlots = core::Mapping::kHugePageBytes / sizeof(std::uint32_t);

// No expiry at all, or one that 48 bits of milliseconds do not reach (the year 10889).
constexpr std::int64_t kNeverExpires48 = (std::int64_t{1} << 48) - 1;

}  // namespace

TokenIndex::TokenIndex(const Limits& limits, std::uint16_t shard) : limits_(limits), shard_(shard) {
  CHECK(limits_.tokens_per_user_max > 0 && limits_.users_max < kNone);
  make_slots(kFirstSlots);
}

TokenIndex::Entry TokenIndex::pack(const Locator& locator, std::int64_t expires_ms) noexcept {
  const auto issued = static_cast<std::uint64_t>(locator.issued_ms());
  const std::uint64_t sequence = locator.sequence();
  const auto expires =
      static_cast<std::uint64_t>(std::clamp<std::int64_t>(expires_ms, 0, kNeverExpires48));
  return {(issued << 16) | (sequence >> 16), (sequence << 48) | expires};
}

Locator TokenIndex::locator_of(const Entry& entry) const noexcept {
  const auto sequence =
      static_cast<std::uint32_t>(((entry.issued_ms_and_sequence_high & 0xffff) << 16) |
                                 (entry.sequence_low_and_expires_ms >> 48));
  return Locator::make(static_cast<std::int64_t>(entry.issued_ms_and_sequence_high >> 16), shard_,
                       sequence);
}

bool TokenIndex::is_expired(const Entry& entry, std::int64_t now_ms) noexcept {
  const auto expires =
      static_cast<std::int64_t>(entry.sequence_low_and_expires_ms & kNeverExpires48);
  return expires != kNeverExpires48 && expires <= now_ms;
}

std::size_t TokenIndex::home_of(std::uint32_t number) const noexcept {
  return hash_of(users_[number].id) & (slots_.size() - 1);
}

std::uint32_t TokenIndex::find(const UserId& user) const noexcept {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t slot = hash_of(user) & mask; slots_[slot] != kNone; slot = (slot + 1) & mask) {
    if (users_[slots_[slot]].id == user) return slots_[slot];
  }
  return kNone;
}

void TokenIndex::expect(const UserId& user, std::size_t ahead) const noexcept {
  const std::uint32_t& slot = slots_[hash_of(user) & (slots_.size() - 1)];
  if (ahead == 3) return __builtin_prefetch(&slot);
  if (slot == kNone) return;
  const UserTokens& holder = users_[slot];
  if (ahead == 2) return __builtin_prefetch(&holder, 1);
  __builtin_prefetch(holder.entries.begin());
  __builtin_prefetch(holder.entries.end(), 1);
}

void TokenIndex::insert_slot(std::uint32_t number) noexcept {
  const std::size_t mask = slots_.size() - 1;
  std::size_t slot = home_of(number);
  while (slots_[slot] != kNone) slot = (slot + 1) & mask;
  slots_[slot] = number;
}

void TokenIndex::make_slots(std::size_t count) {
  slots_memory_ = std::make_unique<core::Mapping>(count * sizeof(std::uint32_t));
  slots_ = {reinterpret_cast<std::uint32_t*>(slots_memory_->data()), count};
  std::ranges::fill(slots_, kNone);
}

void TokenIndex::grow(std::size_t slots) {
  make_slots(slots);
  for (std::uint32_t number = 0; number < users_.size(); ++number) insert_slot(number);
}

TokenIndex::UserState TokenIndex::state_of(const UserId& user) const noexcept {
  const std::uint32_t number = find(user);
  if (number == kNone) return UserState::unknown;
  return users_[number].state;
}

bool TokenIndex::learn(const UserId& user, UserState state) {
  if (const std::uint32_t number = find(user); number != kNone) {
    users_[number].state = state;
    return true;
  }
  if (users_.size() >= limits_.users_max) return false;
  append(user, state);
  return true;
}

std::uint32_t TokenIndex::append(const UserId& user, UserState state) {
  CHECK(users_.size() < kNone);
  if ((users_.size() + 1) * 3 > slots_.size() * 2) grow(slots_.size() * 2);
  users_.push_back({user, {}, state});
  const auto number = static_cast<std::uint32_t>(users_.size() - 1);
  insert_slot(number);
  return number;
}

void TokenIndex::reserve(std::size_t users) {
  std::size_t slots = slots_.size();
  while (users * 3 > slots * 2) slots *= 2;
  if (slots > slots_.size()) grow(slots);
}

void TokenIndex::set_state(const UserId& user, UserState state) noexcept {
  if (const std::uint32_t number = find(user); number != kNone) users_[number].state = state;
}

bool TokenIndex::add(const UserId& user, const Locator& locator, std::int64_t expires_ms,
                     std::int64_t now_ms, std::vector<Locator>& dropped) {
  const std::uint32_t number = find(user);
  CHECK(number != kNone);
  UserTokens& holder = users_[number];
  SlidingVector<Entry>& entries = holder.entries;
  if (entries.size() >= limits_.tokens_per_user_max) drop_expired(holder, now_ms);
  const bool displaces = entries.size() >= limits_.tokens_per_user_max;
  if (!displaces && tokens_ >= limits_.tokens_max) return false;
  CHECK(locator.shard() == shard_);
  CHECK(entries.empty() || locator_of(entries.back()) < locator);
  if (displaces) {
    // One too many as a rule; more when the setting was lowered.
    displace(holder, entries.size() - limits_.tokens_per_user_max + 1, dropped);
  }
  entries.push_back(pack(locator, expires_ms));
  ++tokens_;
  return true;
}

void TokenIndex::displace(UserTokens& user, std::size_t surplus, std::vector<Locator>& dropped) {
  for (std::size_t i = 0; i < surplus; ++i) {
    dropped.push_back(locator_of(user.entries.begin()[i]));
  }
  user.entries.drop_front(surplus);
  tokens_ -= surplus;
}

void TokenIndex::insert(const UserId& user, const Locator& locator, std::int64_t expires_ms,
                        std::int64_t now_ms, std::vector<Locator>& dropped) {
  std::uint32_t number = find(user);
  if (number == kNone) number = append(user, UserState::unknown);
  UserTokens& holder = users_[number];
  SlidingVector<Entry>& entries = holder.entries;
  CHECK(locator.shard() == shard_);
  const Entry* place = entries.end();
  if (!entries.empty() && !(locator_of(entries.back()) < locator)) {
    place = std::ranges::lower_bound(entries, locator, {},
                                     [this](const Entry& entry) { return locator_of(entry); });
    CHECK(locator_of(*place) != locator);
  }
  entries.insert(static_cast<std::size_t>(place - entries.begin()), pack(locator, expires_ms));
  ++tokens_;
  if (entries.size() > limits_.tokens_per_user_max) drop_expired(holder, now_ms);
  if (entries.size() > limits_.tokens_per_user_max) {
    displace(holder, entries.size() - limits_.tokens_per_user_max, dropped);
  }
}

void TokenIndex::remove(const UserId& user, const Locator& locator) noexcept {
  const std::uint32_t number = find(user);
  if (number == kNone) return;
  tokens_ -= users_[number].entries.erase_if(
      [&](const Entry& entry) { return locator_of(entry) == locator; });
}

void TokenIndex::remove_all_but(const UserId& user, const Locator& keep) noexcept {
  const std::uint32_t number = find(user);
  if (number == kNone) return;
  tokens_ -= users_[number].entries.erase_if(
      [&](const Entry& entry) { return locator_of(entry) != keep; });
}

void TokenIndex::erase(const UserId& user, std::vector<Locator>& removed) {
  const std::uint32_t number = find(user);
  if (number == kNone) return;
  for (const Entry& entry : users_[number].entries) removed.push_back(locator_of(entry));
  forget(number);
}

// The last user takes the place of the one that goes, and the probe sequences are closed behind the
// emptied slot, so there are no tombstones.
void TokenIndex::forget(std::uint32_t number) noexcept {
  const std::size_t mask = slots_.size() - 1;
  const auto slot_of = [&](std::uint32_t wanted) noexcept {
    std::size_t slot = home_of(wanted);
    while (slots_[slot] != wanted) slot = (slot + 1) & mask;
    return slot;
  };
  tokens_ -= users_[number].entries.size();
  std::size_t hole = slot_of(number);
  for (std::size_t slot = (hole + 1) & mask; slots_[slot] != kNone; slot = (slot + 1) & mask) {
    // An entry may fill the hole if its home does not lie behind the hole.
    if (((slot - home_of(slots_[slot])) & mask) >= ((slot - hole) & mask)) {
      slots_[hole] = slots_[slot];
      hole = slot;
    }
  }
  slots_[hole] = kNone;
  const auto last = static_cast<std::uint32_t>(users_.size() - 1);
  if (number != last) {
    slots_[slot_of(last)] = number;
    users_[number] = std::move(users_[last]);
  }
  users_.pop_back();
}

void TokenIndex::drop_expired(UserTokens& user, std::int64_t now_ms) noexcept {
  tokens_ -= user.entries.erase_if([&](const Entry& entry) { return is_expired(entry, now_ms); });
}

void TokenIndex::sweep(std::int64_t now_ms, std::size_t effort) noexcept {
  // Nobody is looked at twice in one call.
  for (std::size_t left = users_.size(); left > 0 && effort > 0; --left) {
    if (swept_ >= users_.size()) swept_ = 0;
    UserTokens& user = users_[swept_];
    effort -= std::min(effort, kSweepEffortPerUser + user.entries.size());
    drop_expired(user, now_ms);
    // A forgotten user's place is taken by another, who is looked at next.
    if (user.entries.empty()) {
      forget(static_cast<std::uint32_t>(swept_));
    } else {
      ++swept_;
    }
  }
}

void TokenIndex::list(const UserId& user, std::int64_t now_ms, std::vector<Locator>& tokens) const {
  const std::uint32_t number = find(user);
  if (number == kNone) return;
  for (const Entry& entry : users_[number].entries) {
    if (!is_expired(entry, now_ms)) tokens.push_back(locator_of(entry));
  }
}

std::size_t TokenIndex::tokens_of(const UserId& user) const noexcept {
  const std::uint32_t number = find(user);
  return number == kNone ? 0 : users_[number].entries.size();
}

}  // namespace tokend::store
