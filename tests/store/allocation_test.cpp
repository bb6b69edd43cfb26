// The hot path does not allocate.

#include "tests/store/store_fixture.h"
#include "tests/support/allocation_count.h"

namespace tokend::store {
namespace {

using tests::allocation_count;

class AllocationTest : public StoreFixture {
 protected:
  void SetUp() override {
    if (!tests::kAllocationsAreCounted) GTEST_SKIP() << "the sanitizer's allocator is in use";
  }
};

TEST_F(AllocationTest, IsCountedAtAll) {
  const std::size_t before = allocation_count();
  // Through a volatile pointer, so that the pair is not elided.
  int* volatile pointer = new int(1);
  delete pointer;
  EXPECT_GT(allocation_count(), before);
}

TEST_F(AllocationTest, AuthenticatingFromTheCacheAllocatesNothing) {
  const Token token = issue(root);
  ASSERT_TRUE(authenticates(token.text, root));
  Asked<Authenticate> operation;
  operation.token = token.text;
  operation.user_id = root.view();
  const std::size_t before = allocation_count();
  store().authenticate(operation);
  EXPECT_EQ(allocation_count(), before);
  EXPECT_TRUE(operation.succeeded());
}

TEST_F(AllocationTest, RefusingAForgeryAllocatesNothing) {
  Asked<Authenticate> operation;
  operation.token = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
  operation.user_id = root.view();
  const std::size_t before = allocation_count();
  store().authenticate(operation);
  EXPECT_EQ(allocation_count(), before);
  EXPECT_TRUE(operation.failed_with(core::Errc::not_found));
}

TEST_F(AllocationTest, FindingACachedUserByAPlainNameAllocatesNothing) {
  Asked<FindUser> first, second;
  first.key = second.key = UserKey::username;
  first.value = second.value = "root";
  store().find_user(first);
  const std::size_t before = allocation_count();
  store().find_user(second);
  EXPECT_EQ(allocation_count(), before);
  EXPECT_TRUE(second.succeeded());
}

TEST_F(AllocationTest, AskingForATokenAllocatesNothingOnTheCore) {
  static_cast<void>(issue(root));
  Asked<IssueToken> operation;
  operation.user = root;
  std::size_t before = allocation_count();
  store().write(operation);
  EXPECT_EQ(allocation_count(), before);
  step();
  before = allocation_count();
  turn(0);
  EXPECT_EQ(allocation_count(), before);
  EXPECT_TRUE(operation.succeeded());
}

}  // namespace
}  // namespace tokend::store
