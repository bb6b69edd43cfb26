#include "tools/tokenload/bulk_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace tokend::load {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

constexpr std::string_view kFirstToken = "AZaz09-_AZaz09-_AZaz09-_AZaz09-_AZaz09-_abc";
constexpr std::string_view kSecondToken = "BZaz09-_AZaz09-_AZaz09-_AZaz09-_AZaz09-_abc";
constexpr std::string_view kRefused =
    R"({"error":"Not authorized [error-not-authorized]","errorType":"error-not-authorized"})";

std::string entry(std::string_view user, std::string_view token) {
  return R"({"userId":")" + std::string(user) + R"(","authToken":")" + std::string(token) + R"("})";
}

std::string body_of(const std::vector<std::string>& entries) {
  std::string out = R"({"tokens":[)";
  for (std::size_t i = 0; i < entries.size(); ++i) out += (i > 0 ? "," : "") + entries[i];
  return out + R"(],"success":true})";
}

class BulkCheckTest : public testing::Test {
 protected:
  BulkCheckTest() {
    for (const std::string_view id : {"zero", "alpha", "beta", "gamma"}) ids_.add(id);
  }
  // Of a request for alpha and beta.
  Verdict verdict(std::string_view body, int status = 200) {
    return check_.check({.status = status, .head = {}, .body = body}, ids_, 1, 2);
  }
  StringTable ids_;
  BulkCheck check_;
};

TEST_F(BulkCheckTest, RightAnswerPassesAndShowsItsTokens) {
  const std::string body = body_of({entry("alpha", kFirstToken), entry("beta", kSecondToken)});
  EXPECT_EQ(verdict(body), Verdict::right);
  EXPECT_THAT(check_.tokens(), ElementsAre(kFirstToken, kSecondToken));
  EXPECT_EQ(verdict(body, 503), Verdict::not_200);
  EXPECT_THAT(check_.tokens(), IsEmpty());
}

TEST_F(BulkCheckTest, EntryThatIsAnErrorIsShown) {
  const std::string body = body_of({entry("alpha", kFirstToken), std::string(kRefused)});
  EXPECT_EQ(verdict(body), Verdict::entry_refused);
  EXPECT_EQ(check_.refused_entry(), kRefused);
  EXPECT_THAT(check_.tokens(), IsEmpty());
}

TEST_F(BulkCheckTest, EntriesInAnotherOrderAreOfTheWrongUser) {
  EXPECT_EQ(verdict(body_of({entry("beta", kFirstToken), entry("alpha", kSecondToken)})),
            Verdict::wrong_user);
  EXPECT_EQ(verdict(body_of({entry("alpha", kFirstToken), entry("betab", kSecondToken)})),
            Verdict::wrong_user);
}

TEST_F(BulkCheckTest, TooFewOrTooManyEntriesAreCaught) {
  EXPECT_EQ(verdict(body_of({})), Verdict::wrong_shape);
  EXPECT_EQ(verdict(body_of({entry("alpha", kFirstToken)})), Verdict::wrong_shape);
  EXPECT_EQ(verdict(body_of({entry("alpha", kFirstToken), entry("beta", kSecondToken),
                             entry("gamma", kSecondToken)})),
            Verdict::wrong_shape);
}

TEST_F(BulkCheckTest, ShortLongOrForeignTokenIsCaught) {
  for (const std::string& token :
       {std::string(kSecondToken.substr(1)), std::string(kSecondToken) + "A", std::string(),
        '+' + std::string(kSecondToken.substr(1))}) {
    EXPECT_EQ(verdict(body_of({entry("alpha", kFirstToken), entry("beta", token)})),
              Verdict::bad_token)
        << token;
  }
}

TEST_F(BulkCheckTest, NoBeginningOfARightAnswerIsRight) {
  const std::string body = body_of({entry("alpha", kFirstToken), entry("beta", kSecondToken)});
  for (std::size_t length = 0; length < body.size(); ++length) {
    EXPECT_NE(verdict(std::string_view(body).substr(0, length)), Verdict::right) << length;
  }
  EXPECT_EQ(verdict(body + " "), Verdict::wrong_shape);
}

}  // namespace
}  // namespace tokend::load
