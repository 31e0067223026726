// The hosted pages as a browser without scripts uses them: forms, redirects, what is wrong beside its field.
#include "api_fixture.hpp"
#include "platform/core/encoding.hpp"

#include <regex>
#include <set>

namespace kit::test {

namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using testing::Not;

using Fields = std::vector<std::pair<std::string, std::string>>;

constexpr const char* sign_in_path = "/account/sign-in";
constexpr const char* register_path = "/account/register";
constexpr const char* verify_path = "/account/verify";
constexpr const char* resend_path = "/account/verify/resend";
constexpr const char* forgot_path = "/account/forgot";
constexpr const char* reset_path = "/account/reset";
constexpr const char* devices_path = "/account/devices";
constexpr const char* firefox = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0";

std::string encode(const Fields& fields)
{
    std::string body;
    for (const auto& [name, value] : fields) {
        body += (body.empty() ? "" : "&") + percent_encode(name) + "=" + percent_encode(value);
    }
    return body;
}

ApiRequest post(std::string path, const Fields& fields, Headers headers = {})
{
    headers.emplace_back("Content-Type", "application/x-www-form-urlencoded");
    return {.method = "POST", .path = std::move(path), .headers = std::move(headers), .body = encode(fields)};
}

const Fields good_sign_in{{"email", "ada@example.com"}, {"password", Api::password}};
const Fields good_account{{"email", "ada@example.com"}, {"name", "Ada"}, {"password", Api::password}};

// The value of a hidden field.
std::string hidden(const std::string& page, const std::string& name)
{
    const std::string begin = R"(<input type="hidden" name=")" + name + R"(" value=")";
    const auto at = page.find(begin);
    return at == std::string::npos
               ? ""
               : page.substr(at + begin.size(), page.find('"', at + begin.size()) - at - begin.size());
}

// "/account/devices/2/sign-out": the forms of other devices, in the page's order.
std::vector<std::string> sign_out_forms(const std::string& page)
{
    static const std::regex form(R"(action="(/account/devices/\d+/sign-out)\")");
    std::vector<std::string> actions;
    for (std::sregex_iterator match(page.begin(), page.end(), form); match != std::sregex_iterator();
         ++match) {
        actions.push_back((*match)[1]);
    }
    return actions;
}

void expect_redirect(const ApiResponse& response, const std::string& location)
{
    EXPECT_EQ(response.status, 303) << response.body;
    EXPECT_EQ(response.header("location"), location);
    EXPECT_EQ(response.body, "");
}

// What every page is.
void expect_page(const ApiResponse& response, int status, const std::string& title)
{
    EXPECT_EQ(response.status, status) << response.body;
    EXPECT_EQ(response.header("content-type"), "text/html; charset=utf-8");
    EXPECT_EQ(response.header("cache-control"), "no-store");
    const auto policies = response.all("content-security-policy");
    ASSERT_EQ(policies.size(), 2U);
    EXPECT_EQ(policies[0], "default-src 'self'");
    EXPECT_THAT(policies[1], HasSubstr("default-src 'none'"));
    EXPECT_THAT(policies[1], Not(HasSubstr("unsafe")));
    EXPECT_EQ(response.all("referrer-policy").back(), "same-origin");
    EXPECT_THAT(response.body, testing::StartsWith("<!doctype html>\n<html lang=\"en\"><head>"));
    EXPECT_THAT(response.body, HasSubstr("<h1>" + title + "</h1>"));
    EXPECT_THAT(response.body, Not(HasSubstr("style=")));
    EXPECT_THAT(response.body, Not(HasSubstr("<style")));
    static const std::regex elsewhere(R"re((src|href|action)="(?!/[^/]))re");
    EXPECT_FALSE(std::regex_search(response.body, elsewhere)) << response.body;
    static const std::regex inline_script(R"re(<script[^>]*>[^<]|\son[a-z]+=)re");
    EXPECT_FALSE(std::regex_search(response.body, inline_script)) << response.body;
}

class PagesApi : public ApiTest {
protected:
    static ApiResponse sign_in(Api& api, CookieJar& jar, const char* user_agent = firefox)
    {
        return api.send(jar, post(sign_in_path, good_sign_in, {{"User-Agent", user_agent}}));
    }

