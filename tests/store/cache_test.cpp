#include "store/cache.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "store/hash.h"

namespace tokend::store {
namespace {

TokenCache::Entry entry(std::uint32_t sequence) {
  return {digest_of(std::to_string(sequence)),
          1000,
          Locator::make(1, 0, sequence),
          UserId("u"),
          TokenKind::issued,
          tag_of(UserId("i"))};
}

User user(const std::string& id, const std::string& name) {
  User made;
  made.id = UserId(id);
  made.username = name;
  return made;
}

TEST(TokenCache, FindsWhatWasPutAndNothingElse) {
  TokenCache cache(1024);
  cache.put(entry(1));
  ASSERT_NE(cache.find(Locator::make(1, 0, 1)), nullptr);
  EXPECT_EQ(cache.find(Locator::make(1, 0, 1))->digest, entry(1).digest);
  EXPECT_EQ(cache.find(Locator::make(1, 0, 2)), nullptr);
}

TEST(TokenCache, ForgetsWhatIsRemovedAndPutsItAgain) {
  TokenCache cache(1024);
  cache.put(entry(1));
  cache.remove(entry(1).locator);
  cache.remove(entry(1).locator);
  EXPECT_EQ(cache.find(entry(1).locator), nullptr);
  cache.put(entry(1));
  EXPECT_NE(cache.find(entry(1).locator), nullptr);
}

TEST(TokenCache, HoldsOneEntryForALocator) {
  TokenCache cache(8);
  for (int i = 0; i < 100; ++i) cache.put(entry(1));
  for (std::uint32_t i = 2; i <= 8; ++i) cache.put(entry(i));
  for (std::uint32_t i = 1; i <= 8; ++i) EXPECT_NE(cache.find(entry(i).locator), nullptr) << i;
}

TEST(TokenCache, NeverHoldsMoreThanItsCapacity) {
  TokenCache cache(64);
  EXPECT_EQ(cache.capacity(), 64U);
  for (std::uint32_t i = 0; i < 10'000; ++i) {
    cache.put(entry(i));
    EXPECT_NE(cache.find(entry(i).locator), nullptr);
  }
  std::size_t held = 0;
  for (std::uint32_t i = 0; i < 10'000; ++i) held += cache.find(entry(i).locator) != nullptr;
  EXPECT_LE(held, 64U);
  EXPECT_GE(held, 48U);
}

TEST(TokenCache, KeepsWhatIsUsed) {
  TokenCache cache(8);
  for (std::uint32_t i = 0; i < 1000; ++i) {
    cache.put(entry(0));
    cache.put(entry(i + 1));
    ASSERT_NE(cache.find(entry(0).locator), nullptr) << i;
  }
}

TEST(UserCache, FindsByIdAndByFoldedName) {
  UserCache cache(64);
  cache.put(user("id1", "Jürgen"));
  ASSERT_NE(cache.find(UserId("id1")), nullptr);
  ASSERT_NE(cache.find_by_name(fold("JÜRGEN")), nullptr);
  EXPECT_EQ(cache.find_by_name(fold("JÜRGEN"))->id, UserId("id1"));
  EXPECT_EQ(cache.find_by_name("Jürgen"), nullptr);
  EXPECT_EQ(cache.find(UserId("id2")), nullptr);
}

TEST(UserCache, ARemovedUserIsFoundByNeither) {
  UserCache cache(64);
  cache.put(user("id1", "one"));
  cache.remove(UserId("id1"));
  EXPECT_EQ(cache.find(UserId("id1")), nullptr);
  EXPECT_EQ(cache.find_by_name("one"), nullptr);
}

TEST(UserCache, AUserHandedOutStaysUntilRelease) {
  UserCache cache(8);
  const User& held = cache.put(user("id1", "one"));
  cache.remove(UserId("id1"));
  for (int i = 0; i < 100; ++i) cache.put(user("x" + std::to_string(i), "n" + std::to_string(i)));
  EXPECT_EQ(held.username, "one");
  cache.release();
}

TEST(UserCache, ManyThatWereDisplacedStayUntilRelease) {
  UserCache cache(8);
  std::vector<const User*> looked_at;
  for (int i = 0; i < 100; ++i) {
    looked_at.push_back(
        &cache.put(user("id" + std::to_string(i), "a long name of user " + std::to_string(i))));
  }
  for (int i = 0; i < 100; ++i) {
    EXPECT_EQ(looked_at[static_cast<std::size_t>(i)]->username,
              "a long name of user " + std::to_string(i));
  }
  cache.release();
  // What was given back is used again.
  for (int i = 0; i < 100; ++i) {
    cache.put(user("id" + std::to_string(i), "name"));
    cache.release();
  }
}

TEST(UserCache, StaysWithinItsCapacityAndFindsEveryUserItHolds) {
  UserCache cache(32);
  for (int i = 0; i < 2000; ++i) {
    const std::string number = std::to_string(i);
    cache.put(user("id" + number, "name" + number));
    cache.release();
    ASSERT_NE(cache.find(UserId("id" + number)), nullptr);
    ASSERT_NE(cache.find_by_name("name" + number), nullptr);
  }
  std::size_t held = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::string number = std::to_string(i);
    const User* by_id = cache.find(UserId("id" + number));
    held += by_id != nullptr;
    // A name may lose its place before its user does, never the other way round.
    if (const User* by_name = cache.find_by_name("name" + number)) {
      EXPECT_EQ(by_name, by_id);
    }
  }
  EXPECT_LE(held, cache.capacity());
}

TEST(UserCache, ReplacesAUserOfTheSameId) {
  UserCache cache(64);
  cache.put(user("id1", "one"));
  cache.put(user("id1", "two"));
  EXPECT_EQ(cache.find(UserId("id1"))->username, "two");
  EXPECT_EQ(cache.find_by_name("one"), nullptr);
  EXPECT_EQ(cache.find_by_name("two")->id, UserId("id1"));
}

TEST(UserCache, EveryObjectThatItEverHeldHasAnEditionOfItsOwn) {
  UserCache cache(8);
  std::set<std::uint64_t> editions;
  for (int turn = 0; turn < 3; ++turn) {
    for (int number = 0; number < 50; ++number) {
      const std::string name = "u" + std::to_string(number);
      const User& cached = cache.put(user(name, name));
      EXPECT_NE(cached.edition, 0U);
      EXPECT_TRUE(editions.insert(cached.edition).second) << "it was another one's";
    }
    cache.release();
  }
}

}  // namespace
}  // namespace tokend::store
