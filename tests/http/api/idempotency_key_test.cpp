// The header Idempotency-Key: its grammar, and which requests are the same.

#include "http/api/idempotency_key.h"

#include <gtest/gtest.h>

#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace tokend::api {
namespace {

TEST(IdempotencyKey, InQuotesOrBareItIsTheSame) {
  EXPECT_EQ(parse_idempotency_key("abc"), "abc");
  EXPECT_EQ(parse_idempotency_key(R"("abc")"), "abc");
  EXPECT_EQ(parse_idempotency_key(R"("a,b;c")"), "a,b;c");
  EXPECT_EQ(parse_idempotency_key(R"("a\"b\\c")"), R"(a"b\c)");
  EXPECT_EQ(parse_idempotency_key("a:/+=!~"), "a:/+=!~");
  const std::string longest(kIdempotencyKeyCharactersMax, 'x');
  EXPECT_EQ(parse_idempotency_key(longest), longest);
  EXPECT_EQ(parse_idempotency_key('"' + longest + '"'), longest);
}

TEST(IdempotencyKey, EverythingElseIsMalformed) {
  for (const std::string_view header :
       {"",         "\"",          "\"\"",         "\"abc",      "abc\"", "a\"b",    "a b",
        "\"a b\"",  "a\tb",        "a,b",          "a;b",        "a\\b",  "\"a\\\"", "\"a\\b\"",
        "\"a\"b\"", "\"abc\";p=1", "\"a\", \"b\"", "k\xC3\xA9y", "\x7F",  "\"\\\""}) {
    EXPECT_FALSE(parse_idempotency_key(header)) << header;
  }
  const std::string too_long(kIdempotencyKeyCharactersMax + 1, 'x');
  EXPECT_FALSE(parse_idempotency_key(too_long));
  EXPECT_FALSE(parse_idempotency_key('"' + too_long + '"'));
}

TEST(IdempotencyKey, RequestsAreTheSameByPathTargetsAndLifetime) {
  std::set<store::Digest> digests;
  std::size_t made = 0;
  const auto one = [&](store::UserKey key, std::string_view value, std::int64_t lifetime_ms) {
    digests.insert(digest_of_request({key, value}, lifetime_ms));
    ++made;
  };
  const auto many = [&](const std::vector<std::string>& targets, bool by_name) {
    std::string texts;
    std::vector<std::size_t> ends;
    for (const std::string& target : targets) ends.push_back((texts += target).size());
    digests.insert(digest_of_request(texts, ends, by_name, 0));
    ++made;
  };
  one(store::UserKey::id, "alice", 0);
  one(store::UserKey::id, "alice", 1'000);
  one(store::UserKey::username, "alice", 0);
  one(store::UserKey::id, "bob", 0);
  many({"alice"}, false);
  many({"alice"}, true);
  many({"alice", "bob"}, false);
  many({"alic", "ebob"}, false);
  many({"alicebob"}, false);
  many({"bob", "alice"}, false);
  many({}, false);
  EXPECT_EQ(digests.size(), made);
}

}  // namespace
}  // namespace tokend::api
