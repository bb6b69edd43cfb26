#pragma once
// A part of the committer's work that several threads can do at once: issuing, for some of the
// users. Where tokens are asked for faster than one thread can mint them, and index them, each of
// several shards does that for the users that fall to it (shard_of()) and writes batches, which the
// committer syncs and answers in their order, as its own.
//
// Operation: cores leave operations that takes() with the shard of their user, all others with the
// committer. Nothing that a shard reads is changed while it issues: before the committer writes a
// batch of its own it has every shard hold. A shard that holds has handed in all that it began, and
// begins nothing; so a batch of the committer's finds the state of all users as all batches before
// it have left it, and those behind it find what it changed. A token that is issued beside a
// revocation was issued before it or comes after it, as with one thread.
//
// Concurrency: mailbox() and its post() for any thread; all else for the shard's own, or a
// simulator's. Limits: CommitterOptions, for each shard.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/clock.h"
#include "core/error.h"
#include "core/mailbox.h"
#include "store/batch_maker.h"
#include "store/broadcast.h"
#include "store/commit_batch.h"
#include "store/commit_order.h"
#include "store/database.h"
#include "store/token_issuer.h"
#include "store/token_writes.h"
#include "store/write_operation.h"

namespace tokend::store {

// What the committer and a shard tell each other. `hold` comes back when the shard holds; `go_on`
// does not, but has been taken by the time the next `hold` comes back. `left`: from the shard, as
// its last word; it holds for ever.
struct ShardNotice : core::Message {
  enum class Says : std::uint8_t { hold, go_on, left };
  ShardNotice(Says what, std::size_t whose) noexcept : says(what), shard(whose) {
    deliver = &arrived;
  }
  const Says says;
  const std::size_t shard;  // its number

  // Its address in Message::deliver is how whoever gets it tells it from all else.
  static void arrived(core::Message&) noexcept { CHECK(false); }
};

class IssuingShard {
 public:
  // One is written while the other one is synced.
  static constexpr std::size_t kBatches = 2;

  struct Parts {
    const Database& database;
    const core::Clock& clock;
    core::Waker& waker;  // of the thread that steps it
    TokenIssuer& issuer;
    CommitOrder& order;
    core::Mailbox& committer;
    const std::atomic<bool>& healthy;       // the committer's
    const std::vector<Replica*>& replicas;  // complete before the first step
  };
  struct Limits {
    std::size_t batch_operations_max;
    std::size_t batch_bytes_max;
    std::size_t overlapping_operations_min;
    std::size_t broadcasts_max;
  };
  IssuingShard(std::size_t number, const Parts& parts, const Limits& limits);
  IssuingShard(const IssuingShard&) = delete;
  IssuingShard& operator=(const IssuingShard&) = delete;

  // What a shard can decide by itself.
  [[nodiscard]] static bool takes(const Write& operation) noexcept {
    return operation.kind == WriteKind::issue_token &&
           !static_cast<const IssueToken&>(operation).keyed;
  }

  [[nodiscard]] core::Mailbox& mailbox() noexcept { return mailbox_; }
  void wake() noexcept { parts_.waker.wake(); }
  // Begins one batch, or holds where it was asked to. False: there was nothing to do.
  bool step() noexcept;
  // Nothing that it handed in is under way, and nothing waits, but for the acknowledgements of
  // cores.
  [[nodiscard]] bool idle() const noexcept;
  // Its last word; idle, and never stepped again.
  void leave() noexcept;

 private:
  void take_messages() noexcept;
  bool begin_batch() noexcept;
  void write_batch(CommitBatch& flight);

  const Parts parts_;
  const Limits limits_;
  core::Mailbox mailbox_;
  BatchMaker maker_;  // prepared at the first step
  TokenWrites writes_;

  core::Message* asked_to_hold_ = nullptr;  // to be sent back
  bool holds_ = false;
  bool owed_a_batch_ = false;  // none was begun since it was let go on
  ShardNotice left_;
};

}  // namespace tokend::store
