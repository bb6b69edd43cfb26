#include "http/api/audit_trail.h"

#include <utility>

namespace tokend::api {

AuditTrail::Departure::Departure(AuditTrail& its_trail) noexcept
    : TimerEntry([](TimerEntry& entry) noexcept { static_cast<Departure&>(entry).trail.send(); }),
      trail(its_trail) {}

AuditTrail::AuditTrail(const Parts& parts) : parts_(parts), pile_(store::AuditPile::with_room()) {
  operation_.pile = store::AuditPile::with_room();
  operation_.then<&AuditTrail::on_written>(*this);
}

AuditTrail::~AuditTrail() {
  if (departure_.armed()) parts_.timers->disarm(departure_);
}

void AuditTrail::add(const store::AuditRecord& record) noexcept {
  if (!parts_.on) return;
  pile_.add(record);
  if (!parts_.timers) return send();
  if (departure_.armed()) return;
  parts_.timers->arm(departure_,
                     parts_.clock.monotonic_ns + kDepartureMs * core::kNanosecondsPerMillisecond);
}

// Those before may still be with a committer that waits for the disk: then what comes meanwhile
// leaves when they are home.
void AuditTrail::send() noexcept {
  if (under_way_ || pile_.empty()) return;
  under_way_ = true;
  operation_.pile.clear();
  std::swap(operation_.pile, pile_);
  parts_.store.write(operation_);
}

// What could not be written is lost with the committer, which writes nothing any more.
void AuditTrail::on_written() noexcept {
  under_way_ = false;
  if (pile_.empty() || departure_.armed()) return;
  send();
}

void AuditTrail::send_rest() {
  if (pile_.empty()) return;
  last_ = std::make_unique<store::RecordAudit>();
  last_->pile = std::move(pile_);
  last_->then(nullptr, [](void*) noexcept {});
  parts_.store.write(*last_);
}

}  // namespace tokend::api
