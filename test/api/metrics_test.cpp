// What the product counts, read from its registry and from the documented table.
#include "admin_fixture.hpp"
#include "app/telemetry.hpp"
#include "platform/telemetry/exposition.hpp"
#include "support/temp_dir.hpp"

#include <boost/asio/ip/tcp.hpp>

#include <fcntl.h>
#include <fstream>
#include <set>
#include <unistd.h>

namespace kit::test {
namespace {

using testing::HasSubstr;
using testing::Not;

std::set<std::string> documented_instruments()
{
    std::ifstream file("docs/metrics.md");
    std::set<std::string> rows;
    for (std::string line; std::getline(file, line);) {
        if (line.starts_with("| `")) {
            rows.insert(line);
        }
    }
    return rows;
}

std::string quoted(std::string_view text)
{
    return "`" + std::string(text) + "`";
}

std::string table_row(const telemetry::Instrument& instrument)
{
    std::string attributes;
    for (std::size_t index = 0; index < instrument.attribute_count(); ++index) {
        attributes += (index > 0 ? " " : "") + quoted(instrument.attributes.at(index));
    }
    const auto unit = instrument.unit.empty() ? "" : quoted(instrument.unit) + " ";
    return "| " + quoted(instrument.name) + " | " + std::string(to_string(instrument.kind)) + " | " + unit +
           "| " + attributes + " |";
}

// The whole server in this process.
class AppTest : public testing::Test {
protected:
    AppTest()
    {
        config_.http.bind = "127.0.0.1";
        config_.http.port = 0;
        config_.http.workers = 1;
        config_.http.admin_address = "off";
        config_.process.data_dir = folder_.path();
        config_.database.sqlite_path = folder_.path() / "metrics.db";
        config_.tokens.access_secret = config::Secret("test-access-secret-0123456789abcdef");
        config_.tokens.refresh_secret = config::Secret("test-refresh-secret-0123456789abcde");
    }

    ~AppTest() override { ::close(null_); }

    app::Environment environment()
    {
        return {.clock = clock_, .random = random_, .logger = logger_, .metrics = metrics_};
    }

    TempDir folder_;
    int null_ = ::open("/dev/null", O_WRONLY | O_CLOEXEC);
    SystemClock clock_;
    SystemRandom random_;
    telemetry::Logger logger_{{.descriptor = null_, .readable = false}, clock_};
    telemetry::Registry metrics_{{.workers = 1}};
    config::Config config_;
};

TEST_F(AppTest, DeclaresTheInstrumentsOfTheDocument)
{
    config_.redis.address = "127.0.0.1:1";       // not contacted at start
    config_.telemetry.endpoint = "127.0.0.1:1";  // the exporter's are declared too
    app::Telemetry telemetry(config_, clock_, random_, null_);
    const app::App app(
        config_,
        {.clock = clock_, .random = random_, .logger = telemetry.logger(), .metrics = telemetry.metrics()}
    );
    std::set<std::string> declared;
    for (const auto& reading : telemetry.metrics().collect()) {
        declared.insert(table_row(*reading.instrument));
    }
    EXPECT_EQ(documented_instruments(), declared);
}

TEST_F(AppTest, StartsWithoutAnAdminListenerWhoseDefaultPortIsBusy)
{
    asio::io_context loop;
    const asio::ip::tcp::acceptor busy(loop, {asio::ip::address_v4::loopback(), 0});
    config_.http.admin_address = "127.0.0.1:" + std::to_string(busy.local_endpoint().port());
    app::App app(config_, environment());
    EXPECT_NO_THROW(app.start());
    app.stop();
    config_.sources["ADMIN_HTTP_ADDR"] = config::Source::environment;
    app::App asked(config_, environment());
    EXPECT_THROW(asked.start(), Unavailable);
}

class MetricsTest : public testing::Test {
protected:
    std::string page(telemetry::Exposition format = telemetry::Exposition::prometheus)
    {
        return telemetry::expose(api_.metrics(), format);
    }

