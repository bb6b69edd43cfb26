// GET me: who the caller is (contract 4.2, 9.13). With the token and the user in memory it is
// answered in the turn that it came in.

#include "http/api/call.h"
#include "http/api/endpoints.h"
#include "http/api/user_json.h"

namespace tokend::api {
namespace {

class Me final : public Call {
 public:
  using Call::Call;

 private:
  void run(const Body&, const store::User* user) noexcept override {
    MeAnswers& answers = context().me_answers;
    if (const std::string_view known = answers.find(*user); !known.empty()) {
      return answer(200, known);
    }
    JsonWriter json = writer();
    json.begin_object();
    write_me(json, *user);
    json.key("success").boolean(true).end_object();
    answers.keep(*user, json.view());
    succeed(json);
  }
};

}  // namespace

void me(Context& context, http::Exchange& exchange, const Route& route) noexcept {
  serve<Me>(context, exchange, route);
}

}  // namespace tokend::api
