#pragma once
// What users.createToken and users.createTokens ask alike: whether the feature is on, the secret,
// a lifetime, an Idempotency-Key (store/idempotency.h), and what the policies of the caller's roles
// say of it and of the rate (store/issuing_policy.h). The committer keeps the bounds on targets,
// and on the lifetime once more.

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "http/api/call.h"
#include "store/idempotency.h"

namespace tokend::api {

// How often one request looks its key up, because others with the key were faster, before it is
// answered 503. The second time finds them, unless they failed half-way.
inline constexpr std::uint32_t kKeyLookUpsMax = 8;

class IssuingCall : public Call {
 public:
  using Call::Call;

 protected:
  ~IssuingCall() = default;

  // `none` when the feature is on and the secret, if there is one, is right; else the reason.
  [[nodiscard]] store::AuditReason gate(const Body& body) noexcept;
  void refuse_not_authorized(store::AuditReason reason, std::string_view target = {}) noexcept {
    log_refusal(reason, target);
    answer(kNotAuthorized);
  }

  // The longest that the caller may ask for.
  [[nodiscard]] std::int64_t lifetime_ms_max() noexcept;
  // False: there is a `lifetime`, and it is none. 0: none was asked for.
  [[nodiscard]] bool read_lifetime(const Body& body, std::int64_t& lifetime_ms) noexcept;
  void refuse_lifetime(std::int64_t max_ms) noexcept;
  void refuse_unknown(std::string_view target = {}) noexcept {
    log_refusal(store::AuditReason::target_unknown, target);
    answer(kInvalidUser);
  }
  // False: the rate of a policy does not allow so many tokens, and the call has been answered.
  [[nodiscard]] bool count_for_policies(std::size_t tokens) noexcept {
    return !store().policies().limit_rate_of(caller().roles) || count_windows(tokens);
  }
  // What is the same for each token: on whose behalf, by whose roles and from where. All that is
  // left to say is for whom.
  void fill(store::IssueToken& issue, std::int64_t lifetime_ms) noexcept {
    issue.issuer = caller().id;
    issue.issuer_roles = caller().roles;
    issue.locator = caller().token;
    issue.token_kind = store::TokenKind::issued;
    issue.lifetime_ms = lifetime_ms;
    issue.address = address();
  }
  // What a request that carries a key needs besides. Not made for others.
  struct Keyed {
    store::KeyedRequest request;
    store::FindKeyed find;
    std::uint32_t look_ups = 0;
    std::size_t counted = 0;  // for the policies
  };
  // The same for one with a key, which may come here again: counts only what it has not yet.
  [[nodiscard]] bool count_for_policies(Keyed& keyed, std::size_t tokens) noexcept {
    if (tokens <= keyed.counted) return true;
    const std::size_t more = tokens - keyed.counted;
    keyed.counted = tokens;
    return count_for_policies(more);
  }
  // In run() only.
  [[nodiscard]] bool has_key() const noexcept {
    return request().has(http::Header::idempotency_key);
  }
  // In run() only. False: the key is malformed and the call has been answered.
  [[nodiscard]] bool read_key(const store::Digest& asked, Keyed& keyed) noexcept;
  // Of tokens that the caller is given once more: to whoever has its token and a key that it used
  // they are as good as new ones. `user` and `token`: of one alone.
  void record_replay(std::size_t count, const store::UserId& user = {},
                     const store::Locator& token = {}) noexcept;
  // Why the look-up failed.
  void refuse_key(core::Errc code) noexcept {
    return code == core::Errc::refused ? answer(kIdempotencyKeyReused) : fail(code);
  }

  // Why the committer refused it.
  [[nodiscard]] static store::AuditReason reason_of_refusal(
      const store::IssueToken& issued) noexcept;

 private:
  [[nodiscard]] bool count_windows(std::size_t tokens) noexcept;
};

}  // namespace tokend::api
