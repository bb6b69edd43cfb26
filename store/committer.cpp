#include "store/committer.h"

#include <algorithm>
#include <utility>

#include "store/batch_maker.h"
#include "store/issuing_shards.h"
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
  bool begin_batch() noexcept;
  bool submit_handed_in() noexcept;
  void submit(CommitBatch& flight) noexcept;
  bool finish_batches() noexcept;
  void write_batch(CommitBatch& flight);
  void fail(std::string&& why) noexcept;
  void invalidate_and_answer(CommitBatch& flight) noexcept;
  void recycle(CommitBatch& flight) noexcept;
  void give_up(CommitBatch& flight) noexcept;

  Database& database;
  const core::Clock& clock;
  const Identity identity;
  const CommitterOptions options;

  core::Mailbox mailbox;
  BatchMaker maker;  // of own batches; prepared at the first step

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

  IssuingShards shards;

  std::string failure;  // written before `healthy` falls, read after
  // Every core reads the moment for every token, so they are in a line that changes once a
  // millisecond at most.
  alignas(core::kCacheLineBytes) std::atomic<std::int64_t> last_issued_ms{0};
  std::atomic<bool> healthy{true};
};

void Committer::Impl::make_shards(const CommitterParts& given) {
  CHECK(given.shards.size() <= kIssuingShardsMax);
  for (std::size_t number = 0; number < given.shards.size(); ++number) {
    shards.add({.database = database,
                .clock = clock,
                .waker = given.shards[number].waker,
                .issuer = *rules.issuers()[number],
                .order = order,
                .committer = mailbox,
                .healthy = healthy,
                .replicas = replicas},
               {.batch_operations_max = options.batch_operations_max,
                .batch_bytes_max = options.batch_bytes_max,
                .overlapping_operations_min = options.overlapping_operations_min,
                .broadcasts_max = options.broadcasts_max});
  }
}

void Committer::Impl::take_messages() noexcept {
  core::MessageList list = mailbox.take();
  while (core::Message* message = list.pop_front()) {
    if (message->deliver == &CommitBatch::arrived) {
      auto& flight = static_cast<CommitBatch&>(*message);
      if (healthy.load(std::memory_order_relaxed)) {
        shards.hand_in(flight);
      } else {
        give_up(flight);
      }
    } else if (message->deliver == &ShardNotice::arrived) {
      shards.take(static_cast<const ShardNotice&>(*message));
    } else {
      maker.take(*message);
    }
  }
}

void Committer::Impl::prepare() {
  if (maker.is_prepared()) return;
  flights.resize(database.submissions_max());
  maker.prepare(database, replicas, {flights.size(), options.broadcasts_max}, mailbox, nullptr);
}

bool Committer::Impl::begin_batch() noexcept {
  if (!maker.is_due(options.overlapping_operations_min)) return false;
  // Also while as much is under way as may be: shards that go on would take whatever room there is.
  if (!shards.empty() && !shards.are_asked()) {
    shards.ask_to_hold();
    return true;
  }
  if (!shards.hold() || flights_under_way == flights.size()) return false;
  CommitBatch& flight = maker.begin();
  write_batch(flight);
  maker.end(flight);
  // What they begin now comes behind it.
  if (!shards.empty()) shards.let_go_on();
  submit(flight);
  return true;
}

void Committer::Impl::write_batch(CommitBatch& flight) {
  flight.number = order.take_alone();
  if (!shards.empty()) rules.end_batch(durable_number);
  rules.begin_batch(*flight.batch, flight.number, clock.wall_ms());
  while (flight.operations < options.batch_operations_max &&
         rules.batch_bytes() < options.batch_bytes_max) {
    Write* const operation = maker.next();
    if (!operation) break;
    CHECK(operation->core < replicas.size());
    rules.expect(maker.front());
    operation->waited = rules.write(*operation, *flight.broadcast);
    flight.add(*operation);
  }
  rules.finish_batch();
  flight.last_locator = rules.locators().last();
}

// In the order of their numbers, whichever shard was done first.
bool Committer::Impl::submit_handed_in() noexcept {
  bool submitted = false;
  while (flights_under_way < flights.size()) {
    CommitBatch* const next = shards.take_out(next_number);
    if (!next) break;
    submit(*next);
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
  const std::int64_t issued_ms = flight.last_locator.issued_ms();
  if (last_issued_ms.load(std::memory_order_relaxed) != issued_ms) {
    last_issued_ms.store(issued_ms, std::memory_order_release);
  }
  flight.submitted = flight.batch->count() > 0;
  if (!flight.submitted) return;
  flight.submitted_ns = clock.monotonic_ns();
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
      counters.syncs.add(clock.monotonic_ns() - flight.submitted_ns);
    }
    durable_number = flight.number;
    // Beside the shards nothing is changed that they read: that is left until they hold.
    if (shards.empty()) rules.end_batch(durable_number);
    ++counters.batches;
    counters.operations += flight.operations;
    counters.tokens_issued += flight.tokens_issued;
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
  for (; flights_under_way > 0; --flights_under_way) {
    give_up(*flights[first_flight]);
    first_flight = (first_flight + 1) % flights.size();
  }
  while (CommitBatch* const any = shards.take_out_any()) give_up(*any);
  shards.forget_asking();
  // Whatever waits there, also where they hold, is answered by themselves.
  shards.wake();
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
  maker.reclaim(flight);
}

void Committer::Impl::give_up(CommitBatch& flight) noexcept {
  flight.answer_unavailable();
  recycle(flight);
}

core::Result<std::unique_ptr<Committer>> Committer::open(const CommitterParts& parts,
                                                         const Identity& identity,
                                                         const CommitterOptions& options) {
  CHECK(options.batch_operations_max > 0 && options.broadcasts_max > 0);
  auto impl = std::make_unique<Impl>(parts, identity, options);
  if (auto loaded = impl->rules.load(parts.clock.wall_ms()); !loaded) {
    return std::unexpected(std::move(loaded).error());
  }
  impl->last_issued_ms.store(impl->rules.locators().last().issued_ms(), std::memory_order_relaxed);
  return std::unique_ptr<Committer>(new Committer(std::move(impl)));
}

Committer::Committer(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
Committer::~Committer() = default;

std::uint32_t Committer::attach(Replica& replica) {
  CHECK(!impl_->maker.is_prepared());
  impl_->replicas.push_back(&replica);
  return static_cast<std::uint32_t>(impl_->replicas.size() - 1);
}

bool Committer::step() noexcept {
  Impl& self = *impl_;
  self.take_messages();
  if (!healthy()) return self.maker.answer_unavailable();
  self.prepare();
  // 1. write 2. begin the sync; and of earlier batches, once it has ended: 3. invalidate 4. answer.
  bool began = self.submit_handed_in();
  began = (healthy() && self.begin_batch()) || began;
  return (healthy() && self.finish_batches()) || began;
}

bool Committer::idle() const noexcept {
  return impl_->flights_under_way == 0 && impl_->shards.handed_in() == 0 &&
         !impl_->shards.are_asked();
}
void Committer::wait() noexcept { impl_->database.wait(); }
void Committer::interrupt() noexcept { impl_->database.interrupt(); }

core::Mailbox& Committer::mailbox() noexcept { return impl_->mailbox; }

core::Mailbox& Committer::mailbox_for(const Write& operation) noexcept {
  if (impl_->shards.empty() || !IssuingShard::takes(operation)) return impl_->mailbox;
  return impl_->shards.mailbox_of(static_cast<const IssueToken&>(operation).user);
}

std::span<const std::unique_ptr<IssuingShard>> Committer::shards() noexcept {
  return impl_->shards.all();
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