    Api api_{ApiEngine::sqlite};
    CookieJar jar_;
};

TEST_F(MetricsTest, RequestsAreCountedByRoute)
{
    api_.send({.path = "/health/live"});
    api_.send({.method = "BREW", .path = "/no/such/path"});
    const auto text = page();
    EXPECT_THAT(
        text,
        HasSubstr("http_server_request_duration_seconds_count{http_request_method=\"GET\","
                  "http_response_status_code=\"200\",http_route=\"/health/live\",url_scheme=\"http\","
                  "network_protocol_version=\"1.1\"} 1\n")
    );
    EXPECT_THAT(
        text, HasSubstr("http_request_method=\"_OTHER\",http_response_status_code=\"404\",url_scheme")
    );
    EXPECT_THAT(text, Not(HasSubstr("/no/such/path")));
    EXPECT_THAT(
        text, HasSubstr("http_server_active_requests{http_request_method=\"GET\",url_scheme=\"http\"} 0\n")
    );
    EXPECT_THAT(text, HasSubstr("http_server_response_body_size_bytes_count"));
}

TEST_F(MetricsTest, SignInsRefreshesAndLogoutsAreCounted)
{
    const auto post = [this](const std::string& path, const std::string& body = {}) {
        return api_.send(
            jar_,
            {.method = "POST", .path = path, .headers = {{"Content-Type", "application/json"}}, .body = body}
        );
    };
    api_.sign_up(jar_);
    api_.send(
        {.method = "POST",
         .path = "/api/v1/auth/local/register",
         .headers = {{"Idempotency-Key", "taken"}},
         .body = R"({"email":"ada@example.com","name":"Ada","password":"Correct-Horse-42"})"}
    );
    post("/api/v1/auth/local/login", "{");
    EXPECT_EQ(post("/api/v1/auth/refresh").status, 200);
    EXPECT_EQ(api_.send(jar_, {.path = "/api/v1/me"}).status, 200);
    EXPECT_EQ(api_.send({.path = "/api/v1/me"}).status, 401);
    EXPECT_EQ(api_.send({.path = "/api/v1/me", .headers = {{"Authorization", "Bearer x"}}}).status, 401);
    EXPECT_EQ(post("/api/v1/auth/logout").status, 200);
    const auto text = page();
    for (const char* line :
         {"auth_login_attempts_total{provider=\"local\",status=\"success\"} 1\n",
          "auth_login_attempts_total{provider=\"local\",status=\"failure\"} 2\n",
          "auth_request_duration_seconds_count{endpoint=\"local_register\",status=\"failure\"} 1\n",
          "auth_request_duration_seconds_count{endpoint=\"local_login\",status=\"failure\"} 1\n",
          "auth_refresh_attempts_total{status=\"success\"} 1\n",
          "auth_refresh_security_events_total{outcome=\"rotated\"} 1\n",
          "auth_logout_attempts_total{status=\"success\"} 1\n",
          "auth_access_token_validation_events_total{outcome=\"valid\",source=\"cookie\"} 2\n",
          "auth_access_token_validation_events_total{outcome=\"missing\",source=\"none\"} 1\n",
          "auth_access_token_validation_events_total{outcome=\"invalid\",source=\"bearer\"} 1\n",
          "security_csrf_validation_events_total{outcome=\"valid\",path_group=\"api/auth\"} 2\n",
          "repository_operations_total{repo=\"user\",op=\"create\",outcome=\"not_found\"} 1\n",
          "repository_operations_total{repo=\"session\",op=\"rotate_session\",outcome=\"success\"} 1\n",
          "pool_queue_length{pool=\"password_hash\"} 0\n"}) {
        EXPECT_THAT(text, HasSubstr(line));
    }
}

TEST_F(MetricsTest, FlowsAreCountedByOutcome)
{
    const auto post = [this](const std::string& path, const std::string& body) {
        return api_
            .send(
                jar_,
                {.method = "POST",
                 .path = "/api/v1/auth/local/" + path,
                 .headers = {new_idempotency_key()},
                 .body = body}
            )
            .status;
    };
    api_.sign_up(jar_);
    EXPECT_EQ(post("verify/request", R"({"email":"ada@example.com"})"), 202);
    EXPECT_EQ(post("verify/request", "{}"), 400);
    EXPECT_EQ(post("verify/confirm", R"({"token":"x"})"), 400);
    EXPECT_EQ(post("password/forgot", "{}"), 200);
    EXPECT_EQ(post("password/reset", R"({"token":"x","new_password":"short"})"), 400);
    EXPECT_EQ(post("change-password", R"({"current_password":"x","new_password":"Another-Horse-43"})"), 401);
    EXPECT_EQ(
        post(
            "change-password", R"({"current_password":"Correct-Horse-42","new_password":"Another-Horse-43"})"
        ),
        200
    );
    const auto text = page();
    for (const char* line :
         {"auth_local_flow_events_total{flow=\"verify_request\",outcome=\"accepted\"} 1\n",
          "auth_local_flow_events_total{flow=\"verify_request\",outcome=\"failure\"} 1\n",
          "auth_local_flow_events_total{flow=\"verify_confirm\",outcome=\"invalid_token\"} 1\n",
          "auth_local_flow_events_total{flow=\"password_forgot\",outcome=\"accepted\"} 1\n",
          "auth_local_flow_events_total{flow=\"password_reset\",outcome=\"weak_password\"} 1\n",
          "auth_local_flow_events_total{flow=\"password_change\",outcome=\"unauthorized\"} 1\n",
          "auth_local_flow_events_total{flow=\"password_change\",outcome=\"success\"} 1\n",
          "auth_request_duration_seconds_count{endpoint=\"local_change_password\",status=\"success\"} 1\n"}) {
        EXPECT_THAT(text, HasSubstr(line));
    }
}

TEST_F(MetricsTest, AnUnknownAddressIsNotFoundAndAStolenTokenIsReuse)
{
    api_.sign_up(jar_);
    const auto refresh = [this](CookieJar& jar) {
        return api_.send(jar, {.method = "POST", .path = "/api/v1/auth/refresh"}).status;
    };
    auto stolen = jar_;
    EXPECT_EQ(refresh(jar_), 200);
    api_.clock().advance(std::chrono::minutes(1));
    EXPECT_EQ(refresh(stolen), 401);
    api_.send(
        {.method = "POST",
         .path = "/api/v1/auth/local/login",
         .body = R"({"email":"nobody@example.com","password":"Correct-Horse-42"})"}
    );
    const auto text = page();
    EXPECT_THAT(text, HasSubstr("auth_refresh_attempts_total{status=\"reuse_detected\"} 1\n"));
    EXPECT_THAT(text, HasSubstr("auth_refresh_security_events_total{outcome=\"reuse_detected\"} 1\n"));
    EXPECT_THAT(
        text,
        HasSubstr("repository_operations_total{repo=\"user\",op=\"find_by_email\",outcome=\"not_found\"} 1\n")
    );
}

TEST_F(MetricsTest, CallsOfRepositoriesOfRolesAndPermissionsAreCounted)
{
    sign_up_admin(api_, jar_);
    const std::string roles_path = "/api/v1/admin/roles";
    const std::string permissions_path = "/api/v1/admin/permissions";
    const auto send = [this](const char* method, const std::string& path, const std::string& body = "") {
        return api_.send(jar_, request(method, path, body));
    };
    const auto id_of = [](const ApiResponse& created) {
        EXPECT_EQ(created.status, 201) << created.body;
        return "/" + std::to_string(at(parse_json(created.body), "/data/id").as_int64());
    };
    const auto role =
        roles_path + id_of(send("POST", roles_path, R"({"name":"editor","permissions":["products:read"]})"));
    id_of(send("POST", roles_path, R"({"name":"viewer","permissions":[]})"));
    send("POST", roles_path, R"({"name":"lost","permissions":["no:such"]})");
    send("PATCH", role, R"({"name":"writer"})");
    send("PATCH", roles_path + "/999", R"({"name":"writer"})");
    send("GET", roles_path);
    EXPECT_EQ(send("PATCH", "/api/v1/admin/users/1/roles", R"({"role_ids":[1,2]})").status, 200);
    EXPECT_EQ(send("DELETE", role).status, 200);
    const auto permission =
        permissions_path + id_of(send("POST", permissions_path, R"({"resource":"shelves","action":"read"})"));
    send("GET", permissions_path);
    EXPECT_EQ(send("PATCH", permission, R"({"resource":"shelves","action":"write"})").status, 200);
    EXPECT_EQ(send("DELETE", permission).status, 200);
    send("DELETE", permissions_path + "/999");
    const auto text = page();
    for (const auto& [repository, operation, outcome, count] :
         std::vector<std::tuple<std::string, std::string, std::string, int>>{
             {"role", "create", "success", 4},  // two of them at the seeding
             {"role", "update", "success", 1},
             {"role", "list_paged", "success", 1},
             {"role", "find_by_id", "success", 2},
             {"role", "find_by_id", "not_found", 1},
             {"role", "delete_by_id", "success", 1},
             {"permission", "find_by_pairs", "success", 1},
             {"permission", "find_by_pairs", "not_found", 1},
             {"permission", "list_paged", "success", 1},
             {"permission", "find_by_id", "success", 2},
             {"permission", "find_by_id", "not_found", 1},
             {"permission", "update", "success", 1},
             {"permission", "delete_by_id", "success", 1},
             {"user", "set_roles", "success", 1},
         }) {
        const auto series = "repository_operations_total{repo=\"" + repository + "\",op=\"" + operation +
                            "\",outcome=\"" + outcome + "\"} ";
        EXPECT_THAT(text, HasSubstr(series + std::to_string(count) + "\n"));
    }
}

TEST_F(MetricsTest, MutationsOfRolesAndPermissionsAreCountedByHowTheyEnd)
{
    sign_up_admin(api_, jar_);
    const auto send = [this](const char* method, const std::string& path, const std::string& body = "") {
        return api_.send(jar_, request(method, "/api/v1/admin/" + path, body)).status;
    };
    EXPECT_EQ(send("POST", "roles", R"({"name":"editor"})"), 201);
    EXPECT_EQ(send("POST", "roles", R"({"name":"editor"})"), 409);
    EXPECT_EQ(send("POST", "roles?validate_only=true", R"({"name":"viewer"})"), 200);
    EXPECT_EQ(send("PATCH", "roles/2", "{}"), 403);
    EXPECT_EQ(send("PATCH", "roles/3", R"({"name":"writer"})"), 200);
    EXPECT_EQ(send("PATCH", "roles/3", R"({"name":""})"), 400);
    EXPECT_EQ(send("DELETE", "roles/3"), 200);
    EXPECT_EQ(send("PATCH", "users/1/roles", R"({"role_ids":[1]})"), 403);
    EXPECT_EQ(send("PATCH", "users/1/roles", R"({"role_ids":[1,2]})"), 200);
    EXPECT_EQ(send("POST", "rbac/sync"), 200);
    api_.script("ALTER TABLE permissions RENAME TO lost");
    EXPECT_EQ(send("POST", "permissions", R"({"resource":"a","action":"b"})"), 500);
    const auto text = page();
    for (const auto* series :
         {R"(entity="role",action="create",status="success"} 1)",
          R"(entity="role",action="create",status="rejected"} 1)",
          R"(entity="role",action="update",status="rejected"} 1)",
          R"(entity="role",action="update",status="success"} 1)",
          R"(entity="role",action="delete",status="success"} 1)",
          R"(entity="user_role",action="set_user_roles",status="rejected"} 1)",
          R"(entity="user_role",action="set_user_roles",status="success"} 1)",
          R"(entity="sync",action="sync",status="success"} 1)",
          R"(entity="permission",action="create",status="error"} 1)"}) {
        EXPECT_THAT(text, HasSubstr("admin_rbac_mutations_total{" + std::string(series) + "\n"));
    }
}

TEST_F(MetricsTest, ASampledRequestIsAnExemplarWithItsTrace)
{
    api_.send(
        {.path = "/health/live",
         .headers = {{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}}}
    );
    EXPECT_THAT(
        page(telemetry::Exposition::openmetrics),
        HasSubstr("# {trace_id=\"0af7651916cd43dd8448eb211c80319c\"")
    );
}

TEST_F(MetricsTest, AnUnsampledRequestIsNone)
{
    api_.send(
        {.path = "/health/live",
         .headers = {{"traceparent", "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"}}}
    );
    EXPECT_THAT(page(telemetry::Exposition::openmetrics), Not(HasSubstr("trace_id")));
}

TEST_F(MetricsTest, OriginsAndPreflightsAreCounted)
{
    api_.send({.method = "OPTIONS", .path = "/", .headers = {{"Origin", "http://localhost:3000"}}});
    api_.send({.path = "/health/live", .headers = {{"Origin", "https://evil.example"}}});
    const auto text = page();
    for (const char* outcome : {"allow_origin", "rejected_origin", "preflight"}) {
        EXPECT_THAT(
            text,
            HasSubstr(
                "http_middleware_validation_events_total{middleware=\"cors\",outcome=\"" +
                std::string(outcome) + "\"} 1\n"
            )
        );
    }
}

}  // namespace
}  // namespace kit::test
