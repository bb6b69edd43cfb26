// The hot paths do not allocate. A sanitizer brings an allocator of its own, so these claims are
// made without one.

#include <gtest/gtest.h>

#include <string>

#include "tests/http/api/harness.h"
#include "tests/support/allocation_count.h"

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)

namespace tokend::api {
namespace {

using testing::Reply;
using testing::World;
using tests::allocation_count;

// The bytes of a request with room for the padding behind them.
class Prepared {
 public:
  explicit Prepared(std::string bytes) : size_(bytes.size()), bytes_(std::move(bytes)) {
    bytes_.append(core::kReceivePaddingBytes, ' ');
  }
  [[nodiscard]] std::span<char> bytes() { return {bytes_.data(), size_}; }

 private:
  std::size_t size_;
  std::string bytes_;
};

TEST(Allocation, IsCountedAtAll) {
  const std::size_t before = allocation_count();
  // Through a volatile pointer, so that the pair is not elided.
  int* volatile pointer = new int(1);
  delete pointer;
  EXPECT_GT(allocation_count(), before);
}

TEST(Allocation, ReadsFromMemoryAllocateNothing) {
  World world;
  for (const std::string target : {"/api/v1/me", "/auth"}) {
    const std::string text =
        "GET " + target + " HTTP/1.1\r\nHost: x\r\n" + world.admin().headers() + "\r\n";
    for (int round = 0; round < 3; ++round) {
      Prepared request(text);
      const std::size_t before = allocation_count();
      world.feed(request.bytes());
      const std::size_t made = allocation_count() - before;
      EXPECT_EQ(world.take_reply().status, 200);
      EXPECT_TRUE(round == 0 || made == 0) << target << ": " << made;
    }
  }
}

TEST(Allocation, IntrospectionFromMemoryAllocatesNothing) {
  World world;
  const std::string body = "token=" + world.new_user("bob").token;
  const std::string text = "POST /oauth2/introspect HTTP/1.1\r\nHost: x\r\n" +
                           world.admin().headers() +
                           "Content-Type: application/x-www-form-urlencoded\r\n" +
                           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  for (int round = 0; round < 3; ++round) {
    Prepared request(text);
    const std::size_t before = allocation_count();
    world.feed(request.bytes());
    const std::size_t made = allocation_count() - before;
    EXPECT_EQ(world.take_reply().status, 200);
    EXPECT_TRUE(round == 0 || made == 0) << made;
  }
}

void expect_create_token_allocates_nothing(World& world) {
  const std::string body = R"({"username":"Bob","secret":"secret"})";
  const std::string text = "POST /api/v1/users.createToken HTTP/1.1\r\nHost: x\r\n" +
                           world.admin().headers() + "Content-Type: application/json\r\n" +
                           "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  for (int round = 0; round < 3; ++round) {
    Prepared request(text);
    std::size_t before = allocation_count();
    world.feed(request.bytes());
    std::size_t made = allocation_count() - before;
    ASSERT_TRUE(world.committer->step());  // another thread's, and not counted
    before = allocation_count();
    EXPECT_TRUE(world.deliver_home());
    made += allocation_count() - before;
    EXPECT_EQ(world.take_reply().status, 200);
    EXPECT_TRUE(round == 0 || made == 0) << made;
  }
}

TEST(Allocation, CreateTokenAllocatesNothingOnItsCore) {
  ApiOptions options = testing::default_options();
  options.create_tokens_secret = "secret";
  World world(options);
  world.create_user("bob");
  expect_create_token_allocates_nothing(world);
  // Nor where the issuer is bound.
  const Reply set = world.post("/api/v1/policies.update", world.admin(),
                               R"({"policies":[{"_id":"admin","targetRoles":["user"],)"
                               R"("excludeAdmins":true,"lifetimeMax":"1h",)"
                               R"("rateLimit":{"tokens":1000,"window":"1h"}}]})");
  ASSERT_EQ(set.status, 200);
  expect_create_token_allocates_nothing(world);
}

}  // namespace
}  // namespace tokend::api

#endif
