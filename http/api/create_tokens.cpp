// POST users.createTokens, beyond the original: tokens for many users in one request, guarded as
// users.createToken is. The body is JSON with one of the lists `userIds` and `usernames`, of at
// most kBulkTargetsMax texts, and `secret` and `lifetime` as there. The answer has one entry for
// each, in their order:
//
//   {"tokens":[{"userId":…,"authToken":…}|{"error":…,"errorType":…},…],"success":true}
//
// with `expiresAt` beside the token where a lifetime was asked for. An entry's errors are those of
// users.createToken. Whoever lacks the permission is refused as a whole, also for oneself: that is
// what users.createToken is for. So is a request for more tokens than the rate of a policy allows.
//
// With an Idempotency-Key the same request gets the same answer again. What is kept of the first
// one (store/idempotency.h) are the tokens, and the errors that are a user's own, a damaged record
// among them; an entry that else failed by the store's fault, those behind it, and what a crash was
// faster than, are issued by the repetition.
//
// Operation: the users are taken into slices, the usernames among them looked up a slice a turn,
// and all is handed to the committer in one turn, so that it makes as few batches of it as its
// limits allow; the answer is written a slice a turn. Other requests are served between the turns.
//
// Each token is atomic, the request is not: a crash before the answer may leave some of its tokens,
// whose text nobody has seen. The answer leaves when all are durable.
//
// Limits: kBulkRequestsMax under way on a core. Each takes about 4 MB: an operation for each token
// and the answer's text. A client that leaves does not stop its request.

#include <algorithm>
#include <array>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "http/api/endpoints.h"
#include "http/api/idempotency_key.h"
#include "http/api/issuing_call.h"
#include "http/api/text.h"

