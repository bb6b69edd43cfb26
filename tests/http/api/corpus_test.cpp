// Every input that the fuzzer is started with, and every one that once found something, again.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/fuzz/api_body.h"

namespace tokend::api::testing {
namespace {

TEST(BodyCorpus, EveryInputKeepsTheInvariants) {
  const std::filesystem::path tests = std::filesystem::path(__FILE__).parent_path() / "../..";
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(tests / "fuzz/corpus/api_body")) {
    SCOPED_TRACE(entry.path().filename().string());
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    run_api_body_input(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    ++count;
  }
  EXPECT_GE(count, 10U);
}

}  // namespace
}  // namespace tokend::api::testing
