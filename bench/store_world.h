#pragma once
// A whole store on one thread, for benchmarks: RocksDB in a folder of its own, the committer
// stepped by hand, one core's Store. What is timed is the work, not the waking of threads.
//
// The folder lies where TMPDIR says; on a tmpfs a sync costs nothing, so name a real disk.

#include <cstdio>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/idle.h"
#include "core/clock.h"
#include "core/error.h"
#include "core/mailbox.h"
#include "store/bootstrap.h"
#include "store/committer.h"
#include "store/rocks.h"
#include "store/store.h"
#include "store/write_operation.h"

namespace tokend::bench {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string pattern = std::filesystem::temp_directory_path() / "tokend-bench-XXXXXX";
    CHECK(mkdtemp(pattern.data()) != nullptr);
    path_ = pattern;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryFolder(const TemporaryFolder&) = delete;
  TemporaryFolder& operator=(const TemporaryFolder&) = delete;
  [[nodiscard]] const std::string& path() const { return path_; }

 private:
  std::string path_;
};

template <class T>
T must(core::Result<T> result) {
  if (!result) std::fprintf(stderr, "%s\n", result.error().message.c_str());
  CHECK(result.has_value());
  return std::move(*result);
}

class StoreWorld {
 public:
  StoreWorld() {
    database_ = must(store::RocksDatabase::open({.directory = folder_.path()}, clock_));
    const store::Prepared prepared =
        must(store::prepare_store(*database_, clock_, random_, {}, /*bcrypt_cost=*/4));
    admin_ = prepared.created_admin->id;
    committer_ = must(store::Committer::open(
        {.database = *database_, .clock = clock_, .waker = nobody_, .random = committer_random_},
        prepared.identity, {}));
    turn();
    store_ = std::make_unique<store::Store>(store::StoreParts{.database = *database_,
                                                              .committer = *committer_,
                                                              .readers = idle_,
                                                              .hashers = idle_,
                                                              .home = home_,
                                                              .clock = turn_clock_},
                                            store::StoreOptions{});
  }

  [[nodiscard]] store::Store& store() noexcept { return *store_; }
  [[nodiscard]] const store::UserId& admin() const noexcept { return admin_; }

  // A core's and the committer's turns until nothing is left to do.
  void settle() noexcept {
    turn();
    bool busy = true;
    while (busy) {
      busy = committer_->step();
      for (core::MessageList list = home_.take(); core::Message* message = list.pop_front();) {
        message->deliver(*message);
        busy = true;
      }
      if (!busy && !committer_->idle()) {
        committer_->wait();
        busy = true;
      }
    }
  }

  // user-0 to user-(count-1), in one commit.
  [[nodiscard]] std::vector<store::UserId> create_users(std::size_t count) {
    struct Asked {
      store::CreateUser operation;
      bool done = false;
      void on_done() noexcept { done = true; }
    };
    const auto all = std::make_unique<Asked[]>(count);
    for (std::size_t i = 0; i < count; ++i) {
      all[i].operation.user.username = "user-" + std::to_string(i);
      all[i].operation.user.name = all[i].operation.user.username;
      all[i].operation.then<&Asked::on_done>(all[i]);
      store_->write(all[i].operation);
    }
    settle();
    std::vector<store::UserId> users;
    for (std::size_t i = 0; i < count; ++i) {
      CHECK(all[i].done && all[i].operation.result.has_value());
      users.push_back(all[i].operation.user.id);
    }
    return users;
  }

 private:
  void turn() noexcept {
    turn_clock_ = {.monotonic_ns = clock_.monotonic_ns(), .wall_ms = clock_.wall_ms()};
  }

  TemporaryFolder folder_;
  core::SystemClock clock_;
  core::TurnClock turn_clock_;
  NobodySleeps nobody_;
  Idle idle_;
  store::RandomBytes random_;
  store::RandomBytes committer_random_;
  core::Mailbox home_{nobody_};
  store::UserId admin_;
  std::unique_ptr<store::RocksDatabase> database_;
  std::unique_ptr<store::Committer> committer_;
  std::unique_ptr<store::Store> store_;
};

// An issue and what came of it.
struct Issue {
  store::IssueToken operation;
  std::size_t* done = nullptr;

  void ask(StoreWorld& world, const store::UserId& user, std::size_t& done_count) noexcept {
    operation.user = user;
    operation.issuer = world.admin();
    done = &done_count;
    operation.then<&Issue::on_done>(*this);
    world.store().write(operation);
  }
  void on_done() noexcept { ++*done; }
};

}  // namespace tokend::bench