namespace tokend::api {
namespace {

using store::AuditReason;

// What one turn looks up or writes down.
constexpr std::size_t kSliceTargets = 256;
// An entry with the longest id of our making and a lifetime; longer answers make it grow.
constexpr std::size_t kEntryBytesExpected = 136;

constexpr FixedAnswer kTargetsMissing{
    400, R"({"success":false,"error":"Either \"userIds\" or \"usernames\" must be given, an )"
         R"(array of strings [error-invalid-params]","errorType":"error-invalid-params"})"};
constexpr FixedAnswer kTooManyTargets{
    400, R"({"success":false,"error":"At most 10000 users at once [error-too-many-users]",)"
         R"("errorType":"error-too-many-users"})"};
static_assert(kBulkTargetsMax == 10'000, "kTooManyTargets says so");

// An entry says what the answer to a single request would, but for `success`.
void append_error(std::string& out, const FixedAnswer& single) {
  constexpr std::string_view kStart = R"({"success":false,)";
  CHECK(single.body.starts_with(kStart));
  out += '{';
  out += single.body.substr(kStart.size());
}

const FixedAnswer& answer_to(core::Errc code) noexcept {
  switch (code) {
    case core::Errc::invalid: return kUserParamNotProvided;
    case core::Errc::not_found: return kInvalidUser;
    case core::Errc::refused: return kNotAuthorized;
    case core::Errc::full:
    case core::Errc::unavailable: return kServiceUnavailable;
    default: return kInternalServerError;
  }
}

bool is_of_the_store(core::Errc code) noexcept {
  return code != core::Errc::invalid && code != core::Errc::not_found &&
         code != core::Errc::refused;
}

class CreateTokens final : public IssuingCall {
 public:
  using IssuingCall::IssuingCall;
  ~CreateTokens() {
    if (bulk_) --context().bulk_requests;
  }

 private:
  struct Slice {
    std::array<store::IssueToken, kSliceTargets> tokens;
    std::size_t count = 0;
  };
  // What does not fit into an exchange.
  struct Bulk {
    bool by_name = false;
    std::string texts;              // of all targets, trimmed, one behind the other
    std::vector<std::size_t> ends;  // of each in `texts`
    std::vector<std::unique_ptr<Slice>> slices;
    std::array<store::ResolveUsernames::Name, kSliceTargets> names;
    store::ResolveUsernames resolve;
    store::NextTurn next_turn;
    std::optional<Keyed> keyed;
    std::size_t under_way = 0;  // tokens that the committer was asked for
    std::size_t written = 0;    // slices, in `answer`
    std::size_t issued = 0;
    std::size_t replayed = 0;  // of these
    std::optional<core::Errc> store_failure;
    AuditReason first_refusal = AuditReason::none;  // why
    store::UserId first_refused;
    bool caller_revoked = false;  // before some of the tokens were issued
    std::string answer;
  };

  void run(const Body& body, const store::User* user) noexcept override;
  // False: the call has been answered.
  [[nodiscard]] bool read_targets(const Body& body) noexcept;
  void look_key_up() noexcept;
  void on_key_looked_up() noexcept;
  void begin() noexcept;
  void take_slice() noexcept;
  void take_kept(std::size_t number, store::IssueToken& token) noexcept;
  void on_resolved() noexcept;
  void take_next() noexcept;
  void issue_all() noexcept;
  void on_issued() noexcept;
  void write_slice() noexcept;
  void append_entry(const store::IssueToken& token, bool kept);
  void finish() noexcept;

  template <void (CreateTokens::*step)() noexcept>
  void next_turn() noexcept {
    bulk_->next_turn.then<step>(*this);
    store().go_on_next_turn(bulk_->next_turn);
  }
  [[nodiscard]] std::string_view target(std::size_t index) const noexcept {
    const std::size_t begin = index == 0 ? 0 : bulk_->ends[index - 1];
    return std::string_view(bulk_->texts).substr(begin, bulk_->ends[index] - begin);
  }

  // How many targets, of the first ones, an earlier request with the key has been answered for.
  [[nodiscard]] std::size_t kept() const noexcept {
    return bulk_->keyed ? bulk_->keyed->request.items.size() : 0;
  }

  std::int64_t lifetime_ms_ = 0;  // 0: none was asked for
  std::unique_ptr<Bulk> bulk_;
};

void CreateTokens::run(const Body& body, const store::User*) noexcept {
  if (const AuditReason reason = gate(body); reason != AuditReason::none) {
    return refuse_not_authorized(reason);
  }
  if (!allows(store::Permission::user_generate_access_token)) {
    return refuse_not_authorized(AuditReason::no_permission);
  }
  if (context().bulk_requests >= kBulkRequestsMax) return fail(core::Errc::full);
  ++context().bulk_requests;
  bulk_ = std::make_unique<Bulk>();
  if (!read_targets(body)) return;
  if (!read_lifetime(body, lifetime_ms_)) return refuse_lifetime(lifetime_ms_max());
  if (!has_key()) return begin();
  Keyed& keyed = bulk_->keyed.emplace();
  keyed.request.keeps_refusals = true;
  keyed.request.names_users = !bulk_->by_name;
  if (read_key(digest_of_request(bulk_->texts, bulk_->ends, bulk_->by_name, lifetime_ms_), keyed)) {
    look_key_up();
  }
}

void CreateTokens::look_key_up() noexcept {
  if (++bulk_->keyed->look_ups > kKeyLookUpsMax) return fail(core::Errc::full);
  bulk_->slices.clear();
  bulk_->keyed->find.then<&CreateTokens::on_key_looked_up>(*this);
  store().find_keyed(bulk_->keyed->find);
}

void CreateTokens::on_key_looked_up() noexcept {
  if (!bulk_->keyed->find.result) return refuse_key(bulk_->keyed->find.result.error());
  bulk_->keyed->request.begin_part();
  begin();
}

void CreateTokens::begin() noexcept {
  const std::size_t left = bulk_->ends.size() - kept();
  if (!(bulk_->keyed ? count_for_policies(*bulk_->keyed, left) : count_for_policies(left))) return;
  bulk_->resolve.then<&CreateTokens::on_resolved>(*this);
  take_next();
}

bool CreateTokens::read_targets(const Body& body) noexcept {
  const auto ids = body.value("userIds");
  const auto names = body.value("usernames");
  const auto& list = ids ? ids : names;
  if (!list || (ids && names) || !list->is_array()) {
    answer(kTargetsMissing);
    return false;
  }
  bulk_->by_name = !ids;
  bulk_->ends.reserve(kBulkTargetsMax);
  const bool all_read = list->each([&](JsonValue element) {
    if (bulk_->ends.size() == kBulkTargetsMax) return false;
    // What is no string counts as absent, as in a single request.
    bulk_->texts += trim(element.text().value_or(std::string_view()));
    bulk_->ends.push_back(bulk_->texts.size());
    return true;
  });
  if (!all_read) answer(kTooManyTargets);
  return all_read;
}

// Whether an id is somebody's and active is decided where the token is made; so here only names
// are looked up.
void CreateTokens::take_slice() noexcept {
  const std::size_t first = bulk_->slices.size() * kSliceTargets;
  Slice& slice = *bulk_->slices.emplace_back(std::make_unique<Slice>());
  slice.count = std::min(kSliceTargets, bulk_->ends.size() - first);
  for (std::size_t index = 0; index < slice.count; ++index) {
    store::IssueToken& token = slice.tokens[index];
    const std::string_view text = target(first + index);
    if (bulk_->by_name) bulk_->names[index] = {.username = text, .id = {}};
    if (first + index < kept()) {
      take_kept(first + index, token);
      continue;
    }
    fill(token, lifetime_ms_);
    if (bulk_->keyed) token.keyed = &bulk_->keyed->request;
    token.then<&CreateTokens::on_issued>(*this);
    if (text.empty()) {
      token.result = std::unexpected(core::Errc::invalid);
    } else if (!bulk_->by_name) {
      if (store::UserId::fits(text)) {
        token.user = store::UserId(text);
      } else {
        token.result = std::unexpected(core::Errc::not_found);
      }
    }
  }
  if (!bulk_->by_name || first + slice.count <= kept()) return take_next();
  bulk_->resolve.names = std::span(bulk_->names).first(slice.count);
  store().resolve_usernames(bulk_->resolve);
}

void CreateTokens::take_kept(std::size_t number, store::IssueToken& token) noexcept {
  const store::KeyedRequest& request = bulk_->keyed->request;
  const store::KeyedItem& item = request.items[number];
  token.result = item.result;
  if (!item.result) return;
  token.user = bulk_->by_name ? item.user : store::UserId(target(number));
  token.expires_ms = item.expires_ms;
  token.token = store().token_of(request, static_cast<std::uint32_t>(number));
}

void CreateTokens::on_resolved() noexcept {
  if (!bulk_->resolve.result) return fail(bulk_->resolve.result.error());
  Slice& slice = *bulk_->slices.back();
  const std::size_t first = (bulk_->slices.size() - 1) * kSliceTargets;
  for (std::size_t index = 0; index < slice.count; ++index) {
    store::IssueToken& token = slice.tokens[index];
    if (!token.result || first + index < kept()) continue;
    token.user = bulk_->names[index].id;
    if (token.user.empty()) token.result = std::unexpected(core::Errc::not_found);
  }
  take_next();
}

void CreateTokens::take_next() noexcept {
  const bool all_taken = bulk_->slices.size() * kSliceTargets >= bulk_->ends.size();
  return all_taken ? next_turn<&CreateTokens::issue_all>() : next_turn<&CreateTokens::take_slice>();
}

// Of a request with a key all that is left: the committer takes down what failed here, too.
void CreateTokens::issue_all() noexcept {
  const auto each_possible = [this](auto&& visit) {
    std::size_t number = 0;
    for (const std::unique_ptr<Slice>& slice : bulk_->slices) {
      for (store::IssueToken& token : std::span(slice->tokens).first(slice->count)) {
        if (number++ >= kept() && (token.result || token.keyed)) visit(token);
      }
    }
  };
  each_possible([this](const store::IssueToken&) { ++bulk_->under_way; });
  if (bulk_->under_way == 0) return next_turn<&CreateTokens::write_slice>();
  each_possible([this](store::IssueToken& token) { store().write(token); });
}

void CreateTokens::on_issued() noexcept {
  if (--bulk_->under_way > 0) return;
  // A request with the same key was under way, and is through now.
  if (bulk_->keyed && bulk_->keyed->request.part.stopped == core::Errc::exists) {
    return next_turn<&CreateTokens::look_key_up>();
  }
  next_turn<&CreateTokens::write_slice>();
}

void CreateTokens::append_entry(const store::IssueToken& token, bool kept) {
  std::string& out = bulk_->answer;
  if (!token.result) {
    const core::Errc code = token.result.error();
    if (is_of_the_store(code)) bulk_->store_failure = code;
    // Why something was refused once, nobody knows any more, and it was recorded then.
    if (token.broken_bound == store::BrokenBound::shown_token) {
      bulk_->caller_revoked = true;
    } else if (code == core::Errc::refused && !kept) {
      if (bulk_->first_refusal == AuditReason::none) {
        bulk_->first_refusal = reason_of_refusal(token);
        bulk_->first_refused = token.user;
      } else {
        record_refusal(reason_of_refusal(token), token.user.view());
      }
    } else if (code == core::Errc::not_found && !kept) {
      record_refusal(AuditReason::target_unknown, token.user.view());
    }
    return append_error(out, answer_to(code));
  }
  ++bulk_->issued;
  bulk_->replayed += kept;
  out += R"({"userId":")";
  append_escaped(out, token.user.view());
  out += R"(","authToken":")";
  out += store::view_of(token.token);
  if (lifetime_ms_ > 0) {
    out += R"(","expiresAt":")";
    out += view_of(iso_time(token.expires_ms));
  }
  out += R"("})";
}

