#include "tools/tokend/first_admin.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace tokend::tools {
namespace {

// A database that only knows whether it has a user.
class FakeDatabase final : public store::Database {
 public:
  std::string last_user;

  core::Result<store::Found> get(store::Family, std::string_view, store::Reach,
                                 std::string&) const override {
    return store::Found::no;
  }
  core::Result<void> scan(
      store::Family, std::string_view,
      const std::function<bool(std::string_view, std::string_view)>&) const override {
    return {};
  }
  core::Result<void> scan_back(
      store::Family, std::string_view,
      const std::function<bool(std::string_view, std::string_view)>&) const override {
    return {};
  }
  core::Result<std::string> last_key(store::Family family) const override {
    return family == store::Family::users ? last_user : std::string();
  }
  std::uint64_t bytes_of(store::Family) const override { return 0; }
  std::unique_ptr<store::Batch> make_batch() const override { return nullptr; }
  core::Result<void> submit(store::Batch&) override { return {}; }
  core::Result<bool> collect() override { return true; }
  void wait() noexcept override {}
  void interrupt() noexcept override {}
  std::size_t submissions_max() const noexcept override { return 1; }
};

class FirstAdminTest : public ::testing::Test {
 protected:
  FirstAdminTest() {
    std::string pattern = std::filesystem::temp_directory_path() / "tokend-admin-XXXXXX";
    CHECK(mkdtemp(pattern.data()) != nullptr);
    config_.data = pattern;
    file_ = pattern + "/initial-admin-password";
  }
  ~FirstAdminTest() override { std::filesystem::remove_all(config_.data); }

  std::string line_in_file() {
    std::string line;
    std::ifstream file(file_);
    std::getline(file, line);
    return line;
  }

  Config config_;
  FakeDatabase database_;
  store::RandomBytes random_;
  std::string file_;
};

TEST_F(FirstAdminTest, AnEmptyStoreGetsAPasswordThatOnlyTheOwnerMayRead) {
  const auto plan = plan_first_admin(config_, database_, random_);
  ASSERT_TRUE(plan.has_value()) << plan.error().message;
  EXPECT_EQ(plan->password_file, file_);
  EXPECT_EQ(plan->admin.password.size(), 34U);
  EXPECT_EQ(line_in_file(), plan->admin.password);
  struct stat status{};
  ASSERT_EQ(stat(file_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 07777, 0600U);
}

TEST_F(FirstAdminTest, APasswordLeftByACrashIsUsedAndNotReplaced) {
  const auto first = plan_first_admin(config_, database_, random_);
  const auto again = plan_first_admin(config_, database_, random_);
  ASSERT_TRUE(first.has_value() && again.has_value());
  EXPECT_EQ(first->admin.password, again->admin.password);
  EXPECT_EQ(line_in_file(), first->admin.password);
}

TEST_F(FirstAdminTest, AnEmptyPasswordFileIsRefused) {
  std::ofstream(file_) << "";
  const auto plan = plan_first_admin(config_, database_, random_);
  ASSERT_FALSE(plan.has_value());
  EXPECT_NE(plan.error().message.find(file_), std::string::npos);
}

TEST_F(FirstAdminTest, NoFileIsWrittenWhenThePasswordIsGiven) {
  config_.admin_username = "root";
  config_.admin_pass = "given";
  const auto plan = plan_first_admin(config_, database_, random_);
  ASSERT_TRUE(plan.has_value());
  EXPECT_EQ(plan->admin.username, "root");
  EXPECT_EQ(plan->admin.password, "given");
  EXPECT_FALSE(std::filesystem::exists(file_));
}

TEST_F(FirstAdminTest, NoFileIsWrittenWhenThereIsAUser) {
  database_.last_user = "someone";
  const auto plan = plan_first_admin(config_, database_, random_);
  ASSERT_TRUE(plan.has_value());
  EXPECT_TRUE(plan->admin.password.empty());
  EXPECT_FALSE(std::filesystem::exists(file_));
}

TEST_F(FirstAdminTest, APrivateFileNeverReplacesAnother) {
  const std::string path = config_.data + "/file";
  EXPECT_TRUE(write_private_file(path, "one").has_value());
  const auto second = write_private_file(path, "two");
  ASSERT_FALSE(second.has_value());
  EXPECT_EQ(second.error().code, core::Errc::exists);
  EXPECT_EQ(write_private_file("/no/such/folder/file", "x").error().code, core::Errc::io);
}

}  // namespace
}  // namespace tokend::tools
