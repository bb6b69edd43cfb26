// tokend as a process: how it starts, why it does not, how it stops.

#include <fcntl.h>
#include <gmock/gmock.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "core/affinity.h"
#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

using testing::ContainsRegex;
using testing::HasSubstr;
using testing::Not;

constexpr int kExitUnavailable = 78;  // EX_CONFIG: the host does not give what is needed

// The child's io_uring_setup fails with this errno.
template <int error>
bool deny_io_uring() {
  sock_filter program[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_io_uring_setup, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | error),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog filter{.len = sizeof(program) / sizeof(program[0]), .filter = program};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0;
}

// Root may write anywhere; without these it may not, once it has become another program.
bool drop_the_right_to_ignore_modes() {
  constexpr int kDacOverride = 1;
  constexpr int kDacReadSearch = 2;
  return geteuid() != 0 ||
         (prctl(PR_CAPBSET_DROP, kDacOverride) == 0 && prctl(PR_CAPBSET_DROP, kDacReadSearch) == 0);
}

class Start : public testing::Test {
 protected:
  static Outcome run(std::vector<std::string> arguments,
                     std::vector<std::string> environment = {}) {
    Launch launch;
    launch.program = program_path("tokend");
    launch.arguments = std::move(arguments);
    launch.environment = std::move(environment);
    return run_to_end(launch);
  }
  // One line, and not a single word of a stack or a library's exception.
  static void expect_one_clear_message(const Outcome& outcome) {
    EXPECT_GT(outcome.status, 0) << outcome.errors;
    EXPECT_LT(outcome.status, 128) << outcome.errors;
    EXPECT_EQ(outcome.output, "");
    EXPECT_THAT(outcome.errors, Not(ContainsRegex("terminate|exception|Aborted|CHECK")));
  }
};

TEST_F(Start, WithoutIoUringExitsWith78AndSaysWhatToDo) {
  for (bool (*deny)() : {deny_io_uring<ENOSYS>, deny_io_uring<EPERM>}) {
    ServerProcess server({.before_exec = deny});
    Launch launch = server.launch();
    const Outcome outcome = run_to_end(launch);
    EXPECT_EQ(outcome.status, kExitUnavailable) << outcome.errors;
    EXPECT_THAT(outcome.errors, HasSubstr("io_uring"));
    EXPECT_EQ(outcome.output, "");
  }
}

TEST_F(Start, IoUringDisabledByTheOperatorIsNamed) {
  ServerProcess server({.before_exec = deny_io_uring<EPERM>});
  EXPECT_THAT(run_to_end(server.launch()).errors,
              testing::AnyOf(HasSubstr("kernel.io_uring_disabled"), HasSubstr("seccomp")));
}

TEST_F(Start, CoresThatShareACpuCannotBeSteeredTo) {
  const std::string cores = std::to_string(core::allowed_cpus().size() + 1);
  ServerProcess server({.flags = {"--cores", cores, "--steer-connections"}});
  const Outcome outcome = run_to_end(server.launch());
  expect_one_clear_message(outcome);
  EXPECT_THAT(outcome.errors, HasSubstr("--steer-connections"));
}

TEST_F(Start, BusyPortIsNamed) {
  ServerProcess first;
  ASSERT_TRUE(first.start()) << first.report();
  const std::string address = "127.0.0.1:" + std::to_string(first.port());
  ServerProcess second({.flags = {"--listen", address}});
  const Outcome outcome = run_to_end(second.launch());
  expect_one_clear_message(outcome);
  EXPECT_THAT(outcome.errors, HasSubstr(address));
  // The first one is not harmed.
  ApiClient client(first);
  EXPECT_EQ(client.get("/health").status, 200);
}

TEST_F(Start, DataDirectoryInUseIsNamed) {
  ServerProcess first;
  ASSERT_TRUE(first.start()) << first.report();
  const Outcome outcome = run_to_end(first.launch());
  expect_one_clear_message(outcome);
  EXPECT_THAT(read_whole_file(first.launch().stderr_path), HasSubstr("in use"));
  EXPECT_THAT(read_whole_file(first.launch().stderr_path), HasSubstr(first.data_path()));
  ApiClient client(first);
  EXPECT_TRUE(client.authenticates(client.login_admin()));
}

