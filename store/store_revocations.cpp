// What a core does about floors (store/revocation_floors.h): it takes them over, sweeps its cache,
// and one of the cores sees to it that the records of what they revoked are removed. That may take
// minutes and is nobody's to wait for; until it is done the floors refuse what is read.

#include <string>
#include <utility>

#include "store/store_impl.h"

namespace tokend::store {

using core::Errc;

// The order of the mailbox is why nothing below a floor is in a cache once it was swept:
//  - A token that was issued in front of the floor came with an earlier batch's answers, or in
//    front of this notice with those of its own batch, or was taken in from `waiting` a moment
//    ago; none comes behind it, because what is issued later lies above.
//  - A record that is read from here on is asked after (MissGuard::admits). One whose read is under
//    way too: it comes home later. All epochs move nevertheless, because floors end: a read from
//    before the record was removed may come home when no floor refuses it any more.
void Store::Impl::take_over_floors(Broadcast& broadcast) noexcept {
  floors = broadcast.floors;
  guard.invalidate_all();
  if (broadcast.raised_floors.empty()) return;
  // What is to be found is visible to every reader, so there is no need to wait for the other
  // cores: they take its records for revoked when they get to know, which is before anybody is
  // answered.
  if (number == kHousekeepingCore) begin_removal();
  const bool under_way = !sweep.idle();
  sweep.add(broadcast);
  if (!under_way) go_on_sweeping();
}

void Store::Impl::go_on_sweeping() noexcept {
  sweep.go_on();
  if (sweep.idle()) return;
  // It comes home in the next turn, behind what waits by then.
  sweep_turn.store = this;
  sweep_turn.deliver = [](core::Message& message) noexcept {
    static_cast<SweepTurn&>(message).store->go_on_sweeping();
  };
  parts.home.post(sweep_turn);
}

void Store::Impl::begin_removal() noexcept {
  // One that is under way ends what it knows of; then another begins.
  removal.again = removal.under_way;
  if (removal.under_way) return;
  removal.under_way = true;
  removal.find.floors = floors;
  removal.find.from.clear();
  find_revoked();
}

void Store::Impl::find_revoked() noexcept {
  removal.find.then<&Impl::on_revoked_found>(*this);
  send_to_worker(parts.readers, removal.find);
}

void Store::Impl::work(FindRevoked& operation) const noexcept {
  operation.tokens.clear();
  operation.complete = true;
  operation.undecodable = 0;
  const Locator end = operation.floors->highest();
  const std::string from = std::move(operation.from);
  operation.from.clear();
  std::size_t looked_at = 0;
  std::size_t personal = 0;
  const auto scanned =
      parts.database.scan(Family::tokens, from, [&](std::string_view key, std::string_view bytes) {
        const auto locator = locator_from(key);
        if (locator && *locator >= end) return false;
        if (looked_at == options.removal_records_max ||
            operation.tokens.size() == options.removal_tokens_max ||
            personal == options.removal_personal_max) {
          operation.from = key;
          operation.complete = false;
          return false;
        }
        ++looked_at;
        const auto record = decode_token_record(bytes);
        if (!locator || !record) {
          // It is nobody's token, whatever becomes of the floors.
          ++operation.undecodable;
        } else if (operation.floors->revokes(*locator, *record)) {
          operation.tokens.push_back({*locator, record->user, record->kind});
          personal += record->kind == TokenKind::personal;
        }
        return true;
      });
  if (!scanned) operation.result = std::unexpected(scanned.error().code);
}

void Store::Impl::on_revoked_found() noexcept {
  FindRevoked& find = removal.find;
  if (!find.result) {
    const Errc why = find.result.error();
    return why == Errc::full ? find_revoked_in(kBusyDelayMs) : begin_removal_later(why);
  }
  if (find.undecodable > 0 && parts.log) {
    parts.log->write(core::Severity::error,
                     "records of tokens that do not decode, left as they are: " +
                         std::to_string(find.undecodable));
  }
  if (find.tokens.empty() && !find.complete) return find_revoked();
  removal.remove.tokens = std::move(find.tokens);
  removal.remove.swept = find.complete ? find.floors : nullptr;
  removal.remove.then<&Impl::on_revoked_removed>(*this);
  write(removal.remove);
}

void Store::Impl::on_revoked_removed() noexcept {
  if (!removal.remove.result) return begin_removal_later(removal.remove.result.error());
  removal.failure_delay_ms = 0;
  if (!removal.find.complete) return find_revoked();
  const bool again = removal.again;
  removal.under_way = removal.again = false;
  removal.find.floors.reset();
  removal.remove.swept.reset();
  if (again) begin_removal();
}

// From the beginning: what has been removed by then costs little to look for.
void Store::Impl::begin_removal_later(Errc why) noexcept {
  // Nothing is written any more, which the operator is told in other ways; after the next start all
  // is removed.
  if (!parts.committer.healthy()) return;
  removal.failure_delay_ms = delay_after_failure_ms(
      removal.failure_delay_ms, "revoked tokens take up room: their removal failed", why);
  removal.again = false;
  removal.find.floors = floors;
  removal.find.from.clear();
  find_revoked_in(removal.failure_delay_ms);
}

void Store::Impl::find_revoked_in(std::int64_t delay_ms) noexcept {
  if (!parts.timers) return;
  parts.timers->arm(removal.retry,
                    parts.clock.monotonic_ns + delay_ms * core::kNanosecondsPerMillisecond);
}

}  // namespace tokend::store