    static std::string csrf(Api& api, CookieJar& jar)
    {
        return hidden(api.send(jar, {.path = devices_path}).body, "csrf_token");
    }

    // The text of the newest mail, once what was asked for has been sent.
    static std::string newest_mail(Api& api)
    {
        api.run(api.product().links().issue_requested());
        const auto mails = api.run(api.product().outbox().newest(api.database(), 1));
        return mails.empty() ? "" : mails.front().text;
    }

    static std::string token_in(const std::string& mail)
    {
        const auto at = mail.find("token=");
        return at == std::string::npos ? "" : mail.substr(at + 6, 43);
    }
};

KIT_BOTH_ENGINES(PagesApi);

TEST_P(PagesApi, RegisterSignOutAndIn)
{
    Api api(GetParam());
    CookieJar jar;
    expect_page(api.send({.path = register_path}), 200, "Create an account");
    expect_redirect(api.send(jar, post(register_path, good_account)), "/account/devices?note=welcome");
    const auto welcome = api.send(jar, {.path = "/account/devices?note=welcome"});
    expect_page(welcome, 200, "My devices");
    EXPECT_THAT(
        welcome.body, HasSubstr(R"(<p class="notice good" role="status">Your account is ready.</p>)")
    );
    EXPECT_THAT(welcome.body, HasSubstr("Signed in as ada@example.com."));
    EXPECT_THAT(welcome.body, HasSubstr("This device"));
    EXPECT_EQ(api.send(jar, {.path = "/api/v1/me"}).status, 200) << "the same cookies as the API's";
    expect_redirect(api.send(jar, {.path = sign_in_path}), devices_path);
    expect_redirect(api.send(jar, {.path = register_path}), devices_path);

    expect_redirect(
        api.send(jar, post("/account/sign-out", {{"csrf_token", csrf(api, jar)}})),
        "/account/sign-in?note=signed-out"
    );
    EXPECT_EQ(jar.value("access_token"), "");
    const auto page = api.send(jar, {.path = "/account/sign-in?note=signed-out"});
    expect_page(page, 200, "Sign in");
    EXPECT_THAT(page.body, HasSubstr("You are signed out."));
    const auto entered = sign_in(api, jar);
    expect_redirect(entered, devices_path);
    EXPECT_THAT(
        entered.all("set-cookie")[0],
        testing::MatchesRegex("access_token=[^;]+; Path=/; Max-Age=900; HttpOnly; SameSite=Lax")
    );
    EXPECT_EQ(entered.header("cache-control"), "no-store");
    EXPECT_EQ(api.send(jar, {.path = devices_path}).status, 200);
}

TEST_P(PagesApi, WhoIsNotSignedInIsSentToWhereHeCanBe)
{
    Api api(GetParam());
    expect_redirect(api.send({.path = "/account"}), devices_path);
    expect_redirect(api.send({.path = devices_path}), sign_in_path);
    expect_redirect(api.send(post("/account/devices/sign-out-all", {})), sign_in_path);
}

