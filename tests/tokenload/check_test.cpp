#include "tools/tokenload/check.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>

namespace tokend::load {
namespace {

constexpr std::string_view kUser = "abcdefghijkmnopqr";
constexpr std::string_view kOther = "zbcdefghijkmnopqr";
constexpr std::string_view kToken = "AZaz09-_AZaz09-_AZaz09-_AZaz09-_AZaz09-_abc";

std::string body_of(std::string_view user, std::string_view token) {
  return R"({"data":{"userId":")" + std::string(user) + R"(","authToken":")" + std::string(token) +
         R"("},"success":true})";
}

Verdict verdict(AnswerCheck& check, int status, std::string_view body, std::string_view user) {
  return check.check({.status = status, .head = {}, .body = body}, user);
}

TEST(AnswerCheck, RightAnswerPassesAndShowsItsToken) {
  AnswerCheck check(Call::create_token);
  const std::string body = body_of(kUser, kToken);
  EXPECT_EQ(verdict(check, 200, body, kUser), Verdict::right);
  EXPECT_EQ(check.token(), kToken);
}

TEST(AnswerCheck, EveryStatusBut200IsWrong) {
  AnswerCheck check(Call::create_token);
  for (const int status : {201, 204, 400, 401, 429, 500, 503}) {
    EXPECT_EQ(verdict(check, status, body_of(kUser, kToken), kUser), Verdict::not_200) << status;
    EXPECT_TRUE(check.token().empty());
  }
}

TEST(AnswerCheck, TokenForSomebodyElseIsCaught) {
  AnswerCheck check(Call::create_token);
  EXPECT_EQ(verdict(check, 200, body_of(kOther, kToken), kUser), Verdict::wrong_user);
  EXPECT_EQ(verdict(check, 200, body_of(std::string(kUser) + "x", kToken), kUser),
            Verdict::wrong_user);
  EXPECT_EQ(verdict(check, 200, body_of(kUser.substr(1), kToken), kUser), Verdict::wrong_user);
}

TEST(AnswerCheck, ShortLongOrForeignTokenIsCaught) {
  AnswerCheck check(Call::create_token);
  for (const std::string& token :
       {std::string(kToken.substr(1)), std::string(kToken) + "A", std::string(),
        '+' + std::string(kToken.substr(1)), std::string(kToken.substr(1)) + '"',
        std::string(kToken.substr(1)) + '\xff'}) {
    EXPECT_EQ(verdict(check, 200, body_of(kUser, token), kUser), Verdict::bad_token) << token;
  }
}

TEST(AnswerCheck, AnotherShapeIsCaught) {
  AnswerCheck check(Call::create_token);
  const std::string right = body_of(kUser, kToken);
  EXPECT_EQ(verdict(check, 200, "", kUser), Verdict::wrong_shape);
  EXPECT_EQ(verdict(check, 200, "{}", kUser), Verdict::wrong_shape);
  EXPECT_EQ(verdict(check, 200, right + " ", kUser), Verdict::wrong_shape);
  EXPECT_EQ(verdict(check, 200, right.substr(0, right.size() - 1), kUser), Verdict::wrong_shape);
  // Beginning and end that overlap in a body too short to hold both.
  EXPECT_NE(verdict(check, 200, R"({"data":{"userId":"},"success":true})", kUser), Verdict::right);
}

TEST(AnswerCheck, MeIsComparedByIdOnEveryAnswer) {
  AnswerCheck check(Call::me);
  const std::string mine = R"({"_id":")" + std::string(kUser) + R"(","name":"n","success":true})";
  const std::string other = R"({"_id":")" + std::string(kOther) + R"(","name":"n","success":true})";
  EXPECT_EQ(verdict(check, 200, mine, kUser), Verdict::right);
  EXPECT_EQ(verdict(check, 200, mine, kUser), Verdict::right);
  EXPECT_EQ(verdict(check, 200, other, kUser), Verdict::wrong_user);
  EXPECT_EQ(verdict(check, 200, mine, kOther), Verdict::wrong_user);
  EXPECT_EQ(verdict(check, 200, R"({"success":true})", kUser), Verdict::wrong_shape);
  EXPECT_EQ(verdict(check, 401, mine, kUser), Verdict::not_200);
}

TEST(AnswerCheck, AuthIsComparedByItsHeader) {
  AnswerCheck check(Call::auth);
  const auto answer = [](std::string_view user, std::string_view body) {
    static std::string head;
    head = "HTTP/1.1 200 OK\r\nX-User-Id: " + std::string(user) + "\r\nContent-Length: 0\r\n\r\n";
    return Answer{.status = 200, .head = head, .body = body};
  };
  EXPECT_EQ(check.check(answer(kUser, ""), kUser), Verdict::right);
  EXPECT_EQ(check.check(answer(kOther, ""), kUser), Verdict::wrong_user);
  EXPECT_EQ(check.check(answer(std::string(kUser) + "x", ""), kUser), Verdict::wrong_user);
  EXPECT_EQ(check.check(answer(kUser, "x"), kUser), Verdict::wrong_shape);
  EXPECT_EQ(check.check({.status = 200, .head = "HTTP/1.1 200 OK\r\n\r\n", .body = {}}, kUser),
            Verdict::wrong_shape);
  EXPECT_EQ(verdict(check, 401, "", kUser), Verdict::not_200);
}

TEST(AnswerCheck, ConstantMustKeepTheSizeOfItsFirstAnswer) {
  AnswerCheck check(Call::create_token, true);
  EXPECT_EQ(verdict(check, 200, "abc", kUser), Verdict::right);
  EXPECT_EQ(verdict(check, 200, "xyz", kUser), Verdict::right);
  EXPECT_EQ(verdict(check, 200, "abcd", kUser), Verdict::wrong_shape);
  EXPECT_EQ(verdict(check, 500, "abc", kUser), Verdict::not_200);
}

}  // namespace
}  // namespace tokend::load
