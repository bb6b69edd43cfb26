#include "store/user.h"

#include <gtest/gtest.h>

#include <random>
#include <string>

namespace tokend::store {
namespace {

User sample() {
  User user;
  user.id = UserId("aobEdbYhXfu5hkeqG");
  user.username = "Jürgen";
  user.name = "Jürgen the Great";
  user.emails = {{"j@example.org", true}, {"k@example.org", false}};
  user.roles = RoleSet{Role::admin, Role::livechat_manager};
  user.active = false;
  user.require_password_change = true;
  user.password_hash = "$2b$10$abc";
  user.created_ms = 1;
  user.updated_ms = 1'800'000'000'000;
  user.valid_from = Locator::make(5, 0, 6);
  user.valid_exception = Locator::make(4, 0, 7);
  return user;
}

TEST(UserRecord, ComesBackAsItWas) {
  std::string bytes;
  encode(sample(), bytes);
  const auto decoded = decode_user(bytes);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->id, sample().id);
  EXPECT_EQ(decoded->username, sample().username);
  EXPECT_EQ(decoded->name, sample().name);
  ASSERT_EQ(decoded->emails.size(), 2U);
  EXPECT_EQ(decoded->emails[0].address, "j@example.org");
  EXPECT_TRUE(decoded->emails[0].verified);
  EXPECT_FALSE(decoded->emails[1].verified);
  EXPECT_EQ(decoded->roles, sample().roles);
  EXPECT_FALSE(decoded->active);
  EXPECT_TRUE(decoded->require_password_change);
  EXPECT_EQ(decoded->password_hash, sample().password_hash);
  EXPECT_EQ(decoded->created_ms, 1);
  EXPECT_EQ(decoded->updated_ms, sample().updated_ms);
  EXPECT_EQ(decoded->valid_from, sample().valid_from);
  EXPECT_EQ(decoded->valid_exception, sample().valid_exception);
  EXPECT_EQ(decoded->dated_from, Locator{});
  EXPECT_EQ(decoded->dated_exception, Locator{});
}

// Whoever never used the call keeps a record that an older program reads.
TEST(UserRecord, IsOfVersionTwoOnlyWhereDatedTokensAloneWereRevoked) {
  User user = sample();
  std::string bytes;
  encode(user, bytes);
  EXPECT_EQ(bytes[0], 1);
  user.dated_from = Locator::make(8, 0, 1);
  user.dated_exception = Locator::make(7, 0, 2);
  std::string more;
  encode(user, more);
  EXPECT_EQ(more[0], 2);
  EXPECT_EQ(more.size(), bytes.size() + 24);
  const auto decoded = decode_user(more);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->dated_from, user.dated_from);
  EXPECT_EQ(decoded->dated_exception, user.dated_exception);
  EXPECT_EQ(decoded->valid_from, user.valid_from);
  EXPECT_EQ(decoded->id, user.id);
  EXPECT_EQ(decoded->emails.size(), 2U);
  for (std::size_t length = 0; length < more.size(); ++length) {
    EXPECT_FALSE(decode_user(std::string_view(more).substr(0, length))) << length;
  }
  more[0] = 3;
  EXPECT_FALSE(decode_user(more));
}

// Written by the program before there was a version 2.
TEST(UserRecord, OfVersionOneIsReadAsItWasWritten) {
  std::string bytes("\x01\x01", 2);
  bytes += std::string("\x01\0\0\0\0\0\0\0", 8);
  bytes += std::string("\x02\0\0\0\0\0\0\0", 8) + std::string("\x03\0\0\0\0\0\0\0", 8);
  bytes += std::string(11, '\0') + '\x05' + std::string(12, '\0');
  bytes += std::string("\x02id\x01\0u\x01\0n\0\0\0", 13 - 1);
  const auto decoded = decode_user(bytes);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->id, UserId("id"));
  EXPECT_TRUE(decoded->roles.has(Role::admin));
  EXPECT_EQ(decoded->valid_from, Locator::make(0, 0, 5));
  EXPECT_TRUE(decoded->dated_from.empty());
  std::string again;
  encode(*decoded, again);
  EXPECT_EQ(again, bytes);
}

TEST(UserRecord, EveryTruncationAndExtensionIsCorrupt) {
  std::string bytes;
  encode(sample(), bytes);
  for (std::size_t length = 0; length < bytes.size(); ++length) {
    const auto decoded = decode_user(std::string_view(bytes).substr(0, length));
    ASSERT_FALSE(decoded) << length;
    EXPECT_EQ(decoded.error().code, core::Errc::corrupt);
  }
  EXPECT_FALSE(decode_user(bytes + '\0'));
}

TEST(UserRecord, RandomBytesNeverHurt) {
  std::mt19937_64 random(42);
  std::string good;
  encode(sample(), good);
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes = good;
    for (int changes = 0; changes < 3; ++changes) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    const auto decoded = decode_user(bytes);
    if (decoded) {
      EXPECT_LE(decoded->emails.size(), kEmailsMax);
    }
  }
}

