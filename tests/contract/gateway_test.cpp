// GET /auth behind a real nginx with auth_request: what a gateway makes of our answers.

#include <gmock/gmock.h>
#include <signal.h>

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "tests/contract/contract_suite.h"
#include "tests/support/front_process.h"

namespace tokend::tests {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* kNginx = "/usr/sbin/nginx";

// nginx in front of an application that says what it was told.
class Nginx : public FrontProcess {
 public:
  explicit Nginx(std::uint16_t tokend_port)
      : FrontProcess(kNginx, configuration(tokend_port), [](const std::string& folder) {
          return std::vector<std::string>{"-e",   "stderr", "-p",
                                          folder, "-c",     folder + "/front.conf"};
        }) {}
  [[nodiscard]] int stop() { return FrontProcess::stop(SIGQUIT); }

 private:
  [[nodiscard]] static std::string configuration(std::uint16_t tokend_port) {
    std::string text = R"(daemon off;
master_process off;
error_log stderr warn;
pid FOLDER/pid;
events { worker_connections 64; }
http {
  access_log off;
  client_body_temp_path FOLDER/body;
  proxy_temp_path FOLDER/proxy;
  fastcgi_temp_path FOLDER/fastcgi;
  uwsgi_temp_path FOLDER/uwsgi;
  scgi_temp_path FOLDER/scgi;
  upstream tokend {
    server 127.0.0.1:TOKEND;
    keepalive 4;
  }
  server {
    listen 127.0.0.1:PORT;
    location = /who {
      internal;
      proxy_pass http://tokend/auth;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Content-Length "";
      proxy_pass_request_body off;
    }
    location / {
      auth_request /who;
      auth_request_set $user_id $upstream_http_x_user_id;
      auth_request_set $user_roles $upstream_http_x_user_roles;
      proxy_set_header X-User-Id $user_id;
      proxy_set_header X-User-Roles $user_roles;
      proxy_set_header X-Auth-Token "";
      proxy_set_header Authorization "";
      proxy_pass http://unix:FOLDER/application;
    }
  }
  server {
    listen unix:FOLDER/application;
    location / {
      return 200 "$request_method $http_x_user_id $http_x_user_roles $http_x_auth_token$http_authorization";
    }
  }
}
)";
    replace_all(text, "TOKEND", std::to_string(tokend_port));
    return text;
  }
};

Response ask_nginx(const Nginx& nginx, const Call& call) {
  return HttpClient({.port = nginx.port(), .is_tokend = false}).exchange(call);
}

class Gateway : public ServerSuite<Gateway> {
 protected:
  void SetUp() override {
    ServerSuite::SetUp();
    ASSERT_TRUE(std::filesystem::exists(kNginx)) << "nginx is missing: tools/dependencies";
    nginx_ = std::make_unique<Nginx>(server().port());
    ASSERT_TRUE(nginx_->start()) << nginx_->log();
  }
  void TearDown() override {
    if (nginx_) {
      EXPECT_EQ(nginx_->stop(), 0) << nginx_->log();
    }
    ServerSuite::TearDown();
  }
  Nginx& nginx() { return *nginx_; }
  Response ask(const Call& call) { return ask_nginx(nginx(), call); }
  Response get(HeaderList headers) {
    return ask({.target = "/things", .headers = std::move(headers)});
  }

 private:
  std::unique_ptr<Nginx> nginx_;
};

TEST_F(Gateway, LetsAHolderThroughAndTellsTheApplicationWhoItIs) {
  const Person person = make_user(R"(,"roles":["user","moderator"])");
  const Credentials token = client().issue(admin(), person.id);
  const std::string told = "GET " + person.id + " moderator,user ";
  EXPECT_TRUE(answers(get(headers_of(token)), 200, told)) << nginx().log();
  EXPECT_TRUE(answers(get({{"Authorization", "Bearer " + token.token}}), 200, told));
  // A request with a body is asked about without it.
  EXPECT_TRUE(answers(ask({.method = "POST",
                           .target = "/things",
                           .headers = headers_of(token),
                           .body = std::string(10'000, 'x')}),
                      200, "POST " + person.id + " moderator,user "));
}

TEST_F(Gateway, WhatAClientClaimsToBeIsNotBelieved) {
  const Person person = make_user();
  const Credentials token = client().issue(admin(), person.id);
  EXPECT_TRUE(answers(get({{"Authorization", "Bearer " + token.token}, {"X-User-Roles", "admin"}}),
                      200, "GET " + person.id + " user "));
  EXPECT_EQ(get({{"X-User-Id", admin().user_id}, {"X-User-Roles", "admin"}}).status, 401);
}

TEST_F(Gateway, TurnsEverybodyElseAwayWithOurChallenge) {
  const Response unknown = get({});
  EXPECT_EQ(unknown.status, 401);
  EXPECT_EQ(unknown.header("WWW-Authenticate"), R"(Bearer realm="tokend")");
  const Response wrong = get({{"Authorization", "Bearer " + std::string(43, 'A')}});
  EXPECT_EQ(wrong.status, 401);
  EXPECT_EQ(wrong.header("WWW-Authenticate"), R"(Bearer realm="tokend", error="invalid_token")");
}

TEST_F(Gateway, ARevokedTokenIsRefusedFromTheNextRequestOn) {
  const Person person = make_user();
  const Credentials token = client().issue(admin(), person.id);
  for (int round = 0; round < 20; ++round) EXPECT_EQ(get(headers_of(token)).status, 200);
  ASSERT_EQ(client().post("/api/v1/logout", "", &token).status, 200);
  EXPECT_EQ(get(headers_of(token)).status, 401);
  // nginx keeps its connections to us and had nothing to complain of.
  EXPECT_THAT(nginx().log(), Not(HasSubstr("upstream")));
}

TEST(GatewayWithoutTokend, LetsNobodyThrough) {
  ServerProcess own;
  ASSERT_TRUE(own.start()) << own.report();
  Nginx nginx(own.port());
  ASSERT_TRUE(nginx.start()) << nginx.log();
  ApiClient client(own);
  const Credentials admin = client.login_admin();
  const Call call{.target = "/things", .headers = headers_of(admin)};
  EXPECT_EQ(ask_nginx(nginx, call).status, 200);
  EXPECT_EQ(own.stop(), 0) << own.report();
  EXPECT_EQ(ask_nginx(nginx, call).status, 500);
  EXPECT_EQ(nginx.stop(), 0) << nginx.log();
}

}  // namespace
}  // namespace tokend::tests
