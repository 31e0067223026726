#include "platform/http/router.hpp"

#include <gtest/gtest.h>

#include <stdexcept>

namespace kit::http {
namespace {

Task<Reply> nothing(RequestContext&)
{
    co_return Response{};
}

Route row(Method method, std::string_view pattern)
{
    return {
        .method = method,
        .pattern = pattern,
        .guards = {},
        .handler = nothing,
        .doc = {.summary = "test", .ok = no_body}
    };
}

std::unique_ptr<Middleware> no_guards(const Guard&)
{
    throw std::logic_error("no row has a guard");
}

Router sample()
{
    std::vector<Route> rows;
    rows.push_back(row(Method::get, "/a"));
    rows.push_back(row(Method::post, "/a"));
    rows.push_back(row(Method::get, "/a/{id}"));
    rows.push_back(row(Method::del, "/a/{id}/b/{other}"));
    rows.push_back(row(Method::get, "/a/self"));
    return {std::move(rows), no_guards};
}

TEST(Router, MatchesLiteralsAndParameters)
{
    const auto router = sample();
    EXPECT_EQ(router.match(Method::get, "/a").endpoint->route.pattern, "/a");
    EXPECT_EQ(router.match(Method::get, "/a/self").endpoint->route.pattern, "/a/self") << "a literal wins";
    const auto one = router.match(Method::get, "/a/17");
    ASSERT_NE(one.endpoint, nullptr);
    ASSERT_EQ(one.parameters.size(), 1);
    EXPECT_EQ(one.parameters[0].first, "id");
    EXPECT_EQ(one.parameters[0].second, "17");
    const auto two = router.match(Method::del, "/a/x%2Fy/b/%31");
    ASSERT_NE(two.endpoint, nullptr);
    EXPECT_EQ(two.parameters[0].second, "x/y") << "an encoded slash does not split a segment";
    EXPECT_EQ(two.parameters[1].second, "1");
    EXPECT_NE(router.match(Method::del, "/a/self/b/1").endpoint, nullptr)
        << "back out of a literal that leads nowhere";
}

TEST(Router, RefusesEverythingElse)
{
    const auto router = sample();
    for (const auto* path :
         {"", "/", "a", "/A", "/a/", "/a//", "/b", "/a/1/b", "/a/1/b/", "/a/1/b/2/c", "*", "/a/%zz", "/a%2F1"
         }) {
        const auto match = router.match(Method::get, path);
        EXPECT_EQ(match.endpoint, nullptr) << path;
        EXPECT_EQ(match.allow, "") << path;
    }
}

TEST(Router, NamesTheAllowedMethods)
{
    const auto router = sample();
    const auto match = router.match(Method::del, "/a");
    EXPECT_EQ(match.endpoint, nullptr);
    EXPECT_EQ(match.allow, "GET, HEAD, OPTIONS, POST");
    EXPECT_EQ(router.match(Method::get, "/a/1/b/2").allow, "DELETE, OPTIONS");
    EXPECT_NE(router.match(Method::head, "/a").endpoint, nullptr);
    EXPECT_EQ(router.match(Method::head, "/a/1/b/2").endpoint, nullptr);
}

TEST(Router, RefusesRowsThatCannotBe)
{
    const auto build = [](std::string_view first, std::string_view second) {
        std::vector<Route> rows;
        rows.push_back(row(Method::get, first));
        rows.push_back(row(Method::get, second));
        return Router(std::move(rows), no_guards);
    };
    EXPECT_THROW(build("/a", "/a"), std::invalid_argument);
    EXPECT_THROW(build("/{a}", "/{b}"), std::invalid_argument);
    EXPECT_THROW(build("a", "/b"), std::invalid_argument);
}

}  // namespace
}  // namespace kit::http
