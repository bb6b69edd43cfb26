#pragma once
// Which origins' pages may read the answers, by the settings API_Enable_CORS and API_CORS_Origin
// (contract 4.5 and 9.8).
//
//   off               any origin may read an answer, preflights are refused
//   on, "*"           any origin may read an answer, preflights are granted
//   on, with a list   an answer names the origin that asked, if the list has it, and none
//                     otherwise; preflights are granted to those of the list
//
// So a browser lets a page of any origin send what needs no preflight and read what comes, unless
// there is a list; whatever carries X-Auth-Token needs a preflight.
//
// Operation: the header lines of answers are made when the settings change, once for each origin;
// a request chooses among them. A choice that a change of the settings has outlived names another
// origin or none: the browser then keeps the answer from the page, never the other way round.
//
// Concurrency: one for each core, on its thread. Limit: kCorsOriginsMax.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "http/api/headers.h"
#include "http/message.h"
#include "store/setting.h"

namespace tokend::api {

inline constexpr std::size_t kCorsOriginsMax = 64;

// "*", or up to kCorsOriginsMax origins (RFC 6454, section 6.2: scheme, host and, if need be, port)
// with commas and white space between them.
[[nodiscard]] bool is_origin_list(std::string_view text) noexcept;
// What it must be, for those who are told that it is not.
inline constexpr std::string_view kOriginListWanted =
    "must be * or at most 64 origins such as https://example.org, with commas between them";
static_assert(kCorsOriginsMax == 64);

class Cors {
 public:
  using Choice = std::uint8_t;
  static constexpr Choice kNoOrigin = 0;  // none of a list, or nobody asks for one

  Cors(std::string_view instance_id, const store::Settings& settings);

  void apply(const store::Settings& settings);

  [[nodiscard]] Choice choose(const http::Request& request) const noexcept {
    return lists_ ? find(request) : kNoOrigin;
  }
  [[nodiscard]] const HeaderBlocks& headers(Choice choice) const noexcept {
    return blocks_[choice < choices_ ? choice : kNoOrigin];
  }
  [[nodiscard]] bool enabled() const noexcept { return enabled_; }
  // Only while enabled.
  [[nodiscard]] bool grants(Choice choice) const noexcept { return !lists_ || choice != kNoOrigin; }

 private:
  [[nodiscard]] Choice find(const http::Request& request) const noexcept;

  const std::string instance_id_;
  bool enabled_ = false;
  bool lists_ = false;
  Choice choices_ = 1;
  std::vector<std::string> origins_;  // of the list; one less than there are choices
  std::vector<HeaderBlocks> blocks_;  // one for each choice
};

}  // namespace tokend::api
