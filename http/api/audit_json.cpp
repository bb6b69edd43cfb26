#include "http/api/audit_json.h"

#include "http/api/client_address.h"
#include "http/api/text.h"

namespace tokend::api {
namespace {

std::string_view outcome_of(const store::AuditRecord& record) noexcept {
  if (record.event == store::AuditEvent::dropped) return "dropped";
  return record.reason == store::AuditReason::none ? "success" : "refused";
}

void write_user(JsonWriter& json, std::string_view key, const store::UserId& user) {
  if (user.empty()) return;
  json.key(key).begin_object().key("_id").text(user.view()).end_object();
}

}  // namespace

void write_audit_record(JsonWriter& json, const store::AuditPage::Entry& entry,
                        const store::TokenId& token_id) {
  const store::AuditRecord& record = entry.record;
  json.begin_object().key("time").text(view_of(iso_time(entry.at.issued_ms())));
  json.key("event").text(id_of(record.event)).key("outcome").text(outcome_of(record));
  if (record.reason != store::AuditReason::none) json.key("reason").text(id_of(record.reason));
  write_user(json, "actor", record.origin.actor);
  write_user(json, "target", record.target);
  if (record.origin.address != ClientAddress{}) {
    AddressText text;
    json.key("address").text(to_text(record.origin.address, text));
  }
  if (!record.token.empty()) json.key("token").text(store::view_of(token_id));
  if (record.expires_ms == store::kNeverExpires) {
    json.key("expiresAt").raw("null");
  } else if (record.expires_ms != 0) {
    json.key("expiresAt").text(view_of(iso_time(record.expires_ms)));
  }
  if (record.count != 0) json.key("count").number(record.count);
  if (!record.details.empty()) json.key("details").text(record.details.view());
  json.end_object();
}

}  // namespace tokend::api
