// What a core does about the tokens that a start has left out of the committer's index
// (store/token_load.h): one of the cores has a worker read a page of them, hands it to the
// committer, and asks for the next page when that one was taken. Nobody waits for it but lists of
// tokens, which are refused until it is done.

#include <algorithm>
#include <string>

#include "store/store_impl.h"

namespace tokend::store {

using core::Errc;

void Store::Impl::begin_load() noexcept {
  const auto unindexed = parts.committer.unindexed();
  if (!unindexed) return;
  load.read.from = unindexed->from;
  load.read.end = unindexed->end;
  load.read.floors = floors;
  read_page();
}

void Store::Impl::read_page() noexcept {
  load.asked_ns = parts.clock.monotonic_ns;
  load.read.then<&Impl::on_page_read>(*this);
  send_to_worker(parts.readers, load.read);
}

// Without what a floor revoked when it was asked for: that never comes back.
void Store::Impl::work(ReadTokens& operation) const noexcept {
  operation.tokens.clear();
  operation.complete = true;
  operation.undecodable = 0;
  std::size_t looked_at = 0;
  const auto scanned = parts.database.scan(
      Family::tokens, view_of(operation.from), [&](std::string_view key, std::string_view bytes) {
        const auto locator = locator_from(key);
        if (locator && *locator >= operation.end) return false;
        if (locator && looked_at >= options.load_records_max) {
          operation.next = *locator;
          operation.complete = false;
          return false;
        }
        ++looked_at;
        const auto record = decode_token_record(bytes);
        if (!locator || !record) {
          ++operation.undecodable;
        } else if (record->kind != TokenKind::personal &&
                   !operation.floors->revokes(*locator, *record)) {
          operation.tokens.push_back({*locator, record->user, record->expires_ms});
        }
        return true;
      });
  if (!scanned) operation.result = std::unexpected(scanned.error().code);
}

void Store::Impl::on_page_read() noexcept {
  if (load.begun_ns == 0) load.begun_ns = parts.clock.monotonic_ns;
  if (!load.read.result) {
    const Errc why = load.read.result.error();
    return why == Errc::full ? read_page_in(kBusyDelayMs) : read_page_later(why);
  }
  load.failure_delay_ms = 0;
  load.index.tokens.swap(load.read.tokens);
  load.index.next = load.read.complete ? load.read.end : load.read.next;
  load.index.complete = load.read.complete;
  load.index.then<&Impl::on_page_indexed>(*this);
  write(load.index);
}

void Store::Impl::on_page_indexed() noexcept {
  // Nothing is written any more; the next start begins again.
  if (!load.index.result) return;
  if (!load.index.is_stale) {
    load.tokens += load.index.indexed;
    load.undecodable += load.read.undecodable;
    load.read.from = load.index.next;
    if (load.index.complete) return end_load();
  }
  load.read.floors = floors;
  rest_and_read_page();
}

// As long as the page took, up to a limit: where the reader and the committer have no processor of
// their own they take about half of one from those who answer.
void Store::Impl::rest_and_read_page() noexcept {
  const std::int64_t now_ns = parts.clock.monotonic_ns;
  const std::int64_t took_ns =
      std::min(now_ns - load.asked_ns, kLoadRestMsMax * core::kNanosecondsPerMillisecond);
  if (!parts.timers || took_ns <= 0) return read_page();
  parts.timers->arm(load.retry, now_ns + took_ns);
}

void Store::Impl::end_load() noexcept {
  load.read.tokens = {};
  load.index.tokens = {};
  load.read.floors.reset();
  if (!parts.log) return;
  const std::int64_t took_ms =
      (parts.clock.monotonic_ns - load.begun_ns) / core::kNanosecondsPerMillisecond;
  parts.log->write(core::Severity::info,
                   "the index of tokens is whole: " + std::to_string(load.tokens) +
                       " loaded in the background in " + std::to_string(took_ms) + " ms");
  if (load.undecodable > 0) {
    parts.log->write(core::Severity::error,
                     "records of tokens that do not decode, left out of "
                     "the index: " +
                         std::to_string(load.undecodable));
  }
}

void Store::Impl::read_page_later(Errc why) noexcept {
  // Nothing is written any more, which the operator is told in other ways.
  if (!parts.committer.healthy()) return;
  load.failure_delay_ms = delay_after_failure_ms(
      load.failure_delay_ms,
      "tokens cannot be listed, and are not limited, because loading them failed", why);
  read_page_in(load.failure_delay_ms);
}

void Store::Impl::read_page_in(std::int64_t delay_ms) noexcept {
  load.read.floors = floors;
  if (!parts.timers) return;
  parts.timers->arm(load.retry,
                    parts.clock.monotonic_ns + delay_ms * core::kNanosecondsPerMillisecond);
}

}  // namespace tokend::store
