// Secrets and personal data, sent through every route in good times and bad: nothing that the product says of
// its requests names one of them. Only the notifier of local-like profiles prints its links.
#include "api_fixture.hpp"
#include "platform/telemetry/exposition.hpp"
#include "support/redis_server.hpp"
#include "support/stub_server.hpp"

#include <regex>
#include <set>

namespace kit::test {

namespace {

using namespace std::chrono_literals;

constexpr const char* auth_path = "/api/v1/auth/";
constexpr const char* sampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

// What is looked for, by name. Texts that nothing else contains, in no need of any encoding.
using Plants = std::multimap<std::string, std::string>;

struct Person {
    std::string email;
    std::string password;
    CookieJar jar{};
};

// A mail server that refuses everybody and repeats what it was told.
void refuse_mail(StubServer::Peer& peer)
{
    peer.send("220 stub\r\n");
    for (auto line = peer.read_until("\r\n"); !line.empty(); line = peer.read_until("\r\n")) {
        const bool welcome = line.starts_with("EHLO") || line.starts_with("MAIL");
        peer.send(welcome ? "250 stub\r\n" : "550 refused: " + line);
    }
}

class SecretsApi : public testing::TestWithParam<std::tuple<ApiEngine, const char*>> {
protected:
    static bool local() { return std::string_view(std::get<1>(GetParam())) == "development"; }

    void configure(config::Config& config)
    {
        config.process.environment = std::get<1>(GetParam());
        config.auth.require_email_verification = true;
        config.auth.email_verify_base_url = "https://shop.example/planted-verify-page";
        config.auth.password_reset_base_url = "https://shop.example/planted-reset-page";
        config.abuse.enabled = true;
        config.abuse.base_delay = 100ms;
        config.abuse.max_delay = 100ms;
        config.rate_limits.forgot_per_minute = 20;  // the sweep reaches it
        config.redis.address = redis.address();
        config.redis.password = config::Secret(plant("redis password", "planted-redis-password"));
        config.mail.smtp_url = config::Secret(
            "smtp://mailer:" + plant("SMTP password", "planted-smtp-password") +
            "@127.0.0.1:" + std::to_string(mail_server.port())
        );
        config.tokens.access_secret =
            config::Secret(plant("access secret", "planted-access-secret-0123456789abcdef"));
        config.tokens.refresh_secret =
            config::Secret(plant("refresh secret", "planted-refresh-secret-0123456789abcde"));
        config.tokens.refresh_pepper = config::Secret(plant("pepper", "planted-pepper-0123456789"));
        config.telemetry.headers = config::Secret("x-key=" + plant("collector's key", "planted-otlp-key"));
    }

    std::string plant(const std::string& name, std::string text)
    {
        plants.emplace(name, text);
        return text;
    }

