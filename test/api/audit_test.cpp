// What reaches the audit trail, and the list of it.
#include "oidc_fixture.hpp"
#include "platform/core/encoding.hpp"
#include "platform/crypto/password.hpp"
#include "support/images.hpp"
#include "support/json.hpp"
#include "support/redis_server.hpp"
#include "support/temp_dir.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>

#include <algorithm>
#include <fstream>
#include <regex>
#include <set>

namespace kit::test {

namespace {

using testing::HasSubstr;
using testing::Not;

constexpr const char* register_path = "/api/v1/auth/local/register";
constexpr const char* login_path = "/api/v1/auth/local/login";
constexpr const char* refresh_path = "/api/v1/auth/refresh";
constexpr const char* logout_path = "/api/v1/auth/logout";
constexpr const char* list_path = "/api/v1/admin/audit";
constexpr const char* good_login = R"({"email":"ada@example.com","password":"Correct-Horse-42"})";

ApiRequest post(std::string path, std::string body = {})
{
    return {
        .method = "POST", .path = std::move(path), .headers = {new_idempotency_key()}, .body = std::move(body)
    };
}

std::string kind_of(const audit::Record& record)
{
    return record.event_name + " " + record.action + " " + record.outcome + " " + record.reason;
}

std::vector<std::string> kinds(Api& api)
{
    std::vector<std::string> all;
    for (const auto& record : api.trail()) {
        all.push_back(kind_of(record));
    }
    return all;
}

// "event action outcome reason" of each row of the document's table.
std::set<std::string> documented()
{
    std::set<std::string> all;
    std::ifstream file("docs/audit.md");
    for (std::string line; std::getline(file, line);) {
        if (!line.starts_with("| `")) {
            continue;
        }
        std::vector<std::string> cells;
        std::string_view rest(line);
        for (int cell = 0; cell < 5; ++cell) {
            rest.remove_prefix(1);
            const auto end = rest.find('|');
            auto text = trim(rest.substr(0, end));
            if (text.starts_with('`')) {
                text = text.substr(1, text.size() - 2);
            }
            cells.emplace_back(text);
            rest.remove_prefix(end);
        }
        all.insert(cells[0] + " " + cells[1] + " " + cells[3] + " " + cells[4]);
    }
    return all;
}

class AuditApi : public ApiTest {
protected:
    static void make_admin(Api& api, CookieJar& jar)
    {
        const auto token = api.run(api.product().rbac().issue_admin_claim());
        ASSERT_EQ(api.send(jar, {.path = "/setup/admin?token=" + token.value()}).status, 200);
    }

    // Row by row: what the items of a list name.
    static std::vector<std::string> targets(const ApiResponse& response)
    {
        std::vector<std::string> all;
        for (const auto& item : at(parse_json(response.body), "/data/items").as_array()) {
            all.emplace_back(text_at(item, "/target_id"));
        }
        return all;
    }

    static void record(Api& api, const std::string& target)
    {
        api.product().audit().record(
            {.kind = {"test.event", "test"},
             .outcome = audit::outcome::rejected,
             .reason = "tested",
             .target_type = "thing",
             .target_id = target},
            {.ip = "192.0.2.1", .request_id = "r"}
        );
        api.run(api.product().audit().flush());
    }

