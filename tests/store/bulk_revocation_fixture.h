#pragma once
// A store with two users who issue, and revocations in bulk that are asked for, answered and
// removed step by step.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "tests/store/store_fixture.h"

namespace tokend::store {

class BulkRevocationFixture : public StoreFixture {
 protected:
  BulkRevocationFixture() { make_users(); }
  void make_users() {
    anna = create("anna");
    bert = create("bert");
  }
  Token issue_by(const UserId& issuer, const UserId& user, std::size_t core = 0) {
    Asked<IssueToken> operation;
    operation.user = user;
    operation.issuer = issuer;
    const Token token = issued_by(operation, core);
    for (std::size_t each = 0; each < cores.size(); ++each) {
      EXPECT_TRUE(authenticates(token.text, user, each));
    }
    return token;
  }
  void ask(Asked<RevokeTokens>& operation, const UserId& issuer,
           std::optional<std::int64_t> before_ms = std::nullopt, std::size_t core = 0) {
    operation.issuer = issuer;
    operation.before_ms = before_ms;
    store(core).write(operation);
  }
  void revoke(const UserId& issuer, std::optional<std::int64_t> before_ms = std::nullopt) {
    Asked<RevokeTokens> operation;
    ask(operation, issuer, before_ms);
    settle();
    EXPECT_TRUE(operation.succeeded());
  }
  // Until it is answered, and before a worker looks for what is left.
  void settle_without_workers() {
    for (int round = 0; round < 20; ++round) {
      while (step()) {
      }
      for (std::size_t core = 0; core < cores.size(); ++core) turn(core);
    }
  }
  // Only what was asked last: the removal's job stays where it is.
  void run_last_job() {
    ASSERT_FALSE(readers.jobs.empty());
    Job* job = readers.jobs.back();
    readers.jobs.pop_back();
    job->run(*job);
  }
  // What a worker answered a core, which takes it later.
  core::MessageList hold_answer(std::size_t core) {
    run_last_job();
    return cores[core]->mailbox.take();
  }
  static void deliver(core::MessageList held) {
    while (core::Message* message = held.pop_front()) message->deliver(*message);
  }
  std::vector<Locator> listed(const UserId& user, std::size_t* total = nullptr,
                              std::size_t offset = 0, std::size_t count = 50) {
    Asked<ListTokens> operation;
    operation.user = user;
    operation.offset = offset;
    operation.count = count;
    store(1).list_tokens(operation);
    // What has to be read a worker reads; the removal's jobs stay where they are.
    while (step()) {
    }
    const std::size_t queued = readers.jobs.size();
    turn(1);
    if (readers.jobs.size() > queued) run_last_job();
    turn(1);
    EXPECT_TRUE(operation.succeeded());
    if (total) *total = operation.total;
    std::vector<Locator> locators;
    for (const auto& token : operation.tokens) locators.push_back(token.locator);
    return locators;
  }

  UserId anna, bert;
};

}  // namespace tokend::store
