#pragma once
// What each kind of write does to the store: checks the rules against the state as the batch so far
// will leave it, fills the batch, and notes what caches must drop. The committer's inner half; the
// outer half (store/committer.h) takes, syncs, broadcasts and answers.
//
// Concurrency: the committer's thread.
// Always true: an operation that fails has written nothing, but for RemoveRevoked, whose parts each
// stand for themselves; the state in memory (index, counts) is ahead of the disk only while batches
// are under way, and a batch that fails ends all writing.

#include <cstddef>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/error.h"
#include "store/bootstrap.h"
#include "store/broadcast.h"
#include "store/database.h"
#include "store/idempotency.h"
#include "store/issuing_policy.h"
#include "store/locator_source.h"
#include "store/personal_token.h"
#include "store/revocation_floors.h"
#include "store/setting.h"
#include "store/token_index.h"
#include "store/token_issuer.h"
#include "store/token_load.h"
#include "store/token_writes.h"
#include "store/write_operation.h"
#include "store/write_state.h"

namespace tokend::store {

struct WriteRulesOptions {
  TokenIndex::Limits index;
  Settings settings;  // where nothing is stored, and those given in any case
  SettingSet given_settings;
  std::size_t personal_tokens_per_user_max;
  std::int64_t idempotency_window_ms;
  std::uint64_t idempotency_bytes_max;
  bool audit = true;               // what changes is recorded
  std::size_t records_loaded_max;  // by load(), of tokens
};

class WriteRules {
 public:
  // `issuers_random`: an issuer for each, of its own; one at least.
  WriteRules(Database& database, const Identity& identity, RandomBytes& random,
             std::span<RandomBytes* const> issuers_random, const WriteRulesOptions& options);

  // Reads the state that is kept in memory; the index perhaps only begins so (token_load()).
  // Blocking.
  [[nodiscard]] core::Result<void> load(std::int64_t now_ms);

  // All operations up to finish_batch() see this moment and go into `batch`, which is empty.
  // Numbers ascend.
  void begin_batch(Batch& batch, std::uint64_t number, std::int64_t now_ms) noexcept;
  // Hints at the operations behind the one that is written next.
  void expect(const core::Message* next) const noexcept;
  // Sets operation.result. True when the operation must wait for `broadcast`.
  [[nodiscard]] bool write(Write& operation, Broadcast& broadcast);
  // About as many as the batch will have when it is finished.
  [[nodiscard]] std::size_t batch_bytes() const noexcept;
  // Adds the counters that go with the batch, which is then ready to commit, and forgets a little
  // of what has expired.
  void finish_batch();
  // The batches up to this one are durable and visible.
  void end_batch(std::uint64_t number) noexcept { state_.overlay.forget(number); }

  [[nodiscard]] const PermissionTable& permissions() const noexcept { return state_.permissions; }
  [[nodiscard]] const IssuingPolicies& policies() const noexcept { return state_.policies; }
  [[nodiscard]] const Settings& settings() const noexcept { return state_.settings; }
  // Never none.
  [[nodiscard]] const SharedFloors& floors() const noexcept { return floors_; }
  [[nodiscard]] LocatorSource& locators() noexcept { return locators_; }
  // Each for its share of the users.
  [[nodiscard]] std::span<const std::unique_ptr<TokenIssuer>> issuers() const noexcept {
    return issuers_;
  }
  // While no issuer issues.
  [[nodiscard]] std::size_t indexed_tokens() const noexcept;
  [[nodiscard]] std::size_t indexed_users() const noexcept;
  // While tokens are missing in the index; else none.
  [[nodiscard]] const TokenLoad* token_load() const noexcept { return load_.get(); }

 private:
  using Outcome = std::expected<void, core::Errc>;

  Outcome revoke(RevokeToken& operation, Broadcast& broadcast);
  Outcome collect(CollectTokens& operation);
  Outcome update(UpdatePermissions& operation, Broadcast& broadcast);

  // store/write_rules_users.cpp.
  Outcome create(CreateUser& operation);
  Outcome update(UpdateUser& operation, Broadcast& broadcast);
  Outcome check_names(const ProfileChanges& changes, const User& before, UserConflict& conflict);
  Outcome revoke_all(const UpdateUser& operation, bool crossed, const User& before, User& user,
                     Broadcast& broadcast);
  Outcome erase(DeleteUser& operation, Broadcast& broadcast);

  // store/write_rules_settings.cpp.
  Outcome update(const UpdateSetting& operation, Broadcast& broadcast);
  core::Result<void> load_settings();

  // store/write_rules_policies.cpp.
  Outcome update(UpdatePolicies& operation, Broadcast& broadcast);
  core::Result<void> load_policies();