TEST_F(Start, UnwritableDataDirectoryIsNamed) {
  const TemporaryDirectory directory;
  const std::string closed = directory.path() + "/closed";
  ASSERT_EQ(mkdir(closed.c_str(), 0555), 0);
  ServerProcess server({.before_exec = drop_the_right_to_ignore_modes});
  for (const std::string& data : {closed, closed + "/below", std::string("/dev/null/data")}) {
    Launch launch = server.launch();
    launch.arguments.insert(launch.arguments.end(), {"--data", data});
    launch.arguments.erase(launch.arguments.begin(), launch.arguments.begin() + 2);
    const Outcome outcome = run_to_end(launch);
    expect_one_clear_message(outcome);
    EXPECT_THAT(outcome.errors, HasSubstr(data));
  }
}

TEST_F(Start, DataDirectoryIsPrivate) {
  ServerProcess server;
  ASSERT_TRUE(server.start()) << server.report();
  struct stat status{};
  ASSERT_EQ(stat(server.data_path().c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777, 0700U);
}

TEST_F(Start, UnknownFlagIsNamed) {
  const Outcome outcome = run({"--no-such-flag"});
  expect_one_clear_message(outcome);
  EXPECT_THAT(outcome.errors, HasSubstr("no-such-flag"));
}

TEST_F(Start, BadValuesAreNamed) {
  for (const auto& [flag, value] :
       std::vector<std::pair<std::string, std::string>>{{"--token-lifetime", "90"},
                                                        {"--token-lifetime", "9 years"},
                                                        {"--cores", "many"},
                                                        {"--listen", "nowhere"},
                                                        {"--max-resume-login-tokens", "-1"}}) {
    const Outcome outcome = run({flag, value, "--data", "/dev/null/never"});
    expect_one_clear_message(outcome);
    EXPECT_THAT(outcome.errors, HasSubstr(flag == "--listen" ? value : flag)) << value;
  }
  const Outcome outcome = run({"--data", "/dev/null/never"}, {"TOKEND_CORES=many"});
  expect_one_clear_message(outcome);
  EXPECT_THAT(outcome.errors, HasSubstr("TOKEND_CORES"));
}

TEST_F(Start, UnknownKeyOfTheFileIsNamed) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/tokend.toml";
  std::ofstream(path) << "cores = 1\nno_such_key = 5\n";
  const Outcome outcome = run({"--config", path});
  expect_one_clear_message(outcome);
  EXPECT_THAT(outcome.errors, HasSubstr("no_such_key"));
  EXPECT_THAT(outcome.errors, HasSubstr(path));
}

TEST_F(Start, FlagBeatsEnvironmentBeatsFileBeatsDefault) {
  const TemporaryDirectory directory;
  const std::string path = directory.path() + "/tokend.toml";
  std::ofstream(path) << "cores = 1\ntoken_lifetime = \"1h\"\nbcrypt_cost = 5\n";
  const Outcome outcome = run({"--config", path, "--cores", "3", "--print-config"},
                              {"TOKEND_CORES=2", "TOKEND_TOKEN_LIFETIME=2h"});
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
  EXPECT_THAT(outcome.output, HasSubstr("cores = 3"));
  EXPECT_THAT(outcome.output, HasSubstr("token_lifetime = \"2h\""));
  EXPECT_THAT(outcome.output, HasSubstr("bcrypt_cost = 5"));
  EXPECT_THAT(outcome.output, ContainsRegex("max_resume_login_tokens = 50"));
}

TEST_F(Start, PrintConfigMasksSecrets) {
  const Outcome outcome =
      run({"--print-config"}, {"CREATE_TOKENS_FOR_USERS_SECRET=do-not-show-this",
                               "ADMIN_USERNAME=root", "ADMIN_PASS=nor-this-one"});
  EXPECT_EQ(outcome.status, 0) << outcome.errors;
  for (const std::string& text : {outcome.output, outcome.errors}) {
    EXPECT_THAT(text, Not(HasSubstr("do-not-show-this")));
    EXPECT_THAT(text, Not(HasSubstr("nor-this-one")));
  }
  EXPECT_THAT(outcome.output, HasSubstr("create_tokens_for_users_secret"));
}

TEST_F(Start, HelpNamesEverySettingThreeTimes) {
  const Outcome outcome = run({"--help"});
  EXPECT_EQ(outcome.status, 0);
  for (const char* text :
       {"--listen", "--data", "--cores", "--token-lifetime", "TOKEND_TOKEN_LIFETIME", "90d",
        "127.0.0.1:3000", "PORT", "CREATE_TOKENS_FOR_USERS", "CREATE_TOKENS_FOR_USERS_SECRET",
        "MAX_RESUME_LOGIN_TOKENS", "HTTP_FORWARDED_COUNT", "ADMIN_USERNAME", "ADMIN_PASS",
        "ADMIN_EMAIL", "ADMIN_NAME"}) {
    EXPECT_THAT(outcome.output, HasSubstr(text));
  }
}