TEST_P(PagesApi, ErrorsStandBesideTheirFields)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);

    const std::string long_name(256, 'x');
    const auto field = [](const char* name, const char* text) {
        return std::string(R"(aria-describedby=")") + name + R"(-error" aria-invalid="true" autofocus="">)" +
               "\n" + R"(<p class="error" id=")" + name + R"(-error">)" + text + "</p>";
    };
    const auto alert = [](const char* text) {
        return std::string(R"(<p class="notice bad" role="alert">)") + text;
    };
    const std::string no_email = field("email", "Enter your email address.");
    const std::string bad_email = field("email", "Enter an email address, such as ada@example.com.");
    const std::string weak = R"(id="password-error">This password is too weak, or too common.)";
    const std::string wrong = alert("The email address or the password is wrong.");
    const std::string old_link = alert("This link has expired or was used before. Ask for a new one.");
    for (const auto& [path, fields, status, expected] :
         std::vector<std::tuple<const char*, Fields, int, std::string>>{
             {sign_in_path, {}, 400, no_email},
             {sign_in_path, {{"email", " "}, {"password", "x"}}, 400, no_email},
             {sign_in_path, {{"email", "ada@example.com"}}, 400, field("password", "Enter your password.")},
             {sign_in_path, {{"email", "ada@example.com"}, {"password", "x"}}, 401, wrong},
             {sign_in_path, {{"email", "nobody@example.com"}, {"password", "x"}}, 401, wrong},
             {register_path, {}, 400, no_email},
             {register_path, {{"email", "ada"}, {"name", "Ada"}, {"password", Api::password}}, 400, bad_email
             },
             {register_path,
              {{"email", "b@example.com"}, {"password", Api::password}},
              400,
              field("name", "Enter your name.")},
             {register_path,
              {{"email", "b@example.com"}, {"name", long_name}, {"password", Api::password}},
              400,
              field("name", "Enter a name of at most 255 characters.")},
             {register_path, {{"email", "b@example.com"}, {"name", "Bob"}, {"password", "weak"}}, 400, weak},
             {register_path,
              good_account,
              400,
              field("email", "There is an account with this address already.").substr(0, 90)},
             {forgot_path, {}, 400, no_email},
             {forgot_path, {{"email", "ada"}}, 400, bad_email},
             {resend_path, {}, 400, no_email},
             {resend_path, {{"email", "ada"}}, 400, bad_email},
             {verify_path, {{"token", "x"}}, 400, old_link},
             {verify_path, {}, 400, old_link},
             {reset_path, {{"token", "x"}, {"new_password", Api::password}}, 400, old_link},
             {reset_path,
              {{"token", "x"}, {"new_password", "weak"}},
              400,
              R"(id="new_password-error">This password is too weak)"},
         }) {
        const auto response = api.send(post(path, fields));
        EXPECT_EQ(response.status, status) << path << response.body;
        EXPECT_THAT(response.body, HasSubstr(expected)) << path;
        EXPECT_THAT(response.body, HasSubstr("<title>Error: ")) << path;
        EXPECT_THAT(response.body, Not(HasSubstr(Api::password)));
        EXPECT_TRUE(response.all("set-cookie").empty()) << path;
    }
    const auto kept = api.send(post(register_path, {{"email", "b@example.com"}, {"name", "Bob"}}));
    EXPECT_THAT(kept.body, HasSubstr(R"(value="b@example.com")")) << "what was typed is there again";
    EXPECT_THAT(kept.body, HasSubstr(R"(value="Bob")"));
    EXPECT_THAT(
        kept.body, HasSubstr(R"(aria-describedby="password-hint password-error" aria-invalid="true")")
    );
    const auto reset = api.send(post(reset_path, {{"token", "abc"}, {"new_password", "weak"}}));
    EXPECT_EQ(hidden(reset.body, "token"), "abc") << "the link is still good for another try";
}

TEST_P(PagesApi, WhatIsNoFormIsRefused)
{
    Api api(GetParam());
    for (const auto* body : {"email=%ff", "email=a%00b&password=x"}) {
        auto request = post(sign_in_path, {});
        request.body = body;
        expect_page(api.send(request), 400, "That did not work");
    }
    for (const auto* body : {"", "{\"email\":\"ada@example.com\"}", "%%%", "email", "=&=&="}) {
        auto request = post(sign_in_path, {});
        request.body = body;
        expect_page(api.send(request), 400, "Sign in");
    }
}

TEST_P(PagesApi, TypedTextCannotBecomeMarkup)
{
    Api api(GetParam());
    const std::string attack = R"("><script>alert(1)</script>)";
    for (const auto* path : {sign_in_path, register_path, forgot_path, resend_path}) {
        const auto page = api.send(post(path, {{"email", attack}, {"name", attack}, {"password", "x"}}));
        EXPECT_THAT(page.body, Not(HasSubstr("<script>"))) << path;
        EXPECT_THAT(page.body, HasSubstr("&quot;&gt;&lt;script&gt;alert(1)&lt;/script&gt;")) << path;
    }
    for (const auto* path : {"/account/reset?token=", "/account/verify?token=", "/account/sign-in?note="}) {
        const auto page = api.send({.path = path + percent_encode(attack)});
        EXPECT_EQ(page.status, 200);
        EXPECT_THAT(page.body, Not(HasSubstr("<script>"))) << path;
    }
}

