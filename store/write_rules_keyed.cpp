// Issuing under an Idempotency-Key (store/idempotency.h): what became of the items of a request is
// noted as they are decided, and written when the batch ends.
//
// Two requests with the same key may be under way at once, and a core may have looked before the
// other one's part was visible. So a part is begun only where there is none, neither in the
// database, nor in a batch on its way, nor in this one; whoever comes second is told `exists`, for
// this item and all behind it. That answer leaves, as any, when its batch and all before it are
// durable: by then the part can be read, so whoever looks again sees more than before.
//
// This look-up hardly ever waits for the disk. Of the first part that it begins, the core has asked
// just now; for those behind it, which nobody has asked for, the Bloom filters of most files say
// that they are not there.

#include "store/idempotency.h"
#include "store/write_rules.h"

namespace tokend::store {
namespace {

using core::Errc;

// How old the measure of what is stored may be.
constexpr std::int64_t kMeasuredForMs = 1'000;

// Whether a repetition would be told the same for the sake of what it asks for: of the target, or
// of what the policies say of it.
bool is_of_the_item(const IssueToken& operation, Errc code) noexcept {
  if (code == Errc::refused) {
    switch (operation.broken_bound) {
      case BrokenBound::none:  // the target is inactive
      case BrokenBound::target_roles:
      case BrokenBound::admins:
      case BrokenBound::lifetime: return true;
      case BrokenBound::shown_token: return false;  // the caller's own: its next one may repeat
    }
    return false;
  }
  // `corrupt` is the target's record: it must not keep those behind it from their tokens.
  return code == Errc::invalid || code == Errc::not_found || code == Errc::corrupt;
}

}  // namespace

WriteRules::Outcome WriteRules::begin_part(KeyedRequest& request) {
  // What has been forgotten since it was looked up is not gone on with.
  const bool is_looked_up = request.part.next_item == request.items.size();
  if (is_looked_up && request.window_ends_ms != 0 && request.window_ends_ms <= now_ms_) {
    return std::unexpected(Errc::exists);
  }
  const auto found = state_.overlay.get(Family::idempotency,
                                        part_key(request.name, request.part.next_item), value_);
  if (!found) return std::unexpected(found.error().code);
  if (*found == Found::yes) {
    const auto ends_ms = window_end_of_part(value_);
    if (!ends_ms) return std::unexpected(Errc::corrupt);
    // Behind the first, one of another window is no part of this chain (store/find_keyed.cpp): it
    // is left from before the clock was set back, and is replaced.
    const bool is_of_the_chain = request.part.next_item == 0 || *ends_ms == request.window_ends_ms;
    if (is_of_the_chain && *ends_ms > now_ms_) return std::unexpected(Errc::exists);
  }
  if (is_full_of_parts()) return std::unexpected(Errc::full);
  if (!keyed_names_.insert(request.name).second) return std::unexpected(Errc::exists);
  if (request.window_ends_ms == 0) {
    request.window_ends_ms = now_ms_ + options_.idempotency_window_ms;
  }
  request.part.is_open = true;
  keyed_.push_back(&request);
  return {};
}

WriteRules::Outcome WriteRules::issue_keyed(IssueToken& operation, Broadcast& broadcast) {
  KeyedRequest& request = *operation.keyed;
  KeyedRequest::Part& part = request.part;
  if (!part.stopped && !part.is_open) {
    if (const Outcome begun = begin_part(request); !begun) part.stopped = begun.error();
  }
  Outcome outcome = operation.result;
  if (part.stopped) {
    if (!outcome) return outcome;
    operation.broken_bound = part.broken_bound;
    return std::unexpected(*part.stopped);
  }
  if (outcome) outcome = issuer_of(operation.user).issue(operation, broadcast);
  if (!outcome && !(request.keeps_refusals && is_of_the_item(operation, outcome.error()))) {
    // The parts have no gaps: what comes behind is as undecided as this one.
    part.stopped = outcome.error();
    part.broken_bound = operation.broken_bound;
    return outcome;
  }
  if (outcome) part.expires_ms = operation.expires_ms;
  const std::size_t bytes_before = part.items.size();
  encode_item({.result = outcome, .locator = operation.locator, .user = operation.user},
              request.names_users, part.items);
  keyed_bytes_ += part.items.size() - bytes_before;
  ++part.count;
  ++part.next_item;
  return outcome;
}

std::size_t WriteRules::part_bytes() const noexcept {
  constexpr std::size_t kPartBytes = 96;  // beside its items
  return keyed_bytes_ + keyed_.size() * kPartBytes;
}

// What batches under way carry is not in the database yet, so what was written since the last
// measure is counted until the next one.
bool WriteRules::is_full_of_parts() {
  const std::int64_t age_ms = now_ms_ - parts_measured_ms_;
  if (age_ms < 0 || age_ms >= kMeasuredForMs) {
    stored_part_bytes_ = database_.bytes_of(Family::idempotency) + written_part_bytes_;
    written_part_bytes_ = 0;
    parts_measured_ms_ = now_ms_;
  }
  return stored_part_bytes_ + written_part_bytes_ + part_bytes() >= options_.idempotency_bytes_max;
}

void WriteRules::write_parts() {
  written_part_bytes_ += part_bytes();
  for (KeyedRequest* request : keyed_) {
    KeyedRequest::Part& part = request->part;
    part.is_open = false;
    if (part.count > 0) {
      value_.clear();
      encode_part(*request, value_);
      state_.overlay.put(Family::idempotency, part_key(request->name, part.next_item - part.count),
                         value_);
    }
    part.count = 0;
    part.items.clear();
  }
  keyed_.clear();
  keyed_names_.clear();
  keyed_bytes_ = 0;
}

}  // namespace tokend::store
