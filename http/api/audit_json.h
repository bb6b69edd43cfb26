#pragma once
// A record of the audit as audit.list and `tokenctl audit` show it. No secret is in it.

#include "http/api/json_writer.h"
#include "store/audit_reader.h"
#include "store/token_id.h"

namespace tokend::api {

// One object. `token_id`: the public id of the record's token, if it has one.
void write_audit_record(JsonWriter& json, const store::AuditPage::Entry& entry,
                        const store::TokenId& token_id);

}  // namespace tokend::api