TEST_P(PagesApi, OtherSitesFormsAreRefused)
{
    Api api(GetParam(), [](config::Config& config) {
        config.http.cors_allowed_origins = {"https://app.example"};
    });
    CookieJar jar;
    api.sign_up(jar);
    const auto token = csrf(api, jar);
    const auto sent = [&](const char* path, const Headers& headers) {
        auto fields = good_account;
        fields.emplace_back("csrf_token", token);
        return api.send(jar, post(path, fields, headers));
    };
    const Headers host{{"Host", "api.example"}};
    const auto with = [&host](const char* name, const char* value) {
        auto headers = host;
        headers.emplace_back(name, value);
        return headers;
    };
    for (const auto* path :
         {sign_in_path,
          register_path,
          verify_path,
          resend_path,
          forgot_path,
          reset_path,
          "/account/sign-out",
          "/account/devices/1/sign-out",
          "/account/devices/sign-out-others",
          "/account/devices/sign-out-all"}) {
        for (const auto& headers :
             {with("Origin", "https://evil.example"),
              with("Origin", "null"),
              with("Sec-Fetch-Site", "cross-site")}) {
            expect_page(sent(path, headers), 403, "That was refused");
        }
    }
    for (const auto& headers :
         {host,
          with("Origin", "http://api.example"),
          with("Sec-Fetch-Site", "same-origin"),
          with("Origin", "https://app.example")}) {
        EXPECT_EQ(sent(sign_in_path, headers).status, 303);
    }
}

TEST_P(PagesApi, DevicesWantTheirSessionsToken)
{
    Api api(GetParam());
    CookieJar ada;
    CookieJar bob;
    api.sign_up(ada);
    api.sign_up(bob, "bob@example.com");
    for (const auto* path :
         {"/account/sign-out",
          "/account/devices/1/sign-out",
          "/account/devices/sign-out-others",
          "/account/devices/sign-out-all"}) {
        for (const auto& fields :
             {Fields{}, Fields{{"csrf_token", "x"}}, Fields{{"csrf_token", csrf(api, bob)}}}) {
            expect_page(api.send(ada, post(path, fields)), 403, "That was refused");
        }
    }
    EXPECT_EQ(api.send(ada, {.path = devices_path}).status, 200);
}

TEST_P(PagesApi, DevicesAreListedAndSignedOut)
{
    Api api(GetParam());
    CookieJar laptop;
    CookieJar phone;
    CookieJar tablet;
    api.sign_up(laptop);
    api.clock().advance(1min);
    sign_in(api, phone);
    api.clock().advance(1min);
    sign_in(api, tablet, "\"><script>alert(1)</script>");
    auto page = api.send(laptop, {.path = devices_path}).body;
    EXPECT_THAT(page, HasSubstr("<h2>Firefox on Linux</h2>"));
    EXPECT_THAT(
        page, HasSubstr(R"(Signed in <time datetime="2026-03-01T00:01:00Z">2026-03-01 00:01 UTC</time>)")
    );
    EXPECT_THAT(page, Not(HasSubstr("<script>")));
    const auto forms = sign_out_forms(page);
    ASSERT_EQ(
        forms, (std::vector<std::string>{"/account/devices/3/sign-out", "/account/devices/2/sign-out"})
    );
    const Fields token{{"csrf_token", hidden(page, "csrf_token")}};

    expect_redirect(api.send(laptop, post(forms[1], token)), "/account/devices?note=revoked");
    expect_redirect(api.send(laptop, post(forms[1], token)), "/account/devices?note=revoked-before");
    EXPECT_EQ(api.send(phone, {.path = "/api/v1/me"}).status, 401);
    EXPECT_EQ(api.send(tablet, {.path = "/api/v1/me"}).status, 200);
    for (const auto* path : {"/account/devices/99/sign-out", "/account/devices/x/sign-out"}) {
        expect_page(api.send(laptop, post(path, token)), 404, "Not found");
    }

    expect_redirect(
        api.send(laptop, post("/account/devices/sign-out-others", token)),
        "/account/devices?note=revoked-others"
    );
    EXPECT_EQ(api.send(tablet, {.path = "/api/v1/me"}).status, 401);
    page = api.send(laptop, {.path = devices_path}).body;
    EXPECT_TRUE(sign_out_forms(page).empty());
    EXPECT_THAT(page, Not(HasSubstr("sign-out-others")));

    sign_in(api, phone);
    expect_redirect(
        api.send(laptop, post("/account/devices/sign-out-all", token)), "/account/sign-in?note=signed-out-all"
    );
    EXPECT_EQ(laptop.header(), "") << "the cookies are gone";
    EXPECT_EQ(api.send(phone, {.path = "/api/v1/me"}).status, 401);
}