void CreateTokens::write_slice() noexcept {
  if (bulk_->answer.empty()) {
    bulk_->answer.reserve(bulk_->ends.size() * kEntryBytesExpected);
    bulk_->answer = R"({"tokens":[)";
  }
  if (bulk_->written == bulk_->slices.size()) return finish();
  std::unique_ptr<Slice>& slice = bulk_->slices[bulk_->written];
  for (std::size_t index = 0; index < slice->count; ++index) {
    if (bulk_->written > 0 || index > 0) bulk_->answer += ',';
    append_entry(slice->tokens[index], bulk_->written * kSliceTargets + index < kept());
  }
  slice.reset();
  ++bulk_->written;
  next_turn<&CreateTokens::write_slice>();
}

void CreateTokens::finish() noexcept {
  // Of many the first tells what to look for.
  if (bulk_->first_refusal != AuditReason::none) {
    log_refusal(bulk_->first_refusal, bulk_->first_refused.view());
  }
  // Of all of its targets it is the caller who was refused.
  if (bulk_->caller_revoked) log_refusal(AuditReason::caller_revoked);
  if (bulk_->issued == bulk_->replayed && bulk_->caller_revoked) return answer(kNotLoggedIn);
  if (bulk_->replayed > 0) record_replay(bulk_->replayed);
  if (bulk_->issued == 0 && bulk_->store_failure) return fail(*bulk_->store_failure);
  bulk_->answer += R"(],"success":true})";
  answer(200, bulk_->answer);
}

}  // namespace

void create_tokens(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<CreateTokens>(context, exchange, route);
}

}  // namespace tokend::api
