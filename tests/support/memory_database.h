#pragma once
// A store::Database in memory for tests and the simulator: ordered maps, batches, and the ways in
// which a disk disappoints.
//
// What is collected is synced, visible and survives crash(). Of the batches that are under way a
// crash keeps the first few, as many as `kept_of_a_crash` says. A commit that fails leaves its
// batch neither visible nor, as a disk may have it, necessarily lost: the failure says which.
//
// Concurrency: a mutex, so that workers' threads may read beside the committer.

#include <array>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/database.h"

namespace tokend::tests {

class MemoryDatabase final : public store::Database {
 public:
  // How a commit fails.
  enum class Failure : std::uint8_t {
    none,
    lost,     // the batch never reached the disk
    written,  // it reached the disk, but the sync failed: after a crash it is there
  };

  [[nodiscard]] core::Result<store::Found> get(store::Family family, std::string_view key,
                                               store::Reach reach,
                                               std::string& value) const override;
  [[nodiscard]] core::Result<void> scan(
      store::Family family, std::string_view from,
      const std::function<bool(std::string_view key, std::string_view value)>& visit)
      const override;
  [[nodiscard]] core::Result<void> scan_back(
      store::Family family, std::string_view before,
      const std::function<bool(std::string_view key, std::string_view value)>& visit)
      const override;
  [[nodiscard]] core::Result<std::string> last_key(store::Family family) const override;
  [[nodiscard]] std::uint64_t bytes_of(store::Family family) const override;
  [[nodiscard]] std::unique_ptr<store::Batch> make_batch() const override;
  [[nodiscard]] core::Result<void> submit(store::Batch& batch) override;
  [[nodiscard]] core::Result<bool> collect() override;
  void wait() noexcept override;
  void interrupt() noexcept override;
  [[nodiscard]] std::size_t submissions_max() const noexcept override { return kSubmissionsMax; }

  // ---- The test's levers. ----

  // Decides for each collect() whether the oldest batch has reached the disk; empty: always.
  std::function<bool()> disk_is_done;
  // How many of so many batches under way a crash keeps; empty: none.
  std::function<std::size_t(std::size_t under_way)> kept_of_a_crash;
  // The next batch that is submitted fails, and with it all that follow, until crash().
  void fail_next_commit(Failure failure);
  // What a power failure leaves: everything collected, the first few of what is under way, and a
  // batch whose failure was `written`.
  void crash();
  // Decides for each read with Reach::memory whether memory knows; empty: always.
  std::function<bool(store::Family family, std::string_view key)> memory_knows;
  // Reads of the family fail with Errc::io.
  void fail_reads(store::Family family, bool fail);
  // Called, if set, by get() with Reach::disk between the reading and the return: what happens in
  // the meantime, a simulator decides.
  std::function<void()> during_disk_read;
  // From now on commits say that they are synced and are not: crash() undoes them.
  void lie_about_syncs();

  // For corrupting and looking; not a commit.
  void set(store::Family family, std::string_view key, std::string_view value);
  [[nodiscard]] std::size_t size(store::Family family) const;
  [[nodiscard]] bool has(store::Family family, std::string_view key) const;
  [[nodiscard]] std::size_t commits() const;
  // Reads with Reach::disk and Reach::memory alike.
  [[nodiscard]] std::size_t reads() const;

 private:
  static constexpr std::size_t kFamilies = static_cast<std::size_t>(store::Family::count_);
  using Map = std::map<std::string, std::string, std::less<>>;
  struct Change {
    store::Family family;
    bool removed;
    std::string key;
    std::string value;
  };
  class MemoryBatch;

  [[nodiscard]] const Map& map(store::Family family) const {
    return families_[static_cast<std::size_t>(family)];
  }
  struct Submission {
    std::vector<Change> changes;
    Failure failure;
  };
  static constexpr std::size_t kSubmissionsMax = 4;

  void apply(const std::vector<Change>& changes);

  mutable std::mutex mutex_;  // guards everything below
  std::condition_variable interrupted_;
  bool interrupt_ = false;
  std::deque<Submission> under_way_;  // oldest first
  std::array<Map, kFamilies> families_;
  std::string last_token_;  // the greatest key that was put into `tokens` in this life
  std::array<bool, kFamilies> reads_fail_{};
  Failure next_failure_ = Failure::none;
  bool failed_ = false;
  std::optional<std::array<Map, kFamilies>> synced_;  // what the disk holds while syncs are lies
  std::size_t commits_ = 0;
  mutable std::size_t reads_ = 0;
};

}  // namespace tokend::tests
