// A model of issuing under Idempotency-Keys across crashes.

#include <algorithm>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "tests/store/idempotency_fixture.h"

namespace tokend::store {
namespace {

using core::Errc;

// Clients on two cores ask with a few keys, at random moments of the committer and of the disk, and
// the machine crashes. Whatever was answered for a key is answered again, and nothing is issued
// twice.
class IdempotencyModel : public Idempotency, public testing::WithParamInterface<std::uint64_t> {};

TEST_P(IdempotencyModel, OneTokenAnItemWhateverHappens) {
  std::mt19937_64 random_engine(GetParam());
  const auto below = [&](std::size_t bound) { return random_engine() % bound; };
  close();
  options.batch_operations_max = 2;
  options.overlapping_operations_min = 1;
  options.tokens_per_user_max = 1'000;
  options.idempotency_window_ms = 3'600'000;
  open();
  database.disk_is_done = [&] { return below(3) > 0; };
  database.kept_of_a_crash = [&](std::size_t under_way) { return below(under_way + 1); };
  const UserId nobody("nobody");
  constexpr std::size_t kKeys = 6;
  const auto users_of = [&](std::size_t key) {
    std::vector<UserId> users(1 + key, alice);
    if (key % 2 == 1) users[key / 2] = nobody;
    return users;
  };
  std::map<std::size_t, std::vector<std::string>> answered;
  struct UnderWay {
    std::size_t key;
    std::unique_ptr<Client> client;
    bool looks = true;
  };
  std::vector<UnderWay> clients;
  // Whatever was answered, also again, authenticates from then on.
  std::vector<std::pair<std::string, std::unique_ptr<Asked<Authenticate>>>> logins;
  const auto authenticate = [&](const std::string& token) {
    auto& [text, login] = logins.emplace_back(token, std::make_unique<Asked<Authenticate>>());
    login->token = text;
    login->user_id = alice.view();
    store(below(2)).authenticate(*login);
  };
  const auto finish_logins = [&] {
    std::erase_if(logins, [](const auto& login) {
      EXPECT_TRUE(!login.second->done() || login.second->succeeded());
      return login.second->done();
    });
  };
  const auto go_on = [&](UnderWay& at) {  // true: it has its answer
    Client& client = *at.client;
    if (at.looks) {
      if (!client.find->done()) return false;
      EXPECT_TRUE(client.find->succeeded());
      client.ask();
      at.looks = false;
    }
    for (const auto& operation : client.operations) {
      if (!operation->done()) return false;
    }
    if (client.came_second()) {
      client.look();
      at.looks = true;
      return false;
    }
    const auto answers = client.answers();
    const auto [known, is_new] = answered.emplace(at.key, answers);
    if (!is_new) {
      EXPECT_EQ(known->second, answers) << "key " << at.key;
    }
    for (const std::string& answer : answers) {
      if (answer.size() == kTokenCharacters) authenticate(answer);
    }
    return true;
  };
  for (int step = 0; step < 600; ++step) {
    if (clients.size() < 5) {
      const std::size_t key = below(kKeys);
      const std::string text = "key " + std::to_string(key);
      clients.push_back(
          {key, std::make_unique<Client>(store(below(2)), root, text, users_of(key))});
      clients.back().client->look();
    }
    switch (below(4)) {
      case 0: turn(below(2)); break;
      case 1: readers.run_all(); break;
      default: this->step();
    }
    std::erase_if(clients, go_on);
    finish_logins();
    clock.now_ms += static_cast<std::int64_t>(below(2));
    if (below(40) == 0) {
      readers.jobs.clear();
      close();
      clients.clear();
      logins.clear();
      database.crash();
      open();
    }
  }
  database.disk_is_done = {};
  settle();
  for (int round = 0; round < 10; ++round) {
    std::erase_if(clients, go_on);
    settle();
  }
  EXPECT_TRUE(clients.empty());
  settle();
  finish_logins();
  EXPECT_TRUE(logins.empty());
  std::size_t items = 0;
  for (std::size_t key = 0; key < kKeys; ++key) {
    const auto users = users_of(key);
    const auto answers = request(root, "key " + std::to_string(key), users);
    const auto [known, is_new] = answered.emplace(key, answers);
    if (!is_new) {
      EXPECT_EQ(known->second, answers) << "key " << key;
    }
    items += static_cast<std::size_t>(std::ranges::count(users, alice));
    for (std::size_t item = 0; item < users.size(); ++item) {
      EXPECT_EQ(answers[item] == "not found", users[item] == nobody);
      EXPECT_EQ(authenticates(answers[item], alice, below(2)), users[item] == alice);
    }
  }
  EXPECT_EQ(tokens_of(alice), items);
}

INSTANTIATE_TEST_SUITE_P(Seeds, IdempotencyModel, testing::Range<std::uint64_t>(1, 41));

}  // namespace
}  // namespace tokend::store
