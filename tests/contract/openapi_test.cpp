// GET /api/openapi.json: the server says of itself what all contract tests hold it to.

#include <gtest/gtest.h>

#include <string>

#include "tests/contract/contract_suite.h"

namespace tokend::tests {
namespace {

constexpr const char* kPath = "/api/openapi.json";

class Openapi : public ServerSuite<Openapi> {};

TEST_F(Openapi, IsTheDescriptionThatAnswersAreHeldAgainst) {
  const Response response = client().get(kPath);
  ASSERT_EQ(response.status, 200) << response;
  EXPECT_EQ(response.header("Content-Type"), "application/json");
  std::string source = read_whole_file(TOKEND_SOURCE_DIR "/http/api/openapi.json");
  std::string text;
  for (std::size_t at = 0; at < source.size(); ++at) {
    if (source[at] == '\n') at = source.find_first_not_of(" \n", at);
    if (at >= source.size()) break;
    text += source[at];
  }
  // An anonymous caller is told no more than major.minor here either.
  const std::string placeholder = "@PROJECT_VERSION_MAJOR@.@PROJECT_VERSION_MINOR@";
  const auto at = text.find(placeholder);
  ASSERT_NE(at, std::string::npos);
  text.replace(at, placeholder.size(), string_field(client().get("/api/info").body, "version"));
  EXPECT_EQ(response.body, text);
}

TEST_F(Openapi, IsServedToHeadAndToNoOtherMethod) {
  HttpClient raw = connect();
  const Response get = raw.exchange({.method = "GET", .target = kPath});
  const Response head = raw.exchange({.method = "HEAD", .target = kPath});
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.header("Content-Length"), std::to_string(get.body.size()));
  EXPECT_EQ(raw.exchange({.method = "POST", .target = kPath}).status, 405);
}

TEST_F(Openapi, ManyAreServedOnOneConnectionAtOnce) {
  constexpr int kRequests = 20;
  const std::string request = bytes_of({.method = "GET", .target = kPath});
  std::string bytes;
  for (int count = 0; count < kRequests; ++count) bytes += request;
  HttpClient raw = connect();
  ASSERT_TRUE(raw.send(bytes));
  for (int count = 0; count < kRequests; ++count) EXPECT_EQ(raw.read_response().status, 200);
}

}  // namespace
}  // namespace tokend::tests
