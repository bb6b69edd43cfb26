// Every input that the fuzzer is started with, and every one that once found something, again.

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tests/fuzz/http_session.h"

namespace tokend::http::testing {
namespace {

TEST(Corpus, EveryInputKeepsTheInvariants) {
  const std::filesystem::path folder =
      std::filesystem::path(__FILE__).parent_path().parent_path() / "fuzz/corpus/http_session";
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    SCOPED_TRACE(entry.path().filename().string());
    std::ifstream file(entry.path(), std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    ASSERT_FALSE(bytes.empty());
    run_http_session_input(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    ++count;
  }
  EXPECT_GE(count, 10U) << "the corpus is not where it should be: " << folder;
}

}  // namespace
}  // namespace tokend::http::testing
