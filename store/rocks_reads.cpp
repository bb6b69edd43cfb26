// How what is in memory (the tail of tokens, their removals) and what RocksDB has are read as one.

#include <rocksdb/db.h>
#include <rocksdb/options.h>
#include <rocksdb/slice.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "store/rocks_impl.h"
#include "store/token.h"

namespace tokend::store {

using core::Result;

Result<Found> RocksDatabase::get(Family family, std::string_view key, Reach reach,
                                 std::string& value) const {
  if (family == Family::tokens) {
    // In the order in which what is handed over meanwhile goes: into a table before it goes from
    // here, and a removal stays longer than what it removes.
    if (impl_->removals.contains(key)) return Found::no;
    switch (impl_->tail.get(key, value)) {
      case TokenTail::Presence::present: return Found::yes;
      case TokenTail::Presence::removed: return Found::no;
      case TokenTail::Presence::absent: break;
    }
  }
  rocksdb::PinnableSlice found;
  const rocksdb::Status status =
      impl_->database->Get(reach == Reach::memory ? impl_->memory_reads : impl_->disk_reads,
                           impl_->handle(family), slice(key), &found);
  if (status.ok()) {
    value.assign(found.data(), found.size());
    return Found::yes;
  }
  if (status.IsNotFound()) return Found::no;
  if (status.IsIncomplete() && reach == Reach::memory) return Found::unknown;
  return std::unexpected(translated(status));
}

namespace {

bool is_in_tail(Family family) noexcept {
  return family == Family::tokens || family == Family::issuances;
}

// What is in memory of a family beside what its tables have, at one moment. Taken before the tables
// are looked at, and the removals first: what is handed over meanwhile is in a table before it goes
// from the tail, and a removal stays longer than what it removes.
struct InMemory {
  InMemory(Family its_family, const TokenRemovals& all_removals, const TokenTail& all_tail)
      : family(its_family) {
    if (family == Family::tokens) removals = all_removals.sets();
    if (is_in_tail(family)) tail = all_tail.segments();
  }

  [[nodiscard]] bool removed(std::string_view key) const {
    return std::ranges::any_of(removals, [&](const auto& set) { return set->contains(key); });
  }
  // What a segment of the tail has under a number. False: nothing, it was removed. `bytes` is room
  // for a value that is no part of the segment.
  [[nodiscard]] bool read(const TokenTail::Segment& segment, std::size_t number,
                          TokenTail::Entry& entry, std::string& bytes) const {
    entry = segment.at(number);
    if (family == Family::tokens) return !segment.removed(number) && !removed(entry.key);
    bytes.clear();
    append_issuance(entry.value, bytes);
    entry.value = bytes;
    return true;
  }

  const Family family;
  std::vector<std::shared_ptr<const TokenRemovals::Set>> removals;
  std::vector<std::shared_ptr<const TokenTail::Segment>> tail;
};

// What the tables have of a family, but for what is removed. In order, forwards or backwards.
class TableCursor {
 public:
  TableCursor(rocksdb::DB& database, const rocksdb::ReadOptions& reads,
              rocksdb::ColumnFamilyHandle* family, const InMemory& memory)
      : memory_(memory),
        at_(database.NewIterator(reads, family)) {}

  void seek(std::string_view from) {
    at_->Seek(slice(from));
    skip_forwards();
  }
  // To the last one below `before`, or of all when that is empty.
  void seek_below(std::string_view before) {
    if (before.empty()) {
      at_->SeekToLast();
    } else {
      at_->SeekForPrev(slice(before));
      if (at_->Valid() && view(at_->key()) == before) at_->Prev();
    }
    skip_backwards();
  }
  void next() {
    at_->Next();
    skip_forwards();
  }
  void previous() {
    at_->Prev();
    skip_backwards();
  }

