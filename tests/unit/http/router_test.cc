#include "http/router.h"

#include <gtest/gtest.h>

namespace weir::http {
namespace {

Route route(Method method, std::string pattern) {
  return {method, std::move(pattern), 0, [](const RequestHead&) -> Admission { return Response{}; }};
}

class RouterTest : public ::testing::Test {
 protected:
  static std::vector<Route> routes() {
    std::vector<Route> all;
    all.push_back(route(Method::get, "/"));
    all.push_back(route(Method::get, "/topics"));
    all.push_back(route(Method::post, "/topics"));
    all.push_back(route(Method::get, "/topics/:id"));
    all.push_back(route(Method::put, "/topics/:id"));
    all.push_back(route(Method::post, "/topics/special"));
    all.push_back(route(Method::put, "/topics/:id/purge"));
    all.push_back(route(Method::head, "/own"));
    all.push_back(route(Method::get, "/own"));
    return all;
  }
  std::string pattern(Method method, std::string_view path) {
    const auto match = router_.find(method, path, captures_);
    if (match.route != nullptr) return match.route->pattern;
    return match.allow != nullptr ? "405 " + *match.allow : "404";
  }
  Router router_{routes()};
  std::vector<std::string> captures_;
};

TEST_F(RouterTest, FindsLiteralsAndCaptures) {
  EXPECT_EQ(pattern(Method::get, "/"), "/");
  EXPECT_EQ(pattern(Method::get, "/topics"), "/topics");
  EXPECT_EQ(pattern(Method::get, "/topics/12"), "/topics/:id");
  EXPECT_EQ(captures_, std::vector<std::string>{"12"});
  EXPECT_EQ(pattern(Method::put, "/topics/a%2Fb%20c/purge"), "/topics/:id/purge");
  EXPECT_EQ(captures_, std::vector<std::string>{"a/b c"});
}

TEST_F(RouterTest, AcceptsOneTrailingSlash) {
  EXPECT_EQ(pattern(Method::get, "/topics/"), "/topics");
  EXPECT_EQ(pattern(Method::get, "/topics/1/"), "/topics/:id");
  EXPECT_EQ(pattern(Method::get, "/topics//"), "404");
  EXPECT_EQ(pattern(Method::get, "//topics"), "404");
  EXPECT_EQ(pattern(Method::get, "/topics//purge"), "404");
}

TEST_F(RouterTest, PrefersLiteralsButFallsBackToCapturesByMethod) {
  EXPECT_EQ(pattern(Method::post, "/topics/special"), "/topics/special");
  EXPECT_EQ(pattern(Method::get, "/topics/special"), "/topics/:id");
  EXPECT_EQ(captures_, std::vector<std::string>{"special"});
}

TEST_F(RouterTest, SaysWhichMethodsAKnownPathHas) {
  EXPECT_EQ(pattern(Method::delete_, "/topics"), "405 GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(pattern(Method::post, "/topics/1/purge"), "405 PUT, OPTIONS");
  EXPECT_EQ(pattern(Method::post, "/own"), "405 HEAD, GET, OPTIONS");
  EXPECT_EQ(pattern(Method::head, "/topics"), "/topics");
}

TEST_F(RouterTest, KnowsNothingElse) {
  for (const char* path : {"", "topics", "/topic", "/topicsx", "/topics/1/2", "/topics/%zz", "/topics/%00",
                           "/topics/%4", "/TOPICS", "/a/b/c/d/e/f/g/h/i/j/k/l/m/n/o/p/q/r/s"}) {
    EXPECT_EQ(pattern(Method::get, path), "404") << path;
  }
}

TEST(RouterDeath, RefusesPatternsThatContradictThemselves) {
  const auto build = [](std::string a, std::string b) {
    std::vector<Route> all;
    all.push_back(route(Method::get, std::move(a)));
    all.push_back(route(Method::get, std::move(b)));
    Router router(std::move(all));
  };
  EXPECT_DEATH(build("/a", "/a"), "given twice");
  EXPECT_DEATH(build("/a/:x", "/a/:y"), "given twice");
  EXPECT_DEATH(build("/a", "b"), "malformed");
  EXPECT_DEATH(build("/a", "/b/:"), "empty segment");
}

}  // namespace
}  // namespace weir::http
