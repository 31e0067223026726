// Secrets of the settings: nothing that leaves the process names them, in a profile as strict as production,
// whether what they open can be reached or not.
#include "support/account.hpp"
#include "support/json.hpp"
#include "support/otlp_collector.hpp"
#include "support/postgres_cluster.hpp"
#include "support/redis_server.hpp"
#include "support/server.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

using namespace kit::test;
using testing::HasSubstr;
using testing::Not;

namespace {

// Everything secret begins like this.
constexpr const char* mark = "planted-";

Environment secret_settings(const std::string& database_url)
{
    return {
        {"APP_ENV", "qa"},  // without the generosity of local profiles, and without a limit on sampling
        {"SERVER_START_GRACE_PERIOD", "0s"},
        {"SHUTDOWN_PRESTOP_DELAY", "0s"},
        {"OTEL_LOG_LEVEL", "debug"},
        {"OTEL_TRACE_SAMPLING_RATIO", "1"},
        {"OTEL_METRICS_ENABLED", "true"},
        {"OTEL_TRACING_ENABLED", "true"},
        {"OTEL_LOGS_ENABLED", "true"},
        {"OTEL_EXPORTER_OTLP_PROTOCOL", "http/protobuf"},
        {"OTEL_EXPORTER_OTLP_HEADERS", "x-api-key=planted-collector-key"},
        {"OTEL_BSP_SCHEDULE_DELAY", "20"},
        {"OTEL_METRICS_EXPORT_INTERVAL", "50ms"},
        {"ADMIN_HTTP_ADDR", "127.0.0.1:0"},
        {"DATABASE_URL", database_url},
        {"JWT_ACCESS_SECRET", "planted-access-secret-0123456789abcdef"},
        {"JWT_REFRESH_SECRET", "planted-refresh-secret-0123456789abcdef"},
        {"REFRESH_TOKEN_PEPPER", "planted-pepper-0123456789"},
        {"OAUTH_STATE_SECRET", "planted-state-secret-0123456789"},
        {"GOOGLE_OAUTH_CLIENT_ID", "client"},
        {"GOOGLE_OAUTH_CLIENT_SECRET", "planted-google-secret"},
        {"MINIO_SECRET_KEY", "planted-minio-secret"},
        {"SMTP_URL", "smtp://mailer:planted-smtp-password@127.0.0.1:" + std::to_string(unused_port())},
    };
}

std::string database_url()
{
    const auto url = PostgresCluster::shared().create_database();
    return url + (url.contains('?') ? "&" : "?") + "password=planted-database-password";
}

std::uint16_t admin_port(Server& server)
{
    const auto line = server.process().wait_for_line("admin server starting").value();
    const auto address = std::string(text_at(parse_json(line), "/addr"));
    return static_cast<std::uint16_t>(std::stoul(address.substr(address.rfind(':') + 1)));
}

TEST(Secrets, OfTheSettingsLeaveNoTrace)
{
    const OtlpCollector collector;
    RedisServer redis({.password = "planted-redis-password", .tls = true});
    Installation installation(Engine::postgres, secret_settings(database_url()));
    installation.set("OTEL_EXPORTER_OTLP_ENDPOINT", collector.endpoint());
    installation.set("REDIS_ADDR", "127.0.0.1:" + std::to_string(redis.tls_port()));
    installation.set("REDIS_USERNAME", "default");
    installation.set("REDIS_PASSWORD", "planted-redis-password");
    installation.set("REDIS_TLS_ENABLED", "true");
    installation.set("REDIS_TLS_SERVER_NAME", "redis.test");
    installation.set("REDIS_TLS_CA_CERT_FILE", redis.ca_file().string());
    auto server = installation.start();
    auto client = server.client();
    EXPECT_EQ(sign_up(client, "planted-ada@example.com", "Planted-7-Password").status, 201);
    EXPECT_EQ(client.get("/health/ready").status, 200);
    client.post("/api/v1/auth/local/password/forgot", R"({"email":"planted-ada@example.com"})");
    EXPECT_TRUE(server.process().wait_for_line("mail server not reached"));
    redis.crash();
    EXPECT_NE(client.get("/health/ready").status, 200);
    HttpClient admin(kit::test::Endpoint{.port = admin_port(server)});
    for (const char* path :
         {"/metrics", "/telemetry/logs?limit=1000", "/telemetry/spans?limit=1000", "/telemetry/slow"}) {
        const auto page = admin.get(path);
        EXPECT_EQ(page.status, 200) << path;
        EXPECT_THAT(page.body, Not(HasSubstr(mark))) << path;
    }
    EXPECT_EQ(server.stop(), 0);
    EXPECT_THAT(server.process().output() + server.process().errors(), Not(HasSubstr(mark)));
    const auto taken = collector.taken();
    EXPECT_FALSE(taken.spans.empty() || taken.lines.empty() || taken.metrics.empty());
    for (const auto& request : taken.requests) {
        EXPECT_THAT(request.body, Not(HasSubstr(mark))) << request.path;
    }
}

TEST(Secrets, OfADatabaseThatCannotBeReachedAreNotInTheReason)
{
    const Installation installation(
        Engine::postgres,
        secret_settings(
            "postgres://kit:planted-database-password@127.0.0.1:" + std::to_string(unused_port()) + "/kit"
        )
    );
    const auto finished = run(installation.command({"api"}));
    EXPECT_NE(finished.exit_code, 0);
    EXPECT_THAT(finished.output + finished.errors, HasSubstr("database"));
    EXPECT_THAT(finished.output + finished.errors, Not(HasSubstr(mark)));
}

}  // namespace
