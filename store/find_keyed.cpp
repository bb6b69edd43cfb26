// What is known of a request that carries a key. Memory is asked first; as long as the request is
// young, it knows, and that there is nothing it mostly knows (a Bloom filter errs once in a
// hundred).

#include "store/idempotency.h"
#include "store/store_impl.h"

namespace tokend::store {
namespace {

using core::Errc;

// False: memory does not know.
bool read_parts(const Database& database, Reach reach, std::int64_t now_ms, FindKeyed& operation,
                std::string& bytes) {
  KeyedRequest& request = *operation.request;
  request.items.clear();
  request.window_ends_ms = 0;
  operation.result = {};
  for (;;) {
    const std::string key =
        part_key(request.name, static_cast<std::uint32_t>(request.items.size()));
    const auto found = database.get(Family::idempotency, key, reach, bytes);
    if (!found) {
      operation.result = std::unexpected(found.error().code);
      return true;
    }
    if (*found == Found::unknown) return false;
    if (*found == Found::no) return true;
    auto part = decode_part(bytes);
    if (!part) {
      operation.result = std::unexpected(part.error().code);
      return true;
    }
    if (part->window_ends_ms <= now_ms) return true;
    // Of an earlier window, whose end comes sooner: none of it can be in front of ours.
    if (!request.items.empty() && part->window_ends_ms != request.window_ends_ms) return true;
    if (part->asked != request.asked) {
      operation.result = std::unexpected(Errc::refused);
      return true;
    }
    request.window_ends_ms = part->window_ends_ms;
    request.items.insert(request.items.end(), part->items.begin(), part->items.end());
  }
}

}  // namespace

// As in a look-up of a token, a part that is read here is durable. What the committer decides
// meanwhile it tells whoever asks it for the same (store/write_rules_keyed.cpp).
void Store::Impl::find_keyed(FindKeyed& operation) noexcept {
  adopt(operation);
  operation.now_ms = parts.clock.wall_ms;
  if (read_parts(parts.database, Reach::memory, operation.now_ms, operation, value)) {
    return finish(operation);
  }
  send_to_worker(parts.readers, operation);
}

void Store::Impl::work(FindKeyed& operation) const noexcept {
  std::string bytes;
  CHECK(read_parts(parts.database, Reach::disk, operation.now_ms, operation, bytes));
}

}  // namespace tokend::store