    // The request of the answer's link to the next part.
    static std::string next_of(const ApiResponse& response)
    {
        const auto link = response.header("link").value_or("");
        return link.empty() ? link : link.substr(1, link.find('>') - 1);
    }
};

KIT_BOTH_ENGINES(AuditApi);

void refresh_in_all_ways(Api& api)
{
    CookieJar jar;
    api.sign_up(jar, "refresh@example.com");
    auto replaced = post(refresh_path);
    replaced.headers = {{"Cookie", jar.header()}, {"X-CSRF-Token", jar.value("csrf_token")}};
    EXPECT_EQ(api.send(jar, post(refresh_path)).status, 200);
    EXPECT_EQ(api.send(replaced).status, 200) << "within the grace";
    auto missing = post(refresh_path);
    missing.headers = {{"Authorization", "Bearer x"}};
    EXPECT_EQ(api.send(missing).status, 401);
    auto invalid = post(refresh_path);
    invalid.headers = {
        {"Cookie", "refresh_token=x; csrf_token=" + jar.value("csrf_token")},
        {"X-CSRF-Token", jar.value("csrf_token")}
    };
    EXPECT_EQ(api.send(invalid).status, 401);
    api.clock().advance(std::chrono::seconds(11));
    EXPECT_EQ(api.send(replaced).status, 401) << "a copy";
}

// The token of the newest mail.
std::string mailed_token(Api& api)
{
    api.run(api.product().links().issue_requested());
    const auto mails = api.run(api.product().outbox().newest(api.database(), 1));
    return mails.at(0).text.substr(mails.at(0).text.find("token=") + 6, 43);
}

void use_links_in_all_ways(Api& api)
{
    static constexpr const char* verify_request = "/api/v1/auth/local/verify/request";
    static constexpr const char* verify_confirm = "/api/v1/auth/local/verify/confirm";
    static constexpr const char* forgot = "/api/v1/auth/local/password/forgot";
    static constexpr const char* reset = "/api/v1/auth/local/password/reset";
    static constexpr const char* change = "/api/v1/auth/local/change-password";
    static constexpr const char* address = R"({"email":"links@example.com"})";
    static constexpr const char* new_password = R"("new_password":"Another-Horse-43"})";
    CookieJar jar;
    api.sign_up(jar, "links@example.com");
    api.script("UPDATE local_credentials SET email_verified = false");
    for (const auto* path : {verify_request, verify_confirm, forgot, reset, change}) {
        EXPECT_EQ(api.send(jar, post(path, "{")).status, 400) << path;
    }
    EXPECT_EQ(api.send(post(verify_request, "{}")).status, 400);
    EXPECT_EQ(api.send(post(verify_request, address)).status, 202);
    EXPECT_EQ(api.send(post(verify_confirm, "{}")).status, 400);
    EXPECT_EQ(api.send(post(verify_confirm, R"({"token":")" + mailed_token(api) + R"("})")).status, 200);
    EXPECT_EQ(
        api.send(jar, post(change, std::string(R"({"current_password":"x",)") + new_password)).status, 401
    );
    EXPECT_EQ(
        api.send(jar, post(change, std::string(R"({"current_password":"Correct-Horse-42",)") + new_password))
            .status,
        200
    );
    EXPECT_EQ(api.send(post(forgot, address)).status, 200);
    EXPECT_EQ(api.send(post(reset, std::string(R"({"token":"x",)") + new_password)).status, 400);
    EXPECT_EQ(
        api.send(post(reset, R"({"token":")" + mailed_token(api) + R"(",)" + new_password)).status, 200
    );
}

void manage_sessions(Api& api, CookieJar& jar)
{
    constexpr const char* sessions_path = "/api/v1/me/sessions";
    EXPECT_EQ(api.send(jar, {.path = sessions_path}).status, 200);
    for (int times = 0; times < 2; ++times) {
        EXPECT_EQ(api.send(jar, {.method = "DELETE", .path = std::string(sessions_path) + "/1"}).status, 200);
    }
    EXPECT_EQ(api.send(jar, post(std::string(sessions_path) + "/revoke-others")).status, 200);
    PasswordHasher hasher({}, api.random());
    auth::Accounts accounts(
        {.database = api.database(),
         .rbac = api.product().rbac(),
         .hasher = hasher,
         .clock = api.clock(),
         .audit = api.product().audit()}
    );
    EXPECT_TRUE(api.run(accounts.create({"eve@example.com", "Eve", Api::password}, {})));
    auto& users = api.product().users();
    EXPECT_TRUE(
        api.run(users.set_status({.email = "refresh@example.com", .status = "disabled", .actor = {}}, {}))
    );
}

void use_idempotency_keys(Api& api)
{
    auto request = post(register_path, "{");
    request.headers = {{"Idempotency-Key", "unreadable"}};
    EXPECT_EQ(api.send(request).status, 400);
    EXPECT_EQ(api.send(request).status, 400) << "replayed";
    request.body = "{}";
    EXPECT_EQ(api.send(request).status, 409) << "another body";
    api.script("UPDATE idempotency_records SET status = 'new'");
    request.body = "{";
    EXPECT_EQ(api.send(request).status, 409) << "in progress";
}

// The store fails where a request begins, and where only its refusal is to be stored.
void lose_idempotency_keys(Api& api)
{
    const bool postgres = api.database().engine() == db::Engine::postgres;
    api.script(
        postgres
            ? "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS "
              "$$BEGIN RAISE EXCEPTION 'no'; END$$;"
              "CREATE TRIGGER refuse BEFORE UPDATE ON idempotency_records FOR EACH ROW EXECUTE FUNCTION "
              "refuse()"
            : "CREATE TRIGGER refuse BEFORE UPDATE ON idempotency_records BEGIN SELECT RAISE(ABORT, 'no'); "
              "END"
    );
    auto request = post(register_path, "{");
    request.headers = {{"Idempotency-Key", "lost"}};
    EXPECT_EQ(api.send(request).status, 400) << "the client keeps its answer";
    api.script("DROP TABLE idempotency_records");
    EXPECT_EQ(api.send(request).status, 500);
}

// Too many failures, and a store that fails at each of the guard's three steps.
void try_the_guard(Api& api, RedisServer& redis)
{
    const auto wrong = post(login_path, R"({"email":"ada@example.com","password":"x"})");
    CookieJar jar;
    EXPECT_EQ(api.sign_up(jar).status, 201);
    for (int failure = 0; failure < 4; ++failure) {
        EXPECT_EQ(api.send(wrong).status, 401);
    }
    EXPECT_EQ(api.send(wrong).status, 429);
    const auto forgot = [&api] {
        return api.send(post("/api/v1/auth/local/password/forgot", R"({"email":"ada@example.com"})")).status;
    };
    const auto change = [&] {
        static constexpr const char* body = R"({"current_password":"x","new_password":"Another-Horse-43"})";
        return api.send(jar, post("/api/v1/auth/local/change-password", body)).status;
    };
    for (int request = 0; request < 4; ++request) {
        EXPECT_EQ(forgot(), 200);
        EXPECT_EQ(change(), 401);
    }
    EXPECT_EQ(forgot(), 429);
    EXPECT_EQ(change(), 429);
    api.clock().advance(std::chrono::seconds(2));
    redis.command({"CONFIG", "SET", "min-replicas-to-write", "1"});
    EXPECT_EQ(forgot(), 429) << "cannot be counted";
    EXPECT_EQ(api.send(wrong).status, 401) << "not counted";
    EXPECT_EQ(api.send(post(login_path, good_login)).status, 200) << "not cleared";
    redis.crash();
    EXPECT_EQ(api.send(wrong).status, 429) << "not asked";
    EXPECT_EQ(forgot(), 429) << "not asked";
}

void be_let_past_the_guard(Api& api)
{
    CookieJar jar;
    EXPECT_EQ(api.sign_up(jar).status, 201);
    EXPECT_EQ(api.send(jar, post(login_path, good_login)).status, 200);
    auto near = post(login_path, good_login);
    near.peer = "198.51.100.1";
    EXPECT_EQ(api.send(near).status, 200);
    auto forgot = post("/api/v1/auth/local/password/forgot", R"({"email":"ada@example.com"})");
    forgot.peer = near.peer;
    EXPECT_EQ(api.send(forgot).status, 200);
}

// Everything that an administrator can do to roles, permissions and flags.
void administer(Api& api, CookieJar& jar)
{
    const auto send = [&](const std::string& method, const std::string& path, const std::string& body = "") {
        auto request = post("/api/v1/admin/" + path, body);
        request.method = method;
        const auto response = api.send(jar, request);
        EXPECT_LT(response.status, 300) << path << response.body;
    };
    send("POST", "roles", R"({"name":"editor"})");
    send("PATCH", "roles/3", R"({"permissions":["products:read"]})");
    send("DELETE", "roles/3");
    send("POST", "permissions", R"({"resource":"reports","action":"read"})");
    const auto reports = "permissions/" + std::to_string(rbac::default_permissions().size() + 1);
    send("PATCH", reports, R"({"resource":"reports","action":"list"})");
    send("DELETE", reports);
    send("PATCH", "users/1/roles", R"({"role_ids":[1,2]})");
    send("POST", "rbac/sync");
    send("POST", "feature-flags", R"({"key":"beta"})");
    send("PATCH", "feature-flags/1", R"({"key":"beta","enabled":true})");
    send("POST", "feature-flags/1/rules", R"({"type":"percent","percentage":5})");
    send("PATCH", "feature-flags/1/rules/1", R"({"type":"percent","percentage":6})");
    send("DELETE", "feature-flags/1/rules/1");
    send("DELETE", "feature-flags/1");
}

void change_avatars(Api& api, CookieJar& jar)
{
    const std::string path = "/api/v1/me/avatar";
    const auto uploaded = api.send(
        jar,
        {.method = "POST",
         .path = path,
         .headers = {{"Content-Type", form_type()}},
         .body = avatar_form(png())}
    );
    ASSERT_EQ(uploaded.status, 200) << uploaded.body;
    const std::string key(text_at(parse_json(uploaded.body), "/data/object_key"));
    EXPECT_EQ(
        api.send(jar, {.method = "DELETE", .path = path, .body = R"({"object_key":")" + key + R"("})"})
            .status,
        200
    );
}

// Makes a key for each reason that there is.
void make_keys_in_all_ways(Api& api)
{
    auto& keys = *api.product().keys();
    api.run(keys.rotate({}));
    api.clock().advance(std::chrono::hours(24 * 365));
    api.run(keys.keep());
    auto config = api.config();
    config.tokens.signing = config::JwtSigning::es256;
    telemetry::Logger logger({.level = telemetry::LogLevel::error, .readable = false}, api.clock());
    telemetry::Registry metrics({.workers = 1});
    app::Product node(
        config,
        app::Environment{.clock = api.clock(), .random = api.random(), .logger = logger, .metrics = metrics},
        api.database()
    );
    api.run(node.keys()->prepare());
}

// With Google, for which the development provider stands, and with another one.
void sign_in_elsewhere(Api& api, OidcProvider& provider)
{
    CookieJar jar;
    EXPECT_EQ(sign_in_with_google(api, jar, {.email = "new@example.com"}).status, 200);
    EXPECT_EQ(sign_in_with_google(api, jar, {.verified = false}).status, 401);
    EXPECT_EQ(sign_in_with_stub(api, jar, provider).status, 200);
    EXPECT_EQ(api.send({.path = std::string(stub_callback) + "?code=x"}).status, 400);
    EXPECT_EQ(api.send({.path = std::string(google_callback) + "?state=x"}).status, 400);
    for (const auto* path : {google_callback, stub_callback}) {
        EXPECT_EQ(api.send({.path = std::string(path) + "?code=x&state=x"}).status, 401);
    }
    provider.behave([](OidcProvider::Behaviour& behaviour) { behaviour.keys = [] { return "{}"; }; });
    provider.behave([](OidcProvider::Behaviour& behaviour) { behaviour.key = &ec_key(); });
    EXPECT_EQ(sign_in_with_stub(api, jar, provider).status, 401);
    for (const auto* verified : {"true", "false"}) {
        const auto email = std::string("local-") + verified + "@example.com";
        EXPECT_EQ(api.sign_up(jar, email).status, 201);
        api.script(std::string("UPDATE local_credentials SET email_verified = ") + verified);
        EXPECT_EQ(sign_in_with_google(api, jar, {.email = email}).status, 200);
    }
    EXPECT_EQ(api.send({.path = "/api/v1/auth/oidc/away/login"}).status, 503);
}

// Products and, while they are still like them, the resources that ./dev new made.
void use_resources(Api& api, CookieJar& jar)
{
    for (const std::string resource : {"/api/v1/products"}) {
        EXPECT_EQ(api.send(jar, post(resource, R"({"name":"Lamp","price":1})")).status, 201);
        const auto one = resource + "/1";
        EXPECT_EQ(api.send(jar, {.method = "PUT", .path = one, .body = R"({"price":2})"}).status, 200);
        EXPECT_EQ(api.send(jar, {.method = "DELETE", .path = one}).status, 200);
    }
}

TEST_P(AuditApi, EveryEventOfTheDocumentAndNoOther)
{
    std::set<std::string> emitted;
    const auto collect = [&emitted](Api& api) {
        for (auto& kind : kinds(api)) {
            emitted.insert(std::move(kind));
        }
    };
    Api strict(GetParam(), [](config::Config& config) { config.auth.require_email_verification = true; });
    CookieJar jar;
    EXPECT_EQ(strict.sign_up(jar).status, 201);
    collect(strict);

    Api off(GetParam(), [](config::Config& config) { config.auth.local_enabled = false; });
    EXPECT_EQ(off.send(post("/api/v1/auth/local/password/forgot", "{}")).status, 404);
    collect(off);

    Api keys(GetParam(), [](config::Config& config) { config.tokens.signing = config::JwtSigning::eddsa; });
    make_keys_in_all_ways(keys);
    collect(keys);

    Api links(GetParam());
    use_links_in_all_ways(links);
    collect(links);

    OidcProvider provider;
    Api elsewhere(GetParam(), [&](config::Config& config) {
        use_dev_provider(config);
        config.oidc.providers = {stub_provider(provider), stub_provider(provider)};
        config.oidc.providers[1].name = "away";
        config.oidc.providers[1].issuer = "http://127.0.0.1:" + std::to_string(unused_port());
    });
    sign_in_elsewhere(elsewhere, provider);
    collect(elsewhere);
    Api without_google(GetParam(), [](config::Config& config) { config.google.enabled = false; });
    EXPECT_EQ(without_google.send({.path = google_login}).status, 404);
    collect(without_google);

    const TempDir folder;
    Api api(GetParam(), [&](config::Config& config) { config.process.data_dir = folder.path(); });
    if (!api.keeps_keys_itself()) {
        GTEST_SKIP() << "looks at the keys in the database";
    }
    EXPECT_EQ(api.sign_up(jar).status, 201);
    auto taken =
        post(register_path, R"({"email":"ada@example.com","name":"B","password":"Correct-Horse-42"})");
    taken.headers = {{"Idempotency-Key", "taken"}};
    EXPECT_EQ(api.send(taken).status, 400);
    use_idempotency_keys(api);
    EXPECT_EQ(api.send(post(login_path, "{")).status, 400);
    EXPECT_EQ(api.send(post(login_path, R"({"email":"ada@example.com","password":"x"})")).status, 401);
    EXPECT_EQ(api.send(jar, post(login_path, good_login)).status, 200);
    refresh_in_all_ways(api);
    EXPECT_EQ(api.send(jar, {.path = "/setup/admin?token=x"}).status, 400);
    make_admin(api, jar);
    manage_sessions(api, jar);
    administer(api, jar);
    use_resources(api, jar);
    change_avatars(api, jar);
    EXPECT_EQ(api.send(jar, post(logout_path, R"({"scope":"none"})")).status, 400);
    EXPECT_EQ(api.send(jar, post(logout_path, R"({"scope":"current"})")).status, 200);
    EXPECT_EQ(api.send(jar, post(login_path, good_login)).status, 200);
    lose_idempotency_keys(api);
    api.script("DROP TABLE sessions");
    EXPECT_EQ(api.send(jar, post(logout_path)).status, 500);
    collect(api);

    Api forgetful(GetParam(), [](config::Config& config) { config.audit.retention = std::chrono::hours(1); });
    record(forgetful, "old");
    forgetful.run(forgetful.product().audit().seal());
    forgetful.clock().advance(std::chrono::hours(2));
    EXPECT_EQ(forgetful.run(forgetful.product().audit().prune()), 1);
    collect(forgetful);
    RedisServer redis;
    Api guarded(GetParam(), [&](config::Config& config) {
        config.abuse.enabled = true;
        config.rate_limits.redis_enabled = false;
        config.redis.address = redis.address();
    });
    try_the_guard(guarded, redis);
    collect(guarded);
    Api trusting(GetParam(), [](config::Config& config) {
        config.abuse.enabled = true;
        config.bypass = {
            .trusted_actors = true,
            .trusted_actor_cidrs = {"198.51.100.0/24"},
            .trusted_actor_subjects = {"1"}
        };
    });
    be_let_past_the_guard(trusting);
    collect(trusting);

    EXPECT_EQ(emitted, documented());
}

// Ids of traces are new in every run: those that are there become "T" and "S".
std::string with_named_ids(const std::string& body)
{
    static const std::regex ids(R"("trace_id":"[0-9a-f]{32}","span_id":"[0-9a-f]{16}")");
    return std::regex_replace(body, ids, R"("trace_id":"T","span_id":"S")");
}

TEST_P(AuditApi, FieldsOfTheTaxonomyAndNobodysAddress)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    make_admin(api, jar);
    auto wrong = post(login_path, R"({"email":"ada@example.com","password":"Not-This-42-Secret"})");
    wrong.headers = {{"X-Request-Id", "wrong-1"}};
    api.send(wrong);
    auto right = post(login_path, good_login);
    right.headers = {{"X-Request-Id", "right-1"}};
    api.send(right);
    api.run(api.product().audit().flush());
    const auto refused = api.send(jar, {.path = std::string(list_path) + "?outcome=failure"});
    EXPECT_EQ(refused.header("cache-control"), "no-store");
    EXPECT_THAT(
        with_named_ids(refused.body),
        HasSubstr(
            R"("event_name":"auth.local.login","event_version":1,"actor_user_id":"anonymous","actor_ip":"192.0.2.7",)"
            R"("target_type":"user","target_id":"unknown","action":"login","outcome":"failure","reason":"login_error",)"
            R"("request_id":"wrong-1","trace_id":"T","span_id":"S","ts":"2026-03-01T00:00:00Z",)"
            R"("extras":{"error":"invalid credentials"}}],"pagination":{"page":1,"page_size":20,"total":1,"total_pages":1}})"
        )
    );
    const auto all = api.send(jar, {.path = list_path});
    EXPECT_THAT(
        with_named_ids(all.body),
        HasSubstr(
            R"("event_name":"auth.local.login","event_version":1,"actor_user_id":"1","actor_ip":"192.0.2.7",)"
            R"("target_type":"user","target_id":"1","action":"login","outcome":"success","reason":"credentials_valid",)"
            R"("request_id":"right-1","trace_id":"T","span_id":"S","ts":"2026-03-01T00:00:00Z","extras":{}})"
        )
    );
    for (const auto* secret : {"example.com", "Horse", "Not-This"}) {
        EXPECT_THAT(all.body, Not(HasSubstr(secret)));
    }
}

TEST_P(AuditApi, EffectAndRowAreOne)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    api.script("ALTER TABLE audit_events RENAME COLUMN reason TO reasons");
    EXPECT_EQ(api.send(post(login_path, good_login)).status, 500);
    EXPECT_EQ(api.sign_up(jar, "bob@example.com").status, 500);
    EXPECT_EQ(api.send(jar, post(refresh_path)).status, 500);
    EXPECT_EQ(api.send(jar, post(logout_path)).status, 500);
    api.script("ALTER TABLE audit_events RENAME COLUMN reasons TO reason");
    EXPECT_EQ(api.send(jar, post(refresh_path)).status, 200) << "neither rotated nor ended";
    EXPECT_EQ(api.sign_up(jar, "bob@example.com").status, 201) << "not taken";

