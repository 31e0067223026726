// The user's own sessions: list, revoke, lifetimes, and the stream that tells of an end; on both engines.
#include "api_fixture.hpp"

namespace kit::test {

namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* login_path = "/api/v1/auth/local/login";
constexpr const char* refresh_path = "/api/v1/auth/refresh";
constexpr const char* list_path = "/api/v1/me/sessions";
constexpr const char* others_path = "/api/v1/me/sessions/revoke-others";
constexpr const char* events_path = "/api/v1/me/events";
constexpr const char* firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";
constexpr const char* iphone =
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/17.5 Mobile/15E148 Safari/604.1";

ApiResponse log_in(Api& api, CookieJar& jar, const std::string& user_agent = "")
{
    return api.send(
        jar,
        {.method = "POST",
         .path = login_path,
         .headers = {{"User-Agent", user_agent}},
         .body = R"({"email":"ada@example.com","password":"Correct-Horse-42"})"}
    );
}

ApiRequest revoke(std::string_view id)
{
    return {.method = "DELETE", .path = std::string(list_path) + "/" + std::string(id)};
}

ApiRequest by_bearer(const CookieJar& jar, std::string path, std::string method = "GET")
{
    return {
        .method = std::move(method),
        .path = std::move(path),
        .headers = {{"Authorization", "Bearer " + jar.value("access_token")}}
    };
}

int refresh(Api& api, CookieJar& jar)
{
    return api.send(jar, {.method = "POST", .path = refresh_path}).status;
}

int me(Api& api, CookieJar& jar)
{
    return api.send(jar, {.path = "/api/v1/me"}).status;
}

// Of the only row, or of what the condition names.
void expire(Api& api, const std::string& condition)
{
    api.script("UPDATE sessions SET expires_at = '2026-02-01T00:00:00.000000Z' WHERE " + condition);
}

class SessionsApi : public ApiTest {};

KIT_BOTH_ENGINES(SessionsApi);

TEST_P(SessionsApi, ListIsTheContractsWithDeviceAndLastSeen)
{
    Api api(GetParam());
    CookieJar laptop;
    CookieJar phone;
    api.sign_up(laptop);
    api.clock().advance(std::chrono::minutes(1));
    log_in(api, phone, iphone);
    api.clock().advance(std::chrono::minutes(1));
    ASSERT_EQ(
        api.send(
               laptop, {.method = "POST", .path = refresh_path, .headers = {{"User-Agent", firefox}}}
        ).status,
        200
    );
    const auto listed = api.send(laptop, {.path = list_path});
    EXPECT_EQ(listed.status, 200);
    EXPECT_EQ(listed.header("cache-control"), "no-store");
    EXPECT_THAT(
        listed.body,
        HasSubstr(
            std::string(R"("data":[{"id":2,"created_at":"2026-03-01T00:01:00Z",)") +
            R"("expires_at":"2026-03-08T00:01:00Z","user_agent":")" + iphone +
            R"(","ip":"192.0.2.7","is_current":false,"last_seen_at":"2026-03-01T00:01:00Z",)" +
            R"("browser":"Safari","os":"iOS","device":"mobile"},)" +
            R"({"id":1,"created_at":"2026-03-01T00:00:00Z","expires_at":"2026-03-08T00:02:00Z","user_agent":")" +
            firefox + R"(","ip":"192.0.2.7","is_current":true,"last_seen_at":"2026-03-01T00:02:00Z",)" +
            R"("browser":"Firefox","os":"Linux","device":"desktop"}])"
        )
    );
}

TEST_P(SessionsApi, ListHoldsActiveOnesOfTheUserOnly)
{
    Api api(GetParam());
    CookieJar ada;
    CookieJar other;
    api.sign_up(ada);
    log_in(api, other);
    log_in(api, other);
    CookieJar bob;
    api.sign_up(bob, "bob@example.com");
    api.send(ada, revoke("2"));
    expire(api, "id = 3");
    const auto body = api.send(ada, {.path = list_path}).body;
    EXPECT_THAT(body, HasSubstr(R"("id":1,)"));
    for (const auto* id : {R"("id":2,)", R"("id":3,)", R"("id":4,)"}) {
        EXPECT_THAT(body, Not(HasSubstr(id)));
    }
}

