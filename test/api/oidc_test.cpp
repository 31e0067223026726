// Signing in with Google, on the contract's routes, with the development provider in its place; and whose
// account it then is.
#include "oidc_fixture.hpp"
#include "platform/core/encoding.hpp"
#include "platform/crypto/hash.hpp"
#include "platform/telemetry/exposition.hpp"
#include "support/json.hpp"

#include <algorithm>

namespace kit::test {

namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

class OidcApi : public ApiTest {};

KIT_BOTH_ENGINES(OidcApi);

std::string contract_cookie(const std::string& state)
{
    return "oauth_state=" + state + "." + base64url_encode(as_text(hmac_sha256(state_secret, state)));
}

void use_google(config::Config& config)
{
    config.tokens.oauth_state_secret = config::Secret(state_secret);
    config.google.client_id = "our-client";
    config.google.client_secret = config::Secret("our-secret");
}

// Beside Google, a provider that is not in this process.
std::function<void(config::Config&)> use_google_and(const OidcProvider& provider)
{
    return [&provider](config::Config& config) {
        use_google(config);
        config.oidc.providers.push_back(stub_provider(provider));
    };
}

ApiRequest post(std::string path, std::string body)
{
    return {
        .method = "POST", .path = std::move(path), .headers = {new_idempotency_key()}, .body = std::move(body)
    };
}

int log_in(Api& api, const std::string& email = "ada@example.com")
{
    return api
        .send(post(
            "/api/v1/auth/local/login",
            R"({"email":")" + email + R"(","password":")" + Api::password + R"("})"
        ))
        .status;
}

std::string name_of(const ApiResponse& response)
{
    return std::string(text_at(parse_json(response.body), "/data/user/name"));
}

std::vector<std::string> events(Api& api)
{
    std::vector<std::string> all;
    for (const auto& record : api.trail()) {
        all.push_back(
            record.event_name + " " + record.target_type + "/" + record.target_id + " " + record.reason
        );
    }
    return all;
}

TEST_P(OidcApi, LoginLeadsToGoogleWithoutAskingIt)
{
    Api api(GetParam(), use_google);
    const auto begun = api.send({.path = google_login});
    ASSERT_EQ(begun.status, 302);
    const auto location = begun.header("location").value();
    EXPECT_THAT(
        location,
        testing::MatchesRegex(
            R"(https://accounts\.google\.com/o/oauth2/auth\?access_type=offline&client_id=our-client)"
            R"(&code_challenge=[A-Za-z0-9_-]{43}&code_challenge_method=S256&nonce=[A-Za-z0-9_-]{43}&prompt=consent)"
            R"(&redirect_uri=http%3A%2F%2Flocalhost%3A8080%2Fapi%2Fv1%2Fauth%2Fgoogle%2Fcallback&response_type=code)"
            R"(&scope=openid\+email\+profile&state=[A-Za-z0-9_-]{32})"
        )
    );
    const auto state = query_of(location)["state"];
    EXPECT_EQ(
        begun.all("set-cookie"),
        std::vector<std::string>{
            contract_cookie(state) + "; Path=/api/v1/auth/google; Max-Age=300; HttpOnly; SameSite=Lax"
        }
    );
    EXPECT_EQ(begun.header("content-type"), "text/html; charset=utf-8");
    EXPECT_THAT(
        begun.body, testing::StartsWith("<a href=\"https://accounts.google.com/o/oauth2/auth?access")
    );
    EXPECT_THAT(begun.body, Not(HasSubstr("offline&client"))) << "escaped";
    EXPECT_EQ(begun.header("cache-control"), "no-store");
}

struct Scenario {
    const char* name;
    std::string query;
    std::string cookie;
    int status;
    std::string code;
    std::string message;
    bool clears = false;  // the state's cookie
};

// The contract's rows, in its order of checks.
TEST_P(OidcApi, CallbackRefusesInTheContractsOrder)
{
    Api on(GetParam(), use_google);
    Api off(GetParam(), [](config::Config& config) {
        use_google(config);
        config.google.enabled = false;
    });
    const std::vector<Scenario> scenarios{
        {"nothing", "", "", 400, "BAD_REQUEST", "missing state or code"},
        {"no code", "?state=abc", contract_cookie("abc"), 400, "BAD_REQUEST", "missing state or code"},
        {"blank code",
         "?state=abc&code=+",
         contract_cookie("abc"),
         400,
         "BAD_REQUEST",
         "missing state or code"},
        {"no state", "?code=x", contract_cookie("abc"), 400, "BAD_REQUEST", "missing state or code"},
        {"the provider's error",
         "?state=abc&error=access_denied",
         contract_cookie("abc"),
         400,
         "BAD_REQUEST",
         "missing state or code"},
        {"no cookie", "?state=abc&code=x", "", 401, "UNAUTHORIZED", "invalid oauth state"},
        {"bad signature",
         "?state=abc&code=x",
         "oauth_state=abc.AAAA",
         401,
         "UNAUTHORIZED",
         "invalid oauth state"},
        {"two dots",
         "?state=abc&code=x",
         contract_cookie("abc") + ".x",
         401,
         "UNAUTHORIZED",
         "invalid oauth state"},
        {"another state",
         "?state=abd&code=x",
         contract_cookie("abc"),
         401,
         "UNAUTHORIZED",
         "invalid oauth state"},
    };
    for (const auto& scenario : scenarios) {
        for (auto* api : {&on, &off}) {
            const auto response =
                api->send({.path = google_callback + scenario.query, .headers = {{"Cookie", scenario.cookie}}}
                );
            EXPECT_EQ(response.status, scenario.status) << scenario.name;
            EXPECT_THAT(
                response.body,
                HasSubstr(R"("code":")" + scenario.code + R"(","message":")" + scenario.message + '"')
            ) << scenario.name;
            EXPECT_TRUE(response.all("set-cookie").empty()) << scenario.name;
        }
    }
    const ApiRequest known{
        .path = std::string(google_callback) + "?state=abc&code=x",
        .headers = {{"Cookie", contract_cookie("abc")}}
    };
    for (const auto& response : {off.send({.path = google_login}), off.send(known)}) {
        EXPECT_EQ(response.status, 404) << "only after a valid state";
        EXPECT_THAT(response.body, HasSubstr(R"("code":"NOT_ENABLED","message":"google auth is disabled")"));
    }
    const auto unknown = on.send(known);
    EXPECT_EQ(unknown.status, 401) << "signed, but not issued by a login";
    EXPECT_THAT(unknown.body, HasSubstr("invalid oauth state"));
    EXPECT_EQ(
        unknown.all("set-cookie"),
        std::vector<std::string>{"oauth_state=; Path=/api/v1/auth/google; Max-Age=0; HttpOnly; SameSite=Lax"}
    );
}

TEST_P(OidcApi, SignsInAsTheContractSays)
{
    Api api(GetParam(), use_dev_provider);
    CookieJar jar;
    const auto response = sign_in_with_google(api, jar, {.email = " Ada@Example.com "});
    ASSERT_EQ(response.status, 200) << response.body;
    EXPECT_THAT(response.body, testing::StartsWith(R"({"success":true,"data":{"csrf_token":")"));
    EXPECT_THAT(
        response.body,
        HasSubstr(R"("email":"ada@example.com","name":"Ada Lovelace","avatar_url":"","status":"active")")
    );
    EXPECT_THAT(response.body, HasSubstr(R"("roles":[{"id":1,"name":"user")"));
    EXPECT_EQ(response.header("cache-control"), "no-store");
    auto names = response.all("set-cookie");
    for (auto& name : names) {
        name = name.substr(0, name.find('='));
    }
    EXPECT_THAT(
        names, testing::UnorderedElementsAre("oauth_state", "access_token", "refresh_token", "csrf_token")
    );
    EXPECT_THAT(
        response.all("set-cookie"),
        testing::Contains("oauth_state=; Path=/api/v1/auth/google; Max-Age=0; HttpOnly; SameSite=Lax")
    );
    const auto me = api.send(jar, {.path = "/api/v1/me"});
    EXPECT_EQ(me.status, 200);
    EXPECT_THAT(me.body, HasSubstr(R"("last_login_at":"2026-03-01T00:00:00Z")"));
    EXPECT_EQ(api.send(jar, {.method = "POST", .path = "/api/v1/auth/refresh"}).status, 200);
    CookieJar again;
    EXPECT_EQ(sign_in_with_google(api, again).status, 200);
    EXPECT_THAT(api.send(again, {.path = "/api/v1/me"}).body, HasSubstr(R"("id":1,)")) << "the same user";
    EXPECT_THAT(
        events(api),
        testing::IsSupersetOf(
            {"auth.google.login auth_provider/google redirect_issued",
             "auth.identity.link user/1 account_created",
             "auth.login user/1 oauth_google"}
        )
    );
    EXPECT_EQ(api.send(jar, {.method = "POST", .path = "/api/v1/auth/logout"}).status, 200);
    EXPECT_EQ(log_in(api), 401) << "there is no password";
}

TEST_P(OidcApi, StatesServeOnceAndForFiveMinutesInOneBrowser)
{
    Api api(GetParam(), use_dev_provider);
    const auto begin = [&api](CookieJar& jar) {
        return decide(
            api,
            api.send(jar, {.path = google_login}).header("location").value(),
            {{"email", "ada@example.com"}, {"email_verified", "true"}}
        );
    };
    CookieJar jar;
    const auto back = begin(jar);
    const auto cookie = jar.header();
    CookieJar other;
    begin(other);
    const auto path = path_of(back);
    EXPECT_EQ(api.send(other, {.path = path}).status, 401) << "another browser's state";
    EXPECT_EQ(api.send({.path = path, .headers = {{"Cookie", cookie}}}).status, 200);
    const auto replayed = api.send({.path = path, .headers = {{"Cookie", cookie}}});
    EXPECT_EQ(replayed.status, 401);
    EXPECT_THAT(replayed.body, HasSubstr("invalid oauth state"));
    EXPECT_FALSE(signs_in(replayed));

    CookieJar late;
    const auto late_path = path_of(begin(late));
    api.clock().advance(301s);
    EXPECT_EQ(api.send(late, {.path = late_path}).status, 401);
    EXPECT_EQ(api.run(api.product().oidc().purge()), 0);
    api.clock().advance(60s);
    EXPECT_EQ(api.run(api.product().oidc().purge()), 1) << "the used state is forgotten";
}

TEST_P(OidcApi, CodesServeOnce)
{
    Api api(GetParam(), use_dev_provider);
    CookieJar jar;
    const auto first = decide(
        api,
        api.send(jar, {.path = google_login}).header("location").value(),
        {{"email", "ada@example.com"}, {"email_verified", "true"}}
    );
    ASSERT_EQ(api.send(jar, {.path = path_of(first)}).status, 200);
    CookieJar thief;
    const auto location = api.send(thief, {.path = google_login}).header("location").value();
    const auto response = api.send(
        thief,
        {.path = std::string(google_callback) + "?code=" + query_of(first)["code"] +
                 "&state=" + query_of(location)["state"]}
    );
    EXPECT_EQ(response.status, 401);
    EXPECT_THAT(response.body, HasSubstr(R"("code":"OAUTH_FAILED")"));
    EXPECT_FALSE(signs_in(response));
}

TEST_P(OidcApi, UnverifiedAddressesSignNobodyIn)
{
    Api api(GetParam(), use_dev_provider);
    CookieJar jar;
    const auto response = sign_in_with_google(api, jar, {.verified = false});
    EXPECT_EQ(response.status, 401);
    EXPECT_THAT(response.body, HasSubstr(R"("code":"OAUTH_FAILED","message":"google email not verified")"));
    EXPECT_EQ(sign_in_with_google(api, jar, {.email = "no address"}).status, 401);
    EXPECT_THAT(
        events(api), testing::Contains("auth.google.callback auth_provider/google oauth_exchange_error")
    );
    EXPECT_EQ(sign_in_with_google(api, jar).status, 200);
}

TEST_P(OidcApi, AnotherNodeFinishesWhatOneBegan)
{
    Api api(GetParam(), use_dev_provider);
    const auto other = api.second_node();
    CookieJar jar;
    const auto back = decide(
        api,
        api.send(jar, {.path = google_login}).header("location").value(),
        {{"email", "ada@example.com"}, {"email_verified", "true"}}
    );
    const ApiRequest arrival{.path = path_of(back), .headers = {{"Cookie", jar.header()}}};
    EXPECT_EQ(api.send(*other, arrival).status, 200);
    EXPECT_EQ(api.send(arrival).status, 401) << "used, as this node knows too";
}

TEST_P(OidcApi, LandsWhereThePageWanted)
{
    Api api(GetParam(), use_dev_provider);
    for (const char* path :
         {"//evil.example", "https://evil.example", "/\\evil.example", "account", "/a b"}) {
        const auto refused =
            api.send({.path = std::string(google_login) + "?return_to=" + percent_encode(path)});
        EXPECT_EQ(refused.status, 400) << path;
    }
    const auto login = std::string(google_login) + "?return_to=%2Faccount%3Ftab%3D1";
    CookieJar jar;
    const auto landed = sign_in_with_google(api, jar, {}, login);
    EXPECT_EQ(landed.status, 303);
    EXPECT_EQ(landed.header("location"), "/account?tab=1");
    EXPECT_TRUE(signs_in(landed));
    EXPECT_EQ(jar.value("oauth_return"), "") << "cleared";
    const auto failed = sign_in_with_google(api, jar, {.verified = false}, login);
    EXPECT_EQ(failed.status, 303);
    EXPECT_EQ(failed.header("location"), "/account?tab=1&error=oauth_failed");
    EXPECT_FALSE(signs_in(failed));
    const auto begun = api.send(jar, {.path = std::string(google_login) + "?return_to=/account"});
    const auto back = decide(api, begun.header("location").value(), {{"decision", "deny"}});
    EXPECT_THAT(back, HasSubstr("error=access_denied"));
    EXPECT_EQ(api.send(jar, {.path = path_of(back)}).header("location"), "/account?error=access_denied");
    EXPECT_EQ(api.send(jar, {.path = std::string(google_callback) + "?state=a&code=b"}).status, 401)
        << "without the wish the answer is the contract's";
}

TEST_P(OidcApi, AButtonOfTheSignInPageLeadsThereAndBack)
{
    Api api(GetParam(), use_dev_provider);
    const std::string page = "/account/sign-in";
    const auto login = std::string(google_login) + "?return_to=" + percent_encode(page);
    EXPECT_THAT(api.send({.path = page}).body, HasSubstr("href=\"" + login + "\""));
    CookieJar jar;
    const auto begun = api.send(jar, {.path = login});
    const auto back = decide(api, begun.header("location").value(), {{"decision", "deny"}});
    const auto denied = api.send(jar, {.path = path_of(back)}).header("location").value();
    EXPECT_THAT(api.send(jar, {.path = denied}).body, HasSubstr("You are not signed in"));
    const auto landed = sign_in_with_google(api, jar, {}, login);
    EXPECT_EQ(landed.header("location"), page);
    EXPECT_EQ(api.send(jar, {.path = page}).header("location"), "/account/devices") << "leads on";
}

// What another site's page leads to comes without strict cookies: the state's are not, and a page of ours
// leads on.
TEST_P(OidcApi, WorksWithStrictCookies)
{
    Api api(GetParam(), [](config::Config& config) {
        use_dev_provider(config);
        config.cookies.same_site = config::SameSite::strict;
    });
    const auto begun = api.send({.path = google_login});
    EXPECT_THAT(begun.header("set-cookie").value(), testing::EndsWith("SameSite=Lax"));
    CookieJar jar;
    const auto landed =
        sign_in_with_google(api, jar, {}, std::string(google_login) + "?return_to=%2Faccount%3Fa%26b");
    EXPECT_EQ(landed.status, 200);
    EXPECT_THAT(landed.body, HasSubstr("content=\"0;url=/account?a&amp;b\""));
    EXPECT_TRUE(signs_in(landed));
    EXPECT_THAT(landed.all("set-cookie"), testing::Contains(testing::EndsWith("SameSite=Strict")));
}

TEST_P(OidcApi, LinksToAVerifiedAccountAndTellsItsOwner)
{
    Api api(GetParam(), use_dev_provider);
    CookieJar jar;
    ASSERT_EQ(api.sign_up(jar).status, 201);
    api.clock().advance(1s);
    CookieJar google;
    const auto response = sign_in_with_google(api, google, {.name = "Ada of Google"});
    ASSERT_EQ(response.status, 200) << response.body;
    EXPECT_EQ(name_of(response), "Ada") << "as he called himself";
    EXPECT_EQ(log_in(api), 200) << "the password stays";
    EXPECT_EQ(api.send(jar, {.path = "/api/v1/me"}).status, 200) << "and the sessions";
    EXPECT_THAT(events(api), testing::Contains("auth.identity.link user/1 linked"));
    const auto mails = api.run(api.product().outbox().newest(api.database(), 10));
    EXPECT_TRUE(std::ranges::any_of(mails, [](const auto& mail) {
        return mail.subject.starts_with("Google sign-in was added") && mail.to == "ada@example.com";
    }));
}

// Somebody registers with another one's address and waits for him to come.
TEST_P(OidcApi, TakesAnUnprovenAccountOutOfStrangersHands)
{
    struct Case {
        const char* environment;
        bool verification;
        bool taken_over;
    };

    for (const auto& [environment, verification, taken_over] :
         {Case{"development", true, true}, {"qa", false, true}, {"development", false, false}}) {
        OidcProvider provider;
        // Google's own routes with the test's provider behind them.
        Api api(GetParam(), [&, profile = environment, demanded = verification](config::Config& config) {
            use_google(config);
            config.auth.require_email_verification = demanded;
            config.process.environment = profile;
            config.google.issuer = provider.issuer();
            config.google.token_url = provider.url("/token");
            config.google.jwks_url = provider.url("/keys");
            config.google.userinfo_url = provider.url("/userinfo");
        });
        CookieJar stranger;
        ASSERT_EQ(api.sign_up(stranger).status, 201);
        CookieJar owner;
        const auto location = api.send(owner, {.path = google_login}).header("location").value();
        const auto code = provider.grant(location);
        const auto response = api.send(
            owner,
            {.path = std::string(google_callback) + "?code=" + code + "&state=" + query_of(location)["state"]}
        );
        ASSERT_EQ(response.status, 200) << response.body;
        EXPECT_EQ(name_of(response), taken_over ? "Ada Lovelace" : "Ada");
        EXPECT_EQ(log_in(api), taken_over ? 401 : 200) << environment;
        if (!verification) {
            EXPECT_EQ(api.send(stranger, {.path = "/api/v1/me"}).status, taken_over ? 401 : 200);
        }
        EXPECT_EQ(api.send(owner, {.path = "/api/v1/me"}).status, 200);
        EXPECT_THAT(
            events(api),
            testing::Contains(
                taken_over ? "auth.identity.link user/1 unproven_account_taken_over"
                           : "auth.identity.link user/1 linked"
            )
        );
        if (taken_over) {
            // By a link to the address, its owner may have a password.
            ASSERT_EQ(
                api.send(post("/api/v1/auth/local/password/forgot", R"({"email":"ada@example.com"})")).status,
                200
            );
            api.run(api.product().links().issue_requested());
            const auto mail = api.run(api.product().outbox().newest(api.database(), 1)).at(0);
            EXPECT_EQ(mail.to, "ada@example.com");
            EXPECT_THAT(mail.subject, HasSubstr("Reset your password"));
        }
    }
}

TEST_P(OidcApi, DisabledUsersStayOut)
{
    Api api(GetParam(), use_dev_provider);
    CookieJar jar;
    ASSERT_EQ(sign_in_with_google(api, jar).status, 200);
    const auto disable = [&api](const char* status) {
        return api.run(
            api.product().users().set_status({.email = "ada@example.com", .status = status, .actor = {}}, {})
        );
    };
    ASSERT_TRUE(disable("disabled"));
    const auto refused = sign_in_with_google(api, jar);
    EXPECT_EQ(refused.status, 401);
    EXPECT_THAT(refused.body, HasSubstr(R"("code":"OAUTH_FAILED","message":"sign-in failed")"));
    ASSERT_TRUE(disable("active"));
    EXPECT_EQ(sign_in_with_google(api, jar).status, 200);
}

// What came from the provider follows it; what the user set himself stays; blanks overwrite nothing.
TEST_P(OidcApi, NamesAndPicturesFollowUntilTheUserSetsHisOwn)
{
    OidcProvider provider;
    Api api(GetParam(), use_google_and(provider));
    const auto said = [&](const std::string& name, const std::string& picture) {
        provider.behave([&](OidcProvider::Behaviour& behaviour) {
            behaviour.claims = [=](OidcProvider::Claims& claims) {
                claims["name"] = name;
                claims["picture"] = picture;
            };
        });
        CookieJar jar;
        const auto response = sign_in_with_stub(api, jar, provider);
        EXPECT_EQ(response.status, 200) << response.body;
        const auto data = parse_json(response.body);
        return std::string(text_at(data, "/data/user/name")) + " " +
               std::string(text_at(data, "/data/user/avatar_url"));
    };
    const std::string long_name(300, 'n');
    EXPECT_EQ(said(R"("A")", R"("https://p.example/1")"), "A https://p.example/1");
    EXPECT_EQ(said(R"("B")", R"("https://p.example/2")"), "B https://p.example/2");
    EXPECT_EQ(said(R"(" ")", R"("")"), "B https://p.example/2");
    EXPECT_EQ(said(R"("B")", R"("data:text/html,x")"), "B https://p.example/2");
    EXPECT_EQ(
        said(R"("B")", R"("https://p.example/)" + std::string(1100, 'x') + '"'), "B https://p.example/2"
    ) << "Q31: too long to be stored";
    EXPECT_EQ(said('"' + long_name + '"', R"("")"), std::string(255, 'n') + " https://p.example/2");
    api.script("UPDATE users SET name = 'Own', avatar_url = 'https://own.example/me'");
    EXPECT_EQ(said(R"("C")", R"("https://p.example/3")"), "Own https://own.example/me");
    EXPECT_EQ(said(R"("D")", R"("https://p.example/4")"), "Own https://own.example/me");
}

TEST_P(OidcApi, BootstrapAdminIsWhoeverOwnsTheAddress)
{
    Api api(GetParam(), [](config::Config& config) {
        use_dev_provider(config);
        config.auth.bootstrap_admin_email = "ada@example.com";
    });
    CookieJar jar;
    const auto response = sign_in_with_google(api, jar);
    EXPECT_THAT(response.body, HasSubstr(R"("name":"admin")"));
    CookieJar other;
    EXPECT_THAT(
        sign_in_with_google(api, other, {.email = "bob@example.com"}).body,
        Not(HasSubstr(R"("name":"admin")"))
    );
}

TEST_P(OidcApi, AccountsAreBoundToTheProvidersSubjectNotItsAddress)
{
    OidcProvider provider;
    Api api(GetParam(), use_google_and(provider));
    CookieJar jar;
    ASSERT_EQ(sign_in_with_stub(api, jar, provider).status, 200);
    provider.behave([](OidcProvider::Behaviour& behaviour) { behaviour.email = "ada@new.example"; });
    const auto moved = sign_in_with_stub(api, jar, provider);
    ASSERT_EQ(moved.status, 200);
    EXPECT_THAT(moved.body, HasSubstr(R"("id":1,"email":"ada@example.com")"));
    provider.behave([](OidcProvider::Behaviour& behaviour) { behaviour.subject = "subject-2"; });
    EXPECT_THAT(sign_in_with_stub(api, jar, provider).body, HasSubstr(R"("id":2,"email":"ada@new.example")"));
}

TEST_P(OidcApi, UserinfoIsAskedForWhatTheTokenLacks)
{
    OidcProvider provider;
    Api api(GetParam(), use_google_and(provider));
    CookieJar jar;
    EXPECT_EQ(sign_in_with_stub(api, jar, provider).status, 200);
    EXPECT_EQ(provider.asked("/userinfo"), 0);
    EXPECT_EQ(provider.asked("/.well-known/openid-configuration"), 1);
    EXPECT_EQ(provider.asked("/keys"), 1);
    provider.behave([](OidcProvider::Behaviour& behaviour) {
        behaviour.claims = [](OidcProvider::Claims& claims) {
            claims.erase("email");
            claims.erase("email_verified");
            claims.erase("name");
        };
        behaviour.subject = "subject-2";
        behaviour.email = "grace@example.com";
    });
    const auto response = sign_in_with_stub(api, jar, provider);
    EXPECT_EQ(response.status, 200) << response.body;
    EXPECT_THAT(response.body, HasSubstr(R"("email":"grace@example.com","name":"Ada of Userinfo")"));
    EXPECT_EQ(provider.asked("/userinfo"), 1);
    EXPECT_EQ(provider.asked("/.well-known/openid-configuration"), 1) << "kept";
    EXPECT_EQ(provider.asked("/keys"), 1) << "kept";
}

TEST_P(OidcApi, KeysAreFetchedAnewOncePerUnknownKeyAndMinute)
{
    OidcProvider provider;
    Api api(GetParam(), use_google_and(provider));
    CookieJar jar;
    ASSERT_EQ(sign_in_with_stub(api, jar, provider).status, 200);
    // The provider rotates: its new key is there at the next look.
    provider.behave([](OidcProvider::Behaviour& behaviour) { behaviour.key = &ec_key(); });
    EXPECT_EQ(sign_in_with_stub(api, jar, provider).status, 200);
    EXPECT_EQ(provider.asked("/keys"), 2);
    provider.behave([](OidcProvider::Behaviour& behaviour) {
        behaviour.key = &other_rsa_key();
        behaviour.keys = [] { return R"({"keys":[)" + ec_key().jwk() + "]}"; };
    });
    for (int time = 0; time < 3; ++time) {
        EXPECT_EQ(sign_in_with_stub(api, jar, provider).status, 401);
    }
    EXPECT_EQ(provider.asked("/keys"), 3) << "once for the key that is nowhere";
}

TEST_P(OidcApi, ProvidersThatAreOn)
{
    OidcProvider provider;
    Api api(GetParam(), use_google_and(provider));
    const auto providers = api.product().oidc().sign_in_providers();
    ASSERT_EQ(providers.size(), 2);
    EXPECT_EQ(providers[0].label, "Google");
    EXPECT_EQ(providers[0].login_path, google_login);
    EXPECT_EQ(providers[1].name, "stub");
    EXPECT_EQ(providers[1].login_path, stub_login);
    EXPECT_EQ(api.send({.path = "/api/v1/auth/oidc/nobody/login"}).status, 404);
    EXPECT_EQ(api.send({.path = "/api/v1/auth/oidc/google/login"}).status, 404) << "has routes of its own";
    EXPECT_EQ(api.send({.path = "/_dev/idp"}).status, 404) << "Google itself is on";
    Api production(GetParam(), [](config::Config& config) {
        use_dev_provider(config);
        config.process.environment = "production";
        config.google.enabled = false;
    });
    EXPECT_EQ(production.send({.path = "/_dev/idp"}).status, 404);
    EXPECT_EQ(production.send({.path = google_login}).status, 404);
}

TEST_P(OidcApi, DevelopmentProviderSendsCodesNowhereElse)
{
    Api api(GetParam(), use_dev_provider);
    const auto location = api.send({.path = google_login}).header("location").value();
    EXPECT_THAT(location, testing::StartsWith("http://localhost/_dev/idp?access_type=offline&"));
    const auto page = api.send({.path = path_of(location)});
    EXPECT_EQ(page.status, 200);
    EXPECT_THAT(page.body, HasSubstr("<form method=\"post\""));
    auto foreign = location;
    foreign.replace(foreign.find("http%3A%2F%2Flocalhost"), 22, "http%3A%2F%2Fevil.example");
    EXPECT_EQ(api.send({.path = path_of(foreign)}).status, 400);
    EXPECT_EQ(decide(api, foreign, {{"email", "a@b.c"}}), "");
    EXPECT_EQ(api.send({.path = "/_dev/idp"}).status, 400);
}

// Whatever comes of a sign-in: nothing that is said of it holds a secret, or tells who it was.
TEST_P(OidcApi, NothingSecretIsSaid)
{
    OidcProvider provider;
    Api api(GetParam(), [&](config::Config& config) {
        use_google(config);
        config.oidc.providers.push_back(stub_provider(provider));
        config.oidc.providers[0].client_secret = config::Secret("planted-client-secret");
    });
    std::vector<std::string> plants{
        "planted-client-secret",
        "planted-email",
        "Planted Name",
        "planted-subject",
        "planted-picture",
        "planted-token"
    };
    std::string errors;
    const auto sign_in = [&] {
        CookieJar jar;
        const auto begun = api.send(jar, {.path = stub_login});
        const auto location = begun.header("location").value();
        const auto code = provider.grant(location);
        const auto query = query_of(location);
        const auto response = api.send(
            jar, {.path = std::string(stub_callback) + "?code=" + code + "&state=" + query.at("state")}
        );
        plants.insert(
            plants.end(),
            {query.at("state"), query.at("nonce"), "code=" + code, begun.cookie("oauth_state").value()}
        );
        errors += response.status >= 400 ? response.body : "";
        return response.status;
    };
    provider.behave([](OidcProvider::Behaviour& behaviour) {
        behaviour.email = "planted-email@example.com";
        behaviour.subject = "planted-subject";
        behaviour.claims = [](OidcProvider::Claims& claims) {
            claims["name"] = R"("Planted Name")";
            claims["picture"] = R"("https://p.example/planted-picture")";
        };
    });
    EXPECT_EQ(sign_in(), 200);
    EXPECT_EQ(sign_in(), 200);
    provider.behave([](OidcProvider::Behaviour& behaviour) {
        behaviour.token = [](const std::string& payload) { return "planted-token." + payload.substr(0, 9); };
    });
    EXPECT_EQ(sign_in(), 401);
    provider.behave([](OidcProvider::Behaviour& behaviour) {
        behaviour.token = nullptr;
        behaviour.claims = [](OidcProvider::Claims& claims) { claims["email_verified"] = "false"; };
    });
    EXPECT_EQ(sign_in(), 401);
    provider.behave([](OidcProvider::Behaviour& behaviour) { behaviour.claims = nullptr; });
    const bool postgres = api.database().engine() == db::Engine::postgres;
    api.script(
        postgres ? "ALTER TABLE o_auth_accounts DROP COLUMN name"
                 : "ALTER TABLE o_auth_accounts RENAME COLUMN name TO names"
    );
    EXPECT_EQ(sign_in(), 500);

    std::string said = errors + telemetry::expose(api.metrics(), telemetry::Exposition::openmetrics);
    for (const auto& record : api.trail()) {
        said += audit::canonical(record) + "\n";
    }
    for (const auto* buffer : {&api.recorder().kept_logs(), &api.recorder().kept_spans()}) {
        EXPECT_GT(buffer->copy().size(), 0);
        for (const auto& batch : buffer->copy()) {
            said += batch.bytes;
        }
    }
    EXPECT_THAT(said, HasSubstr("sign-in with a provider failed")) << "what would hold them is looked at";
    for (const auto& plant : plants) {
        EXPECT_FALSE(said.contains(plant)) << plant;
    }
}

TEST_P(OidcApi, RoutesShareTheLimitOfAuthentication)
{
    Api api(GetParam(), [](config::Config& config) {
        use_google(config);
        config.rate_limits.auth_per_minute = 3;
    });
    EXPECT_EQ(api.send({.path = google_login}).status, 302);
    EXPECT_EQ(api.send({.path = google_callback}).status, 400);
    EXPECT_EQ(api.send({.path = stub_login}).status, 404);
    EXPECT_EQ(api.send({.path = google_login}).status, 429);
    EXPECT_EQ(api.send({.path = google_callback}).status, 429);
}

}  // namespace
}  // namespace kit::test
