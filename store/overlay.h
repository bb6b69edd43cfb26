#pragma once
// The database as the batch under construction and those on their way to the disk will leave it:
// what the committer reads while it writes. Only what it reads back is kept here (users, names,
// e-mails, parts of keyed requests); tokens are written and never read.
//
// Concurrency: the committer's thread; while it changes nothing, get() from any. A change is kept
// until its batch is visible in the database, or with shards until the committer's next batch after
// that; batches that only issue, without keys, cost nothing here.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/error.h"
#include "store/database.h"

namespace tokend::store {

class Overlay {
 public:
  explicit Overlay(const Database& database) noexcept : database_(database) {}

  // Changes go into `batch` from now on; numbers ascend.
  void begin(Batch& batch, std::uint64_t number) noexcept {
    batch_ = &batch;
    number_ = number;
  }

  // Found::yes or Found::no.
  [[nodiscard]] core::Result<Found> get(Family family, std::string_view key,
                                        std::string& value) const {
    if (!changes_.empty()) {
      const auto change = changes_.find(name_of(family, key));
      if (change != changes_.end()) {
        if (!change->second.value) return Found::no;
        value = *change->second.value;
        return Found::yes;
      }
    }
    return database_.get(family, key, Reach::disk, value);
  }
  void put(Family family, std::string_view key, std::string_view value) {
    batch_->put(family, key, value);
    changes_[name_of(family, key)] = {std::string(value), number_};
  }
  void remove(Family family, std::string_view key) {
    batch_->remove(family, key);
    changes_[name_of(family, key)] = {std::nullopt, number_};
  }
  // The batches up to `number` are visible in the database.
  void forget(std::uint64_t number) noexcept {
    if (changes_.empty()) return;
    std::erase_if(changes_, [&](const auto& entry) { return entry.second.number <= number; });
  }

 private:
  struct Change {
    std::optional<std::string> value;  // none: removed
    std::uint64_t number;              // of the last batch that changed it
  };
  [[nodiscard]] static std::string name_of(Family family, std::string_view key) {
    std::string name(1, static_cast<char>(family));
    return name.append(key);
  }

  const Database& database_;
  Batch* batch_ = nullptr;
  std::uint64_t number_ = 0;
  std::unordered_map<std::string, Change> changes_;
};

}  // namespace tokend::store
