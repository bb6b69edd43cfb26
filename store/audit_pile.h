#pragma once
// What a core puts aside for the audit until it leaves for the committer: records, and of what was
// too much only how often it happened. So whoever makes the server refuse as fast as it can costs a
// bounded number of records in a second (http/api/audit_trail.h), and the audit still tells how
// many there were. Equal refusals become one record with their number, so that one client that
// repeats itself takes no room from the others.
//
// Concurrency: one owner at a time. Limit: kRecordsMax; memory is taken when it is made.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "store/audit.h"

namespace tokend::store {

class AuditPile {
 public:
  static constexpr std::size_t kRecordsMax = 256;

  // Without any room until it is swapped with one that has it.
  AuditPile() noexcept = default;
  [[nodiscard]] static AuditPile with_room() {
    AuditPile pile;
    pile.content_ = std::make_unique<Content>();
    return pile;
  }

  // Behind kRecordsMax it only counts.
  void add(const AuditRecord& record) noexcept {
    if (AuditRecord* const equal = recent_equal(record)) {
      equal->count += equal->count == 0 ? 2 : 1;
    } else if (content_->used < kRecordsMax) {
      content_->records[content_->used++] = record;
    } else {
      ++content_->dropped[static_cast<std::size_t>(record.event)];
    }
  }
  [[nodiscard]] bool empty() const noexcept { return !content_ || content_->used == 0; }
  [[nodiscard]] std::span<const AuditRecord> records() const noexcept {
    return std::span(content_->records).first(content_->used);
  }
  // How many of an event were too many.
  [[nodiscard]] std::uint32_t dropped(AuditEvent event) const noexcept {
    return content_->dropped[static_cast<std::size_t>(event)];
  }
  void clear() noexcept {
    content_->used = 0;
    content_->dropped.fill(0);
  }

 private:
  // A refusal is looked for among so many, the last ones: a few clients' repetitions are found, and
  // a pile of different ones costs little.
  static constexpr std::size_t kComparedMax = 16;

  [[nodiscard]] AuditRecord* recent_equal(const AuditRecord& record) noexcept {
    if (record.reason == AuditReason::none) return nullptr;
    const std::size_t used = content_->used;
    for (std::size_t back = 1; back <= std::min(used, kComparedMax); ++back) {
      AuditRecord& other = content_->records[used - back];
      if (other.event == record.event && other.reason == record.reason &&
          other.origin.address == record.origin.address &&
          other.origin.actor == record.origin.actor && other.target == record.target &&
          other.token == record.token && other.details == record.details) {
        return &other;
      }
    }
    return nullptr;
  }

  struct Content {
    std::array<AuditRecord, kRecordsMax> records;
    std::size_t used = 0;
    std::array<std::uint32_t, kAuditEventCount> dropped{};
  };
  std::unique_ptr<Content> content_;
};

}  // namespace tokend::store