TEST_P(SessionsApi, RefusalsInTheContractsOrder)
{
    Api api(GetParam());
    CookieJar ada;
    CookieJar bob;
    api.sign_up(ada);
    api.sign_up(bob, "bob@example.com");
    for (const auto& [method, path] :
         {std::pair{"GET", std::string(list_path)},
          std::pair{"DELETE", std::string(list_path) + "/1"},
          std::pair{"POST", std::string(others_path)},
          std::pair{"GET", std::string(events_path)}}) {
        const auto nobody = api.send({.method = method, .path = path});
        EXPECT_EQ(nobody.status, 401) << path;
        EXPECT_THAT(nobody.body, HasSubstr("missing access token"));
        const auto wrong =
            api.send({.method = method, .path = path, .headers = {{"Cookie", "access_token=x"}}});
        EXPECT_EQ(wrong.status, 401) << path;
        EXPECT_THAT(wrong.body, HasSubstr("invalid access token"));
    }
    for (const auto& [method, path] :
         {std::pair{"DELETE", std::string(list_path) + "/x"}, std::pair{"POST", std::string(others_path)}}) {
        const auto forged = api.send({.method = method, .path = path, .headers = {{"Cookie", ada.header()}}});
        EXPECT_EQ(forged.status, 403) << "CSRF comes before the id";
        EXPECT_THAT(forged.body, HasSubstr("invalid csrf token"));
    }
    for (const auto* id : {"x", "-1", "+1", "1.0", "%201", "1%20", "0x1", "18446744073709551616"}) {
        const auto refused = api.send(ada, revoke(id));
        EXPECT_EQ(refused.status, 400) << id;
        EXPECT_THAT(refused.body, HasSubstr(R"("code":"BAD_REQUEST","message":"invalid session id")")) << id;
    }
    for (const auto* id :
         {"0", "2", "3", "9223372036854775807", "9223372036854775808", "18446744073709551615"}) {
        const auto refused = api.send(ada, revoke(id));
        EXPECT_EQ(refused.status, 404) << id << ": unknown, or another's";
        EXPECT_THAT(refused.body, HasSubstr(R"("code":"NOT_FOUND","message":"session not found")")) << id;
    }
    EXPECT_EQ(me(api, bob), 200);
}

TEST_P(SessionsApi, RevokeOneEndsItAtOnceAndSaysSoTwice)
{
    Api api(GetParam());
    CookieJar laptop;
    CookieJar phone;
    api.sign_up(laptop);
    log_in(api, phone);
    EXPECT_THAT(
        api.send(laptop, revoke("2")).body, HasSubstr(R"("data":{"session_id":2,"status":"revoked"})")
    );
    EXPECT_EQ(me(api, phone), 401) << "Q17: the access token dies with its session";
    EXPECT_EQ(refresh(api, phone), 401);
    const auto again = api.send(laptop, revoke("2"));
    EXPECT_EQ(again.status, 200);
    EXPECT_THAT(again.body, HasSubstr(R"("data":{"session_id":2,"status":"already_revoked"})"));
    EXPECT_EQ(me(api, laptop), 200);
    expire(api, "id = 1");
    EXPECT_THAT(api.send(laptop, revoke("1")).body, HasSubstr(R"("status":"revoked")"))
        << "expired ones can be revoked, and one's own";
    EXPECT_EQ(me(api, laptop), 401);
}

TEST_P(SessionsApi, ABearerTokenAloneNeedsNoCsrfPair)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    EXPECT_EQ(api.send(by_bearer(jar, std::string(list_path) + "/1", "DELETE")).status, 200);
}