    api.script("DROP TABLE sessions");
    EXPECT_EQ(api.send(post(login_path, good_login)).status, 500);
    const auto all = kinds(api);
    EXPECT_EQ(std::ranges::count(all, "auth.local.login login success credentials_valid"), 0);
    EXPECT_EQ(all.back(), "auth.local.login login failure login_error");
}

TEST_P(AuditApi, OnlyWithThePermission)
{
    Api api(GetParam());
    CookieJar admin;
    CookieJar user;
    api.sign_up(admin);
    api.sign_up(user, "bob@example.com");
    EXPECT_EQ(api.send({.path = list_path}).status, 401);
    const auto refused = api.send(user, {.path = list_path});
    EXPECT_EQ(refused.status, 403);
    EXPECT_THAT(
        refused.body,
        HasSubstr(
            R"("code":"FORBIDDEN","message":"insufficient permission","details":{"required":"audit:read"})"
        )
    );
    make_admin(api, admin);
    EXPECT_EQ(api.send(admin, {.path = list_path}).status, 200);
    const auto forget = [&api] {
        api.script("UPDATE cache_epochs SET epoch = epoch + 1");
        api.run(api.product().epochs().learn());
    };
    api.script("DELETE FROM user_roles");
    forget();
    EXPECT_EQ(api.send(admin, {.path = list_path}).status, 403) << "whatever the token says";
    api.script("DELETE FROM users");
    forget();
    const auto unresolved = api.send(admin, {.path = list_path});
    EXPECT_EQ(unresolved.status, 503);
    EXPECT_THAT(
        unresolved.body,
        HasSubstr(R"("code":"RBAC_UNAVAILABLE","message":"permission resolution unavailable")")
    );
    api.database().close();
    EXPECT_THAT(api.send(admin, {.path = list_path}).body, HasSubstr("RBAC_UNAVAILABLE"));
}