TEST_P(PagesApi, TheDeviceItselfCanBeSignedOutLikeAnother)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    const Fields token{{"csrf_token", csrf(api, jar)}};
    expect_redirect(
        api.send(jar, post("/account/devices/1/sign-out", token)), "/account/sign-in?note=signed-out"
    );
    EXPECT_EQ(jar.value("refresh_token"), "");
}

TEST_P(PagesApi, AnExpiredAccessTokenIsRenewedOnTheWay)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    const Fields token{{"csrf_token", csrf(api, jar)}};
    api.clock().advance(16min);
    expect_redirect(api.send(jar, {.path = devices_path}), "/api/v1/auth/renew");
    expect_redirect(api.send(jar, {.path = "/api/v1/auth/renew"}), "/account/devices?renewed");
    EXPECT_EQ(api.send(jar, {.path = "/account/devices?renewed"}).status, 200);
    api.clock().advance(16min);
    expect_redirect(api.send(jar, post("/account/sign-out", token)), "/api/v1/auth/renew?note=again");
    expect_redirect(
        api.send(jar, {.path = "/api/v1/auth/renew?note=again"}), "/account/devices?renewed&note=again"
    );
    EXPECT_THAT(
        api.send(jar, {.path = "/account/devices?renewed&note=again"}).body, HasSubstr("Please try again.")
    );

    CookieJar gone;
    sign_in(api, gone);
    expect_redirect(
        api.send(jar, post("/account/devices/sign-out-others", {{"csrf_token", csrf(api, jar)}})),
        "/account/devices?note=revoked-others"
    );
    expect_redirect(api.send(gone, {.path = devices_path}), "/api/v1/auth/renew");
    expect_redirect(api.send(gone, {.path = "/api/v1/auth/renew"}), "/account/sign-in?note=ended");
    expect_redirect(api.send(gone, {.path = "/account/devices?renewed"}), sign_in_path);
}

TEST_P(PagesApi, VerificationByTheMailsLink)
{
    Api api(GetParam(), [](config::Config& config) {
        config.auth.require_email_verification = true;
        config.http.public_url = "https://app.example";
    });
    CookieJar jar;
    expect_redirect(api.send(jar, post(register_path, good_account)), "/account/verify?note=verify-sent");
    const auto sent = api.send(jar, {.path = "/account/verify?note=verify-sent"});
    expect_page(sent, 200, "Verify your email address");
    EXPECT_THAT(sent.body, HasSubstr("a mail with a link is on its way"));
    const auto refused = sign_in(api, jar);
    expect_page(refused, 403, "Sign in");
    EXPECT_THAT(refused.body, HasSubstr("This address is not verified yet."));

    const auto mail = newest_mail(api);
    EXPECT_THAT(mail, HasSubstr("https://app.example/account/verify?token="));
    const auto token = token_in(mail);
    for (int look = 0; look < 2; ++look) {
        const auto page = api.send({.path = "/account/verify?token=" + token});
        expect_page(page, 200, "Verify your email address");
        EXPECT_EQ(hidden(page.body, "token"), token) << "a look does not use it up";
    }
    expect_redirect(api.send(post(verify_path, {{"token", token}})), "/account/sign-in?note=verified");
    expect_page(api.send(post(verify_path, {{"token", token}})), 400, "Verify your email address");
    expect_redirect(sign_in(api, jar), devices_path);
    expect_redirect(
        api.send(post(resend_path, {{"email", "ada@example.com"}})), "/account/verify?note=verify-sent"
    );
}