TEST_F(Start, VersionIsPrinted) {
  const Outcome outcome = run({"--version"});
  EXPECT_EQ(outcome.status, 0);
  EXPECT_THAT(outcome.output, ContainsRegex("[0-9]+\\.[0-9]+\\.[0-9]+"));
}

TEST_F(Start, SaysInTheLogWhetherIssuingIsOnAndHowToTurnItOn) {
  ServerProcess off({.environment = {{"CREATE_TOKENS_FOR_USERS", "false"}}});
  ASSERT_TRUE(off.start()) << off.report();
  EXPECT_EQ(off.stop(), 0);
  EXPECT_THAT(off.log(), HasSubstr("CREATE_TOKENS_FOR_USERS"));
}

class DamagedLog : public testing::Test {
 protected:
  static constexpr std::size_t kTokens = 30;

  // Issues tokens one by one, and dies.
  void issue_and_die() {
    ASSERT_TRUE(server_.start()) << server_.report();
    ApiClient client(server_);
    const Credentials admin = client.login_admin();
    const Person person = client.create_user(admin, "holder");
    for (std::size_t i = 0; i < kTokens; ++i) tokens_.push_back(client.issue(admin, person.id));
    server_.kill();
  }
  [[nodiscard]] std::string journal() const { return server_.data_path() + "/journal"; }
  // At half of what is used of the file that is written.
  void damage() const {
    constexpr std::size_t kBlock = 4096;
    for (const auto& entry : std::filesystem::directory_iterator(journal())) {
      std::ifstream reader(entry.path(), std::ios::binary);
      const std::string content{std::istreambuf_iterator<char>(reader), {}};
      const std::size_t used = content.find_last_not_of('\0');
      if (used == std::string::npos) continue;
      const std::size_t at = used / 2 / kBlock * kBlock + 60;
      std::fstream file(entry.path(), std::ios::binary | std::ios::in | std::ios::out);
      file.seekp(static_cast<std::streamoff>(at));
      file.put(static_cast<char>(content.at(at) ^ 0x5a));
    }
  }
  [[nodiscard]] std::size_t tokens_that_work() {
    ApiClient client(server_);
    return static_cast<std::size_t>(std::ranges::count_if(
        tokens_, [&](const Credentials& token) { return client.authenticates(token); }));
  }

  ServerProcess server_;
  std::vector<Credentials> tokens_;
};

TEST_F(DamagedLog, IsRefusedAndCanBeAccepted) {
  issue_and_die();
  damage();
  EXPECT_FALSE(server_.start());
  EXPECT_THAT(server_.log(), HasSubstr("the journal is damaged: frame"));
  EXPECT_THAT(server_.log(), HasSubstr("--accept-log-damage"));
  server_.settings().flags = {"--accept-log-damage"};
  ASSERT_TRUE(server_.start()) << server_.report();
  const std::size_t left = tokens_that_work();
  EXPECT_GT(left, 0U);
  EXPECT_LT(left, kTokens);
  EXPECT_EQ(server_.stop(), 0);
  EXPECT_THAT(server_.log(), HasSubstr("Accepted: what lay there is lost"));
  server_.settings().flags = {};
  ASSERT_TRUE(server_.start()) << server_.report();
  EXPECT_EQ(tokens_that_work(), left);
}

TEST_F(DamagedLog, ThatIsMissingIsRefused) {
  issue_and_die();
  std::filesystem::remove_all(journal());
  EXPECT_FALSE(server_.start());
  EXPECT_THAT(server_.log(), HasSubstr("is missing"));
}

class Stop : public testing::Test {
 protected:
  static std::string login_bytes() {
    return bytes_of({.method = "POST",
                     .target = "/api/v1/login",
                     .body = R"({"user":")" + std::string(kAdminUsername) + R"(","password":")" +
                             kAdminPassword + "\"}"});
  }
  // A login takes a few hundred milliseconds.
  static ServerSettings slow() { return {.flags = {"--bcrypt-cost", "12"}}; }
  static void wait_a_little() { std::this_thread::sleep_for(std::chrono::milliseconds(60)); }
};

