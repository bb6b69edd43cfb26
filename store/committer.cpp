#include "store/committer.h"

#include <utility>

#include "store/write_rules.h"

namespace tokend::store {

struct Committer::Impl {
  Impl(const CommitterParts& given, const Identity& its_identity,
       const CommitterOptions& given_options)
      : database(given.database),
        clock(given.clock),
        identity(its_identity),
        options(given_options),
        mailbox(given.waker),
        rules(given.database, its_identity, given.random,
              {{given_options.tokens_per_user_max, given_options.indexed_tokens_max,
                given_options.indexed_users_max},
               given_options.token_lifetime_ms,
               given_options.personal_tokens_per_user_max}) {}

  void take_messages() noexcept;
  void answer_unavailable() noexcept;
  std::size_t write_batch(Broadcast& broadcast);
  void fail_batch(Broadcast& broadcast) noexcept;
  void invalidate_and_answer(Broadcast& broadcast) noexcept;

  Database& database;
  const core::Clock& clock;
  const Identity identity;
  const CommitterOptions options;

  core::Mailbox mailbox;
  core::MessageList pending;  // taken, not yet in a batch

  WriteRules rules;
  Counters counters;

  // One place for each core, in the order of attach().
  std::vector<Replica*> replicas;
  std::vector<core::MessageList> answers;

  // Made at the first step, when all replicas are known. The free ones are a stack.
  std::vector<std::unique_ptr<Broadcast>> broadcasts;
  std::vector<Broadcast*> free_broadcasts;