TEST_P(PagesApi, ANewPasswordByTheMailsLink)
{
    Api api(GetParam(), [](config::Config& config) { config.http.public_url = "http://localhost:8080"; });
    CookieJar jar;
    api.sign_up(jar);
    expect_page(api.send({.path = forgot_path}), 200, "Forgotten your password?");
    for (const auto* email : {"ada@example.com", "nobody@example.com"}) {
        expect_redirect(api.send(post(forgot_path, {{"email", email}})), "/account/forgot?note=reset-sent");
    }
    const auto mail = newest_mail(api);
    EXPECT_THAT(mail, HasSubstr("http://localhost:8080/account/reset?token="));
    const auto token = token_in(mail);
    expect_page(api.send({.path = "/account/reset?token=" + token}), 200, "Choose a new password");
    expect_redirect(api.send({.path = reset_path}), forgot_path);
    const Fields renewal{{"token", token}, {"new_password", "Another-Horse-8-Battery"}};
    expect_redirect(api.send(post(reset_path, renewal)), "/account/sign-in?note=password-set");
    EXPECT_EQ(api.send(jar, {.path = "/api/v1/me"}).status, 401) << "signed out everywhere";
    expect_page(api.send(post(reset_path, renewal)), 400, "Forgotten your password?");
    EXPECT_EQ(sign_in(api, jar).status, 401);
    expect_redirect(
        api.send(
            jar, post(sign_in_path, {{"email", "ada@example.com"}, {"password", "Another-Horse-8-Battery"}})
        ),
        devices_path
    );
}

TEST_P(PagesApi, LinksOfMailsGoWhereTheSettingsSay)
{
    Api api(GetParam(), [](config::Config& config) {
        config.http.public_url = "https://app.example";
        config.auth.password_reset_base_url = "https://shop.example/reset";
    });
    CookieJar jar;
    api.sign_up(jar);
    api.send(post(forgot_path, {{"email", "ada@example.com"}}));
    EXPECT_THAT(newest_mail(api), HasSubstr("https://shop.example/reset?token="));
}

TEST_P(PagesApi, LimitsAndTheGuardAreTheApis)
{
    Api api(GetParam(), [](config::Config& config) {
        config.abuse.enabled = true;
        config.rate_limits.login_per_minute = 10;
        config.rate_limits.burst_multiplier = 1;
    });
    CookieJar jar;
    api.sign_up(jar);
    const Fields wrong{{"email", "ada@example.com"}, {"password", "x"}};
    for (int attempt = 0; attempt < 4; ++attempt) {
        EXPECT_EQ(api.send(post(sign_in_path, wrong)).status, 401);
    }
    const auto guarded = api.send(post(sign_in_path, good_sign_in));
    expect_page(guarded, 429, "Sign in");
    EXPECT_EQ(guarded.header("retry-after"), "2");
    EXPECT_THAT(guarded.body, HasSubstr("Too many tries. Wait 2 seconds, then try again."));
    const auto by_api = api.send(
        {.method = "POST",
         .path = "/api/v1/auth/local/login",
         .body = R"({"email":"ada@example.com","password":"Correct-Horse-42"})"}
    );
    EXPECT_EQ(by_api.status, 429) << "one counter for both doors";
    ApiResponse limited;
    for (int attempt = 0; attempt < 10; ++attempt) {
        limited = api.send(post(sign_in_path, wrong));
    }
    expect_page(limited, 429, "Too many requests");
    EXPECT_TRUE(limited.header("retry-after"));
    EXPECT_TRUE(limited.header("x-ratelimit-limit"));
}

TEST_P(PagesApi, AKnownDeviceIsTheOwnersWhateverOthersTry)
{
    Api api(GetParam(), [](config::Config& config) { config.abuse.enabled = true; });
    CookieJar jar;
    api.sign_up(jar);
    const auto entered = sign_in(api, jar);
    ASSERT_EQ(entered.status, 303);
    CookieJar known;
    const auto first = api.send(known, post(sign_in_path, good_sign_in));
    EXPECT_THAT(first.all("set-cookie"), testing::Contains(HasSubstr("; Path=/account; ")));
    for (int attempt = 0; attempt < 6; ++attempt) {
        auto wrong = post(sign_in_path, {{"email", "ada@example.com"}, {"password", "x"}});
        wrong.peer = "198.51.100.7";
        api.send(wrong);
    }
    auto foreign = post(sign_in_path, good_sign_in);
    foreign.peer = "203.0.113.9";
    EXPECT_EQ(api.send(foreign).status, 429);
    EXPECT_EQ(api.send(known, post(sign_in_path, good_sign_in)).status, 303);
}