TEST_P(SessionsApi, RevokeOthersLeavesTheOneThatAsks)
{
    Api api(GetParam());
    CookieJar laptop;
    CookieJar phone;
    CookieJar tablet;
    CookieJar bob;
    api.sign_up(laptop);
    log_in(api, phone);
    log_in(api, tablet);
    api.sign_up(bob, "bob@example.com");
    expire(api, "id = 3");
    EXPECT_THAT(
        api.send(laptop, {.method = "POST", .path = others_path}).body,
        HasSubstr(R"("data":{"current_session_id":1,"revoked_count":2})")
    ) << "expired ones are counted too";
    EXPECT_EQ(me(api, phone), 401);
    EXPECT_EQ(refresh(api, phone), 401);
    EXPECT_EQ(me(api, bob), 200);
    EXPECT_EQ(refresh(api, laptop), 200);
    EXPECT_THAT(
        api.send(laptop, {.method = "POST", .path = others_path}).body, HasSubstr(R"("revoked_count":0)")
    );
    api.script("DELETE FROM sessions WHERE id = 1");
    const auto lost = api.send(laptop, {.method = "POST", .path = others_path});
    EXPECT_EQ(lost.status, 401);
    EXPECT_THAT(
        lost.body, HasSubstr(R"("code":"UNAUTHORIZED","message":"unable to determine current session")")
    );
}

TEST_P(SessionsApi, NoneIsCurrentWhereTheRowIsGone)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    api.script("DELETE FROM sessions");
    const auto listed = api.send(jar, {.path = list_path});
    EXPECT_EQ(listed.status, 200);
    EXPECT_THAT(listed.body, HasSubstr(R"("data":[])"));
}

TEST_P(SessionsApi, AuditTellsWhatWasDone)
{
    Api api(GetParam());
    CookieJar jar;
    CookieJar phone;
    api.sign_up(jar);
    log_in(api, phone);
    api.send(jar, {.path = list_path});
    api.send(jar, revoke("2"));
    api.send(jar, revoke("2"));
    api.send(jar, revoke("77"));
    api.send(jar, {.method = "POST", .path = others_path});
    std::vector<std::string> told;
    for (const auto& row : api.trail()) {
        if (row.event_name.starts_with("session.")) {
            told.push_back(
                row.event_name + " " + row.action + " " + row.target_type + "/" + row.target_id + " " +
                row.outcome + " " + row.reason + " " + row.actor_user_id + " " + row.extras
            );
        }
    }
    EXPECT_THAT(
        told,
        testing::UnorderedElementsAre(
            R"(session.list list session/self success sessions_loaded 1 {"count":"2","current_session_id":"1"})",
            R"(session.revoke.single revoke session/2 success revoked 1 {"status":"revoked"})",
            R"(session.revoke.single revoke session/2 success already_revoked 1 {"status":"already_revoked"})",
            R"(session.revoke.others revoke session/others success bulk_revoke 1 {"current_session_id":"1","revoked_count":"0"})"
        )
    );
}

// Q13: a user who is not active can neither act, nor refresh, nor sign in; active again, he can.
TEST_P(SessionsApi, Q13ADisabledUserIsOutUntilHeIsActiveAgain)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    auto& users = api.product().users();
    EXPECT_TRUE(
        api.run(users.set_status({.email = "ada@example.com", .status = "disabled", .actor = {}}, {})).value()
    );
    EXPECT_FALSE(
        api.run(users.set_status({.email = "ada@example.com", .status = "disabled", .actor = {}}, {})).value()
    );
    api.run(api.product().sessions().learn_revocations());
    EXPECT_EQ(me(api, jar), 401);
    EXPECT_EQ(refresh(api, jar), 401);
    CookieJar again;
    const auto refused = log_in(api, again);
    EXPECT_EQ(refused.status, 401);
    EXPECT_THAT(refused.body, HasSubstr("invalid credentials"));
    EXPECT_TRUE(
        api.run(users.set_status({.email = "ada@example.com", .status = "active", .actor = {}}, {})).value()
    );
    EXPECT_EQ(log_in(api, again).status, 200);
    EXPECT_EQ(me(api, again), 200);
    EXPECT_EQ(refresh(api, jar), 401) << "what ended stays ended";
    EXPECT_EQ(
        api.run(users.set_status({.email = "nobody@example.com", .status = "active", .actor = {}}, {}))
            .error()
            .code(),
        ErrorCode::not_found
    );
    EXPECT_EQ(
        api.run(users.set_status({.email = "ada@example.com", .status = "asleep", .actor = {}}, {}))
            .error()
            .code(),
        ErrorCode::invalid_input
    );
}

