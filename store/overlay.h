#pragma once
// The database as the batch under construction will leave it: what the committer reads while it
// writes. Only the few small families that it reads back are kept here (users, names, e-mails);
// tokens are written and never read.
//
// Concurrency: the committer's thread. Lives as long as one batch; empty for batches that only
// issue, which then cost nothing here.

#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "core/error.h"
#include "store/database.h"

namespace tokend::store {

class Overlay {
 public:
  Overlay(const Database& database, Batch& batch) noexcept : database_(database), batch_(batch) {}

  // Found::yes or Found::no.
  [[nodiscard]] core::Result<Found> get(Family family, std::string_view key, std::string& value) {
    if (!changes_.empty()) {
      const auto change = changes_.find(name_of(family, key));
      if (change != changes_.end()) {
        if (!change->second) return Found::no;
        value = *change->second;
        return Found::yes;
      }
    }
    return database_.get(family, key, Reach::disk, value);
  }
  void put(Family family, std::string_view key, std::string_view value) {
    batch_.put(family, key, value);
    changes_[name_of(family, key)] = std::string(value);
  }
  void remove(Family family, std::string_view key) {
    batch_.remove(family, key);
    changes_[name_of(family, key)] = std::nullopt;
  }
  void clear() noexcept {
    if (!changes_.empty()) changes_.clear();
  }

 private:
  [[nodiscard]] static std::string name_of(Family family, std::string_view key) {
    std::string name(1, static_cast<char>(family));
    return name.append(key);
  }

  const Database& database_;
  Batch& batch_;
  std::unordered_map<std::string, std::optional<std::string>> changes_;
};

}  // namespace tokend::store
