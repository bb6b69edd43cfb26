#include "tools/tokenctl/offline.h"

#include <filesystem>
#include <limits>
#include <system_error>
#include <utility>

#include "store/bootstrap.h"

namespace tokend::tools {
namespace {

struct Waiter {
  bool done = false;
  void on_done() noexcept { done = true; }
};

}  // namespace

using core::Errc;
using core::fail;
using core::Result;

OfflineStore::OfflineStore() : turn_clock_{clock_.monotonic_ns(), clock_.wall_ms()} {}

OfflineStore::~OfflineStore() = default;

Result<std::unique_ptr<OfflineStore>> OfflineStore::open(const std::string& directory,
                                                         int bcrypt_cost) {
  const std::string absent = "there is no store in " + directory + "; tokend makes one";
  std::error_code ignored;
  if (!std::filesystem::is_directory(directory + "/db", ignored)) {
    return fail(Errc::not_found, absent);
  }
  std::unique_ptr<OfflineStore> offline(new OfflineStore);
  store::RocksOptions options;
  options.directory = directory;
  auto database = store::RocksDatabase::open(options, offline->clock_);
  if (!database) return std::unexpected(std::move(database.error()));
  offline->database_ = std::move(*database);

  // A store without a user would be given its first admin by prepare_store: that is tokend's, which
  // knows what it is to be called.
  const auto last_user = offline->database_->last_key(store::Family::users);
  if (!last_user) return std::unexpected(last_user.error());
  if (last_user->empty()) return fail(Errc::not_found, absent);
  auto prepared = store::prepare_store(*offline->database_, offline->clock_, offline->random_, {});
  if (!prepared) return std::unexpected(std::move(prepared.error()));

  // The server's own limit is not known here, and opening displaces what is beyond it.
  // Nobody is served beside a command, so all is loaded first.
  const store::CommitterOptions options_of_committer{
      .tokens_per_user_max = store::kTokensPerUserMax,
      .records_loaded_at_open_max = std::numeric_limits<std::size_t>::max()};
  auto committer = store::Committer::open({.database = *offline->database_,
                                           .clock = offline->clock_,
                                           .waker = offline->no_waker_,
                                           .random = offline->random_},
                                          prepared->identity, options_of_committer);
  if (!committer) return std::unexpected(std::move(committer.error()));
  offline->committer_ = std::move(*committer);
  offline->store_ = std::make_unique<store::Store>(
      store::StoreParts{.database = *offline->database_,
                        .committer = *offline->committer_,
                        .readers = offline->executor_,
                        .hashers = offline->executor_,
                        .home = offline->home_,
                        .clock = offline->turn_clock_},
      // Nothing is asked twice, so there is little to remember.
      store::StoreOptions{
          .token_cache_entries = 64, .user_cache_entries = 64, .bcrypt_cost = bcrypt_cost});
  return offline;
}

void OfflineStore::turn_until(const bool& done) {
  while (!done) {
    const bool stepped = committer_->step();
    core::MessageList messages = home_.take();
    if (!stepped && messages.empty()) {
      // Only the disk moves by itself here, so without a batch under way this turn would be the
      // last.
      CHECK(!committer_->idle());
      committer_->wait();
    }
    while (core::Message* message = messages.pop_front()) message->deliver(*message);
  }
}

void OfflineStore::run(store::FindUser& operation, std::optional<store::User>& user) {
  struct Finder {
    store::FindUser& operation;
    std::optional<store::User>& user;
    bool done = false;
    void on_found() noexcept {
      if (operation.result) user = *operation.user;
      done = true;
    }
  } finder{operation, user};
  operation.then<&Finder::on_found>(finder);
  store_->find_user(operation);
  turn_until(finder.done);
}

void OfflineStore::run(store::ListUsers& operation) {
  Waiter waiter;
  operation.then<&Waiter::on_done>(waiter);
  store_->list_users(operation);
  turn_until(waiter.done);
}

void OfflineStore::run(store::HashPassword& operation) {
  Waiter waiter;
  operation.then<&Waiter::on_done>(waiter);
  store_->hash_password(operation);
  turn_until(waiter.done);
}

void OfflineStore::run(store::Write& operation) {
  Waiter waiter;
  operation.then<&Waiter::on_done>(waiter);
  store_->write(operation);
  turn_until(waiter.done);
}

}  // namespace tokend::tools
