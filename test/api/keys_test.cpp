// The keys that sign access tokens: published before they sign, verifying until their last token has expired,
// on every node; on both engines.
#include "api_fixture.hpp"
#include "platform/core/background.hpp"
#include "platform/core/encoding.hpp"
#include "platform/crypto/hash.hpp"
#include "platform/crypto/jwt.hpp"
#include "platform/db/open.hpp"

#include <atomic>
#include <deque>
#include <latch>
#include <set>
#include <thread>

namespace kit::test {

namespace {

using namespace std::chrono_literals;
using testing::HasSubstr;

constexpr const char* jwks_path = "/.well-known/jwks.json";
constexpr auto lead = 5min + keys::Service::propagation;  // JWT_JWKS_CACHE by default, and some

void sign_with_ed25519(config::Config& config)
{
    config.tokens.signing = config::JwtSigning::eddsa;
}

std::string segment(const std::string& token, int number)
{
    std::string_view rest(token);
    for (; number > 0; --number) {
        rest.remove_prefix(rest.find('.') + 1);
    }
    return base64url_decode(rest.substr(0, rest.find('.'))).value_or("");
}

std::string kid_of(const std::string& token)
{
    const auto header = segment(token, 0);
    const auto at = header.find(R"("kid":")");
    return at == std::string::npos ? "" : header.substr(at + 7, header.find('"', at + 7) - at - 7);
}

ApiRequest me(const std::string& token)
{
    return {.path = "/api/v1/me", .headers = {{"Authorization", "Bearer " + token}}};
}

// Another process in all but name, with settings of its own.
class Node {
public:
    Node(Api& api, const config::Config& config)
        : api_(api),
          database_(db::open_database(api.url(), workers_, api.clock(), {})),
          product_(
              config,
              app::Environment{api.clock(), api.random(), logger_, metrics_},
              // A database in memory is its owner's alone.
              api.database().engine() == db::Engine::postgres ? *database_ : api.database()
          )
    {
        workers_.start();
        api.run(keys().prepare());
    }

    ~Node()
    {
        background_.stop();
        database_->close();
        workers_.stop();
    }

    Node(const Node&) = delete;
    Node& operator=(const Node&) = delete;

    void follow()
    {
        background_.spawn(workers_.executor(0), "follow", keys().follow());
        background_.spawn(workers_.executor(0), "hear", keys().hear());
    }

    keys::Service& keys() { return *product_.keys(); }

    sessions::Service& sessions() { return product_.sessions(); }

private:
    Api& api_;
    telemetry::Logger logger_{{.level = telemetry::LogLevel::error, .readable = false}, api_.clock()};
    telemetry::Registry metrics_{{.workers = 1}};
    Workers workers_{1};
    std::unique_ptr<db::Database> database_;
    app::Product product_;
    Background background_{[](const std::string& name, const std::exception_ptr&) { ADD_FAILURE() << name; }};
};

class KeysApi : public ApiTest {
protected:
    static keys::Service& keys_of(Api& api) { return *api.product().keys(); }

