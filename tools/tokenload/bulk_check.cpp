#include "tools/tokenload/bulk_check.h"

namespace tokend::load {
namespace {

constexpr std::string_view kStart = R"({"tokens":[)";
constexpr std::string_view kEnd = R"(],"success":true})";
constexpr std::string_view kBeforeError = R"({"error":)";
constexpr std::string_view kBeforeId = R"({"userId":")";
constexpr std::string_view kBeforeToken = R"(","authToken":")";
constexpr std::string_view kAfterToken = R"("})";

bool take(std::string_view& rest, std::string_view expected) noexcept {
  if (!rest.starts_with(expected)) return false;
  rest.remove_prefix(expected.size());
  return true;
}

}  // namespace

Verdict BulkCheck::check(const Answer& answer, const StringTable& ids, std::size_t first,
                         std::size_t count) {
  tokens_.clear();
  refused_entry_ = {};
  if (answer.status != 200) return Verdict::not_200;
  std::string_view rest = answer.body;
  Verdict verdict = take(rest, kStart) ? Verdict::right : Verdict::wrong_shape;
  for (std::size_t i = 0; i < count && verdict == Verdict::right; ++i) {
    if (i > 0 && !take(rest, ",")) verdict = Verdict::wrong_shape;
    if (verdict == Verdict::right) verdict = take_entry(rest, ids[first + i]);
  }
  // Behind the last entry there must be no other.
  if (verdict == Verdict::right && rest != kEnd) verdict = Verdict::wrong_shape;
  if (verdict != Verdict::right) tokens_.clear();
  return verdict;
}

Verdict BulkCheck::take_entry(std::string_view& rest, std::string_view expected_id) {
  if (rest.starts_with(kBeforeError)) {
    refused_entry_ = rest.substr(0, rest.find('}') + 1);
    return Verdict::entry_refused;
  }
  if (!take(rest, kBeforeId)) return Verdict::wrong_shape;
  if (!take(rest, expected_id) || !rest.starts_with('"')) return Verdict::wrong_user;
  if (!take(rest, kBeforeToken)) return Verdict::wrong_shape;
  const std::string_view token = rest.substr(0, kTokenCharacters);
  if (!is_token(token)) return Verdict::bad_token;
  rest.remove_prefix(kTokenCharacters);
  if (!take(rest, kAfterToken)) return Verdict::bad_token;
  tokens_.push_back(token);
  return Verdict::right;
}

}  // namespace tokend::load
