#include "http/api/login_block.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <string_view>

namespace tokend::api {
namespace {

using By = LoginBlock::By;

constexpr std::int64_t kTimeMs = 5 * 60'000;

ClientAddress address(std::uint8_t number) {
  ClientAddress bytes{};
  bytes[15] = number;
  return bytes;
}

class LoginBlockTest : public testing::Test {
 protected:
  void fail(std::string_view name, std::uint8_t from, std::int64_t at_ms, int times = 1) {
    for (int i = 0; i < times; ++i) block.failed(LoginBlock::attempt(name, address(from)), at_ms);
  }
  By blocked(std::string_view name, std::uint8_t from, std::int64_t at_ms) {
    return block.blocked(LoginBlock::attempt(name, address(from)), at_ms);
  }

  LoginBlockOptions options;
  LoginBlock block{options};
};

TEST_F(LoginBlockTest, TenFailuresBlockANameFromEverywhere) {
  fail("anna", 1, 0, 9);
  EXPECT_EQ(blocked("anna", 1, 0), By::nothing);
  fail("anna", 2, 1'000);
  EXPECT_EQ(blocked("anna", 1, 1'000), By::user);
  EXPECT_EQ(blocked("anna", 3, 1'000), By::user);
  EXPECT_EQ(blocked("berta", 1, 1'000), By::nothing);
}

TEST_F(LoginBlockTest, TheTimeCountsFromTheFailureThatBlocks) {
  fail("anna", 1, 0, 9);
  fail("anna", 1, kTimeMs - 1);
  EXPECT_EQ(blocked("anna", 1, 2 * kTimeMs - 2), By::user);
  EXPECT_EQ(blocked("anna", 1, 2 * kTimeMs - 1), By::nothing);
}

TEST_F(LoginBlockTest, FailuresThatLieBackAreForgotten) {
  fail("anna", 1, 0, 9);
  fail("anna", 1, kTimeMs, 9);
  EXPECT_EQ(blocked("anna", 1, kTimeMs), By::nothing);
}

TEST_F(LoginBlockTest, FiftyFailuresBlockAnAddressForEveryName) {
  for (int i = 0; i < 50; ++i) fail("user" + std::to_string(i), 1, i);
  EXPECT_EQ(blocked("anna", 1, 50), By::address);
  EXPECT_EQ(blocked("anna", 2, 50), By::nothing);
  EXPECT_EQ(blocked("anna", 1, 49 + kTimeMs), By::nothing);
}

TEST_F(LoginBlockTest, ASuccessResetsBothCounts) {
  fail("anna", 1, 0, 9);
  block.succeeded(LoginBlock::attempt("anna", address(1)), 0);
  fail("anna", 1, 0, 9);
  EXPECT_EQ(blocked("anna", 1, 0), By::nothing);
  fail("anna", 1, 0);
  EXPECT_EQ(blocked("anna", 1, 0), By::user);
}

TEST_F(LoginBlockTest, NamesCountFolded) {
  fail("Anna", 1, 0, 5);
  fail("aNNA", 1, 0, 5);
  EXPECT_EQ(blocked("anna", 1, 0), By::user);
  fail("J\xc3\x9cRGEN", 1, 0, 10);
  EXPECT_EQ(blocked("j\xc3\xbcrgen", 1, 0), By::user);
}

TEST_F(LoginBlockTest, CanBeSwitchedOff) {
  LoginBlock off({.enabled = false});
  for (int i = 0; i < 100; ++i) off.failed(LoginBlock::attempt("anna", address(1)), 0);
  EXPECT_EQ(off.blocked(LoginBlock::attempt("anna", address(1)), 0), By::nothing);
}

}  // namespace
}  // namespace tokend::api
