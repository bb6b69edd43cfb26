// POST users.delete: a user, its names and all of its tokens (contract 4.3, 9.16).

#include "http/api/call.h"
#include "http/api/endpoints.h"
#include "http/api/target.h"

namespace tokend::api {
namespace {

class DeleteUser final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body& body, const store::User*) noexcept override {
    const auto target = target_of(body);
    if (!target) return answer(kUserParamNotProvided);
    auto& find = steps_.make<store::FindUser>();
    find.key = target->key;
    find.value = target->value;
    find.then<&DeleteUser::on_target_found>(*this);
    store().find_user(find);
  }
  void on_target_found() noexcept {
    const auto& found = steps_.get<store::FindUser>();
    if (!found.result) return refuse_or_fail(found.result.error());
    const store::UserId id = found.user->id;
    auto& remove = steps_.make<store::DeleteUser>();
    remove.id = id;
    remove.origin = origin();
    remove.then<&DeleteUser::on_deleted>(*this);
    store().write(remove);
  }
  void on_deleted() noexcept {
    const auto& removed = steps_.get<store::DeleteUser>();
    if (!removed.result) {
      if (removed.result.error() == core::Errc::refused) {
        log_refusal(store::AuditReason::last_admin, removed.id.view());
      }
      return refuse_or_fail(removed.result.error());
    }
    answer(kSuccess);
  }
  void refuse_or_fail(core::Errc code) noexcept {
    if (code == core::Errc::not_found) return answer(kInvalidUser);
    if (code == core::Errc::refused) return answer(kLastAdmin);
    fail(code);
  }

  Steps<store::FindUser, store::DeleteUser> steps_;
};

}  // namespace

void users_delete(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<DeleteUser>(context, exchange, route);
}

}  // namespace tokend::api