  [[nodiscard]] bool valid() const { return at_->Valid(); }
  [[nodiscard]] std::string_view key() const { return view(at_->key()); }
  [[nodiscard]] std::string_view value() const { return view(at_->value()); }
  // Of an invalid one: whether it is at the end, or cannot read on.
  [[nodiscard]] Result<void> status() const {
    if (at_->status().ok()) return {};
    return std::unexpected(translated(at_->status()));
  }

 private:
  void skip_forwards() {
    while (valid() && memory_.removed(key())) at_->Next();
  }
  void skip_backwards() {
    while (valid() && memory_.removed(key())) at_->Prev();
  }

  const InMemory& memory_;
  std::unique_ptr<rocksdb::Iterator> at_;
};

}  // namespace

Result<void> RocksDatabase::scan(
    Family family, std::string_view from,
    const std::function<bool(std::string_view key, std::string_view value)>& visit) const {
  const InMemory memory(family, impl_->removals, impl_->tail);
  rocksdb::ReadOptions reads = impl_->disk_reads;
  // Of tokens there are more than the block cache holds, and nobody asks for these again.
  reads.fill_cache = !is_in_tail(family);
  TableCursor at(*impl_->database, reads, impl_->handle(family), memory);
  at.seek(from);
  TokenTail::Entry entry;
  std::string bytes;
  // In order and each once, although a table may hold already what is still in the tail.
  for (const auto& segment : memory.tail) {
    const std::size_t count = segment->count();
    for (std::size_t number = segment->lower_bound(from); number < count; ++number) {
      const bool present = memory.read(*segment, number, entry, bytes);
      for (; at.valid() && at.key() < entry.key; at.next()) {
        if (!visit(at.key(), at.value())) return {};
      }
      if (at.valid() && at.key() == entry.key) at.next();
      if (present && !visit(entry.key, entry.value)) return {};
    }
  }
  for (; at.valid(); at.next()) {
    if (!visit(at.key(), at.value())) return {};
  }
  return at.status();
}

Result<void> RocksDatabase::scan_back(
    Family family, std::string_view before,
    const std::function<bool(std::string_view key, std::string_view value)>& visit) const {
  const InMemory memory(family, impl_->removals, impl_->tail);
  rocksdb::ReadOptions reads = impl_->disk_reads;
  reads.fill_cache = false;  // the audit's, which must not push tokens out
  TableCursor at(*impl_->database, reads, impl_->handle(family), memory);
  at.seek_below(before);
  TokenTail::Entry entry;
  std::string bytes;
  for (auto segment = memory.tail.rbegin(); segment != memory.tail.rend(); ++segment) {
    std::size_t number = before.empty() ? (*segment)->count() : (*segment)->lower_bound(before);
    while (number-- > 0) {
      const bool present = memory.read(**segment, number, entry, bytes);
      for (; at.valid() && at.key() > entry.key; at.previous()) {
        if (!visit(at.key(), at.value())) return {};
      }
      if (at.valid() && at.key() == entry.key) at.previous();
      if (present && !visit(entry.key, entry.value)) return {};
    }
  }
  for (; at.valid(); at.previous()) {
    if (!visit(at.key(), at.value())) return {};
  }
  return at.status();
}

Result<std::string> RocksDatabase::last_key(Family family) const {
  const InMemory memory(family, impl_->removals, impl_->tail);
  TableCursor at(*impl_->database, impl_->disk_reads, impl_->handle(family), memory);
  at.seek_below({});
  if (const auto status = at.status(); !status) return std::unexpected(status.error());
  std::string last(at.valid() ? at.key() : std::string_view());
  TokenTail::Entry entry;
  std::string bytes;
  for (const auto& segment : memory.tail) {
    for (std::size_t number = segment->count(); number > 0; --number) {
      if (!memory.read(*segment, number - 1, entry, bytes)) continue;
      last = std::max(last, std::string(entry.key));
      break;
    }
  }
  return last;
}

}  // namespace tokend::store