TEST_P(AuditApi, Filters)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    make_admin(api, jar);
    record(api, "a");
    api.clock().advance(std::chrono::minutes(10));
    record(api, "b");
    const std::vector<std::pair<const char*, std::vector<std::string>>> cases{
        {"?event=test.event", {"b", "a"}},
        {"?event=none", {}},
        {"?outcome=Rejected", {"b", "a"}},
        {"?actor=1", {"1", "1"}},
        {"?actor=anonymous&outcome=rejected", {"b", "a"}},
        {"?target=thing/a", {"a"}},
        {"?target=thing", {"b", "a"}},
        {"?target_type=thing&target_id=b", {"b"}},
        {"?event=test.event&from=2026-03-01T00:10:00Z", {"b"}},
        {"?event=test.event&to=2026-03-01T00:10:00Z", {"a"}},
        {"?event=test.event&from=2026-03-01T01:10:00%2B01:00&to=2026-03-01T00:10:01Z", {"b"}},
    };
    for (const auto& [query, expected] : cases) {
        const auto response = api.send(jar, {.path = std::string(list_path) + query});
        ASSERT_EQ(response.status, 200) << query << response.body;
        EXPECT_EQ(targets(response), expected) << query;
    }
    const std::vector<std::pair<const char*, const char*>> faults{
        {"?page=0", "page must be a positive integer"},
        {"?page=x", "page must be a positive integer"},
        {"?page_size=0", "page_size must be a positive integer"},
        {"?page_size=101", R"(page_size must be \u003c= 100)"},
        {"?page=0&page_size=0", "page must be a positive integer"},
        {"?page_token=x", "invalid page_token"},
        {"?outcome=maybe", "outcome must be success, failure, rejected or accepted"},
        {"?from=yesterday", "from must be an RFC 3339 time"},
        {"?to=1", "to must be an RFC 3339 time"},
        {"?format=xml", "format must be json or jsonl"},
    };
    for (const auto& [query, message] : faults) {
        const auto response = api.send(jar, {.path = std::string(list_path) + query});
        EXPECT_EQ(response.status, 400) << query;
        EXPECT_THAT(response.body, HasSubstr(message)) << query;
    }
}