  std::string failure;  // written before `healthy` falls, read after
  std::atomic<bool> healthy{true};
  std::atomic<std::int64_t> last_issued_ms{0};
};

namespace {

void post_home(core::Message& operation) noexcept {
  static_cast<Write&>(operation).home->post(operation);
}

}  // namespace

void Committer::Impl::take_messages() noexcept {
  core::MessageList list = mailbox.take();
  while (core::Message* message = list.pop_front()) {
    if (message->deliver == &Broadcast::came_back) {
      auto& broadcast = static_cast<Broadcast&>(*message);
      broadcast.clear();
      free_broadcasts.push_back(&broadcast);
    } else {
      pending.push_back(*message);
    }
  }
}

void Committer::Impl::answer_unavailable() noexcept {
  while (core::Message* message = pending.pop_front()) {
    static_cast<Write&>(*message).result = std::unexpected(core::Errc::unavailable);
    post_home(*message);
  }
}

std::size_t Committer::Impl::write_batch(Broadcast& broadcast) {
  rules.begin_batch(clock.wall_ms());
  std::size_t operations = 0;
  while (operations < options.batch_operations_max) {
    core::Message* message = pending.pop_front();
    if (!message) break;
    ++operations;
    auto& operation = static_cast<Write&>(*message);
    CHECK(operation.core < replicas.size());
    rules.expect(pending.front());
    operation.waited = rules.write(operation, broadcast);
    if (operation.waited) {
      broadcast.add_waiting(operation.core, operation);
    } else {
      answers[operation.core].push_back(operation);
    }
    counters.tokens_issued += issues(operation.kind) && operation.result.has_value();
  }
  return operations;
}

// Nothing of the batch is known to last, so nothing of it is said: a refusal too may rest on a
// batch-mate's write that is lost. No token leaves.
void Committer::Impl::fail_batch(Broadcast& broadcast) noexcept {
  for (std::size_t core = 0; core < replicas.size(); ++core) {
    answers[core].append(broadcast.take_waiting(core));
    while (core::Message* message = answers[core].pop_front()) {
      auto& operation = static_cast<Write&>(*message);
      operation.result = std::unexpected(core::Errc::unavailable);
      if (issues(operation.kind)) static_cast<IssueToken&>(operation).token = {};
      post_home(operation);
    }
  }
}

// The answers and the notice go to a core in one post, answers in front. A token that was issued
// and displaced in the same batch so enters its core's cache before the notice removes it from
// there; the other way round it would stay.
void Committer::Impl::invalidate_and_answer(Broadcast& broadcast) noexcept {
  const bool invalidates = !broadcast.empty();
  if (invalidates) {
    ++counters.broadcasts;
    broadcast.arm();
  }
  for (std::size_t core = 0; core < replicas.size(); ++core) {
    if (invalidates) answers[core].push_back(broadcast.notice(core));
    // Once the last notice is posted the broadcast may be on its way back already.
    replicas[core]->home().post(std::move(answers[core]));
  }
}

core::Result<std::unique_ptr<Committer>> Committer::open(const CommitterParts& parts,
                                                         const Identity& identity,
                                                         const CommitterOptions& options) {
  CHECK(options.batch_operations_max > 0 && options.broadcasts_max > 0);
  auto impl = std::make_unique<Impl>(parts, identity, options);
  if (auto loaded = impl->rules.load(parts.clock.wall_ms()); !loaded) {
    return std::unexpected(std::move(loaded).error());
  }
  impl->last_issued_ms.store(impl->rules.last_locator().issued_ms(), std::memory_order_relaxed);
  return std::unique_ptr<Committer>(new Committer(std::move(impl)));
}

Committer::Committer(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Committer::~Committer() = default;

std::uint32_t Committer::attach(Replica& replica) {
  CHECK(impl_->broadcasts.empty());
  impl_->replicas.push_back(&replica);
  impl_->answers.emplace_back();
  return static_cast<std::uint32_t>(impl_->replicas.size() - 1);
}

bool Committer::step() noexcept {
  Impl& self = *impl_;
  self.take_messages();
  if (self.pending.empty()) return false;
  if (!healthy()) {
    self.answer_unavailable();
    return true;
  }
  if (self.broadcasts.empty()) {
    for (std::size_t i = 0; i < self.options.broadcasts_max; ++i) {
      self.broadcasts.push_back(std::make_unique<Broadcast>(self.replicas, self.mailbox));
      self.free_broadcasts.push_back(self.broadcasts.back().get());
    }
  }
  if (self.free_broadcasts.empty()) return false;
  Broadcast& broadcast = *self.free_broadcasts.back();

  // 1. write
  self.counters.operations += self.write_batch(broadcast);
  Batch& batch = self.rules.finish_batch();
  ++self.counters.batches;

  // 2. sync
  if (batch.count() > 0) {
    if (auto committed = self.database.commit(batch); !committed) {
      self.failure = std::move(committed).error().message;
      self.healthy.store(false, std::memory_order_release);
      self.fail_batch(broadcast);
      return true;
    }
  }
  // Before any answer: a token that a client holds is never "from the future".
  self.last_issued_ms.store(self.rules.last_locator().issued_ms(), std::memory_order_release);
  self.counters.tokens_removed += broadcast.removed_tokens.size();
  if (!broadcast.empty()) self.free_broadcasts.pop_back();

  // 3. invalidate 4. answer
  self.invalidate_and_answer(broadcast);
  self.rules.end_batch();
  return true;
}

core::Mailbox& Committer::mailbox() noexcept { return impl_->mailbox; }

bool Committer::healthy() const noexcept { return impl_->healthy.load(std::memory_order_acquire); }

const std::string& Committer::failure() const noexcept { return impl_->failure; }

std::int64_t Committer::last_issued_ms() const noexcept {
  return impl_->last_issued_ms.load(std::memory_order_acquire);
}

const Identity& Committer::identity() const noexcept { return impl_->identity; }

const PermissionTable& Committer::permissions() const noexcept {
  return impl_->rules.permissions();
}

const Committer::Counters& Committer::counters() const noexcept { return impl_->counters; }

std::size_t Committer::indexed_tokens() const noexcept { return impl_->rules.index().tokens(); }

}  // namespace tokend::store
