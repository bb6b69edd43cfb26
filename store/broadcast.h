#pragma once
// What one batch revoked or changed, told to every core before anybody is told that it is done.
//
// Operation: whoever writes a batch, the committer or a shard, fills a Broadcast, and the committer
// posts one notice to every core. Each core applies
// all of it to its caches, then acknowledges. The core that acknowledges last sends the operations
// that waited for it home, and the Broadcast itself back to its owner. So when an operation's
// continuation runs, no core's cache holds the old state (ARCHITECTURE.md, invariant 3).
//
// Concurrency: written by its owner, then the committer, between take-out and post; read-only for
// the cores from then on; the one atomic is the count of cores still awaited. No core waits for
// another: a core acknowledges in the turn in which it takes the notice, also while it drains; but
// where floors were raised, when it has swept its cache, a few dozen turns later
// (store/cache_sweep.h).
//
// Limits: the committer and each shard own a fixed number of Broadcasts
// (CommitterOptions::broadcasts_max) and start no batch without a free one.

#include <atomic>
#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "core/mailbox.h"
#include "store/issuing_policy.h"
#include "store/permission.h"
#include "store/revocation_floors.h"
#include "store/setting.h"
#include "store/token.h"

namespace tokend::store {

class Broadcast;

// One core's copies of what the committer changes.
class Replica {
 public:
  // On the core's thread. Applies everything; then, or where floors were raised some turns later,
  // calls acknowledge().
  virtual void apply(Broadcast& broadcast) noexcept = 0;
  [[nodiscard]] virtual core::Mailbox& home() noexcept = 0;

 protected:
  ~Replica() = default;
};

class Broadcast : public core::Message {
 public:
  Broadcast(std::span<Replica* const> replicas, core::Mailbox& owner);

  // ---- Its owner's, then the committer's, before post(). ----
  std::vector<Locator> removed_tokens;
  std::vector<UserId> changed_users;
  bool permissions_changed = false;
  PermissionTable permissions;  // meaningful when permissions_changed
  bool policies_changed = false;
  IssuingPolicies policies;  // meaningful when policies_changed
  bool settings_changed = false;
  Settings settings;    // meaningful when settings_changed
  SharedFloors floors;  // those that hold from now on; none: they are unchanged
  std::vector<RevocationFloor> raised_floors;  // of these, what must leave the caches now

  // `core` is the replica's number. The operation goes home after the last acknowledgement.
  void add_waiting(std::size_t core, core::Message& operation) noexcept {
    links_[core].waiting.push_back(operation);
    empty_ = false;
  }
  // Nobody waits for it, so there is nothing to tell.
  [[nodiscard]] bool empty() const noexcept { return empty_; }
  // The notice for a core, to be posted to its mailbox by the committer; all of them exactly once.
  [[nodiscard]] core::Message& notice(std::size_t core) noexcept { return links_[core].notice; }
  void arm() noexcept;
  void clear() noexcept;
  // Gives up: the operations that would have waited, for a batch that failed.
  [[nodiscard]] core::MessageList take_waiting(std::size_t core) noexcept;

  // ---- The cores'. ----
  // The first of this core's operations that wait, in the order of the batch; read-only.
  [[nodiscard]] const core::Message* waiting(std::size_t core) const noexcept {
    return links_[core].waiting.front();
  }
  void acknowledge() noexcept;

  // Its address in Message::deliver is how its owner tells a Broadcast that came back.
  static void came_back(core::Message& message) noexcept;

 private:
  struct Notice : core::Message {
    Broadcast* broadcast = nullptr;
    Replica* replica = nullptr;
  };
  struct Link {
    Notice notice;
    core::MessageList waiting;
  };

  core::Mailbox& owner_;
  std::vector<Link> links_;  // one for each core
  bool empty_ = true;
  std::atomic<std::size_t> awaited_{0};
};

}  // namespace tokend::store
