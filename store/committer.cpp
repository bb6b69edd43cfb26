#include "store/committer.h"

#include <algorithm>
#include <utility>

#include "store/write_rules.h"

namespace tokend::store {

namespace {

std::vector<RandomBytes*> random_of_issuers(const CommitterParts& parts) {
  if (parts.shards.empty()) return {&parts.random};
  std::vector<RandomBytes*> random;
  for (const CommitterParts::Shard& shard : parts.shards) random.push_back(&shard.random);
  return random;
}

}  // namespace

struct Committer::Impl {
  Impl(const CommitterParts& given, const Identity& its_identity,
       const CommitterOptions& given_options)
      : database(given.database),
        clock(given.clock),
        identity(its_identity),
        options(given_options),
        mailbox(given.waker),
        rules(given.database, its_identity, given.random, random_of_issuers(given),
              {{given_options.tokens_per_user_max, given_options.indexed_tokens_max,
                given_options.indexed_users_max},
               given_options.settings,
               given_options.given_settings,
               given_options.personal_tokens_per_user_max,
               given_options.idempotency_window_ms,
               given_options.idempotency_bytes_max,
               given_options.audit,
               given_options.records_loaded_at_open_max}),
        order(rules.locators()) {
    make_shards(given);
  }

  void make_shards(const CommitterParts& given);
  void prepare();
  void take_messages() noexcept;
  void take_from_shard(core::Message& message) noexcept;
  void ask_shards_to_hold() noexcept;
  [[nodiscard]] bool shards_hold() const noexcept;
  void let_shards_go_on() noexcept;
  void answer_unavailable() noexcept;
  bool begin_batch() noexcept;
  bool submit_handed_in() noexcept;
  void submit(CommitBatch& flight) noexcept;
  bool finish_batches() noexcept;
  void write_batch(CommitBatch& flight);
  void fail(std::string&& why) noexcept;
  void invalidate_and_answer(CommitBatch& flight) noexcept;
  void recycle(CommitBatch& flight) noexcept;

  Database& database;
  const core::Clock& clock;
  const Identity identity;
  const CommitterOptions options;

  core::Mailbox mailbox;
  core::MessageList pending;  // taken, not yet in a batch
  std::size_t pending_count = 0;
  std::size_t operations_under_way = 0;  // of own batches

  WriteRules rules;
  CommitOrder order;
  Counters counters;

  std::vector<Replica*> replicas;  // in the order of attach()

  // A queue: `first_flight` is the oldest of `flights_under_way`.
  std::vector<CommitBatch*> flights;
  std::size_t first_flight = 0;
  std::size_t flights_under_way = 0;
  std::uint64_t next_number = 1;     // of the batch that is submitted next
  std::uint64_t durable_number = 0;  // of the last batch that was answered

  // Made at the first step, when all replicas are known. The free ones are stacks.
  std::vector<std::unique_ptr<CommitBatch>> batches;
  std::vector<CommitBatch*> free_batches;
  std::vector<std::unique_ptr<Broadcast>> broadcasts;
  std::vector<Broadcast*> free_broadcasts;

  // Of each shard; it is told to hold while a batch of the committer's own is due.
  struct Hold {
    core::Waker& waker;
    ShardNotice hold;
    ShardNotice go_on;
    bool holds = false;
    bool has_left = false;
  };
  std::vector<std::unique_ptr<IssuingShard>> shards;
  std::vector<Hold> holds;
  bool asked_to_hold = false;
  // Of the shards, not yet submitted: by their numbers, modulo as many as they have.
  std::vector<CommitBatch*> handed_in;
  std::size_t handed_in_count = 0;