TEST_P(SessionsApi, Q13AStatusChangedPastTheProductCountsToo)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    api.script("UPDATE users SET status = 'banned'");
    api.run(api.product().sessions().learn_revocations());
    EXPECT_EQ(me(api, jar), 401);
}

// A sign-in that was half done when its user was disabled leaves no session behind.
TEST_P(SessionsApi, Q13NoSessionForAnInactiveUser)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    auto user = api.run(api.product().users().find(1)).value();
    api.script("UPDATE users SET status = 'disabled'");
    const auto issued = api.run(api.product().sessions().sign_in(std::move(user), {}, {}));
    ASSERT_FALSE(issued);
    EXPECT_EQ(issued.error().code(), ErrorCode::forbidden);
}

// Q15: a pair that is good for one session is refused for another; an invented one for all.
TEST_P(SessionsApi, Q15TheCsrfPairIsTheSessions)
{
    Api api(GetParam());
    CookieJar ada;
    CookieJar phone;
    api.sign_up(ada);
    log_in(api, phone);
    for (const auto& pair : {phone.value("csrf_token"), std::string(32, 'A')}) {
        const auto refused = api.send(
            {.method = "DELETE",
             .path = std::string(list_path) + "/2",
             .headers =
                 {{"Cookie", "access_token=" + ada.value("access_token") + "; csrf_token=" + pair},
                  {"X-CSRF-Token", pair}}}
        );
        EXPECT_EQ(refused.status, 403);
    }
}

// Q16: all devices by default; a body names the current one alone.
TEST_P(SessionsApi, Q16LogoutEndsAllDevicesUnlessAskedForOne)
{
    Api api(GetParam());
    CookieJar laptop;
    CookieJar phone;
    api.sign_up(laptop);
    log_in(api, phone);
    auto left = laptop;
    EXPECT_EQ(
        api.send(laptop, {.method = "POST", .path = "/api/v1/auth/logout", .body = R"({"scope":"current"})"})
            .status,
        200
    );
    EXPECT_EQ(me(api, left), 401);
    EXPECT_EQ(me(api, phone), 200);
    log_in(api, laptop);
    left = laptop;
    EXPECT_EQ(api.send(phone, {.method = "POST", .path = "/api/v1/auth/logout"}).status, 200);
    EXPECT_EQ(me(api, left), 401);
}

TEST_P(SessionsApi, Q21CookiesLiveAsLongAsTheirTokens)
{
    Api api(GetParam(), [](config::Config& config) { config.tokens.access_ttl = std::chrono::minutes(5); });
    CookieJar jar;
    const auto cookies = api.sign_up(jar).all("set-cookie");
    ASSERT_EQ(cookies.size(), 3);
    EXPECT_THAT(cookies[0], HasSubstr("Max-Age=300;"));
}

TEST_P(SessionsApi, Q30AGoodBearerTokenRescuesAStaleCookie)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    auto request = by_bearer(jar, list_path);
    request.headers.emplace_back("Cookie", "access_token=garbage");
    EXPECT_EQ(api.send(request).status, 200);
    EXPECT_EQ(api.send({.path = list_path, .headers = {{"Cookie", "access_token=garbage"}}}).status, 401);
}

TEST_P(SessionsApi, Q31ALongUserAgentIsCutAndListed)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    ASSERT_EQ(log_in(api, jar, std::string(2000, 'u')).status, 200);
    EXPECT_THAT(
        api.send(jar, {.path = list_path}).body,
        HasSubstr(R"("user_agent":")" + std::string(512, 'u') + R"(",)")
    );
}

