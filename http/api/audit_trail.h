#pragma once
// What one core tells the audit of what never reaches the committer: refusals and resumed logins.
// They are put aside without an allocation and leave together, kDepartureMs after the first of
// them, so refusals as fast as a core can make them cost four small writes and
// AuditPile::kRecordsMax records four times a second; what is beyond is counted by event, and the
// counts are recorded. A record that has not left when the process is killed is lost; issued tokens
// and changes do not come this way.
//
// Concurrency: the core's; send_rest() after the core's thread has ended.

#include <cstdint>
#include <memory>

#include "core/clock.h"
#include "core/timers.h"
#include "store/audit_pile.h"
#include "store/store.h"
#include "store/write_operation.h"

namespace tokend::api {

class AuditTrail {
 public:
  static constexpr std::int64_t kDepartureMs = 250;

  struct Parts {
    store::Store& store;
    const core::TurnClock& clock;
    // nullptr: records leave as soon as those before them are written.
    core::TimerWheel* timers;
    bool on;  // else nothing is recorded
  };
  explicit AuditTrail(const Parts& parts);
  ~AuditTrail();
  AuditTrail(const AuditTrail&) = delete;
  AuditTrail& operator=(const AuditTrail&) = delete;

  void add(const store::AuditRecord& record) noexcept;
  // The last ones, when nobody adds any more. They go to the committer by the store's usual way and
  // do not come home; the trail must live until the committer has ended.
  void send_rest();

 private:
  void send() noexcept;
  void on_written() noexcept;

  struct Departure : core::TimerEntry {
    explicit Departure(AuditTrail& its_trail) noexcept;
    AuditTrail& trail;
  };

  const Parts parts_;
  store::AuditPile pile_;
  store::RecordAudit operation_;
  std::unique_ptr<store::RecordAudit> last_;
  bool under_way_ = false;
  Departure departure_{*this};
};

}  // namespace tokend::api
