#include "tests/support/memory_database.h"

#include <utility>

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

core::Result<std::string> MemoryDatabase::last_key(Family family) const {
  const std::lock_guard lock(mutex_);
  return map(family).empty() ? std::string() : map(family).rbegin()->first;
}

std::unique_ptr<store::Batch> MemoryDatabase::make_batch() const {
  return std::make_unique<MemoryBatch>();
}

core::Result<void> MemoryDatabase::commit(store::Batch& batch) {
  const std::lock_guard lock(mutex_);
  const auto& changes = static_cast<MemoryBatch&>(batch).changes;
  if (failed_) return core::fail(Errc::unavailable, "an earlier commit failed");
  const Failure failure = std::exchange(next_failure_, Failure::none);
  if (failure != Failure::none) {
    failed_ = true;
    if (failure == Failure::written) unsynced_ = changes;
    return core::fail(Errc::unavailable, "injected");
  }
  apply(changes);
  ++commits_;
  return {};
}

void MemoryDatabase::apply(const std::vector<Change>& changes) {
  for (const Change& change : changes) {
    Map& family = families_[static_cast<std::size_t>(change.family)];
    if (change.removed) {
      family.erase(change.key);
    } else {
      family[change.key] = change.value;
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
  apply(std::exchange(unsynced_, {}));
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
