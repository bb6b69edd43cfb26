#pragma once
// Some operations on their way to the disk in one batch, and whom they answer. The committer has a
// few of its own; those of an issuing shard travel to the committer and, when they are answered,
// home again.
//
// Concurrency: whoever has it. Reused, so that nothing is allocated while tokens are issued.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "core/error.h"
#include "core/mailbox.h"
#include "store/broadcast.h"
#include "store/database.h"
#include "store/token.h"
#include "store/write_operation.h"

namespace tokend::store {

struct CommitBatch : core::Message {
  // `from`: an issuing shard's mailbox; nullptr: the committer's own.
  CommitBatch(std::unique_ptr<Batch> its_batch, std::size_t cores, core::Mailbox* from)
      : batch(std::move(its_batch)),
        answers(cores),
        home(from) {
    deliver = &arrived;
  }

  const std::unique_ptr<Batch> batch;
  std::uint64_t number = 0;  // in the order of all batches; from 1
  Locator last_locator;      // no token of this batch or one before it has a greater one
  std::size_t operations = 0;
  std::size_t tokens_issued = 0;
  bool submitted = false;  // else nothing changed, and it only waits for those before it
  std::int64_t submitted_ns = 0;
  Broadcast* broadcast = nullptr;
  std::vector<core::MessageStack> answers;  // one for each core, in the order of attach()
  core::Mailbox* const home;

  // Behind the write: the operation is answered with the batch, or once all cores have
  // acknowledged.
  void add(Write& operation) noexcept {
    ++operations;
    if (operation.waited) {
      broadcast->add_waiting(operation.core, operation);
    } else {
      answers[operation.core].push(operation);
    }
    tokens_issued += issues(operation.kind) && operation.result.has_value();
  }

  // Nothing of it is known to last, so nothing of it is said: a refusal too may rest on a
  // batch-mate's write that is lost. No token leaves.
  void answer_unavailable() noexcept {
    for (std::size_t core = 0; core < answers.size(); ++core) {
      while (core::Message* message = answers[core].pop()) give_up(*message);
      core::MessageList waiting = broadcast->take_waiting(core);
      while (core::Message* message = waiting.pop_front()) give_up(*message);
    }
  }

  // For the next use. The broadcast is its owner's again, or on its way there.
  void clear() noexcept {
    batch->clear();
    operations = 0;
    tokens_issued = 0;
    submitted = false;
  }

  static void give_up(core::Message& message) noexcept {
    auto& operation = static_cast<Write&>(message);
    operation.result = std::unexpected(core::Errc::unavailable);
    if (issues(operation.kind)) static_cast<IssueToken&>(operation).token = {};
    operation.home->post(operation);
  }

  // Its address in Message::deliver is how whoever gets it tells it from all else.
  static void arrived(core::Message&) noexcept { CHECK(false); }
};

}  // namespace tokend::store
