// That an answer which is not as it is described is caught, by the description and by the client
// that all contract tests ask with.

#include "tests/support/api_description.h"

#include <gmock/gmock.h>
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "tests/tokenload/fake_server.h"

namespace tokend::tests {
namespace {

using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

constexpr const char* kMe = "/api/v1/me";
constexpr const char* kCreateToken = "/api/v1/users.createToken";
constexpr const char* kToken = "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddee-";

Response bare(int status, HeaderList headers, std::string body = {}) {
  Response response;
  response.status = status;
  response.headers = std::move(headers);
  response.body = std::move(body);
  return response;
}

Response answer(int status, std::string body, HeaderList headers = {}) {
  headers.emplace_back("Content-Type", "application/json");
  return bare(status, std::move(headers), std::move(body));
}

std::string issued(const std::string& more = "") {
  return std::string(R"({"data":{"userId":"aaaaaaaaaaaaaaaaa","authToken":")") + kToken + "\"" +
         more + R"(},"success":true})";
}

std::string violation(const char* method, const char* path, const Response& response) {
  return ApiDescription::of_tokend().violation(Asked{method, path}, response);
}

std::string failure(const std::string& error, const std::string& code) {
  return R"({"success":false,"error":")" + error + " [" + code + R"(]","errorType":")" + code +
         "\"}";
}

TEST(ApiDescription, OfTokendHasNoDefect) { EXPECT_EQ(ApiDescription::of_tokend().defect(), ""); }

TEST(ApiDescription, FindsWhatCannotBeChecked) {
  for (const char* answers :
       {R"({"200":{"$ref":"#/none"}})", R"({"200":{}})",
        R"({"200":{"description":"d","content":{"application/json":{}}}})",
        R"({"200":{"description":"d","content":{"a/b":{"schema":{"not":{}}}}}})",
        R"({"200":{"description":"d","headers":{"X":{"schema":{"maxLength":1}}}}})"}) {
    const ApiDescription description(R"({"paths":{"/a":{"get":{"responses":)" +
                                     std::string(answers) + R"(}}},"components":{"schemas":{}}})");
    EXPECT_NE(description.defect(), "") << answers;
  }
  EXPECT_NE(ApiDescription(R"({"paths":{},"components":{"schemas":{"A":{"not":{}}}}})").defect(),
            "");
}

TEST(ApiDescription, TakesTheAnswersOfTheContract) {
  EXPECT_EQ(violation("POST", kCreateToken, answer(200, issued())), "");
  EXPECT_EQ(violation("POST", kCreateToken,
                      answer(200, issued(R"(,"expiresAt":"2026-01-31T23:59:59.999Z")"))),
            "");
  EXPECT_EQ(violation("POST", kCreateToken,
                      answer(400, failure("Not authorized", "error-not-authorized"))),
            "");
  EXPECT_EQ(
      violation("GET", "/health", bare(200, {{"Content-Type", "text/plain; charset=utf-8"}}, "ok")),
      "");
  EXPECT_EQ(violation("HEAD", "/readyz", bare(200, {{"Content-Type", "application/json"}})), "");
  EXPECT_EQ(violation("GET", "/auth",
                      bare(200, {{"X-User-Id", "aaaaaaaaaaaaaaaaa"}, {"X-User-Roles", "user"}})),
            "");
  EXPECT_EQ(violation("GET", "/nothing", answer(404, failure("Not Found", "error-not-found"))), "");
  EXPECT_EQ(violation("GET", "/api/v1/settings/API_Enable_CORS",
                      answer(200, R"({"_id":"API_Enable_CORS","value":true,"success":true})")),
            "");
  EXPECT_EQ(ApiDescription::of_tokend().violation(
                std::nullopt, answer(400, failure("Bad Request", "error-bad-request"),
                                     {{"Connection", "close"}})),
            "");
}

TEST(ApiDescription, AWrongBodyIsCaught) {
  for (const std::string& body :
       {std::string("{}"), std::string("nonsense"), issued(R"(,"id":1)"),
        issued(R"(,"expiresAt":"2026-01-31 23:59:59")"), issued(R"(,"expiresAt":null)"),
        std::string(R"({"data":{"userId":"aaaaaaaaaaaaaaaaa"},"success":true})"),
        std::string(
            R"({"data":{"userId":"aaaaaaaaaaaaaaaaa","authToken":"short"},"success":true})"),
        failure("Not authorized", "error-not-authorized")}) {
    EXPECT_NE(violation("POST", kCreateToken, answer(200, body)), "") << body;
  }
  // Another call's error, a text that is not the contract's, a code that is not the text's.
  for (const std::string& body : {failure("The setting does not exist", "error-invalid-setting"),
                                  failure("not authorized", "error-not-authorized"),
                                  failure("Not authorized", "error-invalid-user"),
                                  std::string(R"({"success":false,"error":"User not found."})")}) {
    EXPECT_NE(violation("POST", kCreateToken, answer(400, body)), "") << body;
  }
}

TEST(ApiDescription, AWrongStatusTypeOrHeaderIsCaught) {
  EXPECT_THAT(violation("POST", kCreateToken, answer(201, issued())), HasSubstr("201"));
  EXPECT_THAT(violation("GET", kMe, answer(400, failure("Bad Request", "error-bad-request"))),
              HasSubstr("400"));
  EXPECT_THAT(violation("GET", kCreateToken, answer(200, issued())), HasSubstr("200"));
  EXPECT_THAT(violation("GET", "/nothing", answer(200, issued())), HasSubstr("200"));
  EXPECT_THAT(violation("GET", "/api/v1/settings/a/b", answer(400, "{}")), HasSubstr("400"));
  Response text = answer(200, issued());
  text.headers = {{"Content-Type", "application/json; charset=utf-8"}};
  EXPECT_THAT(violation("POST", kCreateToken, text), HasSubstr("content type"));
  // What answers to no request may not be said to one, but by who closes the connection.
  EXPECT_THAT(violation("GET", kMe,
                        answer(503, failure("Service Unavailable", "error-service-unavailable"))),
              HasSubstr("Retry-After"));
  EXPECT_EQ(violation("GET", kMe,
                      answer(503, failure("Service Unavailable", "error-service-unavailable"),
                             {{"Retry-After", "1"}})),
            "");
  EXPECT_THAT(violation("GET", "/auth", bare(200, {{"X-User-Id", "aaaaaaaaaaaaaaaaa"}})),
              HasSubstr("X-User-Roles"));
  EXPECT_THAT(violation("HEAD", "/readyz", answer(200, R"({"status":"ready"})")),
              HasSubstr("a body"));
  EXPECT_THAT(violation("GET", "/auth", answer(401, "{}", {{"WWW-Authenticate", "Bearer"}})),
              Not(IsEmpty()));
}

// The client itself, at a server that says one thing to everybody.
class Liar {
 public:
  explicit Liar(const std::string& body)
      : server_([body](std::string_view) {
          return std::optional(
              "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
              "Content-Length: " +
              std::to_string(body.size()) + "\r\n\r\n" + body);
        }) {}
  [[nodiscard]] HttpClient client(bool is_tokend = true) const {
    const std::string target = server_.target();
    const auto port = std::stoul(target.substr(target.find(':') + 1));
    return HttpClient({.port = static_cast<std::uint16_t>(port), .is_tokend = is_tokend});
  }

 private:
  load::FakeServer server_;
};

TEST(HttpClient, AnAnswerThatIsNotAsDescribedFailsTheTestThatAsked) {
  const Liar liar(R"({"success":true})");
  EXPECT_NONFATAL_FAILURE(
      static_cast<void>(liar.client().exchange({.method = "GET", .target = kMe})),
      "$: lacks \"_id\"");
  HttpClient raw = liar.client();
  ASSERT_TRUE(raw.send(bytes_of({.method = "POST", .target = kCreateToken}) +
                       bytes_of({.method = "POST", .target = "/api/v1/users.delete"})));
  EXPECT_NONFATAL_FAILURE(static_cast<void>(raw.read_response()), "$: lacks \"data\"");
  EXPECT_EQ(raw.read_response().status, 200);
}

TEST(HttpClient, OtherServersMayAnswerAsTheyLike) {
  const Liar liar("{}");
  EXPECT_EQ(liar.client(false).exchange({.method = "GET", .target = kMe}).body, "{}");
}

}  // namespace
}  // namespace tokend::tests
