#include "store/crc32c.h"

#include <gtest/gtest.h>

#include <string>

namespace tokend::store {
namespace {

TEST(Crc32c, IsTheOneOfTheStandard) {
  // RFC 3720, B.4.
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aaU);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43U);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283U);
}

}  // namespace
}  // namespace tokend::store