TEST_P(AuditApi, PagesAndTheWalkByCursor)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    make_admin(api, jar);
    for (const auto* target : {"1", "2", "3", "4", "5"}) {
        record(api, target);
    }
    const std::string query = std::string(list_path) + "?event=test.event&page_size=2";
    const auto last = api.send(jar, {.path = query + "&page=3"});
    EXPECT_EQ(targets(last), std::vector<std::string>{"1"});
    EXPECT_THAT(last.body, HasSubstr(R"("pagination":{"page":3,"page_size":2,"total":5,"total_pages":3})"));
    EXPECT_FALSE(last.header("link"));
    EXPECT_THAT(
        api.send(jar, {.path = query + "&page=9"}).body,
        HasSubstr(R"({"items":[],"pagination":{"page":9,"page_size":2,"total":5,"total_pages":3}})")
    );
    std::vector<std::string> walked;
    for (auto path = query; !path.empty();) {
        const auto response = api.send(jar, {.path = path});
        ASSERT_EQ(response.status, 200) << path;
        for (auto& target : targets(response)) {
            walked.push_back(std::move(target));
        }
        path = next_of(response);
        record(api, "later");
    }
    EXPECT_EQ(walked, (std::vector<std::string>{"5", "4", "3", "2", "1"}));
}

