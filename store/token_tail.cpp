#include "store/token_tail.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <utility>

namespace tokend::store {
namespace {

constexpr std::uint32_t kRemoved = 1U << 31;

// Both are plain memory, which is not touched before it is needed, and yet read and written from
// several threads.
template <class T>
std::atomic_ref<T> shared(const T& value) noexcept {
  return std::atomic_ref<T>(const_cast<T&>(value));
}

HandOverPace::Duration monotonic_now() noexcept {
  return std::chrono::steady_clock::now().time_since_epoch();
}

}  // namespace

void TokenTail::append_entry(std::string& entries, std::string_view key, std::string_view value) {
  CHECK(key.size() == kKeyBytes && value.size() <= kValueBytesMax);
  const char length[2] = {static_cast<char>(value.size() & 0xff),
                          static_cast<char>(value.size() >> 8)};
  entries.append(key);
  entries.append(length, sizeof(length));
  entries.append(value);
}

TokenTail::Entry TokenTail::Entry::read(std::string_view bytes) noexcept {
  if (bytes.size() < kEntryHeadBytes) return {};
  const std::size_t length =
      static_cast<std::uint8_t>(bytes[kKeyBytes]) |
      static_cast<std::size_t>(static_cast<std::uint8_t>(bytes[kKeyBytes + 1])) << 8;
  if (bytes.size() - kEntryHeadBytes < length) return {};
  return {bytes.substr(0, kKeyBytes), bytes.substr(kEntryHeadBytes, length)};
}

TokenTail::Segment::Segment(std::size_t bytes)
    : capacity_(bytes),
      bytes_(std::make_unique_for_overwrite<char[]>(bytes)),
      places_(std::make_unique_for_overwrite<std::uint32_t[]>(bytes / kEntryHeadBytes)) {
  CHECK(bytes < kRemoved);
}

std::size_t TokenTail::Segment::count() const noexcept {
  return shared(count_).load(std::memory_order_acquire);
}

TokenTail::Entry TokenTail::Segment::at(std::size_t number) const noexcept {
  const std::uint32_t place = shared(places_[number]).load(std::memory_order_relaxed) & ~kRemoved;
  return Entry::read({bytes_.get() + place, capacity_ - place});
}

bool TokenTail::Segment::removed(std::size_t number) const noexcept {
  return (shared(places_[number]).load(std::memory_order_relaxed) & kRemoved) != 0;
}

std::size_t TokenTail::Segment::lower_bound(std::string_view key) const noexcept {
  std::size_t from = 0;
  std::size_t to = count();
  while (from < to) {
    const std::size_t middle = from + (to - from) / 2;
    if (at(middle).key < key) {
      from = middle + 1;
    } else {
      to = middle;
    }
  }
  return from;
}

bool TokenTail::Segment::has_room_for(std::string_view entries) const noexcept {
  return capacity_ - used_ >= entries.size();
}

void TokenTail::Segment::append(std::string_view entries) noexcept {
  std::memcpy(bytes_.get() + used_, entries.data(), entries.size());
  std::size_t number = count_;
  CHECK(number == 0 || at(number - 1).key < Entry::read(entries).key);
  while (!entries.empty()) {
    const Entry entry = Entry::read(entries);
    CHECK(!entry.key.empty());
    shared(places_[number]).store(static_cast<std::uint32_t>(used_), std::memory_order_relaxed);
    ++number;
    used_ += entry.bytes();
    entries.remove_prefix(entry.bytes());
  }
  shared(count_).store(number, std::memory_order_release);
}

void TokenTail::Segment::remove(std::size_t number) noexcept {
  shared(places_[number]).fetch_or(kRemoved, std::memory_order_relaxed);
}

void TokenTail::Segment::clear() noexcept { used_ = count_ = 0; }

TokenTail::TokenTail(const Limits& limits)
    : limits_(limits),
      queue_(limits.segments_max),
      pace_(limits.segment_bytes) {}

core::Result<bool> TokenTail::append(std::string_view entries) {
  {
    const auto lock = queue_.lock_shared();
    if (!queue_.closed().empty()) return core::fail(core::Errc::unavailable, queue_.closed());
    if (entries.empty()) return false;
    Segment* open = queue_.open();
    if (open && open->has_room_for(entries)) {
      open->append(entries);
      return false;
    }
  }
  auto lock = queue_.lock();
  const bool seals = queue_.open() != nullptr;
  if (queue_.is_full()) pace_.waited();
  auto opened = queue_.open_next(
      lock, [&](const Segment& spare) { return spare.has_room_for(entries); },
      [&] { return std::make_shared<Segment>(std::max(limits_.segment_bytes, entries.size())); });
  if (!opened) return std::unexpected(std::move(opened).error());
  const auto& pieces = queue_.pieces();
  if (pieces.size() > 1) {
    const Segment& before = *pieces[pieces.size() - 2];
    CHECK(before.at(before.count() - 1).key < Entry::read(entries).key);
  }
  (*opened)->append(entries);
  return seals;
}

std::size_t TokenTail::sealed_bytes() const noexcept {
  std::size_t sum = 0;
  for (std::size_t number = 0; number < queue_.sealed(); ++number) {
    sum += queue_.pieces()[number]->used_;
  }
  return sum;
}

void TokenTail::keep_pace(std::size_t bytes) {
  auto lock = queue_.lock_shared();
  const HandOverPace::Duration pause = pace_.pause(monotonic_now(), bytes, sealed_bytes());
  if (pause == HandOverPace::Duration::zero()) return;
  queue_.wait_for(lock, pause, [&] { return !pace_.is_behind(sealed_bytes()); });
}

bool TokenTail::remove(std::string_view key) {
  const auto lock = queue_.lock_shared();
  for (auto at = queue_.pieces().rbegin(); at != queue_.pieces().rend(); ++at) {
    Segment& segment = **at;
    if (key < segment.at(0).key) continue;
    const std::size_t number = segment.lower_bound(key);
    if (number == segment.count() || segment.at(number).key != key) return false;
    if (queue_.is_under_way(segment)) return false;
    segment.remove(number);
    return true;
  }
  return false;
}

TokenTail::Presence TokenTail::get(std::string_view key, std::string& value) const {
  const auto lock = queue_.lock_shared();
  for (auto at = queue_.pieces().rbegin(); at != queue_.pieces().rend(); ++at) {
    const Segment& segment = **at;
    const std::size_t count = segment.count();
    if (count == 0 || key < segment.at(0).key) continue;
    const std::size_t number = segment.lower_bound(key);
    if (number >= count || segment.at(number).key != key) return Presence::absent;
    if (segment.removed(number)) return Presence::removed;
    value = segment.at(number).value;
    return Presence::present;
  }
  return Presence::absent;
}

std::shared_ptr<const TokenTail::Segment> TokenTail::begin_hand_over() {
  const auto lock = queue_.lock();
  auto segment = queue_.begin();
  if (segment) pace_.begin(monotonic_now(), segment->used_);
  return segment;
}

void TokenTail::finish_hand_over(std::shared_ptr<const Segment>& segment) {
  {
    const auto lock = queue_.lock();
    pace_.finish(monotonic_now());
  }
  queue_.finish(segment);
}

std::string TokenTail::closed() const {
  const auto lock = queue_.lock_shared();
  return queue_.closed();
}

}  // namespace tokend::store
