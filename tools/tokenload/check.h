#pragma once
// Is an answer the right one? Every answer of a run is asked, because a server that is fast at
// giving wrong answers is not fast. One AnswerCheck per thread.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "tools/tokenload/answer.h"

namespace tokend::load {

enum class Call : std::uint8_t { create_token, create_tokens, me, auth };

[[nodiscard]] std::string_view name_of(Call call) noexcept;

enum class Verdict : std::uint8_t {
  right,
  not_200,
  wrong_shape,    // a 200 that is not what the call answers
  wrong_user,     // of somebody else
  bad_token,      // not 43 characters of base64url
  entry_refused,  // a bulk answer with an error in the place of a token
  count_,
};
inline constexpr std::size_t kVerdictCount = static_cast<std::size_t>(Verdict::count_);
inline constexpr std::size_t kTokenCharacters = 43;

[[nodiscard]] std::string_view name_of(Verdict verdict) noexcept;

// Has it a token's form?
[[nodiscard]] bool is_token(std::string_view text) noexcept;

// Of every call but create_tokens, whose answers are BulkCheck's.
class AnswerCheck {
 public:
  // `constant`: of a server that only looks like ours: any 200 whose size is always the same.
  explicit AnswerCheck(Call call, bool constant = false) : call_(call), constant_(constant) {}

  // `expected_id`: the user that the token must be for, or whose answer it must be. After `right`
  // for create_token, token() is the token, a view into the answer's body.
  [[nodiscard]] Verdict check(const Answer& answer, std::string_view expected_id) noexcept;
  [[nodiscard]] std::string_view token() const noexcept { return token_; }

 private:
  [[nodiscard]] Verdict check_create_token(std::string_view body,
                                           std::string_view expected_id) noexcept;
  [[nodiscard]] Verdict check_me(std::string_view body, std::string_view expected_id) noexcept;
  [[nodiscard]] static Verdict check_auth(std::string_view head, std::string_view body,
                                          std::string_view expected_id) noexcept;
  [[nodiscard]] Verdict check_constant(std::string_view body) noexcept;

  Call call_;
  bool constant_;
  std::string_view token_;
  // The last body of `me` that was right: the next one is most likely the same.
  std::string accepted_body_;
  std::string accepted_id_;
  std::size_t constant_bytes_ = 0;
  bool constant_seen_ = false;
};

}  // namespace tokend::load
