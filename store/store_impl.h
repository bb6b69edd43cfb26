#pragma once
// The inside of store/store.h, for the files that implement it: store.cpp (the ways out and home,
// what the committer says), store_revocations.cpp, store_load.cpp, authenticate.cpp, find_user.cpp,
// resolve_usernames.cpp, list_tokens.cpp, find_keyed.cpp and off_loop.cpp (what only workers do).
//
// Concurrency: the core's thread, but for work(), which runs on a worker's and touches nothing but
// its operation, the database and the options.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "store/broadcast.h"
#include "store/cache.h"
#include "store/cache_sweep.h"
#include "store/committer.h"
#include "store/database.h"
#include "store/executor.h"
#include "store/hash.h"
#include "store/idempotency.h"
#include "store/meta.h"
#include "store/miss_guard.h"
#include "store/store.h"

namespace tokend::store {

// How often a read is sent again because its key was invalidated while it was under way. More than
// once is rare; this often means that the user is being changed without pause.
inline constexpr std::uint32_t kReadAttemptsMax = 8;

// A worker's work that a core has on its own account: put off while the readers are busy with what
// somebody waits for.
inline constexpr std::int64_t kBusyDelayMs = 50;
// After a failure; twice as long after each that follows.
inline constexpr std::int64_t kFailureDelayMsMin = 1'000;
inline constexpr std::int64_t kFailureDelayMsMax = 600'000;
// The core that has such work; the others would only do the same.
inline constexpr std::uint32_t kHousekeepingCore = 0;

// What memory said.
enum class Got : std::uint8_t { yes, no, unknown, failed };

// What a worker brought before an operation looks into memory again: that look-up is not counted.
enum class Brought : std::uint8_t { nothing, token, user };

struct Store::Impl final : Replica {
  Impl(const StoreParts& given, const StoreOptions& given_options)
      : parts(given),
        options(given_options),
        guard(given.guard ? *given.guard : own_guard),
        codec(given.committer.identity().token_key),
        token_ids(given.committer.identity().token_key),
        idempotency_keys(given.committer.identity().token_key),
        tokens(given_options.token_cache_entries),
        users(given_options.user_cache_entries),
        permissions(given.committer.permissions()),
        policies(given.committer.policies()),
        settings(given.committer.settings()),
        floors(given.committer.floors()),
        number(given.committer.attach(*this)) {
    if (number != kHousekeepingCore) return;
    begin_load();
    // What a former life has left.
    if (!floors->empty()) begin_removal();
  }
  ~Impl() {
    if (!parts.timers) return;
    parts.timers->disarm(removal.retry);
    parts.timers->disarm(load.retry);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  // ---- Replica ----
  void apply(Broadcast& broadcast) noexcept override;
  [[nodiscard]] core::Mailbox& home() noexcept override { return parts.home; }

  // ---- Ways out and home ----
  void adopt(Operation& operation) noexcept {
    operation.home = &parts.home;
    operation.store = this;
    operation.core = number;
  }
  [[nodiscard]] static Impl& of(Operation& operation) noexcept {
    return *static_cast<Impl*>(operation.store);
  }
  void write(Write& operation) noexcept;
  void go_on_next_turn(NextTurn& operation) noexcept;
  void finish(Operation& operation) noexcept;
  static void on_written(core::Message& message) noexcept;
  [[nodiscard]] static const IssueToken* issue_behind(const core::Message& message) noexcept;
  void finish(Operation& operation, core::Errc error) noexcept {
    operation.result = std::unexpected(error);
    finish(operation);
  }
  template <class Kind>
  void send_to_worker(Executor& workers, Kind& operation) noexcept;

  // ---- Floors (store_revocations.cpp) ----
  void take_over_floors(Broadcast& broadcast) noexcept;
  void go_on_sweeping() noexcept;
  void begin_removal() noexcept;
  void find_revoked() noexcept;
  void work(FindRevoked& operation) const noexcept;
  void on_worked(FindRevoked& operation) noexcept { finish(operation); }
  void on_revoked_found() noexcept;
  void on_revoked_removed() noexcept;
  void begin_removal_later(core::Errc why) noexcept;
  void find_revoked_in(std::int64_t delay_ms) noexcept;

  // After a failure: tells the operator, and says how long to wait; twice as long as the last time.
  [[nodiscard]] std::int64_t delay_after_failure_ms(std::int64_t last_ms, std::string_view what,
                                                    core::Errc why) const;

  // ---- The rest of the start (store_load.cpp) ----
  void begin_load() noexcept;
  void read_page() noexcept;
  void work(ReadTokens& operation) const noexcept;
  void on_worked(ReadTokens& operation) noexcept { finish(operation); }
  void on_page_read() noexcept;
  void on_page_indexed() noexcept;
  void end_load() noexcept;
  void rest_and_read_page() noexcept;
  void read_page_later(core::Errc why) noexcept;
  void read_page_in(std::int64_t delay_ms) noexcept;

  // ---- Authenticate ----
  void authenticate(Authenticate& operation) noexcept;
  [[nodiscard]] std::optional<TokenProof> read_token(std::string_view text,
                                                     std::string_view holder) noexcept;
  [[nodiscard]] bool is_possible(const Locator& locator) const noexcept;
  void resolve(Authenticate& operation, Brought brought) noexcept;
  void judge(Authenticate& operation, const TokenCache::Entry& token, const User& user) noexcept;
  void work(Authenticate& operation) const noexcept;
  void on_worked(Authenticate& operation) noexcept;

  // ---- FindUser ----
  void find_user(FindUser& operation) noexcept;
  void resolve(FindUser& operation, const UserId& id, Brought brought) noexcept;
  void work(FindUser& operation) const noexcept;
  void on_worked(FindUser& operation) noexcept;

  // ---- ResolveUsernames ----
  void resolve_usernames(ResolveUsernames& operation) noexcept;
  void work(ResolveUsernames& operation) const noexcept;
  void on_worked(ResolveUsernames& operation) noexcept { finish(operation); }

  // ---- ListTokens and FindToken (list_tokens.cpp) ----
  void list_tokens(ListTokens& operation) noexcept;
  void on_collected(ListTokens& operation) noexcept;
  void work(ListTokens& operation) const noexcept;
  void on_worked(ListTokens& operation) noexcept { finish(operation); }
  void find_token(FindToken& operation) noexcept;
  void work(FindToken& operation) const noexcept;
  void on_worked(FindToken& operation) noexcept;

  // ---- FindKeyed ----
  void find_keyed(FindKeyed& operation) noexcept;
  void work(FindKeyed& operation) const noexcept;
  void on_worked(FindKeyed& operation) noexcept { finish(operation); }

  // ---- The rest ----
  void list_audit(ListAudit& operation) noexcept;
  void work(ListAudit& operation) const noexcept;
  void on_worked(ListAudit& operation) noexcept { finish(operation); }
  void work(ListUsers& operation) const noexcept;
  void work(ListPersonalTokens& operation) const noexcept;
  void work(HashPassword& operation) const noexcept;
  void work(VerifyPassword& operation) const noexcept;
  void on_worked(ListUsers& operation) noexcept { finish(operation); }
  void on_worked(ListPersonalTokens& operation) noexcept { finish(operation); }
  void on_worked(HashPassword& operation) noexcept { finish(operation); }
  void on_worked(VerifyPassword& operation) noexcept { finish(operation); }

  // ---- Memory, then the database's memory ----
  [[nodiscard]] Got get(Family family, std::string_view key, Operation& operation) noexcept;
  // `counts`: in the counters of the caches.
  [[nodiscard]] const TokenCache::Entry* token(Authenticate& operation, bool counts,
                                               Got& got) noexcept;
  [[nodiscard]] const User* user(const UserId& id, Operation& operation, bool counts,
                                 Got& got) noexcept;
  void remember(const Locator& locator, const TokenRecord& record) noexcept;
  void remember(const IssueToken& issued) noexcept;

  const StoreParts parts;
  const StoreOptions options;
  MissGuard own_guard;
  MissGuard& guard;
  TokenCodec codec;
  TokenIdCodec token_ids;
  IdempotencyKeys idempotency_keys;
  TokenCache tokens;
  UserCache users;
  PermissionTable permissions;
  IssuingPolicies policies;
  Settings settings;
  SharedFloors floors;  // never none
  CacheSweep sweep{tokens};
  struct SweepTurn : core::Message {
    Impl* store = nullptr;
  } sweep_turn;
  // Goes on with something later.
  template <auto method>
  struct Retry : core::TimerEntry {
    explicit Retry(Impl& owner) noexcept
        : core::TimerEntry([](core::TimerEntry& entry) noexcept {
            (static_cast<Retry&>(entry).store.*method)();
          }),
          store(owner) {}
    Impl& store;
  };
  struct Removal {
    explicit Removal(Impl& store) noexcept : retry(store) {}
    bool under_way = false;
    bool again = false;                 // floors have been raised since it began
    std::int64_t failure_delay_ms = 0;  // the last one's; 0: nothing has failed since a success
    FindRevoked find;
    RemoveRevoked remove;
    Retry<&Impl::find_revoked> retry;
  } removal{*this};
  struct Load {
    explicit Load(Impl& store) noexcept : retry(store) {}
    std::int64_t failure_delay_ms = 0;  // likewise
    std::int64_t begun_ns = 0;
    std::int64_t asked_ns = 0;  // when the page was asked for
    std::uint64_t tokens = 0;   // that were alive
    std::uint64_t undecodable = 0;
    ReadTokens read;
    IndexTokens index;
    Retry<&Impl::read_page> retry;
  } load{*this};
  SettingsWatcher* settings_watcher = nullptr;
  const std::uint32_t number;  // among the committer's replicas

  std::size_t continuations = 0;  // on the stack
  std::string value;              // reused
  Counters counters;
};

template <class Kind>
void Store::Impl::send_to_worker(Executor& workers, Kind& operation) noexcept {
  adopt(operation);
  operation.result = {};
  operation.run = [](Job& job) noexcept {
    auto& worked = static_cast<Kind&>(static_cast<BlockingOperation&>(job));
    const Impl& store = of(worked);
    store.work(worked);
    // From here on it may be gone.
    worked.home->post(worked);
  };
  operation.deliver = [](core::Message& message) noexcept {
    auto& worked = static_cast<Kind&>(static_cast<Operation&>(message));
    of(worked).on_worked(worked);
  };
  if (&workers == &parts.readers) ++counters.worker_reads;
  if (!workers.submit(operation)) finish(operation, core::Errc::full);
}

}  // namespace tokend::store
