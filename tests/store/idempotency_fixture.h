#pragma once
// Clients that ask for tokens with an Idempotency-Key.

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/idempotency.h"
#include "tests/store/store_fixture.h"

namespace tokend::store {

inline Digest what(const std::string& request) { return digest_of(request); }

// What one client asks with a key, step by step.
struct Client {
  Client(Store& its_store, const UserId& issuer, const std::string& key,
         const std::vector<UserId>& its_users, const std::string& body = "body")
      : store(&its_store),
        users(its_users) {
    request.asked = what(body);
    request.keeps_refusals = true;
    store->name_request(issuer, key, request);
    issued_by = issuer;
  }
  void look() {
    find.emplace();
    find->request = &request;
    store->find_keyed(*find);
  }
  // All that is left.
  void ask(std::size_t at_most = SIZE_MAX) {
    request.begin_part();
    operations.clear();
    const std::size_t end = std::min(users.size(), at_most);
    for (std::size_t item = request.items.size(); item < end; ++item) {
      auto& operation = *operations.emplace_back(std::make_unique<Asked<IssueToken>>());
      operation.user = users[item];
      operation.issuer = issued_by;
      operation.lifetime_ms = lifetime_ms;
      operation.keyed = &request;
      store->write(operation);
    }
  }
  [[nodiscard]] bool came_second() const { return request.part.stopped == core::Errc::exists; }
  // After settling: what the client is told of each item; empty where the store failed.
  [[nodiscard]] std::vector<std::string> answers() const {
    std::vector<std::string> texts;
    for (std::size_t item = 0; item < request.items.size(); ++item) {
      const KeyedItem& kept = request.items[item];
      if (!kept.result) {
        texts.emplace_back(core::name_of(kept.result.error()));
        continue;
      }
      const TokenText text = store->token_of(request, static_cast<std::uint32_t>(item));
      texts.emplace_back(view_of(text));
    }
    for (const auto& operation : operations) {
      EXPECT_TRUE(operation->done());
      texts.emplace_back(operation->result ? std::string(view_of(operation->token))
                                           : std::string(core::name_of(operation->result.error())));
    }
    return texts;
  }

  Store* store;
  std::vector<UserId> users;
  UserId issued_by;
  std::int64_t lifetime_ms = 0;
  KeyedRequest request;
  std::optional<Asked<FindKeyed>> find;
  std::vector<std::unique_ptr<Asked<IssueToken>>> operations;
};

class Idempotency : public StoreFixture {
 protected:
  static constexpr std::int64_t kWindowMs = 60'000;

  Idempotency() {
    close();
    options.idempotency_window_ms = kWindowMs;
    open();
    alice = create("alice");
    bob = create("bob");
  }
  // As the API does it: looks, issues what is left, looks again if another one was first.
  std::vector<std::string> request(Client& client) {
    for (;;) {
      client.look();
      settle();
      EXPECT_TRUE(client.find->succeeded());
      client.ask();
      settle();
      if (!client.came_second()) return client.answers();
    }
  }
  std::vector<std::string> request(const UserId& issuer, const std::string& key,
                                   const std::vector<UserId>& users, std::size_t core = 0) {
    Client client(store(core), issuer, key, users);
    return request(client);
  }
  std::size_t tokens_of(const UserId& user) {
    Asked<CollectTokens> collect;
    collect.user = user;
    store().write(collect);
    settle();
    EXPECT_TRUE(collect.succeeded());
    return collect.tokens.size();
  }
  bool is_anywhere(std::string_view text) {
    bool found = false;
    for (std::size_t family = 0; family < static_cast<std::size_t>(Family::count_); ++family) {
      EXPECT_TRUE(database.scan(
          static_cast<Family>(family), {}, [&](std::string_view key, std::string_view value) {
            found = found || key.find(text) != key.npos || value.find(text) != value.npos;
            return true;
          }));
    }
    return found;
  }
  [[nodiscard]] std::size_t parts() const { return database.size(Family::idempotency); }

  UserId alice;
  UserId bob;
};

}  // namespace tokend::store
