// The sub-commands, as scripts call them.
#include "support/account.hpp"
#include "support/json.hpp"
#include "support/redis_server.hpp"
#include "support/server.hpp"

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>

using namespace kit::test;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

namespace {

class Commands : public testing::TestWithParam<Engine> {
protected:
    Finished command(std::vector<std::string> arguments) const
    {
        return run(installation.command(std::move(arguments)));
    }

    Installation installation{GetParam()};
};

INSTANTIATE_TEST_SUITE_P(
    Engines, Commands, testing::Values(Engine::sqlite, Engine::postgres), testing::PrintToStringParamName()
);

// Without a database.
class CommandLine : public testing::Test {
protected:
    Finished command(std::vector<std::string> arguments) const
    {
        return run(installation.command(std::move(arguments)));
    }

    Installation installation{Engine::sqlite};
};

// A database that nobody serves.
constexpr std::string_view nowhere = "postgres://app:pass-never-shown@127.0.0.1:1/app?sslmode=disable";

// The documents of a database that is up to date, byte for byte.
const std::string up_output =
    "{\n"
    "  \"ok\": true,\n"
    "  \"title\": \"migrate up\",\n"
    "  \"details\": [\n"
    "    \"schema migration applied\",\n"
    "    \"database: connected\",\n"
    "    \"service: everything-backend-starter-kit\"\n"
    "  ]\n"
    "}\n";
const std::string status_output =
    "{\n"
    "  \"ok\": true,\n"
    "  \"title\": \"migrate status\",\n"
    "  \"details\": [\n"
    "    \"database reachable\",\n"
    "    \"service: everything-backend-starter-kit\",\n"
    "    \"migrations: ready\"\n"
    "  ]\n"
    "}\n";

void expect_ok(const Finished& finished, std::string_view title)
{
    EXPECT_EQ(finished.exit_code, 0) << finished.output << finished.errors;
    const auto document = parse_json(finished.output);
    EXPECT_TRUE(at(document, "/ok").as_bool());
    EXPECT_EQ(text_at(document, "/title"), title);
    EXPECT_EQ(document.get_object().count("error"), 0U) << finished.output;
}

void expect_failure(const Finished& finished, std::string_view title, std::string_view error)
{
    EXPECT_EQ(finished.exit_code, 3) << finished.output << finished.errors;
    const auto document = parse_json(finished.output);
    EXPECT_FALSE(at(document, "/ok").as_bool());
    EXPECT_EQ(text_at(document, "/title"), title);
    EXPECT_THAT(std::string(text_at(document, "/error")), HasSubstr(std::string(error)));
}

// What CI scripts rely on: these three in this order on an empty database.
TEST_P(Commands, MigrateStatusPlanUpOnAnEmptyDatabase)
{
    const auto status = command({"migrate", "status", "--ci", "--env-file", "/dev/null"});
    expect_ok(status, "migrate status");
    EXPECT_EQ(text_at(parse_json(status.output), "/details/0"), "database reachable");
    EXPECT_EQ(text_at(parse_json(status.output), "/details/1"), "service: everything-backend-starter-kit");
    EXPECT_THAT(status.output, HasSubstr("migrations: pending "));

    const auto plan = command({"migrate", "plan", "--ci", "--env-file", "/dev/null"});
    expect_ok(plan, "migrate plan");
    EXPECT_THAT(plan.output, HasSubstr("would apply "));
    EXPECT_THAT(plan.output, HasSubstr("no mutation executed in plan mode"));

    const auto up = command({"migrate", "up", "--ci", "--env-file", "/dev/null"});
    expect_ok(up, "migrate up");
    EXPECT_THAT(up.output, StartsWith(up_output.substr(0, up_output.rfind("\n  ]"))));
    EXPECT_THAT(up.output, HasSubstr("\"applied: "));

    EXPECT_EQ(command({"migrate", "up", "--ci"}).output, up_output);
    EXPECT_EQ(command({"migrate", "status", "--ci"}).output, status_output);
}

TEST_P(Commands, PlanChangesNothing)
{
    expect_ok(command({"migrate", "plan", "--ci"}), "migrate plan");
    const auto seed = command({"seed", "apply", "--ci"});
    EXPECT_EQ(seed.exit_code, 3) << "no schema, nothing to seed: " << seed.output;
}

TEST_P(Commands, SeedAppliesToAMigratedDatabase)
{
    expect_ok(command({"migrate", "up", "--ci"}), "migrate up");
    const auto dry_run = command({"seed", "dry-run", "--ci"});
    expect_ok(dry_run, "seed dry-run");
    EXPECT_THAT(dry_run.output, HasSubstr("products:write, products:delete, audit:read"));
    const auto applied = command(
        {"seed", "apply", "--ci", "--bootstrap-admin-email=Root@Example.com", "--env-file", "/dev/null"}
    );
    EXPECT_EQ(
        applied.output,
        "{\n"
        "  \"ok\": true,\n"
        "  \"title\": \"seed apply\",\n"
        "  \"details\": [\n"
        "    \"seeded default roles and permissions\",\n"
        "    \"bootstrap admin role assignment attempted for: Root@Example.com\"\n"
        "  ]\n"
        "}\n"
    );
    expect_ok(command({"seed", "apply", "--ci"}), "seed apply");
}

// The server seals while it runs and writes its last events when it stops.
TEST_P(Commands, AuditVerifiesAndPrunesWhatTheServerWrote)
{
    {
        auto server = installation.start();
        auto client = server.client();
        ASSERT_EQ(sign_up(client, "ada@example.com").status, 201);
        ASSERT_EQ(log_in(client, "nobody@example.com").status, 401);
        ASSERT_EQ(server.stop(), 0);
    }
    const auto verified = command({"audit", "verify", "--ci"});
    expect_ok(verified, "audit verify");
    EXPECT_THAT(verified.output, HasSubstr("rows checked: 2"));
    EXPECT_THAT(verified.output, HasSubstr("rows not sealed yet: 0"));
    const auto kept = command({"audit", "prune", "--ci"});
    expect_ok(kept, "audit prune");
    EXPECT_THAT(kept.output, HasSubstr("all rows stay"));
    installation.set("AUDIT_RETENTION", "1h");
    EXPECT_THAT(command({"audit", "prune", "--ci"}).output, HasSubstr("rows removed: 0"));
}

TEST_P(Commands, AuditVerifyFailsWithoutATrail)
{
    const auto verified = command({"audit", "verify", "--ci"});
    EXPECT_EQ(verified.exit_code, 3) << verified.output;
}

// The commands may open the database while the server runs, and what they write counts at once.
TEST_P(Commands, VerifyLocalEmailBesideARunningServer)
{
    installation.set("AUTH_LOCAL_REQUIRE_EMAIL_VERIFICATION", "true");
    auto server = installation.start();
    auto client = server.client();
    ASSERT_EQ(sign_up(client, "ada@example.com").status, 201);
    const auto unverified = log_in(client, "ada@example.com");
    EXPECT_EQ(unverified.status, 403);
    EXPECT_EQ(error_code(unverified), "EMAIL_UNVERIFIED");

    const auto verified = command({"seed", "verify-local-email", "--email", " Ada@Example.com ", "--ci"});
    expect_ok(verified, "seed verify-local-email");
    EXPECT_THAT(verified.output, HasSubstr("marked local email verified: ada@example.com"));
    EXPECT_EQ(log_in(client, "ada@example.com").status, 200);

    const auto title = std::string_view("seed verify-local-email");
    expect_failure(
        command({"seed", "verify-local-email", "--email", "nobody@example.com", "--ci"}),
        title,
        "record not found"
    );
    expect_failure(
        command({"seed", "verify-local-email", "--email", "  ", "--ci"}), title, "email is required"
    );
}

TEST_P(Commands, DoctorIsContentWithASoundInstallation)
{
    expect_ok(command({"migrate", "up", "--ci"}), "migrate up");
    const auto plain = command({"doctor"});
    EXPECT_EQ(plain.exit_code, 0) << plain.output << plain.errors;
    const auto json = command({"doctor", "--json"});
    EXPECT_EQ(json.exit_code, 0);
    EXPECT_NO_THROW(parse_json(json.output)) << json.output;
}

TEST_F(CommandLine, UnreachableDatabaseIsAFailureWithItsReasonAndNoSecret)
{
    installation.set("DATABASE_URL", std::string(nowhere));
    for (const std::string action : {"status", "up", "plan"}) {
        const auto finished = command({"migrate", action, "--ci"});
        expect_failure(finished, "migrate " + action, "");
        EXPECT_THAT(finished.output + finished.errors, Not(HasSubstr("pass-never-shown")));
    }
    const auto seed = command({"seed", "apply", "--ci"});
    expect_failure(seed, "seed apply", "");
    const auto doctor = command({"doctor"});
    EXPECT_NE(doctor.exit_code, 0);
    EXPECT_THAT(doctor.output, HasSubstr("DATABASE_URL"));
    EXPECT_THAT(doctor.output + doctor.errors, Not(HasSubstr("pass-never-shown")));
}

TEST_F(CommandLine, DoctorAsksRedisAsTheServerWould)
{
    RedisServer redis({.password = "right"});
    installation.set("REDIS_ADDR", redis.address());
    installation.set("REDIS_PASSWORD", "pass-never-shown");
    const auto refused = command({"doctor"});
    EXPECT_NE(refused.exit_code, 0);
    EXPECT_THAT(refused.output, HasSubstr("PROBLEM  redis: "));
    EXPECT_THAT(refused.output, HasSubstr("mend: correct REDIS_USERNAME and REDIS_PASSWORD"));
    EXPECT_THAT(refused.output + refused.errors, Not(HasSubstr("pass-never-shown")));
    installation.set("REDIS_PASSWORD", "right");
    EXPECT_THAT(command({"doctor"}).output, HasSubstr("ok       redis: " + redis.address() + " answers"));
    redis.crash();
    EXPECT_THAT(command({"doctor"}).output, HasSubstr("mend: start it, or correct REDIS_ADDR"));
}

TEST_F(CommandLine, WithoutTerminalAndCiTheOutcomeIsPlainText)
{
    const auto finished = command({"migrate", "up"});
    EXPECT_EQ(finished.exit_code, 0) << finished.errors;
    EXPECT_THAT(finished.output, HasSubstr("migrate up"));
    EXPECT_THAT(finished.output, HasSubstr("- schema migration applied"));
    EXPECT_THAT(finished.output, Not(HasSubstr("\x1b")));

    installation.set("DATABASE_URL", std::string(nowhere));
    const auto failed = command({"migrate", "up"});
    EXPECT_EQ(failed.exit_code, 3);
    EXPECT_THAT(failed.output + failed.errors, HasSubstr("FAILED: "));
}

TEST_F(CommandLine, EveryCommandExplainsItself)
{
    const std::vector<std::string> names{
        "api",
        "migrate",
        "seed",
        "audit",
        "users",
        "roles",
        "flags",
        "keys",
        "backup",
        "restore",
        "routes",
        "openapi",
        "config",
        "doctor"
    };
    for (const auto& name : names) {
        for (const std::string flag : {"--help", "-h"}) {
            const auto help = command({name, flag});
            EXPECT_EQ(help.exit_code, 0) << name;
            EXPECT_THAT(help.output, HasSubstr(name));
            EXPECT_EQ(help.errors, "") << name;
        }
    }
    const auto all = command({"--help"});
    EXPECT_EQ(all.exit_code, 0);
    for (const auto& name : names) {
        EXPECT_THAT(all.output, HasSubstr(name));
    }
}

TEST_F(CommandLine, ToolsWithoutSubcommandPrintTheirHelp)
{
    for (const std::string name : {"migrate", "seed", "audit", "users", "roles", "flags"}) {
        const auto help = command({name});
        EXPECT_EQ(help.exit_code, 0) << name;
        EXPECT_EQ(help.output, command({name, "--help"}).output);
    }
}

TEST_F(CommandLine, UsageErrorsExit1)
{
    const auto unknown = command({"migrate", "sideways"});
    EXPECT_EQ(unknown.exit_code, 1);
    EXPECT_THAT(unknown.errors, StartsWith("Error: unknown command \"sideways\" for \""));
    EXPECT_EQ(unknown.output, "");

    const auto flag = command({"migrate", "up", "--sideways"});
    EXPECT_EQ(flag.exit_code, 1);
    EXPECT_THAT(flag.errors, StartsWith("Error: unknown flag: --sideways"));

    const auto command_name = command({"sideways"});
    EXPECT_EQ(command_name.exit_code, 1);
    EXPECT_THAT(command_name.errors, HasSubstr("sideways"));
}

TEST_F(CommandLine, FlagsMayStandBeforeTheSubcommand)
{
    expect_ok(command({"migrate", "--ci", "--env-file=/dev/null", "up"}), "migrate up");
}

TEST_F(CommandLine, FaultySettingsAreNamedAllAtOnce)
{
    installation.set("SHUTDOWN_TIMEOUT", "-1s");
    installation.set("OTEL_LOG_LEVEL", "loud");
    const auto finished = command({"migrate", "status", "--ci"});
    expect_failure(finished, "migrate status", "validate config: ");
    EXPECT_THAT(finished.output, HasSubstr("SHUTDOWN_TIMEOUT must be \\u003e 0"));
    EXPECT_THAT(finished.output, HasSubstr("OTEL_LOG_LEVEL must be one of debug, info, warn, error"));
}

TEST_F(CommandLine, EnvFileIsReadAndTheEnvironmentWins)
{
    const auto file = installation.data_dir() / "other.env";
    std::ofstream(file) << "# settings\nOTEL_SERVICE_NAME=\"from-file\"\n";
    const auto from_file = command({"migrate", "status", "--ci", "--env-file", file.string()});
    EXPECT_THAT(from_file.output, HasSubstr("\"service: from-file\""));

    installation.set("OTEL_SERVICE_NAME", "from-environment");
    const auto from_environment = command({"migrate", "status", "--ci", "--env-file", file.string()});
    EXPECT_THAT(from_environment.output, HasSubstr("\"service: from-environment\""));

    const auto missing = command({"migrate", "status", "--ci", "--env-file", "/nonexistent"});
    EXPECT_EQ(missing.exit_code, 0);
    const auto unreadable = command({"migrate", "status", "--ci", "--env-file", "/"});
    EXPECT_EQ(unreadable.exit_code, 3);
    EXPECT_THAT(unreadable.output, HasSubstr("env file: "));
}

TEST_F(CommandLine, DotEnvOfTheWorkingFolderIsReadByTheServerToo)
{
    std::ofstream(installation.data_dir() / ".env") << "SERVER_START_GRACE_PERIOD=1h\n";
    auto server = installation.start();
    EXPECT_EQ(server.client().get("/health/ready").status, 503);
}

TEST_F(CommandLine, RoutesPrintsTheTable)
{
    const auto plain = command({"routes"});
    EXPECT_EQ(plain.exit_code, 0) << plain.errors;
    EXPECT_THAT(plain.output, HasSubstr("/api/v1/auth/local/login"));

    const auto json = command({"routes", "--json"});
    EXPECT_EQ(json.exit_code, 0);
    EXPECT_THAT(json.output, HasSubstr("\"/health/live\""));
    EXPECT_NO_THROW(parse_json(json.output)) << json.output;
}

TEST_F(CommandLine, ConfigShowsEverySettingAndNoSecret)
{
    const std::string secret = "a-secret-that-must-never-be-shown-anywhere";
    installation.set("JWT_ACCESS_SECRET", secret);
    for (const auto& arguments : {std::vector<std::string>{"config"}, {"config", "--json"}}) {
        const auto finished = command(arguments);
        EXPECT_EQ(finished.exit_code, 0) << finished.errors;
        EXPECT_THAT(finished.output, HasSubstr("JWT_ACCESS_SECRET"));
        EXPECT_THAT(finished.output, HasSubstr("SHUTDOWN_PRESTOP_DELAY"));
        EXPECT_THAT(finished.output + finished.errors, Not(HasSubstr(secret)));
    }
    EXPECT_NO_THROW(parse_json(command({"config", "--json"}).output));
}

}  // namespace