  // store/write_rules_revocations.cpp.
  Outcome revoke(RevokeTokens& operation, Broadcast& broadcast);
  Outcome remove(RemoveRevoked& operation, Broadcast& broadcast);
  core::Result<void> load_floors();
  // All that they revoke has been removed, by `batch` at the latest.
  core::Result<void> end_floors(Batch& batch);
  core::Result<void> clean_personal_lists(Batch& batch);

  // store/write_rules_personal.cpp.
  Outcome issue_personal(IssuePersonalToken& operation, Broadcast& broadcast);
  Outcome remove(RemovePersonalToken& operation, Broadcast& broadcast);
  // Without those that a floor has revoked; `had_revoked` tells whether their list still names any.
  [[nodiscard]] std::expected<std::vector<PersonalToken>, core::Errc> read_personal_tokens(
      const UserId& user, bool* had_revoked = nullptr);
  void write_personal_tokens(const UserId& user, const std::vector<PersonalToken>& tokens);
  // From the list only.
  Outcome remove_personal_token(const UserId& user, const Locator& locator);
  // All but `kept`, if it is one of them, with their records.
  Outcome remove_personal_tokens(const UserId& user, const Locator& kept, Broadcast& broadcast);

  // store/write_rules_keyed.cpp.
  Outcome issue_keyed(IssueToken& operation, Broadcast& broadcast);
  Outcome begin_part(KeyedRequest& request);
  [[nodiscard]] bool is_full_of_parts();
  // About as many as the parts of the batch will have.
  [[nodiscard]] std::size_t part_bytes() const noexcept;
  void write_parts();

  // store/write_rules_audit.cpp. What a write that succeeded leaves in the audit.
  void record(const Write& operation);
  void record(const UpdateUser& operation);
  void record(const RecordAudit& operation);
  void record(const AuditRecord& record);
  // None while some are missing in the index.
  [[nodiscard]] std::uint32_t counted_revoked() const noexcept {
    return load_ ? 0 : tokens_revoked_;
  }

  [[nodiscard]] TokenIssuer& issuer_of(const UserId& user) noexcept {
    return *issuers_[issuers_.size() == 1 ? 0 : shard_of(user, issuers_.size())];
  }
  // Gives each issuer an equal share of what the limits leave, beside what it has.
  void share_limits() noexcept;
  [[nodiscard]] std::expected<bool, core::Errc> exists(Family family, std::string_view key);
  void remove_token(const Locator& locator, Broadcast& broadcast);
  [[nodiscard]] static bool is_active_admin(const User& user) noexcept {
    return user.active && user.roles.has(Role::admin);
  }

  core::Result<void> load_permissions();
  core::Result<void> load_users();
  core::Result<void> load_locators();
  core::Result<void> load_tokens(std::int64_t now_ms);
  core::Result<void> load_token(std::string_view key, std::string_view value, std::int64_t now_ms,
                                Batch& removals);
  Outcome index(IndexTokens& operation, Broadcast& broadcast);
  core::Result<void> commit_removals(Batch& batch);
  static constexpr std::size_t kRemovedPerCommit = 4096;

  Database& database_;
  RandomBytes& random_;
  const WriteRulesOptions options_;

  // In memory, true to the database.
  LocatorSource locators_;
  WriteState state_;
  std::vector<std::unique_ptr<TokenIssuer>> issuers_;
  std::unique_ptr<TokenLoad> load_;
  SharedFloors floors_ = std::make_shared<const RevocationFloors>();
  std::uint64_t users_ = 0;
  std::uint64_t active_admins_ = 0;

  // Of the batch under way.
  Batch* batch_ = nullptr;
  TokenWrites tokens_;
  // Keyed requests with items in the batch, and their names.
  std::vector<KeyedRequest*> keyed_;
  std::set<KeyedRequest::Name> keyed_names_;
  std::size_t keyed_bytes_ = 0;
  // Of all parts, about: as last measured (with what may have been under way then), and written
  // since.
  std::uint64_t stored_part_bytes_ = 0;
  std::uint64_t written_part_bytes_ = 0;
  std::int64_t parts_measured_ms_ = 0;
  std::int64_t now_ms_ = 0;
  std::uint32_t tokens_revoked_ = 0;  // by the operation that is written
  Locator locator_before_;            // the last one when it began
  std::size_t swept_ = 0;             // issuers, in turn
  Locator committed_locator_;
  std::uint64_t committed_users_ = 0;

  std::string value_;             // reused
  std::string audit_value_;       // reused
  std::vector<Locator> dropped_;  // reused
};

}  // namespace tokend::store
