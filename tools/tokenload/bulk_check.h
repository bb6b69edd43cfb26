#pragma once
// Is an answer of users.createTokens the right one, entry by entry? Each must be a token for the
// user in its place. One BulkCheck per thread; it keeps nothing but the places of the last answer's
// tokens.

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "tools/tokenload/answer.h"
#include "tools/tokenload/check.h"
#include "tools/tokenload/string_table.h"

namespace tokend::load {

class BulkCheck {
 public:
  // `ids`: of all targets; this request was for `count` of them from `first` on.
  [[nodiscard]] Verdict check(const Answer& answer, const StringTable& ids, std::size_t first,
                              std::size_t count);
  // After `right`: the tokens, views into the answer's body; else empty.
  [[nodiscard]] std::span<const std::string_view> tokens() const noexcept { return tokens_; }
  // After `entry_refused`: the first entry that is an error, a view into the body. It holds no
  // token.
  [[nodiscard]] std::string_view refused_entry() const noexcept { return refused_entry_; }

 private:
  // Takes one entry from the start of `rest`.
  [[nodiscard]] Verdict take_entry(std::string_view& rest, std::string_view expected_id);

  std::vector<std::string_view> tokens_;
  std::string_view refused_entry_;
};

}  // namespace tokend::load
