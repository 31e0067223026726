// The stream that tells a browser of its session's end, in process, on both engines.
#include "api_fixture.hpp"

namespace kit::test {

namespace {

constexpr const char* events_path = "/api/v1/me/events";
constexpr const char* good_login = R"({"email":"ada@example.com","password":"Correct-Horse-42"})";

ApiRequest by_bearer(const CookieJar& jar, std::string path, std::string method = "GET")
{
    return {
        .method = std::move(method),
        .path = std::move(path),
        .headers = {{"Authorization", "Bearer " + jar.value("access_token")}}
    };
}

class SessionEvents : public ApiTest {};

KIT_BOTH_ENGINES(SessionEvents);

TEST_P(SessionEvents, EventsTellABrowserThatItsSessionEnded)
{
    Api api(GetParam());
    CookieJar laptop;
    CookieJar phone;
    api.sign_up(laptop);
    api.send(phone, {.method = "POST", .path = "/api/v1/auth/local/login", .body = good_login});
    auto watched = api.open(by_bearer(phone, events_path));
    ASSERT_EQ(watched.head.status, 200);
    EXPECT_EQ(watched.head.header("content-type"), "text/event-stream");
    EXPECT_EQ(watched.head.header("cache-control"), "no-store");
    EXPECT_EQ(watched.head.header("x-accel-buffering"), "no");
    EXPECT_EQ(watched.head.header("connection"), "close");
    EXPECT_EQ(watched.head.header("content-length"), std::nullopt);
    ASSERT_TRUE(watched.stream);
    EXPECT_EQ(api.run(watched.stream->next()), "retry: 2000\n: connected\n\n");
    api.send(laptop, {.method = "DELETE", .path = "/api/v1/me/sessions/2"});
    EXPECT_EQ(
        api.run(watched.stream->next()),
        "event: session.ended\ndata: {\"reason\":\"user_session_revoked\"}\n\n"
    );
    EXPECT_EQ(api.run(watched.stream->next()), "") << "then it closes";
    EXPECT_EQ(api.open(by_bearer(phone, events_path)).head.status, 401);
}

TEST_P(SessionEvents, EventsOfAnEndElsewhereComeWithItsReason)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    const auto other = api.second_node();
    const sessions::Identity ada = *other->sessions().authenticate(jar.value("access_token"));
    auto watch = other->sessions().watch(ada).value();
    api.send(jar, {.method = "POST", .path = "/api/v1/auth/logout"});
    EXPECT_FALSE(watch->reason());
    api.run(other->sessions().learn_revocations());
    api.run(watch->wait());
    EXPECT_EQ(watch->reason(), "logout");
    EXPECT_FALSE(other->sessions().watch(ada)) << "too late: refused instead of never told";
}

TEST_P(SessionEvents, HeadOfEventsHoldsNoStream)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    const auto head = api.open(by_bearer(jar, events_path, "HEAD"));
    EXPECT_EQ(head.head.status, 200);
    EXPECT_FALSE(head.stream);
    EXPECT_EQ(api.product().sessions().watchers(), 0);
}

TEST_P(SessionEvents, ASessionHasAtMostSixteenStreams)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    std::vector<Api::Opened> streams;
    for (std::size_t tab = 0; tab < sessions::Watchers::Limits{}.per_session_max; ++tab) {
        streams.push_back(api.open(by_bearer(jar, events_path)));
        ASSERT_EQ(streams.back().head.status, 200);
    }
    const auto refused = api.open(by_bearer(jar, events_path)).head;
    EXPECT_EQ(refused.status, 429);
    EXPECT_EQ(refused.header("retry-after"), "5");
    streams.pop_back();
    EXPECT_EQ(api.open(by_bearer(jar, events_path)).head.status, 200) << "a closed one makes room";
}

}  // namespace

}  // namespace kit::test
