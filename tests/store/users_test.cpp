// Users: created, found, listed, changed, deleted.

#include "tests/store/store_fixture.h"

namespace tokend::store {
namespace {

using core::Errc;

class UsersTest : public StoreFixture {
 protected:
  // The id found, or empty.
  UserId find(UserKey key, const std::string& value, std::size_t core = 0) {
    Asked<FindUser> operation;
    UserId id;
    operation.key = key;
    operation.value = value;
    operation.at_done = [&] {
      if (operation.result) id = operation.user->id;
    };
    store(core).find_user(operation);
    settle();
    EXPECT_TRUE(operation.succeeded() || operation.failed_with(Errc::not_found));
    return id;
  }
  User user_of(const UserId& id, std::size_t core = 0) {
    Asked<FindUser> operation;
    User user;
    operation.value = id.view();
    operation.at_done = [&] {
      if (operation.result) user = *operation.user;
    };
    store(core).find_user(operation);
    settle();
    EXPECT_TRUE(operation.succeeded());
    return user;
  }
  void create_into(Asked<CreateUser>& operation, const std::string& username,
                   const std::string& email = {}) {
    operation.user.username = username;
    if (!email.empty()) operation.user.emails = {{email, false}};
    store().write(operation);
  }
  void erase(const UserId& id) {
    Asked<DeleteUser> operation;
    operation.id = id;
    store().write(operation);
    settle();
    EXPECT_TRUE(operation.succeeded());
  }
  std::vector<std::string> names(std::size_t offset, std::size_t count, std::size_t& total) {
    Asked<ListUsers> operation;
    operation.offset = offset;
    operation.count = count;
    store().list_users(operation);
    settle();
    EXPECT_TRUE(operation.succeeded());
    total = operation.total;
    std::vector<std::string> names;
    for (const User& user : operation.users) names.push_back(user.username);
    return names;
  }
};

struct AskedUpdate : Asked<UpdateUser> {
  AskedUpdate() { profile = std::make_unique<ProfileChanges>(); }
};

TEST_F(UsersTest, ANewUserHasAnIdItsTimesAndARole) {
  Asked<CreateUser> operation;
  create_into(operation, "Anna", "Anna@X.org");
  settle();
  ASSERT_TRUE(operation.succeeded());
  EXPECT_EQ(operation.user.id.size(), 17U);
  EXPECT_EQ(operation.user.created_ms, clock.now_ms);
  EXPECT_EQ(operation.user.roles, RoleSet{Role::user});
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(find(UserKey::id, std::string(operation.user.id.view())), operation.user.id);
    EXPECT_EQ(find(UserKey::username, "aNNA"), operation.user.id);
    EXPECT_EQ(find(UserKey::email, "anna@x.ORG"), operation.user.id);
    restart();
  }
}

TEST_F(UsersTest, AreFoundFromTheDiskToo) {
  const UserId anna = create("Ännä");
  restart();
  database.memory_knows = [](Family, std::string_view) { return false; };
  EXPECT_EQ(find(UserKey::username, "ÄNNÄ"), anna);
  EXPECT_EQ(find(UserKey::email, "root@x.org"), root);
  EXPECT_TRUE(find(UserKey::username, "nobody").empty());
}

TEST_F(UsersTest, WhoAreNotThereAreNotFound) {
  EXPECT_TRUE(find(UserKey::id, "nobody").empty());
  EXPECT_TRUE(find(UserKey::id, "").empty());
  EXPECT_TRUE(find(UserKey::id, std::string(200, 'x')).empty());
  EXPECT_TRUE(find(UserKey::username, "nobody").empty());
  EXPECT_TRUE(find(UserKey::username, "\xff").empty());
  EXPECT_TRUE(find(UserKey::email, std::string(5000, 'x')).empty());
}

TEST_F(UsersTest, AreNotMadeTwiceInTheSameBatch) {
  Asked<CreateUser> first, same_name, same_email;
  create_into(first, "anna", "a@x.org");
  create_into(same_name, "ANNA", "b@x.org");
  create_into(same_email, "bert", "A@X.org");
  settle();
  EXPECT_TRUE(first.succeeded());
  EXPECT_TRUE(same_name.failed_with(Errc::exists));
  EXPECT_EQ(same_name.conflict, UserConflict::username);
  EXPECT_TRUE(same_email.failed_with(Errc::exists));
  EXPECT_EQ(same_email.conflict, UserConflict::email);
  EXPECT_EQ(database.size(Family::users), 2U);
}

TEST_F(UsersTest, NamesAreFreeAgainAfterADeletionInTheSameBatchToo) {
  const UserId anna = create("anna");
  Asked<DeleteUser> erase_first;
  erase_first.id = anna;
  store().write(erase_first);
  Asked<CreateUser> again;
  create_into(again, "Anna");
  settle();
  EXPECT_TRUE(again.succeeded());
  EXPECT_EQ(find(UserKey::username, "anna"), again.user.id);
  EXPECT_NE(again.user.id, anna);
}

TEST_F(UsersTest, ImpossibleOnesAreInvalid) {
  Asked<CreateUser> no_name, bad_name, bad_email, long_name, strange_role;
  create_into(no_name, "");
  create_into(bad_name, "a b");
  create_into(bad_email, "anna", "nonsense");
  long_name.user.name = std::string(kDisplayNameBytesMax + 1, 'x');
  create_into(long_name, "bert");
  strange_role.user.roles = RoleSet(std::uint64_t{1} << 60);
  create_into(strange_role, "carl");
  settle();
  for (const auto* operation : {&no_name, &bad_name, &bad_email, &long_name, &strange_role}) {
    EXPECT_TRUE(operation->failed_with(Errc::invalid));
  }
}

TEST_F(UsersTest, ADeletedUserLeavesNothing) {
  Asked<CreateUser> anna;
  create_into(anna, "anna", "a@x.org");
  settle();
  EXPECT_EQ(find(UserKey::username, "anna", 1), anna.user.id);
  erase(anna.user.id);
  for (std::size_t core = 0; core < cores.size(); ++core) {
    EXPECT_TRUE(find(UserKey::id, std::string(anna.user.id.view()), core).empty());
    EXPECT_TRUE(find(UserKey::username, "anna", core).empty());
    EXPECT_TRUE(find(UserKey::email, "a@x.org", core).empty());
  }
  EXPECT_EQ(database.size(Family::users), 1U);
  EXPECT_EQ(database.size(Family::usernames), 1U);
  EXPECT_EQ(database.size(Family::emails), 1U);
  EXPECT_EQ(database.size(Family::members), 2U);
  Asked<DeleteUser> again;
  again.id = anna.user.id;
  store().write(again);
  settle();
  EXPECT_TRUE(again.failed_with(Errc::not_found));
}

TEST_F(UsersTest, TheLastActiveAdminStays) {
  Asked<UpdateUser> deactivate, demote;
  Asked<DeleteUser> erase_root;
  deactivate.id = demote.id = erase_root.id = root;
  deactivate.active = false;
  demote.remove_roles = RoleSet{Role::admin};
  store().write(deactivate);
  store().write(demote);
  store().write(erase_root);
  settle();
  EXPECT_TRUE(deactivate.failed_with(Errc::refused));
  EXPECT_TRUE(demote.failed_with(Errc::refused));
  EXPECT_TRUE(erase_root.failed_with(Errc::refused));
  EXPECT_TRUE(database.has(Family::users, root.view()));
}

TEST_F(UsersTest, OfTwoAdminsOneMayGoAndTheOtherMayNotInTheSameBatch) {
  const UserId anna = create("anna", RoleSet{Role::admin});
  restart();
  Asked<UpdateUser> first, second;
  first.id = root;
  first.active = false;
  second.id = anna;
  second.remove_roles = RoleSet{Role::admin};
  store().write(first);
  store().write(second);
  settle();
  EXPECT_TRUE(first.succeeded());
  EXPECT_TRUE(second.failed_with(Errc::refused));
}

TEST_F(UsersTest, AnInactiveAdminDoesNotCount) {
  const UserId anna = create("anna", RoleSet{Role::admin});
  Asked<UpdateUser> off;
  off.id = anna;
  off.active = false;
  store().write(off);
  settle();
  restart();
  Asked<DeleteUser> erase_root;
  erase_root.id = root;
  store().write(erase_root);
  settle();
  EXPECT_TRUE(erase_root.failed_with(Errc::refused));
}

TEST_F(UsersTest, AnUpdateChangesWhatIsSetAndNothingElse) {
  const UserId anna = create("anna");
  const Token token = issue(anna);
  clock.now_ms += 5;
  Asked<UpdateUser> operation;
  operation.id = anna;
  operation.add_roles = RoleSet{Role::bot};
  operation.active = true;
  store().write(operation);
  settle();
  ASSERT_TRUE(operation.succeeded());
  EXPECT_EQ(operation.user.username, "anna");
  EXPECT_EQ(operation.user.roles, (RoleSet{Role::user, Role::bot}));
  EXPECT_EQ(operation.user.updated_ms, clock.now_ms);
  EXPECT_LT(operation.user.created_ms, clock.now_ms);
  EXPECT_TRUE(authenticates(token.text, anna));
  EXPECT_TRUE(database.has(
      Family::members, std::string(1, static_cast<char>(Role::bot)) + std::string(anna.view())));
}

TEST_F(UsersTest, AnUpdatedNameAndAddressLeadToTheUserAndTheOldOnesToNobody) {
  Asked<CreateUser> anna;
  create_into(anna, "anna", "a@x.org");
  settle();
  const std::string id(anna.user.id.view());
  for (std::size_t core = 0; core < cores.size(); ++core) {
    EXPECT_EQ(find(UserKey::username, "anna", core), anna.user.id);
  }
  AskedUpdate update;
  update.id = anna.user.id;
  update.profile->username = "Änne";
  update.profile->name = "Anne Free Text";
  update.profile->email = "b@x.org";
  update.profile->require_password_change = true;
  store().write(update);
  settle();
  ASSERT_TRUE(update.succeeded());
  EXPECT_EQ(update.user.username, "Änne");
  for (int round = 0; round < 2; ++round) {
    for (std::size_t core = 0; core < cores.size(); ++core) {
      EXPECT_EQ(find(UserKey::username, "ÄNNE", core), anna.user.id);
      EXPECT_EQ(find(UserKey::email, "B@x.org", core), anna.user.id);
      EXPECT_TRUE(find(UserKey::username, "anna", core).empty());
      EXPECT_TRUE(find(UserKey::email, "a@x.org", core).empty());
      const User user = user_of(anna.user.id, core);
      EXPECT_EQ(user.name, "Anne Free Text");
      EXPECT_TRUE(user.require_password_change);
      ASSERT_EQ(user.emails.size(), 1U);
      EXPECT_FALSE(user.emails.front().verified);
    }
    restart();
  }
  EXPECT_EQ(database.size(Family::usernames), 2U);
  EXPECT_EQ(database.size(Family::emails), 2U);
  EXPECT_EQ(create("anna").size(), 17U);
}

TEST_F(UsersTest, AnUpdateTakesNobodysNameAndChangesNothingThen) {
  Asked<CreateUser> anna, bert;
  create_into(anna, "anna", "a@x.org");
  create_into(bert, "bert", "b@x.org");
  settle();
  AskedUpdate name, address, both;
  name.id = address.id = both.id = bert.user.id;
  name.profile->username = both.profile->username = "ANNA";
  address.profile->email = both.profile->email = "A@X.org";
  name.active = false;
  address.profile->username = "free";
  store().write(name);
  store().write(address);
  store().write(both);
  settle();
  for (const auto* operation : {&name, &address, &both}) {
    EXPECT_TRUE(operation->failed_with(Errc::exists));
  }
  EXPECT_EQ(name.conflict, UserConflict::username);
  EXPECT_EQ(address.conflict, UserConflict::email);
  EXPECT_EQ(both.conflict, UserConflict::username);
  EXPECT_EQ(find(UserKey::username, "anna"), anna.user.id);
  EXPECT_EQ(find(UserKey::email, "a@x.org"), anna.user.id);
  EXPECT_TRUE(find(UserKey::username, "free").empty());
  EXPECT_TRUE(user_of(bert.user.id).active);
}

TEST_F(UsersTest, OnesOwnNameInAnotherCaseIsFree) {
  Asked<CreateUser> anna;
  create_into(anna, "anna", "a@x.org");
  settle();
  AskedUpdate update;
  update.id = anna.user.id;
  update.profile->username = "ANNA";
  update.profile->email = "A@x.org";
  update.profile->email_verified = true;
  store().write(update);
  settle();
  ASSERT_TRUE(update.succeeded());
  restart();
  EXPECT_EQ(find(UserKey::username, "anna"), anna.user.id);
  EXPECT_EQ(find(UserKey::email, "a@x.org"), anna.user.id);
  const User user = user_of(anna.user.id);
  EXPECT_EQ(user.username, "ANNA");
  EXPECT_EQ(user.emails.front().address, "A@x.org");
  EXPECT_TRUE(user.emails.front().verified);
}

// In one batch: the name is given up, taken, and refused to a third.
TEST_F(UsersTest, ANameThatAnUpdateGivesUpCanBeTakenInTheSameBatch) {
  const UserId anna = create("anna");
  const UserId bert = create("bert");
  AskedUpdate leave, take;
  leave.id = anna;
  leave.profile->username = "other";
  take.id = bert;
  take.profile->username = "anna";
  Asked<CreateUser> late;
  store().write(leave);
  store().write(take);
  create_into(late, "Anna");
  settle();
  EXPECT_TRUE(leave.succeeded());
  EXPECT_TRUE(take.succeeded());
  EXPECT_TRUE(late.failed_with(Errc::exists));
  restart();
  EXPECT_EQ(find(UserKey::username, "anna"), bert);
  EXPECT_EQ(find(UserKey::username, "other"), anna);
  EXPECT_TRUE(find(UserKey::username, "bert").empty());
}

TEST_F(UsersTest, AnImpossibleUpdateIsInvalidAndChangesNothing) {
  const UserId anna = create("anna");
  AskedUpdate name, long_name, address, roles;
  for (auto* update : {&name, &long_name, &address, &roles}) {
    update->id = anna;
    update->active = false;
  }
  name.profile->username = "a b";
  long_name.profile->name = std::string(kDisplayNameBytesMax + 1, 'x');
  address.profile->email = "nonsense";
  roles.profile->roles = RoleSet(std::uint64_t{1} << 60);
  for (auto* update : {&name, &long_name, &address, &roles}) store().write(*update);
  settle();
  for (const auto* update : {&name, &long_name, &address, &roles}) {
    EXPECT_TRUE(update->failed_with(Errc::invalid));
  }
  EXPECT_TRUE(user_of(anna).active);
}

TEST_F(UsersTest, AnUpdateReplacesTheRolesAsAWholeButNotTheLastAdmins) {
  const UserId anna = create("anna", RoleSet{Role::user, Role::guest});
  AskedUpdate replace, demote;
  replace.id = anna;
  replace.profile->roles = RoleSet{Role::bot, Role::user};
  demote.id = root;
  demote.profile->roles = RoleSet{Role::user};
  store().write(replace);
  store().write(demote);
  settle();
  ASSERT_TRUE(replace.succeeded());
  EXPECT_TRUE(demote.failed_with(Errc::refused));
  EXPECT_EQ(replace.user.roles, (RoleSet{Role::bot, Role::user}));
  EXPECT_EQ(database.size(Family::members), 4U);
  EXPECT_FALSE(database.has(
      Family::members, std::string(1, static_cast<char>(Role::guest)) + std::string(anna.view())));
}

TEST_F(UsersTest, AreListedInOrderOfTheirFoldedNames) {
  create("Bert");
  create("anna");
  create("carl");
  erase(create("zoe"));
  std::size_t total = 0;
  EXPECT_EQ(names(0, 50, total), (std::vector<std::string>{"anna", "Bert", "carl", "root"}));
  EXPECT_EQ(total, 4U);
  EXPECT_EQ(names(1, 2, total), (std::vector<std::string>{"Bert", "carl"}));
  EXPECT_EQ(total, 4U);
  EXPECT_TRUE(names(9, 2, total).empty());
  EXPECT_TRUE(names(0, 0, total).empty());
  restart();
  EXPECT_EQ(names(3, 9, total), (std::vector<std::string>{"root"}));
  EXPECT_EQ(total, 4U);
}

TEST_F(UsersTest, PasswordsAreHashedAndVerifiedOffTheLoop) {
  Asked<HashPassword> hash;
  hash.sha256_hex = std::string(64, 'a');
  store().hash_password(hash);
  EXPECT_EQ(hash.times_done, 0);
  settle();
  ASSERT_TRUE(hash.succeeded());
  EXPECT_TRUE(hash.sha256_hex.empty());
  Asked<VerifyPassword> right, wrong, nobody;
  right.password_hash = wrong.password_hash = hash.password_hash;
  right.sha256_hex = nobody.sha256_hex = std::string(64, 'a');
  wrong.sha256_hex = std::string(64, 'b');
  store().verify_password(right);
  store().verify_password(wrong);
  store().verify_password(nobody);
  settle();
  EXPECT_TRUE(right.succeeded() && right.matches);
  EXPECT_TRUE(wrong.succeeded() && !wrong.matches);
  EXPECT_TRUE(nobody.succeeded() && !nobody.matches);
  hashers.limit = 0;
  Asked<VerifyPassword> refused;
  store().verify_password(refused);
  EXPECT_TRUE(refused.failed_with(Errc::full));
}

}  // namespace
}  // namespace tokend::store