TEST_P(PagesApi, AnOutageIsAPageToo)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    api.database().close();
    const auto page = api.send(post(sign_in_path, good_sign_in));
    expect_page(page, 503, "Not available just now");
    EXPECT_TRUE(page.header("retry-after"));
    expect_page(api.send(jar, {.path = devices_path}), 503, "Not available just now");
}

TEST_P(PagesApi, AssetsAreOurOwnAndMayBeKept)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    const auto page = api.send(jar, {.path = devices_path}).body;
    static const std::regex asset(R"re((?:src|href)="(/account/assets/[^"]+)")re");
    std::set<std::string> addresses;
    for (std::sregex_iterator match(page.begin(), page.end(), asset); match != std::sregex_iterator();
         ++match) {
        addresses.insert((*match)[1]);
    }
    EXPECT_EQ(addresses.size(), 3U) << page;
    for (const auto& address : addresses) {
        const auto response = api.send({.path = address});
        EXPECT_EQ(response.status, 200) << address;
        EXPECT_EQ(response.header("cache-control"), "public, max-age=31536000, immutable");
        EXPECT_THAT(response.body, Not(testing::ContainsRegex("(url\\(|@import|fetch\\()")));
    }
}

TEST_P(PagesApi, ButtonsOfProviders)
{
    Api api(GetParam(), [](config::Config& config) { config.google.enabled = false; });
    EXPECT_THAT(api.send({.path = sign_in_path}).body, Not(HasSubstr("Continue with")));
    api.product().pages()->settings.providers = {
        {.name = "google", .label = "Google", .login_path = "/api/v1/auth/google/login"},
        {.name = "acme", .label = "A&B", .login_path = "/api/v1/auth/oidc/acme/login"}
    };
    for (const auto* path : {sign_in_path, register_path}) {
        const auto page = api.send({.path = path}).body;
        EXPECT_THAT(
            page,
            HasSubstr(R"(<a class="button" href="/api/v1/auth/google/login?return_to=%2Faccount%2Fsign-in">)"
                      "Continue with Google</a>")
        );
        EXPECT_THAT(page, HasSubstr("Continue with A&amp;B"));
    }
}

TEST_P(PagesApi, SwitchedOffThereAreNone)
{
    Api api(GetParam(), [](config::Config& config) {
        config.auth.hosted_pages = false;
        config.http.public_url = "https://app.example";
    });
    CookieJar jar;
    api.sign_up(jar);
    for (const auto* path :
         {"/account",
          sign_in_path,
          register_path,
          verify_path,
          forgot_path,
          reset_path,
          devices_path,
          "/account/assets/style.css",
          "/api/v1/auth/renew"}) {
        EXPECT_EQ(api.send(jar, {.path = path}).status, 404) << path;
        EXPECT_EQ(api.send(jar, post(path, {})).status, 404) << path;
    }
    api.send(
        {.method = "POST",
         .path = "/api/v1/auth/local/password/forgot",
         .headers = {new_idempotency_key()},
         .body = R"({"email":"ada@example.com"})"}
    );
    EXPECT_THAT(newest_mail(api), Not(HasSubstr("app.example")));
}

TEST_P(PagesApi, WithoutPasswordsOnlyWhatNeedsNone)
{
    Api api(GetParam(), [](config::Config& config) { config.auth.local_enabled = false; });
    const auto page = api.send({.path = sign_in_path});
    expect_page(page, 200, "Sign in");
    EXPECT_THAT(page.body, Not(HasSubstr("<form")));
    for (const auto* path : {register_path, verify_path, forgot_path, reset_path}) {
        EXPECT_EQ(api.send({.path = path}).status, 404) << path;
    }
    EXPECT_EQ(api.send(post(sign_in_path, good_sign_in)).status, 405);
}

}  // namespace

}  // namespace kit::test