TEST_P(AuditApi, ExportsJsonLinesByTenThousand)
{
    Api api(GetParam());
    CookieJar jar;
    api.sign_up(jar);
    make_admin(api, jar);
    record(api, "a");
    record(api, "b");
    const auto lines = api.send(
        jar,
        {.path = std::string(list_path) + "?event=test.event", .headers = {{"Accept", "application/x-ndjson"}}
        }
    );
    EXPECT_EQ(lines.header("content-type"), "application/x-ndjson");
    EXPECT_FALSE(lines.header("link"));
    EXPECT_EQ(std::ranges::count(lines.body, '\n'), 2);
    EXPECT_EQ(text_at(parse_json(lines.body.substr(0, lines.body.find('\n'))), "/target_id"), "b");

    const std::string row =
        "INSERT INTO audit_events (event_name, event_version, actor_user_id, actor_ip, target_type, "
        "target_id, "
        "action, outcome, reason, request_id, trace_id, span_id, ts, extras) "
        "SELECT 'many.event', 1, '1', '', '', '', '', '', '', '', '', '', ts, '{}' FROM audit_events "
        "WHERE event_name = ";
    api.script(row + "'test.event'");
    for (int doubling = 0; doubling < 13; ++doubling) {
        api.script(row + "'many.event'");
    }
    const auto first = api.send(jar, {.path = std::string(list_path) + "?event=many.event&format=jsonl"});
    EXPECT_EQ(std::ranges::count(first.body, '\n'), 10'000);
    const auto rest = api.send(jar, {.path = next_of(first)});
    EXPECT_EQ(std::ranges::count(rest.body, '\n'), 16'384 - 10'000);
    EXPECT_FALSE(rest.header("link"));
}

}  // namespace

}  // namespace kit::test
