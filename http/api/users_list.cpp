// GET users.list: a page of users in order of their names (contract 4.3, 9.15).

#include "http/api/call.h"
#include "http/api/endpoints.h"
#include "http/api/page.h"
#include "http/api/user_json.h"

namespace tokend::api {
namespace {

class UserList final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body&, const store::User*) noexcept override {
    Body fields;
    if (!read_query(fields)) return;
    if (!read_page(fields, list_.offset, list_.count)) return answer(kInvalidPage);
    list_.then<&UserList::on_listed>(*this);
    store().list_users(list_);
  }
  void on_listed() noexcept {
    if (!list_.result) return fail(list_.result.error());
    const bool full = allows(store::Permission::view_full_other_user_info);
    JsonWriter json = writer();
    json.begin_object().key("users").begin_array();
    for (const store::User& user : list_.users) {
      json.begin_object();
      full || user.id == caller().id ? write_full_user(json, user) : write_public_user(json, user);
      json.end_object();
    }
    json.end_array();
    json.key("count").number(static_cast<std::int64_t>(list_.users.size()));
    json.key("offset").number(static_cast<std::int64_t>(list_.offset));
    json.key("total").number(static_cast<std::int64_t>(list_.total));
    json.key("success").boolean(true).end_object();
    succeed(json);
  }

  store::ListUsers list_;
};

}  // namespace

void users_list(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<UserList>(context, exchange, route);
}

}  // namespace tokend::api
