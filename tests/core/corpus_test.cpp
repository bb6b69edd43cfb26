// Every input that the fuzzer of the PROXY header is started with, and every one that once found
// something, again.

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

#include "tests/fuzz/proxy_header.h"

namespace tokend::core::testing {
namespace {

TEST(ProxyHeaderCorpus, EveryInputKeepsTheInvariants) {
  const std::filesystem::path folder =
      std::filesystem::path(TOKEND_SOURCE_DIR) / "tests/fuzz/corpus/proxy_header";
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    SCOPED_TRACE(entry.path().filename().string());
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    ASSERT_FALSE(bytes.empty());
    run_proxy_header_input(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    ++count;
  }
  EXPECT_GE(count, 8U) << "the corpus is not where it should be: " << folder;
}

}  // namespace
}  // namespace tokend::core::testing
