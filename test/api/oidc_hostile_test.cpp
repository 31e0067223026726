// Providers, browsers and networks that mean ill: each try ends without a session, within five seconds.
#include "oidc_fixture.hpp"
#include "platform/core/encoding.hpp"
#include "platform/crypto/hash.hpp"
#include "platform/db/rows.hpp"

#include <boost/describe/class.hpp>
#include <fmt/format.h>

#include <chrono>
#include <thread>

namespace kit::test {

namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;
using Behaviour = OidcProvider::Behaviour;
using Claims = OidcProvider::Claims;

// What a browser brings back, to be spoilt.
struct Return {
    std::string path = stub_callback;
    std::string code;
    std::string state;
    std::string more;  // of the query
    std::string cookie;
};

struct Case {
    const char* name;
    std::function<void(Behaviour&)> provider = [](Behaviour&) {};
    std::function<void(Api&, OidcProvider&, Return&)> browser = [](Api&, OidcProvider&, Return&) {};
    bool slow = false;
};

struct Count {
    std::int64_t count;
};
BOOST_DESCRIBE_STRUCT(Count, (), (count))

std::int64_t sessions_in(Api& api)
{
    static constexpr db::Query query{"test.count", "SELECT count(*) AS count FROM sessions"};
    return api.run(api.database().query<Count>(query)).at(0).count;
}

// The claim of every token from now on.
std::function<void(Behaviour&)> claim(std::string name, std::string value)
{
    return [name = std::move(name), value = std::move(value)](Behaviour& behaviour) {
        behaviour.claims = [name, value](Claims& claims) {
            if (value.empty()) {
                claims.erase(name);
            } else {
                claims[name] = value;
            }
        };
    };
}

std::function<void(Behaviour&)> token(std::function<std::string(const std::string&)> make)
{
    return [make = std::move(make)](Behaviour& behaviour) { behaviour.token = make; };
}

// An answer of the test's own to one path.
std::function<void(Behaviour&)> wire(std::string path, std::function<void(StubServer::Peer&)> speak)
{
    return [path = std::move(path), speak = std::move(speak)](Behaviour& behaviour) {
        behaviour.wire = [path, speak](StubServer::Peer& peer, std::string_view asked) {
            if (asked != path) {
                return false;
            }
            speak(peer);
            return true;
        };
    };
}

void drip(StubServer::Peer& peer)
{
    peer.send("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 100000\r\n\r\n{");
    while (peer.send(" ") && !peer.wait_for_end(50ms)) {
    }
}

void silence(StubServer::Peer& peer)
{
    peer.wait_for_end();
}

void flood(StubServer::Peer& peer)
{
    constexpr std::size_t bytes = 10UL * 1024 * 1024;
    peer.send(http_answer(200, "{\"id_token\":\"" + std::string(bytes, 'a') + "\"}"));
}

void redirect(StubServer::Peer& peer)
{
    peer.send("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n");
}

std::string many_keys()
{
    std::string text = R"({"keys":[)" + rsa_key().jwk();
    for (int key = 0; key < 9'999; ++key) {
        text += fmt::format(R"(,{{"kty":"OKP","crv":"Ed25519","kid":"{}","x":"{:A>43}"}})", key, "");
    }
    return text + "]}";
}

// The HMAC that a verifier finds good which takes the public key's text for a secret: RFC 8725 section 2.1.
std::string confused(const std::string& payload)
{
    return make_token(R"({"alg":"HS256","kid":"rsa-1"})", payload, [](std::string_view text) {
        return std::string(as_text(hmac_sha256(rsa_key().pem(), text)));
    });
}

std::string signed_by(const SigningKey& key, const std::string& header, const std::string& payload)
{
    return make_token(header, payload, [&key](std::string_view text) { return key.sign(text); });
}

const std::vector<Case>& cases()
{
    static const std::vector<Case> all{
        // The ID token: OpenID Connect Core 1.0 section 3.1.3.7, RFC 8725.
        {.name = "wrong nonce", .provider = claim("nonce", R"("guess")")},
        {.name = "no nonce", .provider = claim("nonce", "")},
        {.name = "wrong issuer", .provider = claim("iss", R"("https://accounts.google.com")")},
        {.name = "wrong audience", .provider = claim("aud", R"("somebody-else")")},
        {.name = "several audiences, no azp", .provider = claim("aud", R"(["client","other"])")},
        {.name = "wrong azp", .provider = claim("azp", R"("other")")},
        {.name = "expired", .provider = claim("exp", "1772323000")},
        {.name = "no expiry", .provider = claim("exp", "")},
        {.name = "from the future", .provider = claim("iat", "1772330000")},
        {.name = "no subject", .provider = claim("sub", R"("")")},
        {.name = "unverified address", .provider = claim("email_verified", "false")},
        {.name = "verified in other words", .provider = claim("email_verified", R"("maybe")")},
        {.name = "alg none", .provider = token([](const std::string& payload) {
                                 return make_token(R"({"alg":"none"})", payload, [](std::string_view) {
                                     return std::string();
                                 });
                             })},
        {.name = "alg none, signed",
         .provider = token([](const std::string& payload) {
             return signed_by(rsa_key(), R"({"alg":"none","kid":"rsa-1"})", payload);
         })},
        {.name = "key confusion", .provider = token(confused)},
        {.name = "another kind of key",
         .provider = token([](const std::string& payload) {
             return signed_by(ec_key(), R"({"alg":"ES256","kid":"rsa-1"})", payload);
         })},
        {.name = "a key of the token's own", .provider = token([](const std::string& payload) {
                                                 return signed_by(
                                                     other_rsa_key(),
                                                     R"({"alg":"RS256","kid":"rsa-1","jwk":)" +
                                                         other_rsa_key().jwk() + "}",
                                                     payload
                                                 );
                                             })},
        {.name = "unknown key",
         .provider = token([](const std::string& payload) {
             return signed_by(other_rsa_key(), R"({"alg":"RS256","kid":"rsa-2"})", payload);
         })},
        {.name = "critical extension",
         .provider = token([](const std::string& payload) {
             return signed_by(
                 rsa_key(), R"({"alg":"RS256","kid":"rsa-1","crit":["b64"],"b64":false})", payload
             );
         })},
        {.name = "a signature changed",
         .provider = token([](const std::string& payload) {
             auto text = signed_by(rsa_key(), R"({"alg":"RS256","kid":"rsa-1"})", payload);
             text[text.size() - 10] = text[text.size() - 10] == 'A' ? 'B' : 'A';
             return text;
         })},
        {.name = "no ID token", .provider = token([](const std::string&) { return std::string(); })},
        {.name = "a token of 100 kB", .provider = token([](const std::string& payload) {
                                          return signed_by(
                                              rsa_key(),
                                              R"({"alg":"RS256","kid":"rsa-1","pad":")" +
                                                  std::string(100'000, 'a') + "\"}",
                                              payload
                                          );
                                      })},
        // The keys.
        {.name = "10,000 keys", .provider = [](Behaviour& behaviour) { behaviour.keys = many_keys; }},
        {.name = "no keys", .provider = [](Behaviour& behaviour) { behaviour.keys = [] { return "{}"; }; }},
        {.name = "keys for encryption",
         .provider =
             [](Behaviour& behaviour) {
                 behaviour.keys = [] { return R"({"keys":[)" + rsa_key().jwk(R"(,"use":"enc")") + "]}"; };
             }},
        // Userinfo of somebody else: OpenID Connect Core 1.0 section 5.3.2.
        {.name = "userinfo of another subject",
         .provider =
             [](Behaviour& behaviour) {
                 claim("email", "")(behaviour);
                 behaviour.userinfo = [] {
                     return R"({"sub":"subject-9","email":"root@example.com","email_verified":true})";
                 };
             }},
        {.name = "userinfo vouches for another address",
         .provider =
             [](Behaviour& behaviour) {
                 claim("email_verified", "")(behaviour);
                 behaviour.userinfo = [] {
                     return R"({"sub":"subject-1","email":"eve@example.com","email_verified":true})";
                 };
             }},
        // The network.
        {.name = "the token endpoint answers 500",
         .provider = wire("/token", [](StubServer::Peer& peer) { peer.send(http_answer(500, "{}")); })},
        {.name = "a body of 10 MB", .provider = wire("/token", flood)},
        {.name = "keys of 10 MB", .provider = wire("/keys", flood)},
        {.name = "a redirect", .provider = wire("/token", redirect)},
        {.name = "the keys redirect", .provider = wire("/keys", redirect)},
        {.name = "an answer cut short",
         .provider = wire(
             "/token",
             [](StubServer::Peer& peer) { peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{"); }
         )},
        {.name = "no HTTP",
         .provider = wire("/token", [](StubServer::Peer& peer) { peer.send("SSH-2.0-OpenSSH_9\r\n"); })},
        {.name = "a slow drip", .provider = wire("/token", drip), .slow = true},
        {.name = "silence", .provider = wire("/keys", silence), .slow = true},
        // The browser.
        {.name = "another browser's state",
         .browser = [](Api&, OidcProvider&, Return& back) { back.cookie = ""; }},
        {.name = "a state that nobody issued",
         .browser =
             [](Api&, OidcProvider&, Return& back) {
                 back.state = std::string(32, 'A');
                 back.cookie = "oauth_state=" + back.state + "." +
                               base64url_encode(as_text(hmac_sha256(state_secret, back.state)));
             }},
        {.name = "a late state",
         .browser = [](Api& api, OidcProvider&, Return&) { api.clock().advance(301s); }},
        {.name = "a state used before",
         .browser =
             [](Api& api, OidcProvider&, Return& back) {
                 api.send(
                     {.path = back.path + "?code=nonsense&state=" + back.state,
                      .headers = {{"Cookie", back.cookie}}}
                 );
             }},
        {.name = "another provider's state",
         .browser = [](Api&, OidcProvider&, Return& back) { back.path = google_callback; }},
        {.name = "another login's code",
         .browser =
             [](Api& api, OidcProvider& provider, Return& back) {
                 back.code = provider.grant(api.send({.path = stub_login}).header("location").value());
             }},
        {.name = "a code that was never given",
         .browser = [](Api&, OidcProvider&, Return& back) { back.code = "code-99"; }},
        {.name = "mix-up: the issuer of another provider",
         .browser =
             [](Api&, OidcProvider&, Return& back) {
                 back.more = "&iss=https%3A%2F%2Fevil.example";  // RFC 9207
             }},
        {.name = "a code with a line break",
         .browser = [](Api&, OidcProvider&, Return& back) { back.code = "x%0d%0aX-Evil:+1"; }},
    };
    return all;
}

class HostileOidc : public ApiTest {
protected:
    static void configure(config::Config& config, const OidcProvider& provider)
    {
        config.tokens.oauth_state_secret = config::Secret(state_secret);
        config.google.client_id = "our-client";
        config.google.client_secret = config::Secret("our-secret");
        config.oidc.providers.push_back(stub_provider(provider));
    }

    static void run(const Case& each, ApiEngine engine)
    {
        OidcProvider provider;
        Api api(engine, [&](config::Config& config) { configure(config, provider); });
        provider.behave(each.provider);
        CookieJar jar;
        const auto begun = api.send(jar, {.path = stub_login});
        ASSERT_EQ(begun.status, 302) << each.name << begun.body;
        const auto location = begun.header("location").value();
        Return back{
            .code = provider.grant(location), .state = query_of(location)["state"], .cookie = jar.header()
        };
        each.browser(api, provider, back);
        const auto started = std::chrono::steady_clock::now();
        const auto response = api.send(
            {.path = back.path + "?code=" + back.code + "&state=" + back.state + back.more,
             .headers = {{"Cookie", back.cookie}}}
        );
        const auto took = std::chrono::steady_clock::now() - started;
        EXPECT_EQ(response.status, 401) << each.name << ": " << response.body;
        EXPECT_FALSE(signs_in(response)) << each.name;
        EXPECT_EQ(sessions_in(api), 0) << each.name;
        EXPECT_LT(took, 5s) << each.name;
    }
};

KIT_BOTH_ENGINES(HostileOidc);

TEST_P(HostileOidc, SignsNobodyIn)
{
    EXPECT_GE(cases().size(), 25);
    for (const auto& each : cases()) {
        if (!each.slow) {
            run(each, GetParam());
        }
    }
}

// Waiting has nothing to do with the database: once, side by side.
TEST(HostileOidcSlow, EndsInTime)
{
    struct Runner : HostileOidc {
        using HostileOidc::run;

        void TestBody() override {}
    };

    std::vector<std::thread> threads;
    for (const auto& each : cases()) {
        if (each.slow) {
            threads.emplace_back([&each] { Runner::run(each, ApiEngine::sqlite); });
        }
    }
    for (auto& thread : threads) {
        thread.join();
    }
}

// The address of a local user at a provider that has not verified it.
TEST_P(HostileOidc, AnUnverifiedAddressOfALocalUserIsNobodys)
{
    OidcProvider provider;
    Api api(GetParam(), [&](config::Config& config) { configure(config, provider); });
    CookieJar owner;
    ASSERT_EQ(api.sign_up(owner).status, 201);
    provider.behave(claim("email_verified", "false"));
    CookieJar thief;
    const auto response = sign_in_with_stub(api, thief, provider);
    EXPECT_EQ(response.status, 401);
    EXPECT_THAT(response.body, HasSubstr(R"("code":"OAUTH_FAILED","message":"email not verified")"));
    EXPECT_FALSE(signs_in(response));
    EXPECT_EQ(sessions_in(api), 1) << "the owner's";
    EXPECT_EQ(api.send(owner, {.path = "/api/v1/me"}).status, 200);
}

// OpenID Connect Discovery 1.0 section 4.3: another issuer's document is none; nor are endpoints in the
// clear.
TEST_P(HostileOidc, DiscoveryOfSomebodyElseBeginsNothing)
{
    const std::vector<std::pair<const char*, std::function<std::string(std::string)>>> documents{
        {"another issuer",
         [](std::string text) { return R"({"issuer":"https://evil.example")" + text.substr(text.find(',')); }
        },
        {"an endpoint in the clear",
         [](std::string text) {
             const auto at = text.find("http", text.find("token_endpoint"));
             return text.substr(0, at) + "http://evil.example/token" + text.substr(text.find('"', at));
         }},
        {"a file",
         [](std::string text) {
             const auto at = text.find("http", text.find("jwks_uri"));
             return text.substr(0, at) + "file:///etc/passwd" + text.substr(text.find('"', at));
         }},
        {"no document", [](const std::string&) { return std::string("<html>"); }},
        {"nothing in it", [](const std::string&) { return std::string("{}"); }},
    };
    for (const auto& [name, document] : documents) {
        OidcProvider provider;
        Api api(GetParam(), [&](config::Config& config) { configure(config, provider); });
        provider.behave([&](Behaviour& behaviour) { behaviour.discovery = document; });
        const auto response = api.send({.path = stub_login});
        EXPECT_EQ(response.status, 503) << name;
        EXPECT_THAT(response.body, HasSubstr(R"("code":"OAUTH_FAILED")")) << name;
        EXPECT_TRUE(response.all("set-cookie").empty()) << name;
    }
}

// A provider that names itself at the callback (RFC 9207) does so always.
TEST_P(HostileOidc, AnIssuerThatIsPromisedIsDemanded)
{
    OidcProvider provider;
    Api api(GetParam(), [&](config::Config& config) { configure(config, provider); });
    provider.behave([](Behaviour& behaviour) {
        behaviour.discovery = [](std::string text) {
            return text.insert(1, R"("authorization_response_iss_parameter_supported":true,)");
        };
    });
    CookieJar jar;
    EXPECT_EQ(sign_in_with_stub(api, jar, provider).status, 401);
    const auto location = api.send(jar, {.path = stub_login}).header("location").value();
    const auto path = std::string(stub_callback) + "?code=" + provider.grant(location) +
                      "&state=" + query_of(location)["state"] + "&iss=" + percent_encode(provider.issuer());
    EXPECT_EQ(api.send(jar, {.path = path}).status, 200);
}

TEST_P(HostileOidc, AnUnreachableProviderHoldsUpNobodyElse)
{
    const auto nowhere = "http://127.0.0.1:" + std::to_string(unused_port());
    Api api(GetParam(), [&](config::Config& config) {
        config.tokens.oauth_state_secret = config::Secret(state_secret);
        config.google.client_id = "our-client";
        config.google.token_url = nowhere;
        config.google.jwks_url = nowhere;
        config.oidc.providers.push_back(
            {.name = "stub", .label = "Stub", .issuer = nowhere, .client_id = "client", .redirect_url = {}}
        );
    });
    const auto timed = [&api](CookieJar& jar, const std::string& path) {
        const auto started = std::chrono::steady_clock::now();
        auto response = api.send(jar, {.path = path});
        EXPECT_LT(std::chrono::steady_clock::now() - started, 5s) << path;
        return response;
    };
    CookieJar jar;
    const auto begun = timed(jar, google_login);
    EXPECT_EQ(begun.status, 302) << "asks nobody";
    const auto state = query_of(begun.header("location").value())["state"];
    const auto finished = timed(jar, std::string(google_callback) + "?code=x&state=" + state);
    EXPECT_EQ(finished.status, 401);
    EXPECT_THAT(
        finished.body,
        HasSubstr(R"("code":"OAUTH_FAILED","message":"the sign-in provider cannot be reached")")
    );
    for (int time = 0; time < 2; ++time) {
        const auto response = timed(jar, stub_login);
        EXPECT_EQ(response.status, 503);
        EXPECT_THAT(
            response.body,
            HasSubstr(R"("code":"OAUTH_FAILED","message":"the sign-in provider cannot be reached")")
        );
    }
    CookieJar local;
    EXPECT_EQ(api.sign_up(local).status, 201);
    EXPECT_EQ(api.send(local, {.path = "/api/v1/me"}).status, 200);
}

}  // namespace
}  // namespace kit::test