TEST_F(Stop, RequestInFlightIsAnsweredAndTheExitIsClean) {
  for (const int signal : {SIGTERM, SIGINT}) {
    ServerProcess server(slow());
    ASSERT_TRUE(server.start()) << server.report();
    std::optional<HttpClient> opened(std::in_place, Endpoint{.port = server.port()});
    HttpClient& client = *opened;
    ASSERT_TRUE(client.send(login_bytes()));
    wait_a_little();
    ASSERT_TRUE(client.is_silent_for(Milliseconds(0))) << "the login was too fast to be in flight";
    server.send_signal(signal);
    const Response response = client.read_response();
    EXPECT_EQ(response.status, 200) << response;
    EXPECT_TRUE(client.read_end());
    opened.reset();
    EXPECT_EQ(server.wait(Milliseconds(10'000)), 0) << server.report();
    ASSERT_FALSE(HttpClient(Endpoint{.port = server.port()}).connected());
  }
}

TEST_F(Stop, TokenIssuedWhileStoppingLasts) {
  ServerProcess server(slow());
  ASSERT_TRUE(server.start()) << server.report();
  Response response;
  {
    HttpClient client(Endpoint{.port = server.port()});
    ASSERT_TRUE(client.send(login_bytes()));
    wait_a_little();
    server.send_signal(SIGTERM);
    response = client.read_response();
  }
  ASSERT_EQ(response.status, 200) << response;
  ASSERT_EQ(server.wait(Milliseconds(10'000)), 0) << server.report();
  server.kill();
  ASSERT_TRUE(server.start()) << server.report();
  ApiClient client(server);
  EXPECT_TRUE(client.authenticates(
      {string_field(response.body, "userId"), string_field(response.body, "authToken")}));
}

TEST_F(Stop, IdleConnectionsAreClosedAtOnce) {
  ServerProcess server;
  ASSERT_TRUE(server.start()) << server.report();
  HttpClient used(Endpoint{.port = server.port()});
  EXPECT_EQ(used.exchange({.method = "GET", .target = "/health"}).status, 200);
  HttpClient fresh(Endpoint{.port = server.port()});
  wait_a_little();
  const auto begin = std::chrono::steady_clock::now();
  EXPECT_EQ(server.stop(), 0) << server.report();
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(5));
  EXPECT_TRUE(used.read_end());
  EXPECT_TRUE(fresh.read_end());
}

TEST_F(Stop, ConnectionsThatAreOwedNothingAreNotLingeredFor) {
  ServerProcess server({.flags = {"--linger-timeout", "60s", "--drain-timeout", "60s"}});
  ASSERT_TRUE(server.start()) << server.report();
  HttpClient fresh(Endpoint{.port = server.port()});
  wait_a_little();
  EXPECT_EQ(server.stop(Milliseconds(10'000)), 0) << server.report();
  EXPECT_TRUE(fresh.read_end());
}

TEST_F(Stop, RequestWhoseClientLeftDoesNotSpoilTheExit) {
  ServerProcess server(slow());
  ASSERT_TRUE(server.start()) << server.report();
  HttpClient client(Endpoint{.port = server.port()});
  ASSERT_TRUE(client.send(login_bytes()));
  wait_a_little();
  ASSERT_TRUE(client.is_silent_for(Milliseconds(0))) << "the login was too fast to be in flight";
  client.close_with_reset();
  EXPECT_EQ(server.stop(Milliseconds(10'000)), 0) << server.report();
}

TEST_F(Stop, SecondSignalEndsAtOnce) {
  ServerProcess server({.flags = {"--bcrypt-cost", "14"}});
  ASSERT_TRUE(server.start()) << server.report();
  HttpClient client(Endpoint{.port = server.port()});
  ASSERT_TRUE(client.send(login_bytes()));
  wait_a_little();
  server.send_signal(SIGTERM);
  wait_a_little();
  server.send_signal(SIGTERM);
  EXPECT_NE(server.wait(Milliseconds(5'000)), -1) << server.report();
}

TEST_F(Stop, StartStopStartKeepsEverything) {
  ServerProcess server;
  std::vector<Credentials> tokens;
  for (int round = 0; round < 4; ++round) {
    ASSERT_TRUE(server.start()) << server.report();
    {
      ApiClient client(server);
      for (const Credentials& token : tokens) EXPECT_TRUE(client.authenticates(token));
      tokens.push_back(client.login_admin());
    }
    ASSERT_EQ(server.stop(), 0) << server.report();
  }
}

}  // namespace
}  // namespace tokend::tests
