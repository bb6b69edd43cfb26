// A user's tokens: which they are only the committer knows, what is known about each a worker
// reads. And a token by its public id.

#include <algorithm>

#include "store/store_impl.h"

namespace tokend::store {

using core::Errc;

void Store::Impl::list_tokens(ListTokens& operation) noexcept {
  adopt(operation);
  operation.collect.user = operation.user;
  operation.collect.then(&operation, [](void* context) noexcept {
    auto& list = *static_cast<ListTokens*>(context);
    of(list).on_collected(list);
  });
  write(operation.collect);
}

void Store::Impl::on_collected(ListTokens& operation) noexcept {
  operation.tokens.clear();
  operation.total = operation.collect.tokens.size();
  operation.result = operation.collect.result;
  operation.floors = floors;
  // Which of them are revoked only their records tell.
  if (!operation.result || (floors->empty() && operation.offset >= operation.total)) {
    return finish(operation);
  }
  send_to_worker(parts.readers, operation);
}

void Store::Impl::work(ListTokens& operation) const noexcept {
  const auto fail = [&](Errc code) { operation.result = std::unexpected(code); };
  const std::vector<Locator>& all = operation.collect.tokens;
  // The index does not know who issued what, so while there are floors the records before the page
  // have to be read as well: there are as many as the limits of tokens allow.
  const bool reads_all = !operation.floors->empty();
  const std::size_t end =
      reads_all ? all.size()
                : operation.offset + std::min(operation.count, all.size() - operation.offset);
  std::size_t position = reads_all ? 0 : operation.offset;
  std::string bytes;
  for (std::size_t index = position; index < end; ++index) {
    const auto found = parts.database.get(Family::tokens, view_of(all[index]), Reach::disk, bytes);
    if (!found) return fail(found.error().code);
    if (*found != Found::yes) {  // revoked since it was collected
      --operation.total;
      continue;
    }
    auto record = decode_token_record(bytes);
    if (!record) return fail(record.error().code);
    if (operation.floors->revokes(all[index], *record)) {
      --operation.total;
      continue;
    }
    if (position++ < operation.offset || operation.tokens.size() == operation.count) continue;
    operation.tokens.push_back({all[index], *std::move(record)});
  }
}

void Store::Impl::find_token(FindToken& operation) noexcept {
  operation.result = {};
  const auto locator = token_ids.decode(operation.id);
  if (!locator || !is_possible(*locator)) return finish(operation, Errc::not_found);
  operation.locator = *locator;
  operation.floors = floors;
  send_to_worker(parts.readers, operation);
}

void Store::Impl::work(FindToken& operation) const noexcept {
  const auto fail = [&](Errc code) { operation.result = std::unexpected(code); };
  std::string bytes;
  const auto found =
      parts.database.get(Family::tokens, view_of(operation.locator), Reach::disk, bytes);
  if (!found) return fail(found.error().code);
  if (*found != Found::yes) return fail(Errc::not_found);
  const auto record = decode_token_record(bytes);
  if (!record) return fail(record.error().code);
  // Those that held when it was asked: they may have ended since, and what they revoked is gone
  // then, but not from what was read before.
  if (operation.floors->revokes(operation.locator, *record)) return fail(Errc::not_found);
  operation.user = record->user;
  operation.issuer = record->issuer;
  operation.token_kind = record->kind;
  operation.expires_ms = record->expires_ms;
}

void Store::Impl::on_worked(FindToken& operation) noexcept {
  if (operation.result && operation.expires_ms <= parts.clock.wall_ms) {
    operation.result = std::unexpected(Errc::not_found);
  }
  finish(operation);
}

}  // namespace tokend::store
