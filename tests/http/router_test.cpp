#include "http/router.h"

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

namespace tokend::http {
namespace {

TEST(Router, FindsEveryPathByItsIndexAndNothingElse) {
  std::vector<std::string> names = {"/", "/health", "/api/info", "/api/v1/info", "/api/v1/me"};
  // Paths that agree in length and at both ends.
  for (char letter = 'a'; letter <= 'z'; ++letter) {
    names.push_back(std::string("/api/v1/users.") + letter + letter + ".createToken");
  }
  const std::vector<std::string_view> paths(names.begin(), names.end());
  const Router router(paths);
  for (std::size_t index = 0; index < paths.size(); ++index) {
    const std::string copy(paths[index]);
    EXPECT_EQ(router.find(copy), static_cast<int>(index));
    EXPECT_EQ(router.find(copy + "/"), Router::kNotFound) << copy;
    EXPECT_EQ(router.find(copy + "x"), Router::kNotFound) << copy;
    std::string upper = copy;
    for (char& byte : upper) byte = static_cast<char>(std::toupper(byte));
    if (upper != copy) {
      EXPECT_EQ(router.find(upper), Router::kNotFound) << copy;
    }
    EXPECT_EQ(router.find(std::string_view(copy).substr(1)), Router::kNotFound) << copy;
  }
  EXPECT_EQ(router.find(""), Router::kNotFound);
}

TEST(Router, AParameterIsAnyTextInTheLastSegment) {
  constexpr std::string_view kNames[] = {"/a/:_id", "/a/exact", "/a", "/b/c/:_id", "/"};
  const Router router(kNames);
  EXPECT_EQ(router.find("/a/x"), 0);
  EXPECT_EQ(router.find("/a/:_id"), 0);
  EXPECT_EQ(router.find("/a/exact"), 1);
  EXPECT_EQ(router.find("/a/Exact"), 0);
  EXPECT_EQ(router.find("/a"), 2);
  EXPECT_EQ(router.find("/b/c/%20"), 3);
  for (const char* path : {"/a/", "/a/x/", "/a/x/y", "//x", "/b/x", "/A/x", "a/x", "/b/c", ""}) {
    EXPECT_EQ(router.find(path), Router::kNotFound) << path;
  }
  EXPECT_EQ(last_segment_of("/a/x"), "x");
  EXPECT_EQ(last_segment_of("/a/"), "");
  EXPECT_EQ(last_segment_of("x"), "x");
}

TEST(Router, WithoutRoutesFindsNothing) {
  const Router router({});
  EXPECT_EQ(router.find("/"), Router::kNotFound);
}

}  // namespace
}  // namespace tokend::http
