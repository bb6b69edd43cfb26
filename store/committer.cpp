#include "store/committer.h"

#include <algorithm>
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
               given_options.settings,
               given_options.given_settings,
               given_options.personal_tokens_per_user_max,
               given_options.idempotency_window_ms,
               given_options.idempotency_bytes_max,
               given_options.audit,
               given_options.records_loaded_at_open_max}) {}

  // A batch on its way to the disk, and whom it answers.
  struct Flight {
    std::unique_ptr<Batch> batch;
    std::uint64_t number = 0;
    std::size_t operations = 0;
    bool submitted = false;  // else nothing changed, and it only waits for those before it
    Broadcast* broadcast = nullptr;
    std::vector<core::MessageList> answers;  // one for each core, in the order of attach()
  };

  void prepare();
  void take_messages() noexcept;
  void answer_unavailable() noexcept;
  bool begin_batch() noexcept;
  bool finish_batches() noexcept;
  void write_batch(Flight& flight);
  void fail(std::string&& why) noexcept;
  void fail_batch(Flight& flight) noexcept;
  void invalidate_and_answer(Flight& flight) noexcept;

  Database& database;
  const core::Clock& clock;
  const Identity identity;
  const CommitterOptions options;

  core::Mailbox mailbox;
  core::MessageList pending;  // taken, not yet in a batch
  std::size_t pending_count = 0;
  std::size_t operations_under_way = 0;

  WriteRules rules;
  Counters counters;

  std::vector<Replica*> replicas;  // in the order of attach()

  // A queue: `first_flight` is the oldest of `flights_under_way`. The batches are numbered from 1.
  std::vector<Flight> flights;
  std::size_t first_flight = 0;
  std::size_t flights_under_way = 0;
  std::uint64_t batches_begun = 0;

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
      ++pending_count;
    }
  }
}

void Committer::Impl::answer_unavailable() noexcept {
  pending_count = 0;
  while (core::Message* message = pending.pop_front()) {
    static_cast<Write&>(*message).result = std::unexpected(core::Errc::unavailable);
    post_home(*message);
  }
}

void Committer::Impl::prepare() {
  if (!broadcasts.empty()) return;
  for (std::size_t i = 0; i < options.broadcasts_max; ++i) {
    broadcasts.push_back(std::make_unique<Broadcast>(replicas, mailbox));
    free_broadcasts.push_back(broadcasts.back().get());
  }
  flights.resize(database.submissions_max());
  for (Flight& flight : flights) {
    flight.batch = database.make_batch();
    flight.answers.resize(replicas.size());
  }
}

bool Committer::Impl::begin_batch() noexcept {
  if (pending.empty() || flights_under_way == flights.size() || free_broadcasts.empty()) {
    return false;
  }
  // A batch costs what a dozen operations cost, so a small one waits for the end of a sync that is
  // under way, unless it is as large as what that sync carries.
  if (pending_count < std::min(options.overlapping_operations_min, operations_under_way)) {
    return false;
  }
  Flight& flight = flights[(first_flight + flights_under_way) % flights.size()];
  flight.broadcast = free_broadcasts.back();
  free_broadcasts.pop_back();
  ++flights_under_way;
  write_batch(flight);
  // Before anybody can know of its tokens, by an answer or because a repetition finds the record of
  // their request: a token that a client holds is never "from the future". Too early does no harm.
  last_issued_ms.store(rules.last_locator().issued_ms(), std::memory_order_release);
  flight.submitted = flight.batch->count() > 0;
  if (flight.submitted) {
    if (auto submitted = database.submit(*flight.batch); !submitted) {
      fail(std::move(submitted).error().message);
    }
  }
  return true;
}