  std::string failure;  // written before `healthy` falls, read after
  std::atomic<bool> healthy{true};
  std::atomic<std::int64_t> last_issued_ms{0};
};

void Committer::Impl::make_shards(const CommitterParts& given) {
  CHECK(given.shards.size() <= kIssuingShardsMax);
  for (std::size_t number = 0; number < given.shards.size(); ++number) {
    shards.push_back(std::make_unique<IssuingShard>(
        number,
        IssuingShard::Parts{.database = database,
                            .clock = clock,
                            .waker = given.shards[number].waker,
                            .issuer = *rules.issuers()[number],
                            .order = order,
                            .committer = mailbox,
                            .healthy = healthy,
                            .replicas = replicas},
        IssuingShard::Limits{.batch_operations_max = options.batch_operations_max,
                             .batch_bytes_max = options.batch_bytes_max,
                             .overlapping_operations_min = options.overlapping_operations_min,
                             .broadcasts_max = options.broadcasts_max}));
    holds.push_back({.waker = given.shards[number].waker,
                     .hold = {ShardNotice::Says::hold, number},
                     .go_on = {ShardNotice::Says::go_on, number}});
  }
  handed_in.resize(shards.size() * IssuingShard::kBatches);
}

void Committer::Impl::take_messages() noexcept {
  core::MessageList list = mailbox.take();
  while (core::Message* message = list.pop_front()) {
    if (message->deliver == &Broadcast::came_back) {
      auto& broadcast = static_cast<Broadcast&>(*message);
      broadcast.clear();
      free_broadcasts.push_back(&broadcast);
    } else if (message->deliver == &CommitBatch::arrived ||
               message->deliver == &ShardNotice::arrived) {
      take_from_shard(*message);
    } else {
      pending.push_back(*message);
      ++pending_count;
    }
  }
}

void Committer::Impl::take_from_shard(core::Message& message) noexcept {
  if (message.deliver == &CommitBatch::arrived) {
    auto& flight = static_cast<CommitBatch&>(message);
    if (healthy.load(std::memory_order_relaxed)) {
      handed_in[flight.number % handed_in.size()] = &flight;
      ++handed_in_count;
    } else {
      flight.answer_unavailable();
      recycle(flight);
    }
    return;
  }
  const auto& notice = static_cast<const ShardNotice&>(message);
  Hold& hold = holds[notice.shard];
  // One that has left may have been asked to hold just now, and will never see that.
  (notice.says == ShardNotice::Says::hold ? hold.holds : hold.has_left) = true;
}

void Committer::Impl::ask_shards_to_hold() noexcept {
  asked_to_hold = true;
  for (Hold& hold : holds) {
    if (!hold.has_left) shards[hold.hold.shard]->mailbox().post(hold.hold);
  }
}

// They read and change nothing, and all that they began has been submitted.
bool Committer::Impl::shards_hold() const noexcept {
  const auto holds_now = [](const Hold& hold) { return hold.holds || hold.has_left; };
  return std::ranges::all_of(holds, holds_now) && handed_in_count == 0;
}

void Committer::Impl::let_shards_go_on() noexcept {
  asked_to_hold = false;
  for (Hold& hold : holds) {
    hold.holds = false;
    if (!hold.has_left) shards[hold.go_on.shard]->mailbox().post(hold.go_on);
  }
}

void Committer::Impl::answer_unavailable() noexcept {
  pending_count = 0;
  while (core::Message* message = pending.pop_front()) CommitBatch::give_up(*message);
}

void Committer::Impl::prepare() {
  if (!batches.empty()) return;
  flights.resize(database.submissions_max());
  for (std::size_t i = 0; i < flights.size(); ++i) {
    batches.push_back(
        std::make_unique<CommitBatch>(database.make_batch(), replicas.size(), nullptr));
    free_batches.push_back(batches.back().get());
  }
  for (std::size_t i = 0; i < options.broadcasts_max; ++i) {
    broadcasts.push_back(std::make_unique<Broadcast>(replicas, mailbox));
    free_broadcasts.push_back(broadcasts.back().get());
  }
}

bool Committer::Impl::begin_batch() noexcept {
  if (pending.empty() || free_broadcasts.empty()) return false;
  // A batch costs what a dozen operations cost, so a small one waits for the end of a sync that is
  // under way, unless it is as large as what that sync carries.
  if (pending_count < std::min(options.overlapping_operations_min, operations_under_way)) {
    return false;
  }
  // Also while as much is under way as may be: shards that go on would take whatever room there is.
  if (!shards.empty() && !asked_to_hold) {
    ask_shards_to_hold();
    return true;
  }
  if (!shards_hold() || flights_under_way == flights.size()) return false;
  CommitBatch& flight = *free_batches.back();
  free_batches.pop_back();
  flight.broadcast = free_broadcasts.back();
  free_broadcasts.pop_back();
  write_batch(flight);
  operations_under_way += flight.operations;
  // What they begin now comes behind it.
  if (!shards.empty()) let_shards_go_on();
  submit(flight);
  return true;
}

void Committer::Impl::write_batch(CommitBatch& flight) {
  flight.number = order.take_alone();
  if (!shards.empty()) rules.end_batch(durable_number);
  rules.begin_batch(*flight.batch, flight.number, clock.wall_ms());
  while (flight.operations < options.batch_operations_max &&
         rules.batch_bytes() < options.batch_bytes_max) {
    core::Message* message = pending.pop_front();
    if (!message) break;
    auto& operation = static_cast<Write&>(*message);
    CHECK(operation.core < replicas.size());
    rules.expect(pending.front());
    operation.waited = rules.write(operation, *flight.broadcast);
    flight.add(operation);
  }
  rules.finish_batch();
  pending_count -= flight.operations;
  flight.last_locator = rules.locators().last();
}

// In the order of their numbers, whichever shard was done first.
bool Committer::Impl::submit_handed_in() noexcept {
  bool submitted = false;
  while (handed_in_count > 0 && flights_under_way < flights.size() && healthy) {
    CommitBatch*& place = handed_in[next_number % handed_in.size()];
    if (!place) break;
    --handed_in_count;
    submit(*std::exchange(place, nullptr));
    submitted = true;
  }
  return submitted;
}

void Committer::Impl::submit(CommitBatch& flight) noexcept {
  CHECK(flight.number == next_number);
  ++next_number;
  flights[(first_flight + flights_under_way) % flights.size()] = &flight;
  ++flights_under_way;
  // Before anybody can know of its tokens, by an answer or because a repetition finds the record of
  // their request: a token that a client holds is never "from the future". Too early does no harm.
  last_issued_ms.store(flight.last_locator.issued_ms(), std::memory_order_release);
  counters.operations += flight.operations;
  counters.tokens_issued += flight.tokens_issued;
  ++counters.batches;
  flight.submitted = flight.batch->count() > 0;
  if (!flight.submitted) return;
  if (auto submitted = database.submit(*flight.batch); !submitted) {
    fail(std::move(submitted).error().message);
  }
}

bool Committer::Impl::finish_batches() noexcept {
  bool finished = false;
  while (flights_under_way > 0) {
    CommitBatch& flight = *flights[first_flight];
    if (flight.submitted) {
      const auto collected = database.collect();
      if (!collected) {
        fail(std::string(collected.error().message));
        return true;
      }
      if (!*collected) return finished;
    }
    durable_number = flight.number;
    // Beside the shards nothing is changed that they read: that is left until they hold.
    if (shards.empty()) rules.end_batch(durable_number);
    counters.tokens_removed += flight.broadcast->removed_tokens.size();
    invalidate_and_answer(flight);
    first_flight = (first_flight + 1) % flights.size();
    --flights_under_way;
    recycle(flight);
    finished = true;
  }
  return finished;
}

// Also of what the shards have handed in meanwhile. What they hand in later finds it failed.
void Committer::Impl::fail(std::string&& why) noexcept {
  failure = std::move(why);
  healthy.store(false, std::memory_order_release);
  const auto give_up = [this](CommitBatch& flight) {
    flight.answer_unavailable();
    recycle(flight);
  };
  for (; flights_under_way > 0; --flights_under_way) {
    give_up(*flights[first_flight]);
    first_flight = (first_flight + 1) % flights.size();
  }
  for (CommitBatch*& place : handed_in) {
    if (place) give_up(*std::exchange(place, nullptr));
  }
  handed_in_count = 0;
  asked_to_hold = false;
  // Whatever waits there, also where they hold, is answered by themselves.
  for (const Hold& hold : holds) hold.waker.wake();
}

// The answers and the notice go to a core in one post, answers in front. A token that was issued
// and displaced in the same batch so enters its core's cache before the notice removes it from
// there; the other way round it would stay.
void Committer::Impl::invalidate_and_answer(CommitBatch& flight) noexcept {
  Broadcast& broadcast = *flight.broadcast;
  const bool invalidates = !broadcast.empty();
  if (invalidates) {
    ++counters.broadcasts;
    broadcast.arm();
    // It comes back by itself.
    flight.broadcast = nullptr;
  }
  for (std::size_t core = 0; core < replicas.size(); ++core) {
    if (invalidates) flight.answers[core].push(broadcast.notice(core));
    // Once the last notice is posted the broadcast may be on its way back already.
    replicas[core]->home().post(std::move(flight.answers[core]));
  }
}

void Committer::Impl::recycle(CommitBatch& flight) noexcept {
  if (flight.home) return flight.home->post(flight);
  operations_under_way -= flight.operations;
  if (flight.broadcast) free_broadcasts.push_back(std::exchange(flight.broadcast, nullptr));
  flight.clear();
  free_batches.push_back(&flight);
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
  CHECK(impl_->batches.empty());
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
  bool began = self.submit_handed_in();
  began = (healthy() && self.begin_batch()) || began;
  return (healthy() && self.finish_batches()) || began;
}

bool Committer::idle() const noexcept {
  return impl_->flights_under_way == 0 && impl_->handed_in_count == 0 && !impl_->asked_to_hold;
}
void Committer::wait() noexcept { impl_->database.wait(); }
void Committer::interrupt() noexcept { impl_->database.interrupt(); }

core::Mailbox& Committer::mailbox() noexcept { return impl_->mailbox; }

core::Mailbox& Committer::mailbox_for(const Write& operation) noexcept {
  const auto& shards = impl_->shards;
  if (shards.empty() || !IssuingShard::takes(operation)) return impl_->mailbox;
  const UserId& user = static_cast<const IssueToken&>(operation).user;
  return shards[shard_of(user, shards.size())]->mailbox();
}

std::span<const std::unique_ptr<IssuingShard>> Committer::shards() noexcept {
  return impl_->shards;
}

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

std::size_t Committer::indexed_tokens() const noexcept { return impl_->rules.indexed_tokens(); }

}  // namespace tokend::store
