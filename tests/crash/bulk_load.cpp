#include "tests/crash/bulk_load.h"

#include "core/error.h"

namespace tokend::tests {
namespace {

constexpr std::size_t kAnswersKept = BulkLoad::kLivingAnswers + 3;

}  // namespace

BulkLoad::BulkLoad(ServerProcess& server, const Credentials& admin)
    : server_(server),
      admin_(admin) {
  ApiClient client(server);
  std::vector<std::string> users;
  for (std::size_t user = 0; user < kUsers; ++user) {
    users.push_back(client.create_user(admin, "bulk." + std::to_string(user)).id);
  }
  std::vector<std::string> targets;
  for (std::size_t times = 0; times < kTokensOfEach; ++times) {
    targets.insert(targets.end(), users.begin(), users.end());
  }
  body_ = bulk_body("userIds", targets);
}

void BulkLoad::run() {
  newest_.clear();
  HttpClient client(Endpoint{.port = server_.port()});
  for (;;) {
    const Response response = client.exchange({.method = "POST",
                                               .target = "/api/v1/users.createTokens",
                                               .headers = headers_of(admin_),
                                               .body = body_});
    if (response.status != 200) {
      if (response.status != 0) problems_.push_back("bulk: " + response.body);
      return;
    }
    newest_.push_front(response.body);
    if (newest_.size() > kAnswersKept) newest_.pop_back();
    ++answers_;
  }
}

BulkLoad::Found BulkLoad::contradictions() const {
  ApiClient client(server_);
  Found found;
  for (std::size_t age = 0; age < newest_.size(); ++age) {
    if (age == kLivingAnswers) continue;
    const auto tokens = issued_in_bulk(newest_[age]);
    CHECK(tokens.size() == kUsers * kTokensOfEach);
    // One of 19, which are not those of the same users each time.
    for (std::size_t number = age; number < tokens.size(); number += 19) {
      const bool lives = client.authenticates(tokens[number]);
      found.lost += age < kLivingAnswers && !lives;
      found.kept += age > kLivingAnswers && lives;
    }
  }
  return found;
}

}  // namespace tokend::tests
