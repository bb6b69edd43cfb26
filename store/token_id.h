#pragma once
// What a token is called in public: in lists, in introspection, and by who revokes it without
// having it.
//
// An id is 32 hexadecimal digits: the token's locator and four zeros as one AES-256 block. Its key
// is derived from the store's token key and is another one: an id is not the front of any token's
// text, and tells nothing about the number of tokens. Whoever has an id can name a token and do
// nothing else with it: the text has 160 random bits of its own, and what is stored is its hash. An
// id that nobody was told decodes with a chance of 2^-32, and then to a locator that hardly is one.
//
// The locator alone would be no secret either, but it tells when and as how manieth of its
// millisecond a token was issued, and its neighbours can be guessed.

#include <array>
#include <cstddef>
#include <optional>
#include <string_view>

#include "store/token.h"

namespace tokend::store {

inline constexpr std::size_t kTokenIdCharacters = 32;
using TokenId = std::array<char, kTokenIdCharacters>;

[[nodiscard]] inline std::string_view view_of(const TokenId& id) noexcept {
  return {id.data(), id.size()};
}

// Ids to text and back. One instance per thread: it holds a cipher's state.
class TokenIdCodec {
 public:
  explicit TokenIdCodec(const TokenKey& key);
  ~TokenIdCodec();
  TokenIdCodec(const TokenIdCodec&) = delete;
  TokenIdCodec& operator=(const TokenIdCodec&) = delete;

  [[nodiscard]] TokenId encode(const Locator& locator) noexcept;
  // Empty for what encode() does not make; digits are lower-case. That a locator comes out does not
  // mean that the token exists.
  [[nodiscard]] std::optional<Locator> decode(std::string_view id) noexcept;

 private:
  void* encrypt_;  // EVP_CIPHER_CTX
  void* decrypt_;
};

}  // namespace tokend::store
