#pragma once
// Durable, ordered bytes behind a few calls. The committer is the only writer; any thread reads.
// RocksDatabase (store/rocks.h) is the one that serves; the simulator has one of its own that
// forgets what was not synced.
//
// Several batches may be on their way to the disk at once. They become durable in the order in
// which they were submitted, and a batch is visible to readers only once it and all before it are
// durable: what anybody reads survives a crash. A crash keeps all that was collected, and of the
// others the first few or none.

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/error.h"

namespace tokend::store {

enum class Family : std::uint8_t {
  meta,             // format version, token key, user count, journal
  tokens,           // locator -> TokenRecord; a key is put once, at most
  users,            // user id -> User
  usernames,        // folded username -> user id
  emails,           // folded e-mail -> user id
  members,          // role byte + user id -> nothing: who holds a role
  permissions,      // permission id -> roles and time
  personal_tokens,  // user id -> what its personal tokens are called
  settings,         // setting id -> value
  revocations,      // whose -> floor (store/revocation_floors.h)
  idempotency,      // name of a request and number of an item -> what became of some of its items
  audit,            // locator -> AuditRecord
  issuances,        // locator -> what remains of a token in the audit; see below
  count_,
};

// Nobody puts into `issuances`: each token that is put into `tokens` under a key greater than all
// before it is there as well (store/token.h: append_issuance), in the same step, for ever, whatever
// becomes of the token. It is there for whoever scans; get() does not know the newest ones.

// How far a read may go.
enum class Reach : std::uint8_t {
  memory,  // what is not written yet and the block cache: never blocks on the disk
  disk,
};

enum class Found : std::uint8_t { yes, no, unknown };  // unknown: only with Reach::memory

class Batch {
 public:
  virtual ~Batch() = default;
  virtual void put(Family family, std::string_view key, std::string_view value) = 0;
  virtual void remove(Family family, std::string_view key) = 0;
  virtual void clear() noexcept = 0;
  [[nodiscard]] virtual std::size_t count() const noexcept = 0;
  // About as many as it takes on the disk.
  [[nodiscard]] virtual std::size_t bytes() const noexcept = 0;
};

class Database {
 public:
  virtual ~Database() = default;

  [[nodiscard]] virtual core::Result<Found> get(Family family, std::string_view key, Reach reach,
                                                std::string& value) const = 0;
  // Keys from `from` on, in order, until `visit` returns false. May read the disk.
  [[nodiscard]] virtual core::Result<void> scan(
      Family family, std::string_view from,
      const std::function<bool(std::string_view key, std::string_view value)>& visit) const = 0;
  // Keys below `before` (empty: all) in descending order, until `visit` returns false. May read the
  // disk.
  [[nodiscard]] virtual core::Result<void> scan_back(
      Family family, std::string_view before,
      const std::function<bool(std::string_view key, std::string_view value)>& visit) const = 0;
  // The greatest key of a family; empty when it has none.
  [[nodiscard]] virtual core::Result<std::string> last_key(Family family) const = 0;
  // About how many bytes what is visible of a family takes, dead versions included. Does not read
  // the disk, but is too dear to be asked for each operation.
  [[nodiscard]] virtual std::uint64_t bytes_of(Family family) const = 0;

  [[nodiscard]] virtual std::unique_ptr<Batch> make_batch() const = 0;
  // Begins to make the batch durable: all of it or nothing. The batch must stay as it is until it
  // was collected, or a call has failed. With fewer than submissions_max() under way. A failure of
  // this call or of collect() is final: every later one fails with Errc::unavailable, because what
  // the disk holds is no longer known.
  [[nodiscard]] virtual core::Result<void> submit(Batch& batch) = 0;
  // True: the oldest batch under way has become durable and visible. Does not wait for the disk.
  [[nodiscard]] virtual core::Result<bool> collect() = 0;
  // Until collect() may have something, or interrupt() is called, from any thread, also earlier.
  virtual void wait() noexcept = 0;
  virtual void interrupt() noexcept = 0;
  [[nodiscard]] virtual std::size_t submissions_max() const noexcept = 0;

  // Submits and returns when the batch is durable. With none under way.
  [[nodiscard]] core::Result<void> commit(Batch& batch) {
    if (auto submitted = submit(batch); !submitted) return submitted;
    for (;;) {
      const auto collected = collect();
      if (!collected) return std::unexpected(collected.error());
      if (*collected) return {};
      wait();
    }
  }
};

}  // namespace tokend::store
