// The hot path does not allocate: every operator new of this program counts.

#include <cstdlib>
#include <new>

#include "tests/store/store_fixture.h"

namespace {

thread_local std::size_t allocations = 0;

void* allocate(std::size_t bytes) {
  ++allocations;
  void* memory = std::malloc(bytes);
  if (!memory) std::abort();
  return memory;
}

}  // namespace

void* operator new(std::size_t bytes) { return allocate(bytes); }
void* operator new[](std::size_t bytes) { return allocate(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace tokend::store {
namespace {

class AllocationTest : public StoreFixture {};

TEST_F(AllocationTest, IsCountedAtAll) {
  const std::size_t before = allocations;
  // Through a volatile pointer, so that the pair is not elided.
  int* volatile pointer = new int(1);
  delete pointer;
  EXPECT_GT(allocations, before);
}

TEST_F(AllocationTest, AuthenticatingFromTheCacheAllocatesNothing) {
  const Token token = issue(root);
  ASSERT_TRUE(authenticates(token.text, root));
  Asked<Authenticate> operation;
  operation.token = token.text;
  operation.user_id = root.view();
  const std::size_t before = allocations;
  store().authenticate(operation);
  EXPECT_EQ(allocations, before);
  EXPECT_TRUE(operation.succeeded());
}

TEST_F(AllocationTest, RefusingAForgeryAllocatesNothing) {
  Asked<Authenticate> operation;
  operation.token = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
  operation.user_id = root.view();
  const std::size_t before = allocations;
  store().authenticate(operation);
  EXPECT_EQ(allocations, before);
  EXPECT_TRUE(operation.failed_with(core::Errc::not_found));
}

TEST_F(AllocationTest, FindingACachedUserByAPlainNameAllocatesNothing) {
  Asked<FindUser> first, second;
  first.key = second.key = UserKey::username;
  first.value = second.value = "root";
  store().find_user(first);
  const std::size_t before = allocations;
  store().find_user(second);
  EXPECT_EQ(allocations, before);
  EXPECT_TRUE(second.succeeded());
}

TEST_F(AllocationTest, AskingForATokenAllocatesNothingOnTheCore) {
  static_cast<void>(issue(root));
  Asked<IssueToken> operation;
  operation.user = root;
  std::size_t before = allocations;
  store().write(operation);
  EXPECT_EQ(allocations, before);
  committer->step();
  before = allocations;
  turn(0);
  EXPECT_EQ(allocations, before);
  EXPECT_TRUE(operation.succeeded());
}

}  // namespace
}  // namespace tokend::store
