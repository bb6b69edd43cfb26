#include "tests/support/memory_database.h"

#include <utility>

#include "store/token.h"

namespace tokend::tests {

using core::Errc;
using store::Family;
using store::Found;
using store::Reach;

class MemoryDatabase::MemoryBatch final : public store::Batch {
 public:
  void put(Family family, std::string_view key, std::string_view value) override {
    changes.push_back({family, false, std::string(key), std::string(value)});
  }
  void remove(Family family, std::string_view key) override {
    changes.push_back({family, true, std::string(key), {}});
  }
  void clear() noexcept override { changes.clear(); }
  std::size_t count() const noexcept override { return changes.size(); }
  std::size_t bytes() const noexcept override {
    std::size_t sum = 0;
    for (const Change& change : changes) sum += change.key.size() + change.value.size();
    return sum;
  }

  std::vector<Change> changes;
};

core::Result<Found> MemoryDatabase::get(Family family, std::string_view key, Reach reach,
                                        std::string& value) const {
  Found answer = Found::no;
  {
    const std::lock_guard lock(mutex_);
    ++reads_;
    if (reach == Reach::memory && memory_knows && !memory_knows(family, key)) return Found::unknown;
    if (reads_fail_[static_cast<std::size_t>(family)]) return core::fail(Errc::io, "injected");
    const auto found = map(family).find(key);
    if (found != map(family).end()) {
      value = found->second;
      answer = Found::yes;
    }
  }
  if (reach == Reach::disk && during_disk_read) during_disk_read();
  return answer;
}

core::Result<void> MemoryDatabase::scan(
    Family family, std::string_view from,
    const std::function<bool(std::string_view key, std::string_view value)>& visit) const {
  Map snapshot;
  {
    const std::lock_guard lock(mutex_);
    if (reads_fail_[static_cast<std::size_t>(family)]) return core::fail(Errc::io, "injected");
    snapshot = map(family);
  }
  for (auto at = snapshot.lower_bound(from); at != snapshot.end(); ++at) {
    if (!visit(at->first, at->second)) break;
  }
  return {};
}

core::Result<void> MemoryDatabase::scan_back(
    Family family, std::string_view before,
    const std::function<bool(std::string_view key, std::string_view value)>& visit) const {
  Map snapshot;
  {
    const std::lock_guard lock(mutex_);
    if (reads_fail_[static_cast<std::size_t>(family)]) return core::fail(Errc::io, "injected");
    snapshot = map(family);
  }
  auto at = before.empty() ? snapshot.end() : snapshot.lower_bound(before);
  while (at != snapshot.begin()) {
    --at;
    if (!visit(at->first, at->second)) break;
  }
  return {};
}

core::Result<std::string> MemoryDatabase::last_key(Family family) const {
  const std::lock_guard lock(mutex_);
  return map(family).empty() ? std::string() : map(family).rbegin()->first;
}

std::uint64_t MemoryDatabase::bytes_of(Family family) const {
  const std::lock_guard lock(mutex_);
  std::uint64_t sum = 0;
  for (const auto& [key, value] : map(family)) sum += key.size() + value.size();
  return sum;
}

std::unique_ptr<store::Batch> MemoryDatabase::make_batch() const {
  return std::make_unique<MemoryBatch>();
}

core::Result<void> MemoryDatabase::submit(store::Batch& batch) {
  const std::lock_guard lock(mutex_);
  CHECK(under_way_.size() < kSubmissionsMax);
  if (failed_) return core::fail(Errc::unavailable, "an earlier commit failed");
  under_way_.push_back(
      {static_cast<MemoryBatch&>(batch).changes, std::exchange(next_failure_, Failure::none)});
  return {};
}

core::Result<bool> MemoryDatabase::collect() {
  if (disk_is_done && !disk_is_done()) return false;
  const std::lock_guard lock(mutex_);
  if (failed_) return core::fail(Errc::unavailable, "an earlier commit failed");
  if (under_way_.empty()) return false;
  if (under_way_.front().failure != Failure::none) {
    failed_ = true;
    return core::fail(Errc::unavailable, "injected");
  }
  apply(under_way_.front().changes);
  under_way_.pop_front();
  ++commits_;
  return true;
}

// A disk of memory is done by the time that somebody asks, so only wake-ups are worth waiting for.
void MemoryDatabase::wait() noexcept {
  std::unique_lock lock(mutex_);
  if (!under_way_.empty()) return;
  interrupted_.wait(lock, [this] { return interrupt_; });
  interrupt_ = false;
}

void MemoryDatabase::interrupt() noexcept {
  {
    const std::lock_guard lock(mutex_);
    interrupt_ = true;
  }
  interrupted_.notify_one();
}

void MemoryDatabase::apply(const std::vector<Change>& changes) {
  for (const Change& change : changes) {
    Map& family = families_[static_cast<std::size_t>(change.family)];
    if (change.removed) {
      family.erase(change.key);
    } else {
      family[change.key] = change.value;
      if (change.family != Family::tokens || change.key <= last_token_) continue;
      // As the database that serves does it.
      last_token_ = change.key;
      std::string issuance;
      store::append_issuance(change.value, issuance);
      families_[static_cast<std::size_t>(Family::issuances)][change.key] = issuance;
    }
  }
}

void MemoryDatabase::fail_next_commit(Failure failure) {
  const std::lock_guard lock(mutex_);
  next_failure_ = failure;
}

void MemoryDatabase::lie_about_syncs() {
  const std::lock_guard lock(mutex_);
  synced_ = families_;
}

void MemoryDatabase::crash() {
  const std::lock_guard lock(mutex_);
  if (synced_) families_ = *synced_;
  last_token_.clear();
  // In order, so that nothing is there without what came before it.
  std::size_t kept = kept_of_a_crash ? kept_of_a_crash(under_way_.size()) : 0;
  for (const Submission& submission : under_way_) {
    const bool written = submission.failure == Failure::written;
    if (submission.failure == Failure::lost || (kept == 0 && !written)) break;
    kept -= kept > 0;
    apply(submission.changes);
  }
  under_way_.clear();
  failed_ = false;
  next_failure_ = Failure::none;
}

void MemoryDatabase::fail_reads(Family family, bool fail) {
  const std::lock_guard lock(mutex_);
  reads_fail_[static_cast<std::size_t>(family)] = fail;
}

void MemoryDatabase::set(Family family, std::string_view key, std::string_view value) {
  const std::lock_guard lock(mutex_);
  families_[static_cast<std::size_t>(family)][std::string(key)] = value;
}

std::size_t MemoryDatabase::size(Family family) const {
  const std::lock_guard lock(mutex_);
  return map(family).size();
}

bool MemoryDatabase::has(Family family, std::string_view key) const {
  const std::lock_guard lock(mutex_);
  return map(family).contains(key);
}

std::size_t MemoryDatabase::commits() const {
  const std::lock_guard lock(mutex_);
  return commits_;
}

std::size_t MemoryDatabase::reads() const {
  const std::lock_guard lock(mutex_);
  return reads_;
}

}  // namespace tokend::tests
