#include "core/constant_time.h"

#include <gtest/gtest.h>

#include <string>

namespace tokend::core {
namespace {

TEST(ConstantTimeComparison, SeesEveryByte) {
  for (std::size_t count = 0; count < 40; ++count) {
    const std::string one(count, 'a');
    EXPECT_TRUE(equals_in_constant_time(one.data(), std::string(count, 'a').data(), count));
    for (std::size_t at = 0; at < count; ++at) {
      std::string other = one;
      other[at] = static_cast<char>(other[at] ^ 0x80);
      EXPECT_FALSE(equals_in_constant_time(one.data(), other.data(), count)) << count << " " << at;
    }
  }
}

}  // namespace
}  // namespace tokend::core
