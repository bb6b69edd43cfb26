#pragma once
// A store without a server: the same Committer and Store as tokend's, stepped by hand on one
// thread, over a data directory that no tokend uses at the moment. Every write is synced before it
// is said to be done.
//
// Concurrency: one thread.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/clock.h"
#include "core/error.h"
#include "core/mailbox.h"
#include "store/committer.h"
#include "store/executor.h"
#include "store/operation.h"
#include "store/read_operation.h"
#include "store/rocks.h"
#include "store/store.h"
#include "store/token.h"

namespace tokend::tools {

class OfflineStore {
 public:
  // Never makes a store. Errc::not_found: there is none in `directory`; Errc::unavailable: a tokend
  // uses it.
  [[nodiscard]] static core::Result<std::unique_ptr<OfflineStore>> open(
      const std::string& directory, int bcrypt_cost);
  ~OfflineStore();
  OfflineStore(const OfflineStore&) = delete;
  OfflineStore& operator=(const OfflineStore&) = delete;

  // Each runs the operation to its end; what came of it is in its `result`.
  // Also copies the user, which the operation shows only to its continuation.
  void run(store::FindUser& operation, std::optional<store::User>& user);
  void run(store::ListUsers& operation);
  void run(store::HashPassword& operation);
  void run(store::Write& operation);

  [[nodiscard]] const store::Database& database() const noexcept { return *database_; }
  // As Store::latest_bound_ms(), of this moment.
  [[nodiscard]] std::int64_t latest_bound_ms() noexcept {
    turn_clock_ = {clock_.monotonic_ns(), clock_.wall_ms()};
    return store_->latest_bound_ms();
  }
  // What a token is called in public.
  [[nodiscard]] store::TokenId id_of(const store::Locator& token) noexcept {
    return store_->id_of(token);
  }
  // Live dated tokens.
  [[nodiscard]] std::size_t live_tokens() const noexcept { return committer_->indexed_tokens(); }

 private:
  struct NoWaker final : core::Waker {
    void wake() noexcept override {}
  };
  // Whoever asks waits anyway.
  struct InlineExecutor final : store::Executor {
    [[nodiscard]] bool submit(store::Job& job) noexcept override {
      job.run(job);
      return true;
    }
  };

  OfflineStore();
  void turn_until(const bool& done);

  const core::SystemClock clock_;
  core::TurnClock turn_clock_;
  NoWaker no_waker_;
  InlineExecutor executor_;
  core::Mailbox home_{no_waker_};
  store::RandomBytes random_;
  std::unique_ptr<store::RocksDatabase> database_;
  std::unique_ptr<store::Committer> committer_;
  std::unique_ptr<store::Store> store_;
};

}  // namespace tokend::tools