TEST_P(SessionsApi, Q32TheGraceCanBeSwitchedOff)
{
    for (const bool strict : {false, true}) {
        Api api(GetParam(), [strict](config::Config& config) {
            config.tokens.refresh_grace = strict ? std::chrono::seconds(0) : std::chrono::seconds(10);
        });
        CookieJar tab;
        api.sign_up(tab);
        auto other_tab = tab;
        EXPECT_EQ(refresh(api, tab), 200);
        EXPECT_EQ(refresh(api, other_tab), strict ? 401 : 200);
        EXPECT_EQ(refresh(api, tab), strict ? 401 : 200);
    }
}

// Q33: rows go well after their expiry, batch after batch until none is left, and no living one.
TEST_P(SessionsApi, Q33LongExpiredSessionsArePurged)
{
    Api api(GetParam(), [](config::Config& config) { config.sessions.purge_batch_size = 3; });
    CookieJar jar;
    api.sign_up(jar);
    auto user = api.run(api.product().users().find(1)).value();
    for (int made = 0; made < 10; ++made) {
        ASSERT_TRUE(api.run(api.product().sessions().sign_in(user, {}, {})));
    }
    auto& sessions = api.product().sessions();
    api.clock().advance(std::chrono::hours(168 + 167));
    ASSERT_TRUE(api.run(sessions.sign_in(user, {}, {})));
    EXPECT_EQ(api.run(sessions.purge()), 0) << "expired, but not long ago";
    api.clock().advance(std::chrono::hours(2));
    EXPECT_EQ(api.run(sessions.purge()), 11);
    EXPECT_EQ(api.run(sessions.purge()), 0) << "one is alive";
}

TEST_P(SessionsApi, AnAbsoluteLifetimeEndsASessionHoweverOftenItIsRefreshed)
{
    Api api(GetParam(), [](config::Config& config) {
        config.sessions.absolute_ttl = std::chrono::hours(24);
    });
    CookieJar jar;
    api.sign_up(jar);
    EXPECT_THAT(api.send(jar, {.path = list_path}).body, HasSubstr(R"("expires_at":"2026-03-02T00:00:00Z")"));
    api.clock().advance(std::chrono::hours(23));
    ASSERT_EQ(refresh(api, jar), 200);
    EXPECT_THAT(api.send(jar, {.path = list_path}).body, HasSubstr(R"("expires_at":"2026-03-02T00:00:00Z")"));
    auto other_tab = jar;
    api.clock().advance(std::chrono::hours(1));
    EXPECT_EQ(refresh(api, jar), 401);
    EXPECT_EQ(refresh(api, other_tab), 401);
    EXPECT_EQ(log_in(api, jar).status, 200);
}

TEST_P(SessionsApi, AnIdleLifetimeEndsASessionThatIsNotRefreshed)
{
    Api api(GetParam(), [](config::Config& config) { config.sessions.idle_ttl = std::chrono::hours(2); });
    CookieJar jar;
    api.sign_up(jar);
    for (int times = 0; times < 5; ++times) {
        api.clock().advance(std::chrono::minutes(119));
        ASSERT_EQ(refresh(api, jar), 200);
    }
    api.clock().advance(std::chrono::hours(2));
    EXPECT_EQ(refresh(api, jar), 401);
}

TEST_P(SessionsApi, AThousandRefreshesAddNoRow)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    for (int times = 0; times < 1'000; ++times) {
        ASSERT_EQ(refresh(api, jar), 200);
    }
    // Had any refresh made a row, the next sign-in's would not be the second.
    log_in(api, jar);
    const auto listed = api.send(jar, {.path = list_path}).body;
    EXPECT_THAT(listed, HasSubstr(R"([{"id":2,)"));
    EXPECT_THAT(listed, HasSubstr(R"({"id":1,)"));
}

}  // namespace

}  // namespace kit::test
