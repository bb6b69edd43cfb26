#include "tests/crash/bulk_load.h"

namespace tokend::tests {

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
    newest_ = response.body;
    ++answers_;
  }
}

std::size_t BulkLoad::count_lost() const {
  ApiClient client(server_);
  const auto tokens = issued_in_bulk(newest_);
  std::size_t lost = 0;
  // One of 19, which are not those of the same users each time.
  for (std::size_t number = 0; number < tokens.size(); number += 19) {
    lost += !client.authenticates(tokens[number]);
  }
  return lost;
}

}  // namespace tokend::tests
