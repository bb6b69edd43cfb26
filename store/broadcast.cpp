#include "store/broadcast.h"

#include "core/error.h"

namespace tokend::store {

Broadcast::Broadcast(std::span<Replica* const> replicas, core::Mailbox& owner)
    : owner_(owner),
      links_(replicas.size()) {
  deliver = &came_back;
  for (std::size_t core = 0; core < links_.size(); ++core) {
    Notice& notice = links_[core].notice;
    notice.broadcast = this;
    notice.replica = replicas[core];
    notice.deliver = [](core::Message& message) noexcept {
      auto& arrived = static_cast<Notice&>(message);
      arrived.replica->apply(*arrived.broadcast);
    };
  }
}

void Broadcast::arm() noexcept {
  // Relaxed: the posts that follow publish it.
  awaited_.store(links_.size(), std::memory_order_relaxed);
}

void Broadcast::clear() noexcept {
  removed_tokens.clear();
  changed_users.clear();
  permissions_changed = false;
  policies_changed = false;
  settings_changed = false;
  floors.reset();
  raised_floors.clear();
  empty_ = true;
}

core::MessageList Broadcast::take_waiting(std::size_t core) noexcept {
  core::MessageList list;
  list.append(std::move(links_[core].waiting));
  return list;
}

void Broadcast::acknowledge() noexcept {
  // Release: what this core read of the operations happens before they go home and may end.
  // Acquire, for the last: every core's caches are clean before any answer leaves.
  if (awaited_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  for (Link& link : links_) link.notice.replica->home().post(std::move(link.waiting));
  owner_.post(*this);
}

// Broadcasts are taken by their owner when it sorts its messages, never delivered.
void Broadcast::came_back(core::Message&) noexcept { CHECK(false); }

}  // namespace tokend::store
