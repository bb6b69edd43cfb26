#include "tests/simulation/world.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "store/bootstrap.h"

namespace tokend::simulation {
namespace {

constexpr std::size_t kQueuedJobsMax = 64;
constexpr std::size_t kStepsMeanwhileMax = 12;
constexpr std::size_t kRecordsLoadedAtOpenMax = 30;
constexpr std::size_t kRestsOfALoadMax = 10'000;
constexpr int kBcryptCostMin = 4;

}  // namespace

bool World::Workers::submit(store::Job& job) noexcept {
  if (jobs_.size() == kQueuedJobsMax) return false;
  jobs_.push_back(&job);
  return true;
}

bool World::Workers::run_one(Dice& dice) {
  if (jobs_.empty()) return false;
  const std::size_t chosen = dice.below(jobs_.size());
  store::Job* job = jobs_[chosen];
  jobs_.erase(jobs_.begin() + static_cast<std::ptrdiff_t>(chosen));
  job->run(*job);
  return true;
}

void World::LoadLog::write(core::Severity severity, std::string_view) noexcept {
  // Nothing else is told here: no read fails, and every record decodes.
  EXPECT_EQ(severity, core::Severity::info);
  world_.loading_ = false;
  ++world_.loads_ended_;
}

World::World(const WorldOptions& options)
    : options_(options),
      dice_(options.seed),
      random_(options.seed + 1) {
  // A memory that often does not know sends reads to the workers, where the races are.
  database_.memory_knows = [this](store::Family, std::string_view) { return !dice_.one_in(2); };
  database_.during_disk_read = [this] {
    if (!std::exchange(reading_, false)) return;  // the committer's reads are part of its step
    meanwhile();
    reading_ = true;
  };
  // Batches pile up behind a disk that takes its time, and a crash keeps some of them.
  database_.disk_is_done = [this] { return settling_ || dice_.one_in(3); };
  database_.kept_of_a_crash = [this](std::size_t under_way) {
    most_under_way_ = std::max(most_under_way_, under_way);
    return dice_.below(under_way + 1);
  };
  boot();
  if (options_.mutation == Mutation::lying_disk) database_.lie_about_syncs();
}

World::~World() = default;

void World::boot() {
  const Settling settling(*this);
  auto prepared = store::prepare_store(
      database_, clock_, random_,
      {.username = "admin", .password = "secret", .email = {}, .name = {}}, kBcryptCostMin);
  ASSERT_TRUE(prepared) << prepared.error().message;
  store::CommitterOptions options;
  options.batch_operations_max = 8;
  options.broadcasts_max = 3;
  options.tokens_per_user_max = options_.tokens_per_user_max;
  // Else all that there are.
  if (dice_.one_in(2)) options.records_loaded_at_open_max = dice_.below(kRecordsLoadedAtOpenMax);
  store::CommitterParts parts{database_, clock_, waker_, random_};
  for (std::size_t i = 0; i < options_.shards; ++i) parts.shards.push_back({waker_, random_});
  auto committer = store::Committer::open(parts, prepared->identity, options);
  ASSERT_TRUE(committer) << committer.error().message;
  committer_ = *std::move(committer);
  loading_ = committer_->unindexed().has_value();
  for (std::size_t number = 0; number < options_.cores; ++number) {
    auto core = std::make_unique<Core>();
    core->clock = {clock_.monotonic_ns(), clock_.wall_ms()};
    core->store = std::make_unique<store::Store>(
        store::StoreParts{.database = database_,
                          .committer = *committer_,
                          .readers = workers_,
                          .hashers = workers_,
                          .home = core->mailbox,
                          .clock = core->clock,
                          .guard = guard_of(*core),
                          .timers = &core->timers,
                          .log = &log_},
        // Small caches, so that entries are evicted and come back; and a removal of several trips.
        store::StoreOptions{.token_cache_entries = 64,
                            .user_cache_entries = 16,
                            .bcrypt_cost = kBcryptCostMin,
                            .removal_records_max = 8,
                            .removal_tokens_max = 3,
                            .removal_personal_max = 1,
                            .load_records_max = 1 + dice_.below(6)});
    machine_.push_back(std::move(core));
  }
}

store::MissGuard* World::guard_of(Core& core) const {
  switch (options_.mutation) {
    case Mutation::no_miss_guard: return &core.no_guard;
    case Mutation::no_floor_check: return &core.no_floor_check;
    case Mutation::none:
    case Mutation::lying_disk: break;
  }
  return nullptr;
}

void World::crash() {
  for (const auto& core : machine_) overtaken_reads_ += core->store->counters().guarded_fills;
  machine_.clear();
  committer_.reset();
  workers_.clear();
  database_.crash();
}

void World::fail_next_commit() {
  database_.fail_next_commit(dice_.one_in(2) ? tests::MemoryDatabase::Failure::lost
                                             : tests::MemoryDatabase::Failure::written);
}

store::Store& World::store(std::size_t core) {
  // Whatever runs on a core sees the moment of its turn.
  machine_[core]->clock = {clock_.monotonic_ns(), clock_.wall_ms()};
  return *machine_[core]->store;
}

bool World::step_core(std::size_t core) {
  static_cast<void>(store(core));
  core::MessageList mail = machine_[core]->mailbox.take();
  const bool any = !mail.empty();
  while (core::Message* message = mail.pop_front()) message->deliver(*message);
  return machine_[core]->timers.advance_to(machine_[core]->clock.monotonic_ns) > 0 || any;
}

bool World::step_worker() {
  reading_ = true;
  const bool worked = workers_.run_one(dice_);
  reading_ = false;
  return worked;
}

// Or one of its shards.
bool World::step_committer() {
  const std::size_t chosen = dice_.below(committer_->shards().size() + 1);
  return chosen == 0 ? committer_->step() : committer_->shards()[chosen - 1]->step();
}

void World::meanwhile() {
  for (std::size_t left = dice_.below(kStepsMeanwhileMax); left > 0; --left) {
    if (dice_.one_in(3)) {
      step_committer();
    } else {
      step_core(dice_.below(options_.cores));
    }
  }
}

bool World::step() {
  switch (dice_.below(8)) {
    case 0:
    case 1: return step_committer();
    case 2:
    case 3: return step_worker();
    case 4: wall_ms_ += static_cast<std::int64_t>(dice_.below(40)); return true;
    default: return step_core(dice_.below(options_.cores));
  }
}

void World::settle() {
  const Settling settling(*this);
  std::size_t rests_left = kRestsOfALoadMax;
  for (bool busy = true; busy;) {
    busy = committer_->step();
    for (const auto& shard : committer_->shards()) busy = shard->step() || busy;
    busy = step_worker() || busy;
    for (std::size_t core = 0; core < options_.cores; ++core) busy = step_core(core) || busy;
    // A load rests between two pages.
    if (!busy && loading_ && healthy() && rests_left-- > 0) {
      wall_ms_ += store::kLoadRestMsMax;
      busy = true;
    }
  }
}

}  // namespace tokend::simulation
