// GET permissions.listAll and POST permissions.update (contract 4.4, 9.17).

#include "http/api/call.h"
#include "http/api/endpoints.h"
#include "http/api/text.h"
#include "http/api/user_json.h"

namespace tokend::api {
namespace {

// Calls `visit` with each permission of the table.
template <class Visit>
void for_each_permission(const store::PermissionTable& table, Visit&& visit) {
  for (std::size_t index = 0; index < store::kPermissionCount; ++index) {
    const auto permission = static_cast<store::Permission>(index);
    visit(permission, table[permission]);
  }
}

class ListPermissions final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body&, const store::User*) noexcept override {
    JsonWriter json = writer();
    json.begin_object().key("update").begin_array();
    for_each_permission(store().permissions(), [&](store::Permission permission,
                                                   const store::PermissionTable::Entry& entry) {
      json.begin_object().key("_id").text(id_of(permission));
      json.key("_updatedAt").text(view_of(iso_time(entry.updated_ms)));
      write_roles(json.key("roles"), entry.roles);
      json.end_object();
    });
    json.end_array().key("remove").begin_array().end_array();
    json.key("success").boolean(true).end_object();
    succeed(json);
  }
};

// Reads [{_id, roles}]; of a permission named twice the last wins, as with keys. False when
// anything of it is not known or not of its type.
bool read_changes(const Body& body, std::vector<store::UpdatePermissions::Change>& changes) {
  const auto list = body.value("permissions");
  return list && list->each([&](JsonValue element) {
    const auto id = element.member("_id");
    const auto name = id ? id->text() : std::nullopt;
    const auto permission = name ? store::permission_of(*name) : std::nullopt;
    const auto roles = element.member("roles");
    if (!permission || !roles) return false;
    store::RoleSet set;
    const bool known = roles->each([&](JsonValue role) {
      const auto role_id = role.text();
      const auto found = role_id ? store::role_of(*role_id) : std::nullopt;
      if (found) set.add(*found);
      return found.has_value();
    });
    if (!known) return false;
    std::erase_if(changes, [&](const auto& change) { return change.permission == *permission; });
    changes.push_back({*permission, set});
    return true;
  });
}

class UpdatePermissions final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body& body, const store::User*) noexcept override {
    if (!read_changes(body, update_.changes)) return answer(kInvalidBodyParams);
    changes_ = update_.changes;
    if (changes_.empty()) return on_updated();
    update_.origin = origin();
    update_.then<&UpdatePermissions::on_updated>(*this);
    store().write(update_);
  }
  void on_updated() noexcept {
    if (!update_.result) return fail(update_.result.error());
    // The answer shows what was just written, whether or not this core has heard of it yet.
    store::PermissionTable table = store().permissions();
    for (const auto& change : changes_) table[change.permission].roles = change.roles;
    JsonWriter json = writer();
    json.begin_object().key("permissions").begin_array();
    for_each_permission(
        table, [&](store::Permission permission, const store::PermissionTable::Entry& entry) {
          json.begin_object().key("_id").text(id_of(permission));
          write_roles(json.key("roles"), entry.roles);
          json.end_object();
        });
    json.end_array().key("success").boolean(true).end_object();
    succeed(json);
  }

  store::UpdatePermissions update_;
  std::vector<store::UpdatePermissions::Change> changes_;
};

}  // namespace

void permissions_list_all(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<ListPermissions>(context, exchange, route);
}

void permissions_update(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<UpdatePermissions>(context, exchange, route);
}

}  // namespace tokend::api
