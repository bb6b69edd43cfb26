// Administration on the data directory of a tokend that does not run.
//
// Exit codes: 0 done; 1 it could not be done, with one line that says why; 2 the command line is
// wrong.
#include <termios.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <functional>
#include <iostream>
#include <optional>
#include <string>

#include "store/password.h"
#include "tools/tokenctl/commands.h"

namespace tokend::tools {
namespace {

constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;

// One line of standard input, which a terminal does not show: a password on the command line could
// be seen by everybody on the machine.
std::string read_password() {
  termios shown{};
  const bool terminal = tcgetattr(STDIN_FILENO, &shown) == 0;
  if (terminal) {
    termios hidden = shown;
    hidden.c_lflag &= ~static_cast<tcflag_t>(ECHO);
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &hidden);
    std::fputs("Password: ", stderr);
  }
  std::string password;
  std::getline(std::cin, password);
  if (terminal) {
    tcsetattr(STDIN_FILENO, TCSAFLUSH, &shown);
    std::fputs("\n", stderr);
  }
  return password;
}

using Command = std::function<core::Result<void>(OfflineStore&)>;

// What the command line's parts are read into; they live as long as the program.
struct Words {
  std::string data = "./data";
  int bcrypt_cost = store::kBcryptCostDefault;
  std::string user;
  std::string role;
  bool active = false;
  bool ask_password = false;
  AuditWords audit;
  NewUser new_user;
  TokensToRevoke to_revoke;
};

CLI::App* add(CLI::App& parent, const std::string& name, const std::string& help, Command& chosen,
              Command command) {
  CLI::App* app = parent.add_subcommand(name, help);
  app->callback([&chosen, command = std::move(command)] { chosen = command; });
  return app;
}

void add_commands(CLI::App& app, Words& words, Command& chosen) {
  app.add_option("--data", words.data, "Directory of the database")
      ->envname("TOKEND_DATA")
      ->capture_default_str();
  app.add_option("--bcrypt-cost", words.bcrypt_cost, "Cost of new password hashes")
      ->check(CLI::Range(4, 16))
      ->capture_default_str();
  app.require_subcommand(1);
  add(app, "check", "Read every record; fails if one is damaged", chosen, check);

  CLI::App* revoke_command =
      add(app, "revoke", "Revoke all that an issuer issued, or all before a time, or both", chosen,
          [&words](OfflineStore& store) { return revoke(store, words.to_revoke); });
  // CLI11 reads an empty text into an optional as none.
  const auto into = [](std::optional<std::string>& word) {
    return [&word](const std::string& text) { word = text; };
  };
  TokensToRevoke& to_revoke = words.to_revoke;
  revoke_command->add_option_function("--issuer", std::function(into(to_revoke.issuer)),
                                      "Id or username; its own logins and personal tokens stay");
  revoke_command->add_option_function("--issuer-id", std::function(into(to_revoke.issuer_id)),
                                      "The same by id, also of one who was deleted");
  revoke_command->add_option_function(
      "--before", std::function(into(to_revoke.before)),
      "As in 2026-01-31T23:59:59Z; without an issuer: everybody's tokens");

  CLI::App* audit = add(app, "audit", "Who did what, newest first: a line of JSON each", chosen,
                        [&words](OfflineStore& store) { return show_audit(store, words.audit); });
  audit->add_option("--event", words.audit.event, "Only these, such as token-issue");
  audit->add_option("--actor", words.audit.actor, "Only what the user of this id did");
  audit->add_option("--target", words.audit.target, "Only what was done to or for it");
  audit->add_option("--since", words.audit.since, "A time such as 2026-01-31T23:59:59Z");
  audit->add_option("--until", words.audit.until, "Likewise");
  audit->add_option("--count", words.audit.count, "So many at most; 0 for all")
      ->capture_default_str();

  CLI::App* user = app.add_subcommand("user", "Users, named by id or username");
  user->require_subcommand(1);
  add(*user, "list", "All users in order of their names", chosen, list_users);

  CLI::App* create = add(*user, "create", "Make a user", chosen, [&words](OfflineStore& store) {
    if (words.ask_password) words.new_user.password = read_password();
    return create_user(store, words.new_user);
  });
  create->add_option("username", words.new_user.username)->required();
  create->add_option("--name", words.new_user.name, "Display name");
  create->add_option("--email", words.new_user.email, "E-mail address");
  create->add_option("--role", words.new_user.roles, "Roles; `user` if none is given")
      ->allow_extra_args(false);
  create->add_flag("--password", words.ask_password,
                   "Read a password from standard input; without it the user can't log in");

  const auto on_user = [&](const char* name, const char* help, Command command) {
    CLI::App* command_app = add(*user, name, help, chosen, std::move(command));
    command_app->add_option("user", words.user, "Id or username")->required();
    return command_app;
  };
  on_user("show", "All that is known of a user",
          [&words](OfflineStore& store) { return show_user(store, words.user); });
  on_user("set-active", "Activate or deactivate; deactivating revokes all tokens",
          [&words](OfflineStore& store) { return set_active(store, words.user, words.active); })
      ->add_option("active", words.active, "true or false")
      ->required();
  on_user("set-password", "Set a password, read from standard input; revokes all tokens",
          [&words](OfflineStore& store) -> core::Result<void> {
            const std::string password = read_password();
            if (password.empty()) return core::fail(core::Errc::invalid, "no password was given");
            return set_password(store, words.user, password);
          });
  on_user("add-role", "Give a role",
          [&words](OfflineStore& store) { return add_role(store, words.user, words.role); })
      ->add_option("role", words.role)
      ->required();
  on_user("remove-role", "Take a role away",
          [&words](OfflineStore& store) { return remove_role(store, words.user, words.role); })
      ->add_option("role", words.role)
      ->required();
  on_user("revoke-tokens", "Revoke every token of a user",
          [&words](OfflineStore& store) { return revoke_tokens(store, words.user); });
}

int run(int argc, char** argv) {
  Words words;
  Command chosen;
  CLI::App app("Administration of a tokend that does not run", "tokenctl");
  app.set_version_flag("--version", "tokenctl " TOKEND_VERSION);
  add_commands(app, words, chosen);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    // --help and --version come this way too.
    return app.exit(error) == 0 ? 0 : kExitUsage;
  }
  auto store = OfflineStore::open(words.data, words.bcrypt_cost);
  const core::Result<void> done =
      store ? chosen(**store) : core::Result<void>(std::unexpected(store.error()));
  if (done) return std::fflush(stdout) == 0 ? 0 : kExitFailure;
  std::fprintf(stderr, "tokenctl: %s\n",
               done.error().message.empty() ? std::string(core::name_of(done.error().code)).c_str()
                                            : done.error().message.c_str());
  return kExitFailure;
}

}  // namespace
}  // namespace tokend::tools

int main(int argc, char** argv) { return tokend::tools::run(argc, argv); }