    // A form that is shown again keeps what its sender has typed into these fields, and only there.
    static std::string without_own_fields(const ApiResponse& response)
    {
        static const std::regex kept(R"re(name="(email|name|token)"([^>]*) value="[^"]*")re");
        const bool page = response.header("content-type").value_or("").starts_with("text/html");
        return page ? std::regex_replace(response.body, kept, R"(name="$1"$2)") : response.body;
    }

    // Of an answer: what it hands over, and whether it is an error, whose text is looked through.
    ApiResponse look(ApiResponse response)
    {
        for (const char* name : {"access_token", "refresh_token", "csrf_token", "known_device"}) {
            const auto value = response.cookie(name);
            if (value && !value->empty()) {
                plant(name, *value);
                plant(name, value->substr(value->size() - 20));  // of a JWT, the signature's end
            }
        }
        if (response.status >= 400) {
            errors += without_own_fields(response) + "\n";
            for (const auto& [name, value] : response.headers) {
                if (name != "Set-Cookie") {
                    errors.append(name).append(": ").append(value).append("\n");
                }
            }
        }
        return response;
    }

    static Headers planted_headers()
    {
        return {
            {"Content-Type", "application/json"},
            {"Idempotency-Key", "planted-idempotency-" + std::to_string(++keys)},
            {"traceparent", sampled},
            {"Referer", "https://shop.example/?token=planted-referer"},
        };
    }

    // Who has no session shows what no session has.
    ApiResponse anonymous(std::string method, std::string path, std::string body = "")
    {
        auto headers = planted_headers();
        headers.emplace_back("Authorization", "Bearer planted-bearer");
        headers.emplace_back(
            "Cookie", "known_device=planted-device.mark; other=planted-cookie; refresh_token=planted-refresh"
        );
        headers.emplace_back("X-CSRF-Token", "planted-csrf");
        api.clock().advance(200ms);
        return look(api.send(
            {.method = std::move(method),
             .path = std::move(path),
             .headers = std::move(headers),
             .body = std::move(body)}
        ));
    }

    ApiResponse as(Person& person, std::string method, std::string path, std::string body = "")
    {
        api.clock().advance(200ms);
        return look(api.send(
            person.jar,
            {.method = std::move(method),
             .path = std::move(path),
             .headers = planted_headers(),
             .body = std::move(body)}
        ));
    }

    static std::string login_body(const std::string& email, const std::string& password)
    {
        return R"({"email":")" + email + R"(","password":")" + password + R"("})";
    }

    int log_in(Person& person)
    {
        person.jar = {};
        return as(person,
                  "POST",
                  std::string(auth_path) + "local/login",
                  login_body(person.email, person.password))
            .status;
    }

    // The token of the mail that was asked for last.
    std::string mailed_token(const std::string& name)
    {
        api.run(api.product().links().issue_requested());
        const auto mails = api.run(api.product().outbox().newest(api.database(), 1));
        const auto at = mails.empty() ? std::string::npos : mails.front().text.find("token=");
        if (at == std::string::npos) {
            ADD_FAILURE() << "no mail with a link";
            return "none";
        }
        return plant(name, mails.front().text.substr(at + 6, 43));
    }

    void sign_up(Person& person)
    {
        const std::string local = std::string(auth_path) + "local/";
        const auto account = R"({"name":"Planted Name","email":")" + person.email + R"(","password":")" +
                             person.password + R"("})";
        ASSERT_EQ(as(person, "POST", local + "register", account).status, 201);
        EXPECT_EQ(as(person, "POST", local + "register", account).status, 400);
        EXPECT_EQ(log_in(person), 403);
        as(person, "POST", local + "verify/request", R"({"email":")" + person.email + R"("})");
        const auto confirmation = R"({"token":")" + mailed_token("verification token") + R"("})";
        EXPECT_EQ(as(person, "POST", local + "verify/confirm", confirmation).status, 200);
        EXPECT_EQ(as(person, "POST", local + "verify/confirm", confirmation).status, 400);
        ASSERT_EQ(log_in(person), 200);
    }

    void become_admin(Person& person)
    {
        const auto token = api.run(api.product().rbac().issue_admin_claim()).value();
        plant("admin claim", token);
        EXPECT_NE(as(person, "GET", "/setup/admin?token=planted-query-claim").status, 200);
        EXPECT_EQ(as(person, "GET", "/setup/admin?token=" + token).status, 200);
    }

    // One account's life: what its secrets are for, and what goes wrong with them.
    void live(Person& person)
    {
        const std::string local = std::string(auth_path) + "local/";
        anonymous("POST", local + "login", login_body(person.email, "Planted-Wrong-Password-9"));
        anonymous("POST", local + "login", login_body("planted-unknown@example.com", person.password));
        const auto stolen = person.jar;
        EXPECT_EQ(as(person, "POST", std::string(auth_path) + "refresh").status, 200);
        api.clock().advance(1min);
        Person thief{.email = {}, .password = {}, .jar = stolen};
        EXPECT_EQ(as(thief, "POST", std::string(auth_path) + "refresh").status, 401);
        EXPECT_EQ(log_in(person), 200);
        const auto change = [](const std::string& from, const std::string& to) {
            return R"({"current_password":")" + from + R"(","new_password":")" + to + R"("})";
        };
        as(person, "POST", local + "change-password", change(person.password, "planted-weak"));
        as(person, "POST", local + "change-password", change("Planted-Wrong-Password-9", new_password));
        EXPECT_EQ(
            as(person, "POST", local + "change-password", change(person.password, new_password)).status, 200
        );
        anonymous("POST", local + "password/forgot", R"({"email":")" + person.email + R"("})");
        const auto reset = mailed_token("reset token");
        const auto renewal = R"({"token":")" + reset + R"(","new_password":")" + person.password + R"("})";
        EXPECT_EQ(anonymous("POST", local + "password/reset", renewal).status, 200);
        EXPECT_EQ(anonymous("POST", local + "password/reset", renewal).status, 400);
        EXPECT_EQ(log_in(person), 200);
        EXPECT_EQ(as(person, "POST", std::string(auth_path) + "logout").status, 200);
        EXPECT_EQ(log_in(person), 200);
    }

