#pragma once
// The rest of a start. Of a large store not all records of tokens are read before it serves: what
// is left, all of it older than whatever is issued from then on, core 0 has a worker read in pages,
// in the order of issue (store/store_load.cpp), and the committer takes each page into its index.
//
// A page is old when it comes, and what was revoked in the meantime must not come back with it.
//  - Single tokens: those that were removed since the page before was taken are remembered. A page
//    is not asked for before that is visible to whoever reads, so nothing older can be in it.
//  - All tokens of a user: their records stay, so floors are remembered until the end of the load.
//  - What a floor of many users' tokens revokes (store/revocation_floors.h) is removed token by
//    token, in front of the page or behind it.
//
// Concurrency: the committer's thread. Memory: about 100 bytes for each user with floors; of
// removed tokens kRemovedMax: beyond them the page is read again.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/chunked_array.h"
#include "store/token.h"
#include "store/user.h"

namespace tokend::store {

class TokenLoad {
 public:
  // Removed single tokens that may be remembered while a page is under way.
  static constexpr std::size_t kRemovedMax = 65'536;

  // ---- What is written while the load lasts. ----
  // As the user is now.
  void note(const User& user);
  void note_deleted(const UserId& user);
  void note_removed(const Locator& token);

  // What is left: from `from` up to, and without, `end`. Until this is called, nothing.
  void begin(const Locator& from, const Locator& end);
  [[nodiscard]] const Locator& from() const noexcept { return from_; }
  [[nodiscard]] const Locator& end() const noexcept { return end_; }

  // False: more was removed than is remembered, so the page can't be judged and has to be read
  // again.
  [[nodiscard]] bool begin_page();
  enum class Verdict : std::uint8_t {
    alive,
    dead,
    orphaned,  // its user was deleted meanwhile, and nothing else would remove its record
  };
  // Of a dated token of the page.
  [[nodiscard]] Verdict judge(const UserId& user, const Locator& token) const;
  // What is read from now on begins at `next`.
  void end_page(const Locator& next) noexcept;

 private:
  struct Floors {
    UserId user;
    Locator valid_from;
    Locator valid_exception;
    Locator dated_from;
    Locator dated_exception;
    bool deleted = false;
  };
  static constexpr std::uint32_t kNone = UINT32_MAX;
  [[nodiscard]] std::size_t slot_of(const UserId& user) const noexcept;
  [[nodiscard]] Floors& floors_of(const UserId& user);
  void make_slots(std::size_t count);

  Locator from_;
  Locator end_;
  // Of the users that have any. Nothing of it is moved or given back piece by piece: the committer
  // serves meanwhile.
  core::ChunkedArray<Floors> floors_;
  // Open addressing with linear probing, at most half full: numbers in floors_, or kNone.
  std::vector<std::uint32_t> slots_;
  std::vector<Locator> removed_;
  bool forgot_removed_ = false;
};

}  // namespace tokend::store
