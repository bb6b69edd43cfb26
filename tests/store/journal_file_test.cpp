// How a file of the journal is filled; what is written into it is journal_test's.

#include "store/journal_file.h"

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>

namespace tokend::store {
namespace {

constexpr int kPieces = 64;
constexpr std::size_t kBytes = kPieces * kQuietFillBytes;

class JournalFileTest : public testing::Test {
 protected:
  // In memory, where writing takes next to no time.
  void SetUp() override {
    if (!std::filesystem::exists("/dev/shm")) GTEST_SKIP();
    std::string pattern = "/dev/shm/tokend-journal-file-XXXXXX";
    directory = mkdtemp(pattern.data());
  }
  ~JournalFileTest() override {
    if (!directory.empty()) std::filesystem::remove_all(directory);
  }

  void make(const std::function<bool()>& is_urgent = {}) {
    const auto began = std::chrono::steady_clock::now();
    auto file = make_journal_file(directory, 1, kBytes, is_urgent);
    took = std::chrono::steady_clock::now() - began;
    ASSERT_TRUE(file) << file.error().message;
    std::ifstream stream((*file)->path, std::ios::binary);
    const std::string content((std::istreambuf_iterator<char>(stream)), {});
    EXPECT_EQ(content, std::string(kBytes, '\0'));
  }

  std::string directory;
  std::chrono::steady_clock::duration took{};
};

TEST_F(JournalFileTest, WhereNobodyHurriesItRestsBehindEachPiece) {
  int asked = 0;
  make([&asked] {
    ++asked;
    return false;
  });
  EXPECT_EQ(asked, kPieces);
  EXPECT_GE(took, (kPieces - 1) * kQuietFillRestMin);
}

TEST_F(JournalFileTest, OnceItIsUrgentItIsFilledAtOnce) {
  int asked = 0;
  make([&asked] { return ++asked == 3; });
  EXPECT_EQ(asked, 3) << "and not again";
}

TEST_F(JournalFileTest, ItIsUrgentWhereNobodyIsAsked) { make(); }

}  // namespace
}  // namespace tokend::store
