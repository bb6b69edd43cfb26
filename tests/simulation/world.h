#pragma once
// The simulated machine: cores, committer, workers and a disk, stepped in one thread in an order
// that a seed decides. Everything but the loops and the disk is the real code.
//
// A step is one of: a core takes its mail; the committer, or one of its shards, makes one batch; a
// worker does one job; time passes. While a worker has read a record and not yet reported it, other
// actors may step: that is the gap in which a revocation can overtake a read.
//
// crash() is a power failure: the cores, the committer, the workers and all that was on its way are
// gone, the disk keeps what it had synced. boot() starts again on what the disk has.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <random>
#include <span>
#include <string_view>
#include <vector>

#include "core/clock.h"
#include "core/log.h"
#include "core/mailbox.h"
#include "core/timers.h"
#include "store/committer.h"
#include "store/executor.h"
#include "store/miss_guard.h"
#include "store/store.h"
#include "store/token.h"
#include "tests/support/memory_database.h"

namespace tokend::simulation {

class Dice {
 public:
  explicit Dice(std::uint64_t seed) : engine_(seed) {}
  // Uniform in [0, bound).
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(engine_() % bound); }
  bool one_in(std::size_t n) { return below(n) == 0; }

 private:
  std::mt19937_64 engine_;
};

// Ids and tokens by the seed too: they decide which keys share an epoch of the guard.
class SeededBytes final : public store::RandomBytes {
 public:
  explicit SeededBytes(std::uint64_t seed) : engine_(seed) {}

 private:
  void refill(std::span<std::uint8_t> block) noexcept override {
    for (std::uint8_t& byte : block) byte = static_cast<std::uint8_t>(engine_() >> 56);
  }

  std::mt19937_64 engine_;
};

// What the suite breaks on purpose, to see that it is noticed.
enum class Mutation : std::uint8_t {
  none,
  no_miss_guard,   // a read that a revocation overtook fills the cache
  no_floor_check,  // what a floor has revoked fills the cache
  lying_disk,      // commits say that they are synced and are not
};

struct WorldOptions {
  std::uint64_t seed = 0;
  std::size_t cores = 4;
  std::size_t tokens_per_user_max = 4;
  std::size_t shards = 0;
  Mutation mutation = Mutation::none;
};

class World {
 public:
  explicit World(const WorldOptions& options);
  ~World();

  void boot();
  void crash();
  // One step of a random actor. False when the actor had nothing to do.
  bool step();
  // Steps until nothing is left to do.
  void settle();
  // The next commit fails; nothing may be acknowledged from then on.
  void fail_next_commit();
  void pass_time(std::int64_t milliseconds) { wall_ms_ += milliseconds; }

  [[nodiscard]] store::Store& store(std::size_t core);
  [[nodiscard]] const store::Database& database() const { return database_; }
  [[nodiscard]] bool healthy() const { return committer_->healthy(); }
  // The index of tokens is not whole yet, or was not when it last said so.
  [[nodiscard]] bool loading() const { return loading_; }
  [[nodiscard]] std::size_t loads_ended() const { return loads_ended_; }
  [[nodiscard]] std::size_t cores() const { return options_.cores; }
  [[nodiscard]] std::int64_t wall_ms() const { return wall_ms_; }
  [[nodiscard]] Dice& dice() { return dice_; }
  // Reads that were answered after their key had been invalidated: the race, seen and defused.
  [[nodiscard]] std::uint64_t overtaken_reads() const { return overtaken_reads_; }
  // The greatest number of batches that a crash found on their way to the disk.
  [[nodiscard]] std::size_t most_under_way() const { return most_under_way_; }

 private:
  class ManualClock final : public core::Clock {
   public:
    explicit ManualClock(const World& world) : world_(world) {}
    std::int64_t monotonic_ns() const noexcept override {
      return world_.wall_ms_ * core::kNanosecondsPerMillisecond;
    }
    std::int64_t wall_ms() const noexcept override { return world_.wall_ms_; }

   private:
    const World& world_;
  };
  // Nobody sleeps here: the dice wake everyone.
  class NoWaker final : public core::Waker {
   public:
    void wake() noexcept override {}
  };
  class NoGuard final : public store::MissGuard {
   public:
    bool is_current(std::uint64_t, std::uint64_t) const noexcept override { return true; }
  };
  class NoFloorCheck final : public store::MissGuard {
   public:
    bool admits(const store::RevocationFloors&, const store::Locator&,
                const store::TokenRecord&) const noexcept override {
      return true;
    }
  };
  // What the operator is told of the end of a load.
  class LoadLog final : public core::Log {
   public:
    explicit LoadLog(World& world) : world_(world) {}
    void write(core::Severity, std::string_view line) noexcept override;

   private:
    World& world_;
  };
  class Workers final : public store::Executor {
   public:
    bool submit(store::Job& job) noexcept override;
    bool run_one(Dice& dice);
    void clear() { jobs_.clear(); }

   private:
    std::vector<store::Job*> jobs_;
  };
  struct Core {
    NoWaker waker;
    core::Mailbox mailbox{waker};
    core::TurnClock clock;
    core::TimerWheel timers{0};
    NoGuard no_guard;
    NoFloorCheck no_floor_check;
    std::unique_ptr<store::Store> store;
  };

  // While it lives, the disk is done at once.
  class Settling {
   public:
    explicit Settling(World& world) : world_(world) { world_.settling_ = true; }
    ~Settling() { world_.settling_ = false; }
    Settling(const Settling&) = delete;
    Settling& operator=(const Settling&) = delete;

   private:
    World& world_;
  };

  [[nodiscard]] store::MissGuard* guard_of(Core& core) const;
  bool step_core(std::size_t core);
  bool step_committer();
  bool step_worker();
  void meanwhile();

  const WorldOptions options_;
  Dice dice_;
  std::int64_t wall_ms_ = 1'800'000'000'000;
  ManualClock clock_{*this};
  LoadLog log_{*this};
  NoWaker waker_;
  tests::MemoryDatabase database_;
  SeededBytes random_;
  Workers workers_;
  std::unique_ptr<store::Committer> committer_;
  std::vector<std::unique_ptr<Core>> machine_;
  bool reading_ = false;  // a worker is between reading and reporting
  std::uint64_t overtaken_reads_ = 0;
  bool settling_ = false;
  bool loading_ = false;
  std::size_t loads_ended_ = 0;
  std::size_t most_under_way_ = 0;
};

}  // namespace tokend::simulation