    static std::string sign_in(Api& api)
    {
        CookieJar jar;
        static std::atomic<int> people = 0;
        EXPECT_EQ(api.sign_up(jar, "person" + std::to_string(++people) + "@example.com").status, 201);
        return jar.value("access_token");
    }
};

KIT_BOTH_ENGINES(KeysApi);

TEST_P(KeysApi, ByDefaultThereAreNone)
{
    Api api(GetParam());
    EXPECT_EQ(api.send({.path = jwks_path}).status, 404);
    EXPECT_EQ(segment(sign_in(api), 0), R"({"alg":"HS256","typ":"JWT"})");
}

TEST_P(KeysApi, EachAlgorithmSignsAndPublishes)
{
    for (const auto& [signing, name, form] :
         {std::tuple{config::JwtSigning::eddsa, "EdDSA", R"({"kty":"OKP","crv":"Ed25519","x":")"},
          std::tuple{config::JwtSigning::es256, "ES256", R"({"kty":"EC","crv":"P-256","x":")"}}) {
        Api api(GetParam(), [&](config::Config& config) { config.tokens.signing = signing; });
        const auto token = sign_in(api);
        EXPECT_EQ(
            segment(token, 0),
            R"({"alg":")" + std::string(name) + R"(","typ":"JWT","kid":")" + kid_of(token) + R"("})"
        );
        EXPECT_EQ(api.send(me(token)).status, 200);
        EXPECT_EQ(api.send(me(token)).status, 200) << "from memory";
        const auto set = api.send({.path = jwks_path});
        EXPECT_EQ(set.status, 200);
        EXPECT_EQ(set.header("content-type"), "application/json");
        EXPECT_EQ(set.header("cache-control"), "public, max-age=300");
        EXPECT_THAT(set.body, testing::StartsWith(R"({"keys":[)" + std::string(form)));
        EXPECT_THAT(
            set.body, HasSubstr(R"("kid":")" + kid_of(token) + R"(","alg":")" + name + R"(","use":"sig"}]})")
        );
    }
}

TEST_P(KeysApi, ForgeriesAreRefused)
{
    Api api(GetParam(), sign_with_ed25519);
    const auto token = sign_in(api);
    api.clock().advance(14min);
    const auto fresh = sign_in(api);
    api.clock().advance(2min);  // nothing of before the keys can be alive
    const auto payload = segment(fresh, 1);
    const auto body = fresh.substr(fresh.find('.') + 1, fresh.rfind('.') - fresh.find('.') - 1);
    const auto header = [](std::string_view text) { return base64url_encode(text) + "."; };
    const auto mac = [](const std::string& key, const std::string& text) {
        return text + "." + base64url_encode(as_text(hmac_sha256(key, text)));
    };
    const auto set = api.send({.path = jwks_path}).body;
    const auto x = set.substr(set.find(R"("x":")") + 5, 43);
    const auto own = fresh.substr(0, fresh.find('.') + 1);
    auto changed = payload;
    changed.replace(changed.find(R"("sub":")") + 7, 1, "9");
    const std::string none = R"({"alg":"none","typ":"JWT","kid":")" + kid_of(fresh) + R"("})";
    const std::string symmetric = R"({"alg":"HS256","typ":"JWT","kid":")" + kid_of(fresh) + R"("})";
    for (const auto& [name, forged] : std::vector<std::pair<const char*, std::string>>{
             {"expired", token},
             {"alg none", header(none) + body + "."},
             {"alg none without a dot", header(none) + body},
             {"the public key as HMAC key", mac(base64url_decode(x).value(), header(symmetric) + body)},
             {"the public key's text as HMAC key", mac(x, header(symmetric) + body)},
             {"HS256 under our header", mac(x, own + body)},
             {"HS256 by the secret", jwt::Signer("test-access-secret-0123456789abcdef").sign(payload)},
             {"another payload", own + base64url_encode(changed) + fresh.substr(fresh.rfind('.'))},
             {"no signature", own + body + "."},
             {"a fourth segment", fresh + ".x"},
         }) {
        EXPECT_EQ(api.send(me(forged)).status, 401) << name;
    }
    EXPECT_EQ(api.send(me(fresh)).status, 200);
}

TEST_P(KeysApi, ANewKeyIsPublishedForACacheTimeBeforeItSigns)
{
    Api api(GetParam(), sign_with_ed25519);
    const auto first = kid_of(sign_in(api));
    const auto made = api.run(keys_of(api).rotate({}));
    EXPECT_EQ(made.state, keys::State::upcoming);
    EXPECT_EQ(made.signs_from - made.created_at, lead);
    EXPECT_THAT(api.send({.path = jwks_path}).body, HasSubstr(made.kid)) << "at once";
    api.clock().advance(lead - 1s);
    EXPECT_EQ(kid_of(sign_in(api)), first);
    api.clock().advance(1s);
    EXPECT_EQ(kid_of(sign_in(api)), made.kid);
}

TEST_P(KeysApi, ARetiredKeysTokenDiesWhenItExpiresAndNotBefore)
{
    Api api(GetParam(), sign_with_ed25519);
    const auto made = api.run(keys_of(api).rotate({}));
    api.clock().advance(lead - 1s);
    const auto last = sign_in(api);  // of the first key
    EXPECT_NE(kid_of(last), made.kid);
    api.clock().advance(1s);
    EXPECT_EQ(keys_of(api).list().front().state, keys::State::retired);
    api.clock().advance(14min + 58s);
    api.run(keys_of(api).keep());
    EXPECT_EQ(api.send(me(last)).status, 200);
    EXPECT_EQ(keys_of(api).list().front().verifies_until, api.clock().now() + 2s);
    api.clock().advance(1s);
    EXPECT_EQ(api.send(me(last)).status, 401);
    EXPECT_THAT(api.send({.path = jwks_path}).body, HasSubstr(kid_of(last)));
    // Gone once no token of it can be alive, whatever JWT_ACCESS_TTL was.
    api.clock().advance(keys::Service::kept_after_use - 15min + 2s);
    api.run(keys_of(api).keep());
    api.run(keys_of(api).learn());
    EXPECT_EQ(keys_of(api).list().size(), 1U);
    EXPECT_THAT(api.send({.path = jwks_path}).body, testing::Not(HasSubstr(kid_of(last))));
    EXPECT_EQ(kid_of(sign_in(api)), made.kid);
}

TEST_P(KeysApi, RotateOnSchedule)
{
    Api api(GetParam(), [](config::Config& config) {
        sign_with_ed25519(config);
        config.tokens.key_rotation = 24h;
    });
    const auto first = kid_of(sign_in(api));
    api.clock().advance(24h - lead - 1s);
    api.run(keys_of(api).keep());
    EXPECT_EQ(keys_of(api).list().size(), 1U) << "not due yet";
    api.clock().advance(1s);
    api.run(keys_of(api).keep());
    api.run(keys_of(api).keep());
    ASSERT_EQ(keys_of(api).list().size(), 2U) << "once";
    EXPECT_EQ(keys_of(api).list().back().signs_from, api.clock().now() + lead);
    EXPECT_EQ(kid_of(sign_in(api)), first);
    api.clock().advance(lead);
    EXPECT_EQ(kid_of(sign_in(api)), keys_of(api).list().back().kid);
}

TEST_P(KeysApi, AreEncryptedAtRest)
{
    Api api(GetParam(), sign_with_ed25519);
    static constexpr db::Query stored{
        "test.stored_key", "SELECT public_key, sealed_private_key FROM signing_keys"
    };
    const auto rows = api.run(api.database().run({&stored, {}}));
    ASSERT_EQ(rows.size(), 1U);
    EXPECT_EQ(base64url_decode(rows.cell(0, 0).text).value().size(), 32U);
    EXPECT_EQ(base64url_decode(rows.cell(0, 1).text).value().size(), 24U + 32U + 16U) << "nonce, key, tag";
}

TEST_P(KeysApi, AnotherSecretMakesAnotherKeyAndTheOldOneStillVerifies)
{
    Api api(GetParam(), sign_with_ed25519);
    const auto old = sign_in(api);
    auto config = api.config();
    api.clock().advance(1s);
    config.tokens.access_secret = config::Secret("another-access-secret-0123456789abcdef");
    Node node(api, config);
    EXPECT_TRUE(node.sessions().authenticate(old));
    api.run(keys_of(api).learn());
    const auto listed = keys_of(api).list();
    ASSERT_EQ(listed.size(), 2U);
    EXPECT_EQ(kid_of(node.keys().sign("{}")), listed.back().kid);
}

TEST_P(KeysApi, ARestartMakesNoKeyAndAnotherAlgorithmItsOwnInTime)
{
    Api api(GetParam(), sign_with_ed25519);
    const auto old = sign_in(api);
    Node same(api, api.config());
    EXPECT_EQ(same.keys().list().size(), 1U);
    auto config = api.config();
    config.tokens.signing = config::JwtSigning::es256;
    Node other(api, config);
    ASSERT_EQ(other.keys().list().size(), 2U);
    EXPECT_EQ(kid_of(other.keys().sign("{}")), kid_of(old)) << "until everybody can know the new one";
    api.run(keys_of(api).learn());
    api.clock().advance(lead);
    EXPECT_THAT(segment(other.keys().sign("{}"), 0), HasSubstr("ES256"));
    EXPECT_THAT(segment(sign_in(api), 0), HasSubstr("ES256")) << "on the node that was there before, too";
    EXPECT_TRUE(other.sessions().authenticate(old));
}

// A service that changes from HS256 does not sign anybody out.
TEST_P(KeysApi, TokensOfBeforeTheKeysLiveOut)
{
    Api api(GetParam());
    const auto old = sign_in(api);
    auto config = api.config();
    config.tokens.signing = config::JwtSigning::eddsa;
    Node node(api, config);
    EXPECT_TRUE(node.sessions().authenticate(old));
    api.clock().advance(14min + 59s);
    EXPECT_TRUE(node.sessions().authenticate(old));
    const auto late = sign_in(api);  // by a node that has not been changed
    EXPECT_TRUE(node.sessions().authenticate(late));
    api.clock().advance(1s);
    EXPECT_FALSE(node.sessions().authenticate(late)) << "who knows the secret can sign no more";
}

// Verifiers on two nodes and signers on both, while the keys rotate three times.
class Load {
public:
    Load(Api& api, keys::Service& here, sessions::Service& there) : api_(api), here_(here), there_(there) {}

    void run(std::latch& begun)
    {
        std::deque<std::pair<std::string, Timestamp>> alive;
        bool counted = false;
        while (!stop) {
            const auto exp = api_.clock().now() + 15min;
            alive.emplace_back(here_.sign(claims(exp)), exp);
            if (alive.size() > 64) {
                alive.pop_front();
            }
            for (const auto& [token, end] : alive) {
                const bool good = there_.authenticate(token).has_value();
                failures += !good && api_.clock().now() < end ? 1 : 0;
                ++verified;
            }
            if (!std::exchange(counted, true)) {
                begun.count_down();
            }
        }
    }

    std::atomic<bool> stop = false;
    std::atomic<int> verified = 0;
    std::atomic<int> failures = 0;

private:
    static std::string claims(Timestamp exp)
    {
        const auto seconds = std::chrono::floor<std::chrono::seconds>(exp).time_since_epoch().count();
        return R"({"token_type":"access","iss":"everything-backend-starter-kit","sub":"1",)"
               R"("aud":["everything-backend-starter-kit-api"],"exp":)" +
               std::to_string(seconds) + R"(,"iat":1,"jti":"j","sid":"s"})";
    }

    Api& api_;
    keys::Service& here_;
    sessions::Service& there_;
};

TEST_P(KeysApi, ThreeRotationsUnderLoadFailNoVerification)
{
    Api api(GetParam(), sign_with_ed25519);
    Node node(api, api.config());
    Load forth(api, keys_of(api), node.sessions());
    Load back(api, node.keys(), api.product().sessions());
    std::latch begun(2);
    std::vector<std::jthread> threads;
    for (Load* load : {&forth, &back}) {
        threads.emplace_back([load, &begun] { load->run(begun); });
    }
    begun.wait();
    std::set<std::string> kids{kid_of(keys_of(api).sign("{}"))};
    for (int rotation = 0; rotation < 3; ++rotation) {
        api.run((rotation % 2 == 0 ? keys_of(api) : node.keys()).rotate({}));
        api.run(node.keys().learn());
        api.run(keys_of(api).learn());
        for (auto passed = 0s; passed <= lead; passed += 30s) {
            api.clock().advance(30s);
            api.run(keys_of(api).keep());
            const auto seen = forth.verified.load();
            while (forth.verified < seen + 200) {
                std::this_thread::yield();
            }
        }
        kids.insert(kid_of(node.keys().sign("{}")));
    }
    forth.stop = true;
    back.stop = true;
    threads.clear();
    EXPECT_EQ(kids.size(), 4U);
    EXPECT_EQ(forth.failures, 0);
    EXPECT_EQ(back.failures, 0);
    EXPECT_GT(forth.verified + back.verified, 5'000);
}

TEST(KeysOfNodes, ANewOneIsHeardOfAtOnce)
{
    Api api(ApiEngine::postgres, sign_with_ed25519);
    Node node(api, api.config());
    node.follow();
    const auto listens = [&api] {
        return api.postgres(
                      "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND query = "
                      "'LISTEN signing_keys' AND state = 'idle'"
               )
                   .size() == 1;
    };
    const auto limit = std::chrono::steady_clock::now() + 20s;
    while (!listens() && std::chrono::steady_clock::now() < limit) {
        std::this_thread::sleep_for(1ms);
    }
    const auto start = std::chrono::steady_clock::now();
    const auto made = api.run(api.product().keys()->rotate({}));
    while (node.keys().list().size() < 2 && std::chrono::steady_clock::now() < limit) {
        std::this_thread::sleep_for(1ms);
    }
    EXPECT_EQ(node.keys().list().back().kid, made.kid);
    EXPECT_LT(std::chrono::steady_clock::now() - start, 2s) << "told, not polled";
}

}  // namespace

}  // namespace kit::test
