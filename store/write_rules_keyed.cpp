// Issuing under an Idempotency-Key (store/idempotency.h): what became of the items of a request is
// noted as they are decided, and written when the batch ends.
//
// Two requests with the same key may be under way at once, and a core may have looked before the
// other one's part was visible. So a part is begun only where there is none, neither in the
// database, nor in a batch on its way, nor in this one; whoever comes second is told `exists`, for
// this item and all behind it. That answer leaves, as any, when its batch and all before it are
// durable: by then the part can be read, so whoever looks again sees more than before.
//
// This look-up does not wait for the disk: the core has asked for the same part just now, so it is
// in memory if it is there at all, and a Bloom filter knows that it is not.

#include "store/idempotency.h"
#include "store/write_rules.h"

namespace tokend::store {

using core::Errc;

WriteRules::Outcome WriteRules::begin_part(KeyedRequest& request) {
  // What has been forgotten since it was looked up is not gone on with.
  const bool is_looked_up = request.part.next_item == request.items.size();
  if (is_looked_up && request.window_ends_ms != 0 && request.window_ends_ms <= now_ms_) {
    return std::unexpected(Errc::exists);
  }
  const auto found =
      overlay_.get(Family::idempotency, part_key(request.name, request.part.next_item), value_);
  if (!found) return std::unexpected(found.error().code);
  if (*found == Found::yes) {
    const auto ends_ms = window_end_of_part(value_);
    if (!ends_ms) return std::unexpected(Errc::corrupt);
    if (*ends_ms > now_ms_) return std::unexpected(Errc::exists);
  }
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
  dropped_.clear();
  if (!part.stopped && !part.is_open) {
    if (const Outcome begun = begin_part(request); !begun) part.stopped = begun.error();
  }
  if (part.stopped) return std::unexpected(*part.stopped);
  Outcome outcome = operation.result;
  if (outcome) outcome = issue(operation, broadcast);
  const bool is_refusal =
      !outcome && (outcome.error() == Errc::invalid || outcome.error() == Errc::not_found ||
                   outcome.error() == Errc::refused);
  if (!outcome && !(is_refusal && request.keeps_refusals)) {
    // The parts have no gaps: what comes behind is as undecided as this one.
    part.stopped = outcome.error();
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

void WriteRules::write_parts() {
  for (KeyedRequest* request : keyed_) {
    KeyedRequest::Part& part = request->part;
    part.is_open = false;
    if (part.count > 0) {
      value_.clear();
      encode_part(*request, value_);
      overlay_.put(Family::idempotency, part_key(request->name, part.next_item - part.count),
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
