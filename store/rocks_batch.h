#pragma once
// A batch of RocksDatabase, and its bytes in the journal. What goes on behind the tail of tokens
// and what is removed from the family of tokens stands beside RocksDB's own batch: neither is its
// business as long as the tail has the tokens (store/token_tail.h).
//
// Bytes: u32 kTag; u32 how many bytes of entries follow, u32 how many bytes of removed keys; the
// entries (TokenTail::Entry), the keys, RocksDB's representation of the rest. Little-endian.
// Before format version 3 there was only the last, which begins with eight zeros.

#include <rocksdb/db.h>
#include <rocksdb/slice.h>
#include <rocksdb/write_batch.h>

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "store/database.h"
#include "store/token_tail.h"

namespace tokend::store {

inline rocksdb::Slice slice(std::string_view text) noexcept { return {text.data(), text.size()}; }
inline std::string_view view(const rocksdb::Slice& bytes) noexcept {
  return {bytes.data(), bytes.size()};
}

class RocksBatch final : public Batch {
 public:
  using Families = std::vector<rocksdb::ColumnFamilyHandle*>;
  explicit RocksBatch(const Families& families) : families_(families) { clear(); }

  // A status other than ok means a bug: these fail only on unknown families and absurd sizes.
  void put(Family family, std::string_view key, std::string_view value) override {
    // What does not fit into the order of issue is RocksDB's, as in all other families; whether it
    // fits behind other batches shows when the batch gets its place (place_behind()).
    if (family == Family::tokens && key.size() == TokenTail::kKeyBytes && key > last_key_ &&
        value.size() <= TokenTail::kValueBytesMax) {
      TokenTail::append_entry(bytes_, key, value);
      last_key_.assign(key);
      ++entries_;
      return;
    }
    CHECK(rest_.Put(handle(family), slice(key), slice(value)).ok());
  }
  void remove(Family family, std::string_view key) override {
    if (family == Family::tokens && key.size() == TokenTail::kKeyBytes) {
      removed_.append(key);
      return;
    }
    CHECK(rest_.Delete(handle(family), slice(key)).ok());
  }
  void clear() noexcept override {
    bytes_.assign(kHeadBytes, '\0');
    removed_.clear();
    rest_.Clear();
    entries_ = 0;
    last_key_.clear();
  }
  [[nodiscard]] std::size_t count() const noexcept override {
    return entries_ + removed_.size() / TokenTail::kKeyBytes +
           static_cast<std::size_t>(rest_.Count());
  }
  [[nodiscard]] std::size_t bytes() const noexcept override {
    return bytes_.size() + removed_.size() + rest_.GetDataSize();
  }

  // Before seal(): `last_key` is the greatest key for the tail of all batches before this one, and
  // then of this one too. What is not above it becomes RocksDB's.
  void place_behind(std::string& last_key) {
    std::size_t lower = kHeadBytes;
    while (lower < bytes_.size()) {
      const TokenTail::Entry entry = TokenTail::Entry::read(std::string_view(bytes_).substr(lower));
      if (entry.key > last_key) break;
      CHECK(rest_.Put(handle(Family::tokens), slice(entry.key), slice(entry.value)).ok());
      lower += entry.bytes();
      --entries_;
    }
    if (lower > kHeadBytes) bytes_.erase(kHeadBytes, lower - kHeadBytes);
    if (entries_ > 0) last_key = last_key_;
  }

  // For the journal; valid until the batch is cleared. Nothing may be put or removed after it.
  [[nodiscard]] std::string_view seal() {
    const std::array<std::uint32_t, 3> head = {
        kTag, static_cast<std::uint32_t>(bytes_.size() - kHeadBytes),
        static_cast<std::uint32_t>(removed_.size())};
    std::memcpy(bytes_.data(), head.data(), kHeadBytes);
    entries_bytes_ = head[1];
    bytes_.append(removed_);
    bytes_.append(rest_.Data());
    return bytes_;
  }
  // Of a sealed batch.
  [[nodiscard]] std::string_view entries() const noexcept {
    return std::string_view(bytes_).substr(kHeadBytes, entries_bytes_);
  }
  [[nodiscard]] std::string_view removed() const noexcept { return removed_; }
  [[nodiscard]] rocksdb::WriteBatch& rest() noexcept { return rest_; }

  // Becomes what seal() gave; false when that is damaged.
  [[nodiscard]] bool read(std::string_view payload) {
    clear();
    std::array<std::uint32_t, 3> head{};
    if (payload.size() < kHeadBytes) return false;
    std::memcpy(head.data(), payload.data(), kHeadBytes);
    if (head[0] == kTag) {
      payload.remove_prefix(kHeadBytes);
      if (payload.size() < std::size_t{head[1]} + head[2]) return false;
      std::string_view entries = payload.substr(0, head[1]);
      removed_ = payload.substr(head[1], head[2]);
      payload.remove_prefix(std::size_t{head[1]} + head[2]);
      if (removed_.size() % TokenTail::kKeyBytes != 0) return false;
      rest_ = rocksdb::WriteBatch(std::string(payload));
      while (!entries.empty()) {
        const TokenTail::Entry entry = TokenTail::Entry::read(entries);
        if (entry.key.empty()) return false;
        put(Family::tokens, entry.key, entry.value);
        entries.remove_prefix(entry.bytes());
      }
      return true;
    }
    if (head[0] != 0) return false;
    rest_ = rocksdb::WriteBatch(std::string(payload));
    return true;
  }

 private:
  static constexpr std::uint32_t kTag = 0x426b6f74;  // "tokB"
  static constexpr std::size_t kHeadBytes = 12;

  [[nodiscard]] rocksdb::ColumnFamilyHandle* handle(Family family) const noexcept {
    return families_[static_cast<std::size_t>(family)];
  }

  const Families& families_;
  std::string last_key_;  // of the entries
  std::string bytes_;
  std::size_t entries_ = 0;
  std::size_t entries_bytes_ = 0;
  std::string removed_;
  rocksdb::WriteBatch rest_;
};

}  // namespace tokend::store