    // Good and broken, as somebody might send them to any route.
    static std::vector<std::string> bodies(std::string_view pattern)
    {
        // What an administrator calls a role is no secret.
        const std::string name = pattern.starts_with(auth_path) ? "Planted Name" : "Sweep";
        const std::string fields =
            R"("email":"planted-unknown@example.com","name":")" + name +
            R"(","password":"Planted-Wrong-Password-9","token":"planted-body-token",)"
            R"("current_password":"Planted-Wrong-Password-9","new_password":"Planted-New-Password-9")";
        return {
            "{" + fields + "}",
            "{" + fields,
            R"({"password":"Planted-Wrong-Password-9" "planted-body-token"})",
            (R"({"email":["planted-unknown@example.com"],"password":{"is":"Planted-Wrong-Password-9"},)"
             R"("token":["planted-body-token"],"name":["Planted Name"]})"),
            "email=planted-unknown@example.com&password=Planted-Wrong-Password-9",
        };
    }

    static std::string path_of(std::string_view pattern)
    {
        std::string path(pattern);
        for (auto open = path.find('{'); open != std::string::npos; open = path.find('{')) {
            path.replace(open, path.find('}') - open + 1, "1");
        }
        return path +
               "?token=planted-query-token&code=planted-query-token&page=planted-query-token"
               "&page_token=planted-query-token&email=planted-unknown%40example.com";
    }

    // Every row of the table, as nobody and as each person.
    void sweep(const std::vector<Person*>& people)
    {
        for (const auto& endpoint : api.product().pipeline().router().endpoints()) {
            const auto method = std::string(http::to_string(endpoint.route.method));
            const auto path = path_of(endpoint.route.pattern);
            for (const auto& body : bodies(endpoint.route.pattern)) {
                anonymous(method, path, body);
                for (auto* person : people) {
                    if (as(*person, "GET", "/api/v1/me").status == 401) {
                        ASSERT_EQ(log_in(*person), 200);
                    }
                    as(*person, method, path, body);
                }
            }
        }
        anonymous("BREW", "/nowhere?token=planted-query-token");
    }

    // Statements that fail and, where the database can say so, repeat the row.
    void break_statements()
    {
        const bool postgres = std::get<0>(GetParam()) == ApiEngine::postgres;
        if (postgres) {
            api.script(
                "CREATE FUNCTION tell() RETURNS trigger AS "
                "'BEGIN RAISE EXCEPTION ''row %'', NEW; END' LANGUAGE plpgsql;"
            );
        }
        for (const std::string table :
             {"users", "sessions", "local_credentials", "token_requests", "verification_tokens"}) {
            for (const std::string event : {"INSERT", "UPDATE"}) {
                std::string trigger = "CREATE TRIGGER tell_";
                trigger.append(event).append("_").append(table).append(" BEFORE ").append(event);
                trigger.append(" ON ").append(table);
                trigger.append(
                    postgres ? " FOR EACH ROW EXECUTE FUNCTION tell();"
                             : " BEGIN SELECT RAISE(ABORT, 'broken'); END;"
                );
                api.script(trigger);
            }
        }
    }

    // What people do, whatever comes of it.
    void try_all(Person& person)
    {
        const std::string local = std::string(auth_path) + "local/";
        const auto address = R"({"email":")" + person.email + R"("})";
        anonymous(
            "POST",
            local + "register",
            R"({"name":"Planted Name","email":"planted-new@example.com",)"
            R"("password":"Planted-New-Password-9"})"
        );
        anonymous("POST", local + "login", login_body(person.email, person.password));
        anonymous("POST", local + "verify/request", address);
        anonymous("POST", local + "password/forgot", address);
        anonymous(
            "POST",
            local + "password/reset",
            R"({"token":"planted-body-token",)"
            R"("new_password":"Planted-New-Password-9"})"
        );
        as(person, "GET", "/api/v1/me?token=planted-query-token");
        as(person, "POST", std::string(auth_path) + "refresh");
        as(person,
           "POST",
           local + "change-password",
           R"({"current_password":")" + person.password + R"(","new_password":"Planted-New-Password-9"})");
    }

    void plant_fixed()
    {
        for (const auto& [name, text] : Plants{
                 {"e-mail address", "planted-ada"},
                 {"e-mail address", "planted-root"},
                 {"e-mail address", "planted-unknown"},
                 {"e-mail address", "planted-new@"},
                 {"name", "Planted Name"},
                 {"password", "Planted-Ada-Password-7"},
                 {"password", "Planted-Root-Password-7"},
                 {"wrong password", "Planted-Wrong-Password-9"},
                 {"new password", new_password},
                 {"weak password", "planted-weak"},
                 {"body's token", "planted-body-token"},
                 {"query's token", "planted-query"},
                 {"idempotency key", "planted-idempotency"},
                 {"Authorization", "planted-bearer"},
                 {"foreign cookie", "planted-cookie"},
                 {"device cookie", "planted-device"},
                 {"refresh cookie", "planted-refresh"},
                 {"CSRF header", "planted-csrf"},
                 {"Referer", "planted-referer"},
                 {"verification link", "planted-verify-page"},
                 {"reset link", "planted-reset-page"},
             }) {
            plant(name, text);
        }
    }

    std::string trail()
    {
        std::string text;
        for (const auto& record : api.trail()) {
            text += audit::canonical(record) + "\n";
        }
        return text;
    }

    // One text a record.
    static std::vector<std::string> records(const telemetry::RecordBuffer& buffer);

    void expect_clean(const std::string& where, std::string_view text)
    {
        EXPECT_GT(text.size(), 100U) << where;
        for (const auto& [name, secret] : plants) {
            const auto at = text.find(secret);
            if (at != std::string_view::npos) {
                ADD_FAILURE() << name << " in " << where << ": …"
                              << text.substr(at > 200 ? at - 200 : 0, 400 + secret.size());
            }
        }
    }

    static constexpr const char* new_password = "Planted-New-Password-9";
    inline static int keys = 0;

    Plants plants;
    std::string errors;
    RedisServer redis{{.password = "planted-redis-password"}};
    StubServer mail_server{refuse_mail};
    Api api{std::get<0>(GetParam()), [this](config::Config& config) { configure(config); }};
};

