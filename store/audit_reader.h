#pragma once
// Reading the audit: both of its families as one list, newest first.
//
// A page costs a bounded amount of work: what asks for a rare event of a long time gets a short or
// an empty page, and where to go on. Any thread; reads the disk.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "core/error.h"
#include "store/audit.h"

namespace tokend::store {

class Database;

// Records that one page looks at.
inline constexpr std::size_t kAuditScannedMax = 20'000;

struct AuditQuery {
  Locator before;              // only what is older than this; empty: from the newest on
  std::int64_t since_ms = 0;   // only what happened from then on
  std::int64_t until_ms = -1;  // only what happened up to then; -1: whenever
  std::optional<AuditEvent> event;
  UserId actor;   // empty: anybody
  UserId target;  // empty: anybody, nobody too
  std::size_t count = 50;
  std::size_t scanned_max = kAuditScannedMax;
};

struct AuditPage {
  struct Entry {
    Locator at;  // when, and what the next page is asked for with
    AuditRecord record;
  };
  std::vector<Entry> entries;
  // What to ask for `before` next; empty: there is no more.
  Locator next;
};

// Errc::corrupt where a record does not decode.
[[nodiscard]] core::Result<void> read_audit(const Database& database, const AuditQuery& query,
                                            AuditPage& page);

}  // namespace tokend::store
