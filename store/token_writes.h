#pragma once
// The tokens that a batch issues and removes. They go into it at its end: those that were issued in
// the order of their keys, as the tail of the database takes them, and each of them, because a
// token that was displaced by its own batch was issued all the same: the audit is made of what is
// put.
//
// Concurrency: of whoever writes the batch. The operations stay where they are until write().

#include <cstddef>
#include <string>
#include <vector>

#include "store/database.h"
#include "store/meta.h"
#include "store/personal_token.h"
#include "store/token.h"
#include "store/write_operation.h"

namespace tokend::store {

class TokenWrites {
 public:
  // By ascending locators.
  void issue(const IssueToken& operation) { issued_.push_back(&operation); }
  void remove(const Locator& token) { removed_.push_back(token); }

  [[nodiscard]] std::size_t issued() const noexcept { return issued_.size(); }
  // About as many as write() adds to a batch, and no less.
  [[nodiscard]] std::size_t bytes() const noexcept {
    // A token's record is longest with two ids and a name; a removal is a key and a little more.
    constexpr std::size_t kIssuedBytesMax = 256 + kPersonalTokenNameBytesMax;
    constexpr std::size_t kRemovedBytes = 24;
    return issued_.size() * kIssuedBytesMax + removed_.size() * kRemovedBytes;
  }

  // Puts all of it into the batch, and forgets it.
  void write(Batch& batch) {
    for (const IssueToken* issued : issued_) put(*issued, batch);
    for (const Locator& token : removed_) batch.remove(Family::tokens, view_of(token));
    issued_.clear();
    removed_.clear();
  }

 private:
  void put(const IssueToken& issued, Batch& batch) {
    record_.digest = issued.digest;
    record_.user = issued.user;
    record_.issuer = issued.issuer.empty() ? issued.user : issued.issuer;
    record_.kind = issued.token_kind;
    record_.expires_ms = issued.expires_ms;
    record_.address = issued.address;
    record_.name.clear();
    if (issued.kind == WriteKind::issue_personal_token) {
      record_.name = static_cast<const IssuePersonalToken&>(issued).name;
    }
    bytes_.clear();
    encode(record_, bytes_);
    batch.put(Family::tokens, view_of(issued.locator), bytes_);
  }

  std::vector<const IssueToken*> issued_;
  std::vector<Locator> removed_;
  TokenRecord record_;  // reused
  std::string bytes_;   // reused
};

}  // namespace tokend::store
