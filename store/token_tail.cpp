#include "store/token_tail.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
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

void TokenTail::Segment::clear() noexcept {
  used_ = count_ = 0;
  sealed_ = in_hand_over_ = false;
}

TokenTail::TokenTail(const Limits& limits) : limits_(limits), pace_(limits.segment_bytes) {
  CHECK(limits.segments_max >= 2);
}

TokenTail::Segment* TokenTail::open_segment() const noexcept {
  return segments_.empty() || segments_.back()->sealed_ ? nullptr : segments_.back().get();
}

void TokenTail::seal_open_segment() noexcept {
  if (Segment* open = open_segment()) open->sealed_ = true;
}

core::Result<bool> TokenTail::append(std::string_view entries) {
  if (entries.empty()) return false;
  {
    const std::shared_lock lock(mutex_);
    Segment* open = open_segment();
    if (open && closed_.empty() && open->has_room_for(entries)) {
      open->append(entries);
      return false;
    }
  }
  std::unique_lock lock(mutex_);
  const bool seals = open_segment() != nullptr;
  seal_open_segment();
  const auto may_go_on = [&] {
    return segments_.size() < limits_.segments_max || !closed_.empty();
  };
  if (!may_go_on()) {
    has_room_.wait(lock, may_go_on);
    pace_.waited();
  }
  if (!closed_.empty()) return core::fail(core::Errc::unavailable, closed_);
  CHECK(segments_.empty() ||
        segments_.back()->at(segments_.back()->count() - 1).key < Entry::read(entries).key);
  if (spare_ && spare_->has_room_for(entries)) {
    segments_.push_back(std::move(spare_));
  } else {
    segments_.push_back(std::make_shared<Segment>(std::max(limits_.segment_bytes, entries.size())));
  }
  segments_.back()->append(entries);
  return seals;
}

std::size_t TokenTail::sealed_bytes() const noexcept {
  std::size_t sum = 0;
  for (const auto& segment : segments_) sum += segment->sealed_ ? segment->used_ : 0;
  return sum;
}

void TokenTail::keep_pace(std::size_t bytes) {
  std::shared_lock lock(mutex_);
  const HandOverPace::Duration pause = pace_.pause(monotonic_now(), bytes, sealed_bytes());
  if (pause == HandOverPace::Duration::zero()) return;
  has_room_.wait_for(lock, pause,
                     [&] { return !closed_.empty() || !pace_.is_behind(sealed_bytes()); });
}

bool TokenTail::remove(std::string_view key) {
  const std::shared_lock lock(mutex_);
  for (auto at = segments_.rbegin(); at != segments_.rend(); ++at) {
    Segment& segment = **at;
    const std::size_t number = segment.lower_bound(key);
    if (number == segment.count()) return false;  // between this segment and the next one
    if (segment.at(number).key == key) {
      segment.remove(number);
      if (segment.in_hand_over_) {
        Key& late = removed_late_.emplace_back();
        key.copy(late.data(), late.size());
      }
      return true;
    }
    if (number > 0) return false;
  }
  return false;
}

TokenTail::Presence TokenTail::get(std::string_view key, std::string& value) const {
  const std::shared_lock lock(mutex_);
  for (auto at = segments_.rbegin(); at != segments_.rend(); ++at) {
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

std::vector<std::shared_ptr<const TokenTail::Segment>> TokenTail::segments() const {
  const std::shared_lock lock(mutex_);
  return {segments_.begin(), segments_.end()};
}

void TokenTail::seal() {
  const std::unique_lock lock(mutex_);
  seal_open_segment();
}

std::size_t TokenTail::sealed_segments() const {
  const std::shared_lock lock(mutex_);
  return segments_.size() - (open_segment() ? 1 : 0);
}

std::shared_ptr<const TokenTail::Segment> TokenTail::begin_hand_over() {
  const std::unique_lock lock(mutex_);
  if (segments_.empty() || !segments_.front()->sealed_) return nullptr;
  segments_.front()->in_hand_over_ = true;
  pace_.begin(monotonic_now(), segments_.front()->used_);
  return segments_.front();
}

bool TokenTail::finish_hand_over(std::shared_ptr<const Segment>& segment,
                                 std::vector<Key>& removed) {
  // Outlives the lock: nobody waits for its memory to be given back.
  std::shared_ptr<Segment> dropped;
  const std::unique_lock lock(mutex_);
  CHECK(!segments_.empty() && segments_.front() == segment);
  if (!removed_late_.empty()) {
    removed = std::move(removed_late_);
    removed_late_.clear();
    return false;
  }
  pace_.finish(monotonic_now());
  segment.reset();
  dropped = std::move(segments_.front());
  segments_.pop_front();
  // Unless somebody still looks at it.
  if (!spare_ && dropped.use_count() == 1) {
    // What its last reader did came before.
    std::atomic_thread_fence(std::memory_order_acquire);
    dropped->clear();
    spare_ = std::move(dropped);
  }
  has_room_.notify_one();
  return true;
}

void TokenTail::close(const std::string& why) {
  const std::unique_lock lock(mutex_);
  closed_ = why;
  has_room_.notify_one();
}

std::string TokenTail::closed() const {
  const std::shared_lock lock(mutex_);
  return closed_;
}

}  // namespace tokend::store
