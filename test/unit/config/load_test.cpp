#include "platform/config/load.hpp"

#include "defaults.hpp"
#include "fixture.hpp"
#include "platform/config/variables.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

namespace kit::config {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

TEST(Defaults, OfEveryVariable)
{
    const auto config = load_values(development());
    ASSERT_TRUE(config);
    Values seen;
    for (const auto& row : describe(*config)) {
        EXPECT_TRUE(seen.emplace(row.name, row.value).second) << row.name << " twice";
    }
    EXPECT_EQ(seen, defaults);
    EXPECT_THAT(config->warnings, IsEmpty());
}

TEST(Defaults, AnEmptyValueIsNone)
{
    auto values = development();
    for (const auto& variable : variables()) {
        if (variable.name != "AUTH_GOOGLE_ENABLED") {
            values.try_emplace(std::string(variable.name), "");
        }
    }
    const auto config = load_values(values);
    ASSERT_TRUE(config) << format_faults(config.error());
    for (const auto& row : describe(*config)) {
        EXPECT_EQ(row.value, defaults.find(row.name)->second) << row.name;
    }
}

TEST(Defaults, FollowTheProfile)
{
    for (const char* profile : {"production", "qa"}) {
        const auto config = load_values(production() + Values{{"APP_ENV", profile}});
        ASSERT_TRUE(config);
        EXPECT_EQ(config->health.start_grace, 2s);
        EXPECT_EQ(config->shutdown.prestop_delay, 5s);
        EXPECT_EQ(config->telemetry.environment, profile);
    }
    const auto config = load_values(
        production() +
        Values{
            {"SERVER_START_GRACE_PERIOD", "-1s"}, {"SHUTDOWN_PRESTOP_DELAY", "0"}, {"OTEL_ENVIRONMENT", "eu"}
        }
    );
    ASSERT_TRUE(config);
    EXPECT_EQ(config->health.start_grace, -1s);
    EXPECT_EQ(config->shutdown.prestop_delay, 0s);
    EXPECT_EQ(config->telemetry.environment, "eu");
}

// Every variable reaches a member of its own: what is set is what is printed, and nothing else moves.
TEST(Variables, EachReachesItsOwnMember)
{
    const Config untouched;
    for (const auto& variable : variables()) {
        Config config;
        const auto before = variable.binding.print(config);
        std::string text = "a:b";
        if (variable.binding.kind == Kind::flag) {
            text = before == "true" ? "false" : "true";
        } else if (variable.binding.kind == Kind::integer || variable.binding.kind == Kind::number) {
            text = "7";
        } else if (variable.binding.kind == Kind::duration) {
            text = "7s";
        } else if (variable.binding.kind == Kind::choice) {
            const auto choices = variable.binding.choices();
            text = choices.substr(choices.rfind(' ') + 1);
            text = text == before ? choices.substr(0, choices.find(',')) : text;
        }
        ASSERT_TRUE(variable.binding.parse(config, text)) << variable.name;
        EXPECT_EQ(variable.binding.print(config), variable.binding.kind == Kind::secret ? "***" : text)
            << variable.name;
        std::size_t moved = 0;
        for (const auto& other : variables()) {
            moved += other.binding.print(config) == other.binding.print(untouched) ? 0 : 1;
        }
        EXPECT_EQ(moved, text == before ? 0U : 1U) << variable.name;
    }
}

TEST(Variables, DefaultsLieWithinTheirRanges)
{
    for (const auto& variable : variables()) {
        if (const auto range = variable.traits.range) {
            const auto value = variable.binding.number(Config{});
            ASSERT_TRUE(value) << variable.name;
            EXPECT_GE(*value, range->min) << variable.name;
            EXPECT_LE(*value, range->max) << variable.name;
        }
        EXPECT_FALSE(variable.help.empty()) << variable.name;
    }
}

TEST(Variables, RangesAreChecked)
{
    for (const auto& variable : variables()) {
        const auto range = variable.traits.range;
        if (!range) {
            continue;
        }
        const std::string name(variable.name);
        // Keeps OTEL_BSP_MAX_EXPORT_BATCH_SIZE below its queue while either is moved.
        const auto base =
            development() +
            Values{{"OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1"}, {"OTEL_BSP_MAX_QUEUE_SIZE", "1000000"}};
        for (const auto bound : {range->min, range->max}) {
            EXPECT_EQ(faults_of(base + Values{{name, format_bound(variable, bound)}}), "") << name;
        }
        EXPECT_THAT(
            faults_of(base + Values{{name, format_bound(variable, range->max + 1)}}),
            HasSubstr(fmt::format(
                "validate config: {} must be between {} and {}",
                name,
                format_bound(variable, range->min),
                format_bound(variable, range->max)
            ))
        );
        if (range->min > 0) {
            EXPECT_THAT(
                faults_of(base + Values{{name, format_bound(variable, range->min - 1)}}), HasSubstr(name)
            ) << name;
        }
    }
}

TEST(Parsing, MalformedValuesAreRefused)
{
    EXPECT_EQ(
        faults_of(development() + Values{{"JWT_ACCESS_TTL", "15x"}}),
        "parse JWT_ACCESS_TTL: time: invalid duration \"15x\""
    );
    EXPECT_EQ(
        faults_of(development() + Values{{"COOKIE_SECURE", "yes"}}),
        "parse COOKIE_SECURE: invalid switch \"yes\""
    );
    EXPECT_EQ(
        faults_of(development() + Values{{"REDIS_DB", "one"}}), "parse REDIS_DB: invalid whole number \"one\""
    );
    EXPECT_EQ(
        faults_of(development() + Values{{"HTTP_PORT", "65536"}}),
        "parse HTTP_PORT: invalid whole number \"65536\""
    );
    EXPECT_EQ(
        faults_of(development() + Values{{"HTTP_HEADER_BYTES_MAX", "-1"}}),
        "parse HTTP_HEADER_BYTES_MAX: invalid whole number \"-1\""
    );
    EXPECT_EQ(
        faults_of(development() + Values{{"AUTH_ABUSE_MULTIPLIER", "nan"}}),
        "parse AUTH_ABUSE_MULTIPLIER: invalid number \"nan\""
    );
}

TEST(Parsing, FaultsOfBothStagesComeTogether)
{
    EXPECT_EQ(
        faults_of(
            development() +
            Values{{"JWT_ACCESS_TTL", "x"}, {"DB_AUTO_MIGRATE", "maybe"}, {"REDIS_POOL_SIZE", "0"}}
        ),
        "parse DB_AUTO_MIGRATE: invalid switch \"maybe\"; parse JWT_ACCESS_TTL: time: invalid duration "
        "\"x\"; "
        "validate config: REDIS_POOL_SIZE must be between 1 and 1000; "
        "REDIS_MIN_IDLE_CONNS must be between 0 and REDIS_POOL_SIZE"
    );
}

TEST(Parsing, TrimsAndLowersWhereItSays)
{
    const auto config = load_values(
        development() +
        Values{
            {"BOOTSTRAP_ADMIN_EMAIL", " Admin@Example.com "},
            {"COOKIE_SAMESITE", "Strict"},
            {"RATE_LIMIT_REDIS_OUTAGE_POLICY_AUTH", " FAIL_OPEN "},
            {"RATE_LIMIT_REDIS_OUTAGE_POLICY_FORGOT", "  "},
            {"REDIS_KEY_NAMESPACE", " v2 "},
            {"OTEL_LOG_LEVEL", "WARN"},
            {"AUTH_EMAIL_VERIFY_BASE_URL", " http://x "},
            {"JWT_ISSUER", " kept "},
            {"CORS_ALLOWED_ORIGINS", ","},
        }
    );
    ASSERT_TRUE(config) << format_faults(config.error());
    EXPECT_EQ(config->auth.bootstrap_admin_email, "admin@example.com");
    EXPECT_EQ(config->cookies.same_site, SameSite::strict);
    EXPECT_EQ(config->rate_limits.outage.auth, OutagePolicy::fail_open);
    EXPECT_EQ(config->rate_limits.outage.forgot, OutagePolicy::fail_closed);
    EXPECT_EQ(config->redis.key_namespace, "v2");
    EXPECT_EQ(config->telemetry.log_level, LogLevel::warn);
    EXPECT_EQ(config->auth.email_verify_base_url, "http://x");
    EXPECT_EQ(config->tokens.issuer, " kept ");
    EXPECT_THAT(config->http.cors_allowed_origins, IsEmpty());
}

TEST(Database, FollowsFromItsAddress)
{
    const auto embedded = load_values(development() + Values{{"DATA_DIR", "/srv/data"}});
    EXPECT_EQ(embedded->database.engine, Engine::sqlite);
    EXPECT_EQ(embedded->database.sqlite_path, "/srv/data/everything-backend.db");
    const auto file = load_values(development() + Values{{"DATABASE_URL", "sqlite:///srv/app%20one.db"}});
    EXPECT_EQ(file->database.engine, Engine::sqlite);
    EXPECT_EQ(file->database.sqlite_path, "/srv/app one.db");
    const auto server = load_values(development() + Values{{"DATABASE_URL", "host=db dbname=app"}});
    EXPECT_EQ(server->database.engine, Engine::postgres);
    EXPECT_TRUE(server->database.sqlite_path.empty());
}

TEST(Google, IsOffOnlyWhereNobodySaidOtherwise)
{
    const auto enabled = [](const Values& changes) {
        const auto config = load_values(development() + changes);
        return config ? std::to_string(config->google.enabled) : format_faults(config.error());
    };
    const Values credentials{{"GOOGLE_OAUTH_CLIENT_ID", "id"}, {"GOOGLE_OAUTH_CLIENT_SECRET", "secret"}};
    EXPECT_EQ(enabled({}), "0");
    EXPECT_EQ(enabled({{"GOOGLE_OAUTH_CLIENT_ID", "id"}}), "0");
    EXPECT_EQ(enabled(credentials), "1");
    EXPECT_EQ(enabled(credentials + Values{{"AUTH_GOOGLE_ENABLED", "false"}}), "0");
    EXPECT_THAT(enabled({{"AUTH_GOOGLE_ENABLED", ""}}), HasSubstr("GOOGLE_OAUTH_CLIENT_ID is required"));
    EXPECT_THAT(enabled({{"APP_ENV", "qa"}}), HasSubstr("GOOGLE_OAUTH_CLIENT_ID is required"));
}

TEST(Masks, NoSecretIsEverShown)
{
    const std::string needle = "nEEdle-nEEdle-nEEdle-nEEdle-nEEdle";
    Values values;
    for (const auto& variable : variables()) {
        if (variable.binding.kind == Kind::secret) {
            values.emplace(variable.name, needle + std::string(variable.name.substr(0, 5)));
        }
    }
    EXPECT_GE(values.size(), 10U);
    const auto refused = load_values(values + Values{{"APP_ENV", "production"}});
    ASSERT_FALSE(refused);
    EXPECT_THAT(format_faults(refused.error()) + explain_faults(refused.error()), Not(HasSubstr("nEEdle")));

    const auto config = load_values(
        values +
        Values{
            {"DATABASE_URL", "postgres://a:nEEdle@b/c"},
            {"SMTP_URL", "smtp://a:nEEdle@b"},
            {"JWT_REFRESH_SECRET", needle + "2"}
        }
    );
    ASSERT_TRUE(config) << format_faults(config.error());
    for (const auto& row : describe(*config)) {
        EXPECT_THAT(row.value, Not(HasSubstr("nEEdle"))) << row.name;
    }
    for (const auto& warning : config->warnings) {
        EXPECT_THAT(warning, Not(HasSubstr("nEEdle")));
    }
    std::ostringstream out;
    out << config->tokens.access_secret << config->redis.password << Secret();
    EXPECT_EQ(out.str(), "******");
}

TEST(Describe, NamesShapeDefaultAndSource)
{
    const TemporaryFolder folder;
    const auto path = folder.path() / ".env";
    std::ofstream(path) << "REDIS_DB=3\n";
    Environment environment(development() + Values{{"HTTP_IDLE_TIMEOUT", "90s"}});
    ASSERT_TRUE(environment.add_file(path));
    const auto rows = describe(load(environment, {}).value());
    const auto row = [&](std::string_view name) { return *std::ranges::find(rows, name, &Row::name); };
    EXPECT_EQ(row("HTTP_IDLE_TIMEOUT").value, "1m30s");
    EXPECT_EQ(row("HTTP_IDLE_TIMEOUT").source, "environment");
    EXPECT_EQ(row("HTTP_IDLE_TIMEOUT").default_text, "1m");
    EXPECT_EQ(row("HTTP_IDLE_TIMEOUT").shape, "duration such as 500ms or 1h30m, 100ms to 1h");
    EXPECT_EQ(row("REDIS_DB").source, "file");
    EXPECT_EQ(row("REDIS_POOL_SIZE").source, "default");
    EXPECT_EQ(row("SQLITE_SYNCHRONOUS").shape, "one of normal, full");
    EXPECT_EQ(row("SHUTDOWN_PRESTOP_DELAY").default_text, "0s in local-like profiles, else 5s");
}

TEST(Warnings, OfLikelySlips)
{
    const auto config = load_values(
        development() +
        Values{
            {"HTTP_PROT", "1"},
            {"HTTP_HOST", "x"},  // two edits from a short name
            {"COOKIE_SECUR", "1"},
            {"RATE_LIMIT_LOGIN_PER_MINUT", "1"},
            {"HTTP_PROXY", "x"},
            {"REDIS_PORT", "x"},
            {"OTEL_EXPORTER_JAEGER_ENDPOINT", "x"},
            {"PATH", "x"},
        }
    );
    ASSERT_TRUE(config);
    EXPECT_THAT(
        config->warnings,
        ElementsAre(
            "COOKIE_SECUR is not a setting: is COOKIE_SECURE meant?",
            "HTTP_PROT is not a setting: is HTTP_PORT meant?",
            "RATE_LIMIT_LOGIN_PER_MINUT is not a setting: is RATE_LIMIT_LOGIN_PER_MIN meant?"
        )
    );
}

TEST(Warnings, ASlipIsNamedBesideTheFaultItCauses)
{
    const auto refused = load_values(without(production(), {"DATABASE_URL"}) + Values{{"DATABASE_URI", "x"}});
    ASSERT_FALSE(refused);
    EXPECT_THAT(refused.error().front().mend, HasSubstr("(DATABASE_URI is set: is it a misspelling?)"));
    EXPECT_THAT(
        explain_faults(refused.error()), HasSubstr("1 setting is wrong:\n\n  DATABASE_URL is required\n    ")
    );
}

TEST(Warnings, OfWhatWillNotWork)
{
    const auto config = load_values(
        development() +
        Values{
            {"CORS_ALLOWED_ORIGINS", "*,https://ok.example:8443,http://x/path"},
            {"COOKIE_SAMESITE", "loose"},
            {"REDIS_PASSWORD", "x"},
            {"IDEMPOTENCY_REDIS_ENABLED", "true"},
            {"MINIO_ACCESS_KEY", "x"},
        }
    );
    ASSERT_TRUE(config);
    EXPECT_EQ(config->cookies.same_site, SameSite::lax);
    EXPECT_THAT(
        config->warnings,
        ElementsAre(
            "COOKIE_SAMESITE: \"loose\" is unknown: lax is used",
            "CORS_ALLOWED_ORIGINS: \"*\" is no origin (scheme://host[:port]) and matches nothing",
            "CORS_ALLOWED_ORIGINS: \"http://x/path\" is no origin (scheme://host[:port]) and matches nothing",
            "REDIS_PASSWORD is set but REDIS_ADDR is not: Redis is not used",
            "IDEMPOTENCY_REDIS_ENABLED=true but REDIS_ADDR is not set: the database is used",
            "MINIO_ACCESS_KEY is set but MINIO_ENDPOINT is not: blobs are kept in DATA_DIR"
        )
    );
    const auto none =
        load_values(development() + Values{{"COOKIE_SAMESITE", "none"}, {"COOKIE_SECURE", "false"}});
    EXPECT_THAT(none->warnings, ElementsAre(HasSubstr("browsers drop such cookies")));
}

TEST(Warnings, OfGuessableSecretsAndMissingMailOutsideLocalProfiles)
{
    const Values weak{{"JWT_ACCESS_SECRET", std::string(40, 'a')}};
    EXPECT_THAT(load_values(development() + weak)->warnings, IsEmpty());
    EXPECT_THAT(
        load_values(production() + weak)->warnings,
        ElementsAre(HasSubstr("SMTP_URL is not set"), HasSubstr("JWT_ACCESS_SECRET looks easy to guess"))
    );
    EXPECT_THAT(
        load_values(cluster())->warnings,
        ElementsAre("PUBLIC_URL is not set: mails say a one-time token, but not where to use it")
    );
    EXPECT_THAT(
        load_values(cluster() + Values{{"PUBLIC_URL", "https://app.example.com"}})->warnings, IsEmpty()
    );
}

}  // namespace
}  // namespace kit::config
