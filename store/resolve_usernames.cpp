// From many usernames to ids: the cache, then the database's memory, then one worker for all that
// are left. No record is read, so nothing enters a cache and there is nothing to guard: a name that
// changes hands meanwhile belonged to whom we say when it was looked at.

#include "store/store_impl.h"

namespace tokend::store {

using core::Errc;

void Store::Impl::resolve_usernames(ResolveUsernames& operation) noexcept {
  operation.result = {};
  operation.unknown.clear();
  for (std::size_t index = 0; index < operation.names.size(); ++index) {
    ResolveUsernames::Name& asked = operation.names[index];
    asked.id = {};
    const bool folded_already = is_folded_ascii(asked.username);
    std::string folded;
    if (!folded_already) folded = fold(asked.username);
    const std::string_view name = folded_already ? asked.username : folded;
    if (name.empty()) continue;
    if (const User* cached = users.find_by_name(name)) {
      ++counters.user_hits;
      asked.id = cached->id;
      continue;
    }
    ++counters.user_misses;
    switch (get(Family::usernames, name, operation)) {
      case Got::yes:
        if (value.empty() || !UserId::fits(value)) return finish(operation, Errc::corrupt);
        asked.id = UserId(value);
        break;
      case Got::no: break;
      case Got::failed: return finish(operation);
      case Got::unknown: operation.unknown.push_back({index, std::string(name)}); break;
    }
  }
  if (operation.unknown.empty()) return finish(operation);
  send_to_worker(parts.readers, operation);
}

void Store::Impl::work(ResolveUsernames& operation) const noexcept {
  std::string bytes;
  for (const ResolveUsernames::Unknown& unknown : operation.unknown) {
    const auto found = parts.database.get(Family::usernames, unknown.folded, Reach::disk, bytes);
    if (!found) {
      operation.result = std::unexpected(found.error().code);
      return;
    }
    if (*found != Found::yes) continue;
    if (bytes.empty() || !UserId::fits(bytes)) {
      operation.result = std::unexpected(Errc::corrupt);
      return;
    }
    operation.names[unknown.index].id = UserId(bytes);
  }
}

}  // namespace tokend::store
