#pragma once
// What users.createToken and users.createTokens ask alike: whether the feature is on, the secret,
// a lifetime.

#include <cstdint>
#include <string_view>

#include "http/api/call.h"

namespace tokend::api {

class IssuingCall : public Call {
 public:
  using Call::Call;

 protected:
  ~IssuingCall() = default;

  // Empty when the feature is on and the secret, if there is one, is right; else the reason.
  [[nodiscard]] std::string_view gate(const Body& body) noexcept;
  void refuse_not_authorized(std::string_view reason, std::string_view target = {}) noexcept {
    log_refusal(reason, target);
    answer(kNotAuthorized);
  }

  // False: there is a `lifetime`, and it is none. 0: none was asked for.
  [[nodiscard]] bool read_lifetime(const Body& body, std::int64_t& lifetime_ms) noexcept;
  void refuse_lifetime() noexcept;
};

}  // namespace tokend::api
