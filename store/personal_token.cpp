#include "store/personal_token.h"

#include <algorithm>

#include "store/bytes.h"

// A user's personal tokens, version 1. Integers are little-endian; text16 as in the token's record.
//
//   offset  bytes  what
//        0      1  version: 1
//        1      2  number of tokens, at least one
//        3         for each, ascending by locator:
//                  12 bytes of locator; one byte, 0x01 bypasses the second factor;
//                  the last 6 characters of the token; name: text16

namespace tokend::store {
namespace {

constexpr std::uint8_t kRecordVersion = 1;
constexpr std::uint8_t kBypassTwoFactor = 0x01;

static_assert(kPersonalTokensMax <= UINT16_MAX && kPersonalTokenNameBytesMax <= UINT16_MAX);

}  // namespace

void encode(std::span<const PersonalToken> tokens, std::string& out) {
  CHECK(tokens.size() <= kPersonalTokensMax);
  Writer writer(out);
  writer.u8(kRecordVersion);
  writer.u16(static_cast<std::uint16_t>(tokens.size()));
  for (const PersonalToken& token : tokens) {
    writer.bytes(token.locator.bytes);
    writer.u8(token.bypass_two_factor ? kBypassTwoFactor : 0);
    out.append(token.last_part.data(), token.last_part.size());
    writer.text16(token.name);
  }
}

core::Result<std::vector<PersonalToken>> decode_personal_tokens(std::string_view bytes) {
  Reader reader(bytes);
  const std::uint8_t version = reader.u8();
  const std::size_t count = reader.u16();
  bool valid = version == kRecordVersion && count > 0 && count <= kPersonalTokensMax;
  std::vector<PersonalToken> tokens;
  for (std::size_t i = 0; valid && i < count; ++i) {
    PersonalToken token;
    reader.bytes(token.locator.bytes);
    token.bypass_two_factor = reader.u8() & kBypassTwoFactor;
    std::array<std::uint8_t, kLastPartCharacters> last_part{};
    reader.bytes(last_part);
    std::ranges::copy(last_part, token.last_part.begin());
    token.name = reader.text16();
    valid = !reader.failed() && (tokens.empty() || tokens.back().locator < token.locator);
    tokens.push_back(std::move(token));
  }
  if (!valid || !reader.complete()) {
    return core::fail(core::Errc::corrupt, "a record of personal tokens does not decode");
  }
  return tokens;
}

}  // namespace tokend::store
