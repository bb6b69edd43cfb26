#include "http/api/client_address.h"

#include <gtest/gtest.h>

#include <string>

namespace tokend::api {
namespace {

std::string forwarded(std::string_view header, std::uint32_t from_right) {
  ClientAddress address{};
  AddressText text;
  if (!forwarded_address(header, from_right, address)) return "none";
  return std::string(to_text(address, text));
}

TEST(ClientAddress, TheNthEntryFromTheRightIsTheClient) {
  const char* header = "203.0.113.9, 198.51.100.7 ,192.0.2.1";
  EXPECT_EQ(forwarded(header, 1), "192.0.2.1");
  EXPECT_EQ(forwarded(header, 2), "198.51.100.7");
  EXPECT_EQ(forwarded(header, 3), "203.0.113.9");
  EXPECT_EQ(forwarded(header, 4), "none");
}

TEST(ClientAddress, EveryFormThatProxiesWriteIsRead) {
  EXPECT_EQ(forwarded("192.0.2.1:8080", 1), "192.0.2.1");
  EXPECT_EQ(forwarded("2001:db8::1", 1), "2001:db8::1");
  EXPECT_EQ(forwarded("[2001:db8::1]", 1), "2001:db8::1");
  EXPECT_EQ(forwarded("[2001:db8::1]:443", 1), "2001:db8::1");
  EXPECT_EQ(forwarded("::ffff:192.0.2.1", 1), "192.0.2.1");
}

TEST(ClientAddress, WhatIsNoAddressIsNotTaken) {
  for (const char* header : {"", " ", "unknown", "192.0.2", "192.0.2.256", "[2001:db8::1", "a,b,",
                             "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb:cccc"}) {
    EXPECT_EQ(forwarded(header, 1), "none") << header;
  }
}

}  // namespace
}  // namespace tokend::api