INSTANTIATE_TEST_SUITE_P(
    All,
    SecretsApi,
    testing::Combine(
        testing::Values(ApiEngine::sqlite, ApiEngine::postgres), testing::Values("production", "development")
    ),
    [](const auto& info) {
        return std::string(std::get<0>(info.param) == ApiEngine::sqlite ? "sqlite_" : "postgres_") +
               std::get<1>(info.param);
    }
);

std::vector<std::string> SecretsApi::records(const telemetry::RecordBuffer& buffer)
{
    std::vector<std::string> texts;
    for (const auto& batch : buffer.copy()) {
        std::size_t at = 0;
        while (at < batch.bytes.size()) {
            ++at;  // the tag
            std::size_t length = 0;
            for (int shift = 0;; shift += 7) {
                const auto byte = static_cast<unsigned char>(batch.bytes[at++]);
                length |= static_cast<std::size_t>(byte & 0x7fU) << shift;
                if (byte < 0x80) {
                    break;
                }
            }
            texts.push_back(batch.bytes.substr(at, length));
            at += length;
        }
    }
    return texts;
}

TEST_P(SecretsApi, AreToldToNobody)
{
    plant_fixed();
    Person ada{.email = "planted-ada@example.com", .password = "Planted-Ada-Password-7"};
    Person root{.email = "planted-root@example.com", .password = "Planted-Root-Password-7"};
    sign_up(ada);
    sign_up(root);
    become_admin(root);
    live(ada);
    while (api.run(api.product().dispatcher().send_one())) {
    }
    sweep({&ada, &root});
    break_statements();
    try_all(ada);
    redis.crash();
    try_all(root);
    const auto rows = trail();
    api.database().close();
    try_all(ada);

    std::string lines;
    std::string notes;
    for (const auto& line : records(api.recorder().kept_logs())) {
        const bool notifies =
            line.contains("email verification token issued") || line.contains("password reset token issued");
        (notifies ? notes : lines) += line + "\n";
    }
    // They also show that a secret would be found.
    EXPECT_EQ(notes.contains("planted-ada") && notes.contains("planted-reset-page"), local());
    EXPECT_EQ(notes.empty(), !local());
    std::string spans;
    for (const auto& span : records(api.recorder().kept_spans())) {
        spans += span + "\n";
    }
    EXPECT_EQ(api.recorder().kept_logs().dropped(), 0U);
    EXPECT_EQ(api.recorder().kept_spans().dropped(), 0U);
    expect_clean("log lines", lines);
    expect_clean("spans", spans);
    expect_clean("metrics", telemetry::expose(api.metrics(), telemetry::Exposition::openmetrics));
    expect_clean("audit rows", rows);
    expect_clean("errors", errors);
    std::set<std::string> kinds;
    for (const auto& [name, secret] : plants) {
        kinds.insert(name);
    }
    EXPECT_GE(kinds.size(), 20U);
}

}  // namespace

}  // namespace kit::test
