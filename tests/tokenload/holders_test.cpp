#include "tools/tokenload/holders.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace tokend::load {
namespace {

constexpr std::string_view kToken = "AZaz09-_AZaz09-_AZaz09-_AZaz09-_AZaz09-_abc";

class HoldersTest : public testing::Test {
 protected:
  HoldersTest() {
    path_ =
        std::filesystem::temp_directory_path() / ("tokenload-holders-" + std::to_string(getpid()));
  }
  ~HoldersTest() override { std::filesystem::remove(path_); }
  std::filesystem::path path_;
};

TEST_F(HoldersTest, WrittenTokensAreReadBackAndNobodyElsesToRead) {
  const std::string token(kToken);
  TokensFile file;
  ASSERT_TRUE(file.create(path_));
  ASSERT_TRUE(file.write("id1 " + token + "\nid2 " + token + "\n"));
  struct stat status{};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0600U);
  const auto holders = read_holders(path_);
  ASSERT_TRUE(holders) << holders.error().message;
  ASSERT_EQ(holders->size(), 2U);
  EXPECT_EQ((*holders)[0].user_id, "id1");
  EXPECT_EQ((*holders)[1].user_id, "id2");
  EXPECT_EQ((*holders)[1].token, kToken);
}

TEST_F(HoldersTest, FileThatIsThereIsNotWrittenOver) {
  std::ofstream(path_) << "kept";
  TokensFile file;
  const auto created = file.create(path_);
  ASSERT_FALSE(created);
  EXPECT_NE(created.error().message.find(path_.string()), std::string::npos);
  EXPECT_EQ(std::filesystem::file_size(path_), 4U);
}

TEST_F(HoldersTest, BadLineIsNamedByItsNumberAndNotShown) {
  const std::string token(kToken);
  for (const std::string& line : {token, "id2 " + token + "x", " " + token, std::string()}) {
    std::ofstream(path_) << "id1 " << token << '\n' << line << '\n';
    const auto holders = read_holders(path_);
    ASSERT_FALSE(holders) << line;
    EXPECT_NE(holders.error().message.find(":2"), std::string::npos) << holders.error().message;
    EXPECT_EQ(holders.error().message.find(token), std::string::npos);
  }
}

TEST_F(HoldersTest, MissingOrEmptyFileIsAnError) {
  EXPECT_FALSE(read_holders(path_));
  std::ofstream(path_) << "";
  EXPECT_FALSE(read_holders(path_));
}

}  // namespace
}  // namespace tokend::load
