#pragma once
// Issuing that may be repeated: who asks again with the same Idempotency-Key gets the same tokens
// (draft-ietf-httpapi-idempotency-key-header).
//
// A request with a key is a KeyedRequest: a list of items, one for each token that is asked for.
// What became of them is kept in the family `idempotency`, in parts: a part holds consecutive
// items, those that one batch of the committer decided, is written in that batch, and is found by
// the request's name and the number of its first item. The parts of a request follow on one another
// from item 0; what the chain does not reach has not been decided.
//
// No token and no key is kept. The random bytes of a keyed token are not drawn: they are the HMAC
// of its locator under a secret that is made of the store's key, the issuer and the client's key.
// So a token is made again from the locator in the part and the key that the client shows again.
// Whoever steals the data directory lacks the client's key, and must guess it: keys have to be
// unguessable.
//
// A part counts until the end of the request's window, which all parts of a request share. The
// compaction filter removes it some time later (store/rocks_tuning.h).
//
// Concurrency: the functions and IdempotencyKeys are for any thread; a KeyedRequest is its core's,
// and the committer's while operations of it are under way.

#include <array>
#include <cstddef>
#include <cstdint>
#include <expected>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "store/issuing_policy.h"
#include "store/token.h"

namespace tokend::store {

inline constexpr std::int64_t kIdempotencyWindowMsDefault = 24LL * 3600 * 1000;
inline constexpr std::int64_t kIdempotencyWindowMsMax = 7 * kIdempotencyWindowMsDefault;
inline constexpr std::uint64_t kIdempotencyBytesMaxDefault = 16ULL << 30;

// What became of an item: a token, or why there is none: invalid, not_found, refused, or corrupt
// where its user's record is.
struct KeyedItem {
  std::expected<void, core::Errc> result;
  Locator locator;
  UserId user;  // empty where the request itself names it
  // Of the token; of others of its part if there is none. Exact only if a lifetime was asked for.
  std::int64_t expires_ms = 0;
};

struct KeyedRequest {
  using Name = std::array<std::uint8_t, 16>;

  KeyedRequest() = default;
  KeyedRequest(const KeyedRequest&) = delete;
  KeyedRequest& operator=(const KeyedRequest&) = delete;
  ~KeyedRequest();  // wipes the secret

  // Set by IdempotencyKeys.
  Name name{};      // of issuer and key
  Digest secret{};  // that its tokens are made of

  // In.
  Digest asked{};  // of all that makes a request the same
  // Items that fail for their own or their user's sake are kept as well: the request is answered as
  // a whole. Else what fails leaves nothing.
  bool keeps_refusals = false;
  // Every item is asked for by its user's id: the ids need not be kept.
  bool names_users = false;

  // Set by FindKeyed: what became of the first items, in order, and when that is forgotten
  // (milliseconds since the epoch; 0: nothing is known). An operation that carries this request is
  // for the item behind them or behind the operation before it.
  std::vector<KeyedItem> items;
  std::int64_t window_ends_ms = 0;

  // The committer's own.
  struct Part {
    std::uint32_t next_item = 0;
    bool is_open = false;  // in the batch under way
    std::uint32_t count = 0;
    std::int64_t expires_ms = 0;
    std::string items;
    // Why all further operations fail, and of `refused` the bound.
    std::optional<core::Errc> stopped;
    BrokenBound broken_bound = BrokenBound::none;
  };
  Part part;

  // Before operations leave for the committer: it begins behind `items`.
  void begin_part() {
    part = {};
    part.next_item = static_cast<std::uint32_t>(items.size());
  }
};

// Names requests and makes their secrets, with keys of their own derived from the store's.
class IdempotencyKeys {
 public:
  explicit IdempotencyKeys(const TokenKey& token_key);
  ~IdempotencyKeys();
  IdempotencyKeys(const IdempotencyKeys&) = delete;
  IdempotencyKeys& operator=(const IdempotencyKeys&) = delete;

  // Sets the name and the secret. `key` is the client's own; another issuer's is another request.
  void name(const UserId& issuer, std::string_view key, KeyedRequest& request) const;

 private:
  Digest names_;
  Digest secrets_;
};

// What TokenCodec::encode() takes for the token of an item.
[[nodiscard]] std::array<std::uint8_t, 20> token_bytes_of(const KeyedRequest& request,
                                                          std::uint32_t item,
                                                          const Locator& locator) noexcept;

// ---- Parts at rest. ARCHITECTURE.md specifies the bytes. ----

inline constexpr std::size_t kPartKeyBytes = sizeof(KeyedRequest::Name) + sizeof(std::uint32_t);
[[nodiscard]] std::string part_key(const KeyedRequest::Name& name, std::uint32_t first_item);

// Appends to `items` what encode_part() puts behind its head.
void encode_item(const KeyedItem& item, bool names_users, std::string& items);
void encode_part(const KeyedRequest& request, std::string& out);

struct KeyedPart {
  std::int64_t window_ends_ms = 0;
  Digest asked{};
  std::vector<KeyedItem> items;  // never empty
};
[[nodiscard]] core::Result<KeyedPart> decode_part(std::string_view bytes);
// Only the end of its window, for the committer and the compaction filter; empty for bytes that are
// no part.
[[nodiscard]] std::optional<std::int64_t> window_end_of_part(std::string_view bytes) noexcept;

}  // namespace tokend::store
