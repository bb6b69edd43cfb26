// The rules for names of store/user.h: the one file that knows ICU. Names in lower-case ASCII,
// which is nearly all of them, never come near it.

#include <unicode/uchar.h>
#include <unicode/unorm2.h>
#include <unicode/ustring.h>
#include <unicode/utf16.h>
#include <unicode/utf8.h>

#include <algorithm>
#include <array>

#include "store/user.h"

namespace tokend::store {
namespace {

// The longest name that may exist: a username of as many characters of four bytes. E-mail addresses
// are shorter.
constexpr std::size_t kFoldBytesMax = 4 * kUsernameCharactersMax;
static_assert(kEmailBytesMax <= kFoldBytesMax);
// A byte of UTF-8 is at most one unit of UTF-16, and NFC triples these at most.
constexpr std::size_t kUnitsMax = 3 * kFoldBytesMax;

bool may_be_in_username(UChar32 point, bool first) noexcept {
  if (point == '-' || point == '_' || point == '.') return true;
  constexpr std::uint32_t kLettersAndDigits = U_GC_L_MASK | U_GC_ND_MASK;
  return U_MASK(u_charType(point)) & (first ? kLettersAndDigits : kLettersAndDigits | U_GC_M_MASK);
}

// Calls `visit` with each code point; false when the text is not UTF-8 or `visit` says so.
template <class Visit>
bool each_point(std::string_view text, Visit&& visit) noexcept {
  const auto* bytes = reinterpret_cast<const std::uint8_t*>(text.data());
  const auto length = static_cast<std::int32_t>(text.size());
  for (std::int32_t at = 0; at < length;) {
    UChar32 point;
    U8_NEXT(bytes, at, length, point);
    if (point < 0 || !visit(point)) return false;
  }
  return true;
}

std::string fold_with_icu(std::string_view name) {
  UErrorCode error = U_ZERO_ERROR;
  std::array<UChar, kFoldBytesMax> given;
  std::int32_t given_units = 0;
  u_strFromUTF8(given.data(), static_cast<std::int32_t>(given.size()), &given_units, name.data(),
                static_cast<std::int32_t>(name.size()), &error);
  const UNormalizer2* nfc = unorm2_getNFCInstance(&error);
  std::array<UChar, kUnitsMax> composed;
  const std::int32_t units = unorm2_normalize(nfc, given.data(), given_units, composed.data(),
                                              static_cast<std::int32_t>(composed.size()), &error);
  if (U_FAILURE(error)) return {};
  std::string folded;
  folded.reserve(name.size());
  for (std::int32_t at = 0; at < units;) {
    UChar32 point;
    U16_NEXT(composed.data(), at, units, point);
    point = u_foldCase(point, U_FOLD_CASE_DEFAULT);
    std::array<std::uint8_t, U8_MAX_LENGTH> bytes;
    std::int32_t count = 0;
    U8_APPEND_UNSAFE(bytes.data(), count, point);
    folded.append(reinterpret_cast<const char*>(bytes.data()), static_cast<std::size_t>(count));
  }
  return folded;
}

}  // namespace

bool is_username(std::string_view username) noexcept {
  if (username.empty() || username.size() > kFoldBytesMax) return false;
  std::size_t characters = 0;
  const bool allowed = each_point(username, [&](UChar32 point) noexcept {
    return may_be_in_username(point, characters++ == 0);
  });
  return allowed && characters <= kUsernameCharactersMax;
}

bool is_email(std::string_view address) noexcept {
  const std::size_t at = address.find('@');
  if (address.size() > kEmailBytesMax || at == std::string_view::npos || at == 0 ||
      at + 1 == address.size() || address.find('@', at + 1) != std::string_view::npos) {
    return false;
  }
  const std::string_view domain = address.substr(at + 1);
  if (domain.front() == '.' || domain.back() == '.') return false;
  return each_point(address, [](UChar32 point) noexcept {
    return !u_isUWhiteSpace(point) && u_charType(point) != U_CONTROL_CHAR;
  });
}

std::string fold(std::string_view name) {
  if (name.size() > kFoldBytesMax) return {};
  const bool ascii = std::ranges::all_of(
      name, [](char character) { return static_cast<unsigned char>(character) < 0x80; });
  if (!ascii) return fold_with_icu(name);
  std::string folded(name);
  for (char& character : folded) {
    if (character >= 'A' && character <= 'Z')
      character = static_cast<char>(character + ('a' - 'A'));
  }
  return folded;
}

bool is_folded_ascii(std::string_view name) noexcept {
  return name.size() <= kFoldBytesMax && std::ranges::none_of(name, [](char character) {
           return static_cast<unsigned char>(character) >= 0x80 ||
                  (character >= 'A' && character <= 'Z');
         });
}

}  // namespace tokend::store