void Committer::Impl::write_batch(Flight& flight) {
  flight.number = ++batches_begun;
  rules.begin_batch(*flight.batch, flight.number, clock.wall_ms());
  std::size_t operations = 0;
  while (operations < options.batch_operations_max &&
         rules.batch_bytes() < options.batch_bytes_max) {
    core::Message* message = pending.pop_front();
    if (!message) break;
    ++operations;
    auto& operation = static_cast<Write&>(*message);
    CHECK(operation.core < replicas.size());
    rules.expect(pending.front());
    operation.waited = rules.write(operation, *flight.broadcast);
    if (operation.waited) {
      flight.broadcast->add_waiting(operation.core, operation);
    } else {
      flight.answers[operation.core].push_back(operation);
    }
    counters.tokens_issued += issues(operation.kind) && operation.result.has_value();
  }
  rules.finish_batch();
  flight.operations = operations;
  pending_count -= operations;
  operations_under_way += operations;
  counters.operations += operations;
  ++counters.batches;
}

bool Committer::Impl::finish_batches() noexcept {
  bool finished = false;
  while (flights_under_way > 0) {
    Flight& flight = flights[first_flight];
    if (flight.submitted) {
      const auto collected = database.collect();
      if (!collected) {
        fail(std::string(collected.error().message));
        return true;
      }
      if (!*collected) return finished;
    }
    rules.end_batch(flight.number);
    counters.tokens_removed += flight.broadcast->removed_tokens.size();
    invalidate_and_answer(flight);
    flight.batch->clear();
    first_flight = (first_flight + 1) % flights.size();
    --flights_under_way;
    operations_under_way -= flight.operations;
    finished = true;
  }
  return finished;
}

void Committer::Impl::fail(std::string&& why) noexcept {
  failure = std::move(why);
  healthy.store(false, std::memory_order_release);
  for (; flights_under_way > 0; --flights_under_way) {
    fail_batch(flights[first_flight]);
    first_flight = (first_flight + 1) % flights.size();
  }
  operations_under_way = 0;
}

// Nothing of the batch is known to last, so nothing of it is said: a refusal too may rest on a
// batch-mate's write that is lost. No token leaves.
void Committer::Impl::fail_batch(Flight& flight) noexcept {
  for (std::size_t core = 0; core < replicas.size(); ++core) {
    flight.answers[core].append(flight.broadcast->take_waiting(core));
    while (core::Message* message = flight.answers[core].pop_front()) {
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
void Committer::Impl::invalidate_and_answer(Flight& flight) noexcept {
  Broadcast& broadcast = *flight.broadcast;
  const bool invalidates = !broadcast.empty();
  if (invalidates) {
    ++counters.broadcasts;
    broadcast.arm();
  } else {
    free_broadcasts.push_back(&broadcast);
  }
  for (std::size_t core = 0; core < replicas.size(); ++core) {
    if (invalidates) flight.answers[core].push_back(broadcast.notice(core));
    // Once the last notice is posted the broadcast may be on its way back already.
    replicas[core]->home().post(std::move(flight.answers[core]));
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
  return static_cast<std::uint32_t>(impl_->replicas.size() - 1);
}

bool Committer::step() noexcept {
  Impl& self = *impl_;
  self.take_messages();
  if (!healthy()) {
    const bool waited = !self.pending.empty();
    self.answer_unavailable();
    return waited;
  }
  self.prepare();
  // 1. write 2. begin the sync; and of earlier batches, once it has ended: 3. invalidate 4. answer.
  const bool began = self.begin_batch();
  return (healthy() && self.finish_batches()) || began;
}

bool Committer::idle() const noexcept { return impl_->flights_under_way == 0; }
void Committer::wait() noexcept { impl_->database.wait(); }
void Committer::interrupt() noexcept { impl_->database.interrupt(); }

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

const IssuingPolicies& Committer::policies() const noexcept { return impl_->rules.policies(); }

const Settings& Committer::settings() const noexcept { return impl_->rules.settings(); }

const SharedFloors& Committer::floors() const noexcept { return impl_->rules.floors(); }

std::optional<Committer::Unindexed> Committer::unindexed() const noexcept {
  const TokenLoad* load = impl_->rules.token_load();
  return load ? std::optional(Unindexed{load->from(), load->end()}) : std::nullopt;
}

const Committer::Counters& Committer::counters() const noexcept { return impl_->counters; }

std::size_t Committer::indexed_tokens() const noexcept { return impl_->rules.index().tokens(); }

}  // namespace tokend::store
