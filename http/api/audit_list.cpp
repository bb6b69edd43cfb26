// GET audit.list: a page of the audit (store/audit.h), newest first. Beyond the original.
//
// The query: `count`, `event`, `actor` and `userId` (the target), `since` and `until` (ISO 8601 or
// milliseconds since the epoch), `cursor` (of the page before). A page looks at a bounded number of
// records, so one with a rare filter may be short or empty and still have a cursor; without one
// there is no more.

#include <string>

#include "http/api/audit_json.h"
#include "http/api/call.h"
#include "http/api/endpoints.h"
#include "http/api/page.h"
#include "http/api/text.h"

namespace tokend::api {
namespace {

class AuditList final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body&, const store::User*) noexcept override {
    Body fields;
    if (!read_query(fields)) return;
    store::AuditQuery& query = list_.query;
    std::size_t offset = 0;
    if (!read_page(fields, offset, query.count)) return answer(kInvalidPage);
    if (!read_time(fields, "since", query.since_ms) ||
        !read_time(fields, "until", query.until_ms)) {
      return answer(kInvalidTime);
    }
    if (const auto cursor = fields.name("cursor")) {
      const auto before = store().locator_of(*cursor);
      if (!before) return answer(kInvalidCursor);
      query.before = *before;
    }
    if (const auto event = fields.name("event")) {
      query.event = store::audit_event_of(*event);
      if (!query.event) return answer(kInvalidEvent);
    }
    if (!read_user(fields, "actor", query.actor) || !read_user(fields, "userId", query.target)) {
      return answer(kInvalidUser);
    }
    list_.then<&AuditList::on_listed>(*this);
    store().list_audit(list_);
  }
  [[nodiscard]] static bool read_time(const Body& fields, std::string_view key,
                                      std::int64_t& wall_ms) noexcept {
    const auto text = fields.name(key);
    if (!text) return true;
    const auto moment = parse_time_ms(*text);
    if (moment) wall_ms = *moment;
    return moment.has_value();
  }
  // That such a user exists is not asked: it may have been deleted.
  [[nodiscard]] static bool read_user(const Body& fields, std::string_view key,
                                      store::UserId& user) noexcept {
    const auto id = fields.name(key);
    if (!id) return true;
    if (!store::UserId::fits(*id)) return false;
    user = store::UserId(*id);
    return true;
  }
  void on_listed() noexcept {
    if (!list_.result) return fail(list_.result.error());
    const store::AuditPage& page = list_.page;
    JsonWriter json = writer();
    json.begin_object().key("events").begin_array();
    for (const store::AuditPage::Entry& entry : page.entries) {
      write_audit_record(json, entry, store().id_of(entry.record.token));
    }
    json.end_array().key("count").number(static_cast<std::int64_t>(page.entries.size()));
    json.key("cursor");
    if (page.next.empty()) {
      json.raw("null");
    } else {
      json.text(store::view_of(store().id_of(page.next)));
    }
    json.key("success").boolean(true).end_object();
    succeed(json);
  }

  store::ListAudit list_;
};

}  // namespace

void audit_list(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<AuditList>(context, exchange, route);
}

}  // namespace tokend::api
