#include "store/audit_reader.h"

#include <algorithm>
#include <string>
#include <utility>

#include "store/database.h"
#include "store/meta.h"

namespace tokend::store {
namespace {

using core::Errc;
using core::fail;
using core::Result;

// Read at once, so that the two families can be merged: neither scan may wait for the other one.
constexpr std::size_t kChunk = 128;

// The entries of one family, newest first.
class Backwards {
 public:
  Backwards(const Database& database, Family family, const Locator& before, const Locator& from)
      : database_(database),
        family_(family),
        position_(view_of(before)),
        from_(view_of(from)) {}

  // The next one; nullptr: there is none. Valid until pop().
  Result<const AuditPage::Entry*> peek() {
    if (next_ == chunk_.size() && !exhausted_) {
      if (const auto read = read_chunk(); !read) return std::unexpected(read.error());
    }
    return next_ < chunk_.size() ? &chunk_[next_] : nullptr;
  }
  void pop() noexcept { ++next_; }

 private:
  Result<void> read_chunk() {
    chunk_.clear();
    next_ = 0;
    exhausted_ = true;  // unless the chunk becomes full
    Result<void> decoded;
    const auto scanned =
        database_.scan_back(family_, position_, [&](std::string_view key, std::string_view value) {
          if (key < from_) return false;
          decoded = take(key, value);
          exhausted_ = !decoded || chunk_.size() < kChunk;
          return exhausted_ && decoded.has_value();
        });
    if (!scanned) return scanned;
    if (!decoded) return decoded;
    if (!chunk_.empty()) position_ = view_of(chunk_.back().at);
    return {};
  }
  Result<void> take(std::string_view key, std::string_view value) {
    const auto at = locator_from(key);
    if (!at) return fail(Errc::corrupt, "a key of the audit does not decode");
    auto record =
        family_ == Family::issuances ? decode_issuance(*at, value) : decode_audit_record(value);
    if (!record) return std::unexpected(std::move(record).error());
    chunk_.push_back({*at, *std::move(record)});
    return {};
  }

  const Database& database_;
  const Family family_;
  std::string position_;
  const std::string from_;
  std::vector<AuditPage::Entry> chunk_;
  std::size_t next_ = 0;
  bool exhausted_ = false;
};

bool wants(const AuditQuery& query, const AuditRecord& record) noexcept {
  return (!query.event || *query.event == record.event) &&
         (query.actor.empty() || query.actor == record.origin.actor) &&
         (query.target.empty() || query.target == record.target);
}

// Behind the last batch that both families show: a batch's tokens become visible a moment before
// its changes do, and what came in between would be skipped by every later page.
Result<Locator> newest_visible(const Database& database) {
  std::string value;
  const auto found = database.get(Family::meta, kMetaLastLocator, Reach::disk, value);
  if (!found) return std::unexpected(found.error());
  Locator bound;
  bound.bytes.fill(0xff);
  const auto last = *found == Found::yes ? locator_from(value) : std::nullopt;
  if (last && last->sequence() < UINT32_MAX) {
    bound = Locator::make(last->issued_ms(), last->shard(), last->sequence() + 1);
  }
  return bound;
}

Locator bound_at(std::int64_t ms) noexcept {
  constexpr std::int64_t kMsMax = (std::int64_t{1} << 48) - 1;
  return Locator::make(std::clamp<std::int64_t>(ms, 0, kMsMax), 0, 0);
}

}  // namespace

Result<void> read_audit(const Database& database, const AuditQuery& query, AuditPage& page) {
  page.entries.clear();
  page.next = {};
  Locator before = query.before;
  if (query.until_ms >= 0) {
    const Locator until = bound_at(query.until_ms + 1);
    before = before.empty() ? until : std::min(before, until);
  }
  // Nothing is older than the first moment, but "before" it would mean: everything.
  if (query.until_ms >= 0 && before.empty()) return {};
  if (query.before.empty()) {
    const auto newest = newest_visible(database);
    if (!newest) return std::unexpected(newest.error());
    before = before.empty() ? *newest : std::min(before, *newest);
  }
  const Locator from = bound_at(query.since_ms);
  Backwards changes(database, Family::audit, before, from);
  Backwards issuances(database, Family::issuances, before, from);
  for (std::size_t scanned = 0;; ++scanned) {
    const auto change = changes.peek();
    if (!change) return std::unexpected(change.error());
    const auto issuance = issuances.peek();
    if (!issuance) return std::unexpected(issuance.error());
    if (!*change && !*issuance) return {};
    const bool is_issuance = !*change || (*issuance && (*issuance)->at > (*change)->at);
    const AuditPage::Entry& newest = is_issuance ? **issuance : **change;
    // Only now is it known that there is more.
    if (page.entries.size() == query.count || scanned == query.scanned_max) {
      page.next = before;
      return {};
    }
    before = newest.at;
    if (wants(query, newest.record)) page.entries.push_back(newest);
    is_issuance ? issuances.pop() : changes.pop();
  }
}

}  // namespace tokend::store
