#include "tools/tokenload/options.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

namespace tokend::load {
namespace {

std::expected<Options, Stop> parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "tokenload");
  return parse_options(static_cast<int>(arguments.size()), arguments.data());
}

TEST(Options, CompleteCommandLineIsTaken) {
  const auto options = parse({"--target",
                              "[::1]:4000",
                              "--user-id",
                              "u",
                              "--token",
                              "t",
                              "--connections",
                              "256",
                              "--pipeline",
                              "4",
                              "--duration",
                              "1500ms",
                              "--warmup",
                              "0",
                              "--threads",
                              "2",
                              "--cpus",
                              "1,3",
                              "--rate",
                              "50000",
                              "--tick",
                              "100",
                              "--call",
                              "me",
                              "--by",
                              "username",
                              "--order",
                              "random",
                              "--seed",
                              "7",
                              "--check-unique",
                              "--server-pid",
                              "12",
                              "--json",
                              "-"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->target, "[::1]:4000");
  EXPECT_EQ(options->connections, 256U);
  EXPECT_EQ(options->pipeline_depth, 4U);
  EXPECT_EQ(options->duration_ms, 1500);
  EXPECT_EQ(options->warmup_ms, 0);
  EXPECT_EQ(options->cpus, (std::vector<int>{1, 3}));
  EXPECT_EQ(options->rate_per_second, 50'000);
  EXPECT_EQ(options->tick_us, 100);
  EXPECT_EQ(options->call, Call::me);
  EXPECT_EQ(options->name_by, NameBy::username);
  EXPECT_EQ(options->order, Order::random);
  EXPECT_EQ(options->seed, 7U);
  EXPECT_TRUE(options->check_unique);
  EXPECT_EQ(options->server_pid, 12);
}

TEST(Options, BulkIsACallOfItsOwnAndRoundsHaveNoWarmUp) {
  const auto options = parse({"--admin", "a", "--password", "p", "--bulk", "10000", "--rounds",
                              "10", "--save-tokens", "f"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->call, Call::create_tokens);
  EXPECT_EQ(options->bulk_targets, 10'000U);
  EXPECT_EQ(options->rounds, 10U);
  EXPECT_EQ(options->warmup_ms, 0);
  EXPECT_EQ(options->save_tokens, "f");
}

TEST(Options, TokensFileNeedsNoIssuer) {
  const auto options = parse({"--call", "auth", "--tokens-file", "f", "--rounds", "1"});
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->tokens_file, "f");
}

TEST(Options, ConstantNeedsNoIssuer) { EXPECT_TRUE(parse({"--constant"})); }

TEST(Options, MistakesEndWithTheUsageCode) {
  const std::vector<std::vector<const char*>> mistakes{
      {},  // no issuer
      {"--user-id", "u"},
      {"--admin", "a"},
      {"--constant", "--frobnicate"},
      {"--call", "other"},
      {"--constant", "--connections", "0"},
      {"--constant", "--connections", "x"},
      {"--constant", "--pipeline", "257"},
      {"--constant", "--duration", "0"},
      {"--constant", "--duration", "10 parsecs"},
      {"--constant", "--warmup", "-1s"},
      {"--constant", "--rate", "0"},
      {"--constant", "--rate", "-5"},
      {"--constant", "--tick", "100"},
      {"--constant", "--rate", "5", "--tick", "100", "--connections", "513"},
      {"--constant", "--rate", "5", "--tick", "100", "--connections", "7", "--threads", "3",
       "--pipeline", "200"},
      {"--user-id", "u", "--token", "t", "--bulk", "10", "--rate", "5", "--tick", "100"},
      {"--constant", "--rate", "5", "--tick", "100001"},
      {"--constant", "--connections", "1", "--threads", "2"},
      {"--constant", "--targets-file", "f", "--target-users", "3"},
      {"--constant", "--save-targets", "f"},
      {"--user-id", "u", "--token", "t\r\nX-Evil: 1"},
      {"--user-id", "u", "--token", "t", "--bulk", "0"},
      {"--user-id", "u", "--token", "t", "--bulk", "10001"},
      {"--user-id", "u", "--token", "t", "--bulk", "10", "--call", "me"},
      {"--bulk", "10", "--constant"},
      {"--constant", "--rounds", "0"},
      {"--constant", "--rounds", "1000001"},
      {"--constant", "--rounds", "1", "--duration", "1s"},
      {"--constant", "--rounds", "1", "--warmup", "1s"},
      {"--constant", "--rounds", "1", "--rate", "5"},
      {"--constant", "--rounds", "1", "--order", "random"},
      {"--constant", "--save-tokens", "f"},
      {"--user-id", "u", "--token", "t", "--call", "me", "--save-tokens", "f"},
      {"--tokens-file", "f"},
  };
  for (const auto& arguments : mistakes) {
    const auto options = parse(arguments);
    ASSERT_FALSE(options) << testing::PrintToString(arguments);
    EXPECT_EQ(options.error().exit_code, kExitUsage);
    EXPECT_FALSE(options.error().message.empty());
  }
}

TEST(Options, HelpNamesTheExitCodes) {
  const auto options = parse({"--help"});
  ASSERT_FALSE(options);
  EXPECT_EQ(options.error().exit_code, kExitValid);
  EXPECT_NE(options.error().message.find("client-bound"), std::string::npos);
  // To the end: a C string, so nothing in it may end it early.
  EXPECT_EQ(options.error().message.find('\0'), std::string::npos);
}

TEST(Duration, KnowsItsUnits) {
  EXPECT_EQ(parse_duration_ms("10"), 10'000);
  EXPECT_EQ(parse_duration_ms("0.5s"), 500);
  EXPECT_EQ(parse_duration_ms("250ms"), 250);
  EXPECT_EQ(parse_duration_ms("2m"), 120'000);
  EXPECT_EQ(parse_duration_ms("1h"), 3'600'000);
  for (const char* text : {"", "s", "-1s", "1d", "nan", "inf", "1e30h", "1 s"}) {
    EXPECT_EQ(parse_duration_ms(text), std::nullopt) << text;
  }
}

class TargetsFile : public testing::Test {
 protected:
  TargetsFile() {
    path_ =
        std::filesystem::temp_directory_path() / ("tokenload-targets-" + std::to_string(getpid()));
  }
  ~TargetsFile() override { std::filesystem::remove(path_); }
  void write(const std::string& text) { std::ofstream(path_) << text; }
  std::filesystem::path path_;
};

TEST_F(TargetsFile, WrittenTargetsAreReadBack) {
  const std::vector<Target> targets{{.id = "id1", .username = "name1"},
                                    {.id = "id2", .username = ""}};
  ASSERT_TRUE(write_targets(path_, targets));
  const auto read = read_targets(path_);
  ASSERT_TRUE(read) << read.error().message;
  ASSERT_EQ(read->size(), 2U);
  EXPECT_EQ((*read)[0].id, "id1");
  EXPECT_EQ((*read)[0].username, "name1");
  EXPECT_EQ((*read)[1].id, "id2");
  EXPECT_EQ((*read)[1].username, "");
}

TEST_F(TargetsFile, BadLineIsNamedByItsNumber) {
  write("# users\nid1 name1\n\nid2 name2 surplus\n");
  const auto read = read_targets(path_);
  ASSERT_FALSE(read);
  EXPECT_NE(read.error().message.find(":4"), std::string::npos) << read.error().message;
}

TEST_F(TargetsFile, MissingOrEmptyFileIsAnError) {
  EXPECT_FALSE(read_targets(path_));
  write("# nobody\n");
  EXPECT_FALSE(read_targets(path_));
}

}  // namespace
}  // namespace tokend::load