TEST(User, TheFloorForDatedTokensIsNotAskedAboutPersonalOnes) {
  User user;
  user.dated_from = Locator::make(10, 0, 5);
  user.dated_exception = Locator::make(9, 0, 1);
  for (const TokenKind dated : {TokenKind::login, TokenKind::issued}) {
    EXPECT_TRUE(user.accepts(Locator::make(10, 0, 5), dated));
    EXPECT_FALSE(user.accepts(Locator::make(10, 0, 4), dated));
    EXPECT_TRUE(user.accepts(Locator::make(9, 0, 1), dated));
  }
  EXPECT_TRUE(user.accepts(Locator::make(10, 0, 4), TokenKind::personal));
  user.valid_from = Locator::make(11, 0, 0);
  EXPECT_FALSE(user.accepts(Locator::make(10, 0, 4), TokenKind::personal));
  EXPECT_FALSE(user.accepts(Locator::make(9, 0, 1), TokenKind::login));
}

TEST(User, AcceptsFromValidFromOnAndTheException) {
  User user;
  EXPECT_TRUE(user.accepts(Locator::make(0, 0, 0), TokenKind::login));
  user.valid_from = Locator::make(10, 0, 5);
  EXPECT_TRUE(user.accepts(Locator::make(10, 0, 5), TokenKind::login));
  EXPECT_FALSE(user.accepts(Locator::make(10, 0, 4), TokenKind::login));
  user.valid_exception = Locator::make(9, 0, 1);
  EXPECT_TRUE(user.accepts(Locator::make(9, 0, 1), TokenKind::login));
  EXPECT_FALSE(user.accepts(Locator::make(9, 0, 2), TokenKind::login));
}

TEST(Usernames, AreLettersAndDigitsOfAnyScriptAndThreeMarks) {
  for (const char* good : {"a", "rocket.cat", "A-b_c.9", "Jürgen", "Ελένη", "用户", "пользователь",
                           "\xd9\xa3\xd9\xa4", "e\xcc\x81", "...", "a.b."}) {
    EXPECT_TRUE(is_username(good)) << good;
  }
  for (const char* bad :
       {"", " ", "a b", "a@b", "a/b", "a\n",
        "\xcc\x81"
        "e",
        "a\xe2\x80\x8b", "☃", "½", "\xff", "\xed\xa0\x80", "\xc0\x80", "a\xe2\x80"}) {
    EXPECT_FALSE(is_username(bad)) << bad;
  }
}

TEST(Usernames, HaveAtMost128Characters) {
  std::string name;
  for (int i = 0; i < 128; ++i) name += "用";
  EXPECT_TRUE(is_username(name));
  EXPECT_FALSE(is_username(name + "a"));
}

TEST(Emails, HaveOneAtAndADomain) {
  for (const char* good : {"a@b", "first.last+tag@sub.example.org", "ü@exämple.org"}) {
    EXPECT_TRUE(is_email(good)) << good;
  }
  for (const char* bad : {"", "@", "a@", "@b", "a@b@c", "a b@c", "a@b c", "a@.b", "a@b.", "a\t@b",
                          "a@b\x7f", "a@b\xc2\xa0", "a@b\xff", "plain"}) {
    EXPECT_FALSE(is_email(bad)) << bad;
  }
  EXPECT_TRUE(is_email(std::string(252, 'a') + "@b"));
  EXPECT_FALSE(is_email(std::string(253, 'a') + "@b"));
}

TEST(Folding, IgnoresCaseInEveryScript) {
  EXPECT_EQ(fold("Rocket.CAT"), "rocket.cat");
  EXPECT_EQ(fold("JÜRGEN"), fold("jürgen"));
  EXPECT_EQ(fold("ΕΛΈΝΗ"), fold("ελένη"));
  EXPECT_EQ(fold("ΟΔΟΣ"), fold("οδος"));
  EXPECT_EQ(fold("ПОЛЬЗОВАТЕЛЬ"), fold("пользователь"));
  EXPECT_NE(fold("jurgen"), fold("jürgen"));
}

TEST(Folding, ComposesFirst) { EXPECT_EQ(fold("e\xcc\x81"), fold("É")); }

TEST(Folding, RefusesWhatIsNotUtf8OrTooLong) {
  EXPECT_EQ(fold("a\xff"), "");
  EXPECT_EQ(fold("\xed\xa0\x80"), "");
  EXPECT_EQ(fold(std::string(513, 'a')), "");
  EXPECT_EQ(fold(std::string(512, 'a')).size(), 512U);
}

TEST(Folding, IsSkippedExactlyForWhatItWouldNotChange) {
  for (const char* name : {"a", "rocket.cat", "a@b.org", "9-_"}) {
    EXPECT_TRUE(is_folded_ascii(name));
    EXPECT_EQ(fold(name), name);
  }
  EXPECT_FALSE(is_folded_ascii("Rocket"));
  EXPECT_FALSE(is_folded_ascii("ü"));
  EXPECT_FALSE(is_folded_ascii(std::string(513, 'a')));
}

}  // namespace
}  // namespace tokend::store
